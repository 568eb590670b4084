"""The files of a folder that may be code of a function."""

import stat
from collections.abc import Collection, Iterator
from fnmatch import fnmatch
from pathlib import Path

# What is never code of a function, and changes by itself: with it in the asset, the same code would be deployed anew.
_LEFT_OUT = (
    ".*",  # version control, caches, environments and what editors keep; and .env, whose secrets belong nowhere
    "__pycache__",  # bytecode, which differs from machine to machine
    "*.py[co]",
    "*.egg-info",  # what an installer noted
    "node_modules",  # JavaScript: the CDK's
    "cdk.json",  # what the CDK reads, writes and makes
    "cdk.context.json",
    "cdk.out",
)
# What marks a folder as one of these, whatever its name is.
_MARKS = (
    "pyvenv.cfg",  # a virtual environment
    "conda-meta",  # one of conda's
    "CACHEDIR.TAG",  # a cache: https://bford.info/cachedir/
    "cdk.out",  # a cloud assembly, by which the CDK knows one too
)


def files(argument: str, root: Path, *, without: Collection[Path] = ()) -> Iterator[tuple[str, Path]]:
    """Name and place of each file, in an order that is the same everywhere. A link counts as what it points to.

    Args:
        argument: What the user calls it.
        root: A folder; or a file, which is all there is then.
        without: Folders that are left out, beside what never belongs to a function.

    Raises:
        ValueError: There is a link that points nowhere, or something that is no file.
    """
    if root.is_dir():
        yield from _below(argument, root, root, [root.resolve()], {path.resolve() for path in without})
    else:
        yield root.name, root


def is_left_out(path: Path) -> bool:
    """Whether it never belongs to a function."""
    return any(fnmatch(path.name, pattern) for pattern in _LEFT_OUT) or any((path / mark).exists() for mark in _MARKS)


def _below(
    argument: str, root: Path, folder: Path, above: list[Path], without: set[Path]
) -> Iterator[tuple[str, Path]]:
    for path in _listed(argument, folder):
        if is_left_out(path):
            continue
        name = path.relative_to(root).as_posix()
        if not name.isprintable() and any(0xD800 <= ord(character) <= 0xDFFF for character in name):
            raise ValueError(f"{argument} must have files whose names are Unicode, got {name!r}; rename it")
        mode = _mode(argument, path, name)
        if stat.S_ISREG(mode):
            yield name, path
            continue
        if not stat.S_ISDIR(mode):
            raise ValueError(
                f"{argument} must hold files and folders only, got {name}, which is a socket, pipe or device; "
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
        f"{argument} must have links to files and folders that are there, got {name}, which points to {to}; remove it"
    )


def unreadable(argument: str, name: str, error: OSError) -> ValueError:
    """Something that is there, and cannot be packed."""
    return ValueError(f"{argument} must be readable, got {name}: {error.strerror}; mend it, or move it elsewhere")
