"""The files of a folder that may be code of a function."""

import stat
from collections.abc import Collection, Iterator
from fnmatch import fnmatch
from pathlib import Path

# Files that are never code of a function. Many change by themselves, and would deploy the same code again.
_LEFT_OUT = (
    ".*",  # version control, caches, environments and files of editors; and .env, which may have secrets
    "__pycache__",  # bytecode, which differs from machine to machine
    "*.py[co]",
    "*.egg-info",  # notes of an installer
    "node_modules",  # JavaScript of the CDK
    "cdk.json",  # files of the CDK
    "cdk.context.json",
    "cdk.out",
)
# A folder with one of these is left out too.
_MARKS = (
    "pyvenv.cfg",  # a virtual environment
    "conda-meta",  # a virtual environment of conda
    "CACHEDIR.TAG",  # a cache: https://bford.info/cachedir/
    "cdk.out",  # a cloud assembly
)


def files(argument: str, root: Path, *, without: Collection[Path] = ()) -> Iterator[tuple[str, Path]]:
    """Yield name and path of each file, in the same order on every machine. A link counts as its target.

    Args:
        argument: The name of the user's argument, for errors.
        root: A folder, or a single file.
        without: Further folders to leave out.

    Raises:
        ValueError: There is a broken link, or something that is neither a file nor a folder.
    """
    if root.is_dir():
        yield from _below(argument, root, root, [root.resolve()], {path.resolve() for path in without})
    else:
        yield root.name, root


def is_left_out(path: Path) -> bool:
    """Check whether a file or folder never belongs to a function."""
    return any(fnmatch(path.name, pattern) for pattern in _LEFT_OUT) or any((path / mark).exists() for mark in _MARKS)


def _below(
    argument: str, root: Path, folder: Path, above: list[Path], without: set[Path]
) -> Iterator[tuple[str, Path]]:
    for path in _listed(argument, folder):
        if is_left_out(path):
            continue
        name = path.relative_to(root).as_posix()
        if not name.isprintable() and any(0xD800 <= ord(character) <= 0xDFFF for character in name):
            raise ValueError(f"{argument} must have files with Unicode names, got {name!r}; rename it")
        mode = _mode(argument, path, name)
        if stat.S_ISREG(mode):
            yield name, path
            continue
        if not stat.S_ISDIR(mode):
            raise ValueError(
                f"{argument} must have files and folders only, got {name}, which is a socket, pipe or device; "
                "move it elsewhere"
            )
        real = path.resolve()
        if real in without:
            continue
        if real in above:
            raise _wrong_link(argument, name, "a folder that it is in itself")
        yield from _below(argument, root, path, [*above, real], without)


def _listed(argument: str, folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise unreadable(argument, folder.name, error) from None


def _mode(argument: str, path: Path, name: str) -> int:
    try:
        return path.stat().st_mode
    except OSError as error:
        if path.is_symlink():
            raise _wrong_link(argument, name, "nothing") from None
        raise unreadable(argument, name, error) from None


def _wrong_link(argument: str, name: str, to: str) -> ValueError:
    return ValueError(
        f"{argument} must have links to existing files and folders, got {name}, which points to {to}; remove it"
    )


def unreadable(argument: str, name: str, error: OSError) -> ValueError:
    """Return the error for a file that exists and cannot be packed."""
    return ValueError(f"{argument} must be readable, got {name}: {error.strerror}; fix it, or move it elsewhere")
