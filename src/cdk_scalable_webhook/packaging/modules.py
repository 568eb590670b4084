"""The modules of ``webhook_runtime`` that a function can import.

They are found in the text: parsing takes ten times as long, and a user's code may have newer syntax than this Python. A
test compares them with the imports that Python sees.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

_IMPORT = re.compile(
    r"^[ \t]*(?:from|import)[ \t]+(webhook_runtime[\w.]*)(?:[ \t]+import[ \t]*(\([^)]*|.*))?", re.MULTILINE
)
_FOR_TYPES = re.compile(r"^if TYPE_CHECKING:.*\n(?:(?:[ \t].*)?\n)*", re.MULTILINE)


def reached(run_time: Path, names: Iterable[str]) -> dict[str, Path]:
    """Return these modules and all that they import, at once or later, as files by their names in the archive.

    Args:
        run_time: The folder of ``webhook_runtime``.
        names: The names of modules. One that is none is ignored.
    """
    found: dict[str, Path] = {}
    waiting = list(names)
    for name in waiting:  # the list grows meanwhile
        file = _modules(run_time).get(name)
        path = file.relative_to(run_time.parent).as_posix() if file else ""
        if file and path not in found:
            found[path] = file
            waiting += [name.rpartition(".")[0], *_imported_by(file)]
    return found


def imported(text: str) -> Iterator[str]:
    """Yield the names of ``webhook_runtime`` that a module imports, whether these are modules or not."""
    for module, names in _IMPORT.findall(_FOR_TYPES.sub("", text)):
        yield module
        for name in re.findall(r"\w+", names):
            yield f"{module}.{name}"


@cache
def _modules(package: Path) -> dict[str, Path]:
    """Return the files of a package's modules, by their names."""
    files = (file.relative_to(package.parent) for file in package.rglob("*.py"))
    return {".".join(file.with_suffix("").parts).removesuffix(".__init__"): package.parent / file for file in files}


@cache
def _imported_by(file: Path) -> tuple[str, ...]:
    return tuple(imported(file.read_text("utf-8")))
