"""The Python of a function: its own code, what Lambda's Python has, and nothing else that is installed here.

So what a function imports and its asset has not fails here as it would at AWS.
"""

import importlib.util
import venv
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from webhook_runtime.contract import lambda_python

# What MiniStack runs a function with, by its runtime: a program, and a script for it.
_Starter = Callable[[str], tuple[str, str]]


def by(program: Path, start: _Starter) -> _Starter:
    """The same, with this Python."""

    def started(runtime: str) -> tuple[str, str]:
        stock, script = start(runtime)
        return str(program) if runtime.startswith("python") else stock, script

    return started


def make(folder: Path) -> Path:
    """A virtual environment with what Lambda's Python has, as it is installed here. Returns its Python."""
    venv.create(folder, symlinks=True, clear=True)
    (site,) = folder.glob("lib/python*/site-packages")
    packages = {*lambda_python.PACKAGES, *_with_all_they_require(_backports())}
    modules = {module for package in packages for module in _modules(package)}
    # What is not there, whoever imports it is told.
    for place in {found for module in modules if (found := _place(module))}:
        (site / place.name).symlink_to(place)
    return folder / "bin" / "python"


def _modules(package: str) -> Iterator[str]:
    """The names under which a distribution is imported."""
    for distribution in metadata.distributions(name=package):
        told = (distribution.read_text("top_level.txt") or "").split()
        files = [file for file in distribution.files or () if file.suffix == ".py"]
        yield from told or (file.parts[0].removesuffix(".py") for file in files)


def _place(module: str) -> Path | None:
    """The folder or the file of a module."""
    spec = importlib.util.find_spec(module) if module.isidentifier() else None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(spec.submodule_search_locations[0])
    return Path(spec.origin) if spec.has_location and spec.origin else None


def _backports() -> set[str]:
    """What some package requires of this Python, and not of Lambda's, which is newer: it is not in the asset."""
    return {
        name
        for distribution in metadata.distributions()
        for name in set(_required(distribution)) - set(_required(distribution, lambda_python.MARKERS))
    }


def _with_all_they_require(names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [needed for each in metadata.distributions(name=name) for needed in _required(each)]
    return found


def _required(distribution: metadata.Distribution, markers: Mapping[str, str] | None = None) -> Iterator[str]:
    """The names of what a distribution requires, where its markers see this Python or another."""
    for text in distribution.requires or ():
        try:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate(dict(markers or {})):
                yield canonicalize_name(requirement.name)
        except ValueError:  # not ours to judge: it may be of no function
            continue
