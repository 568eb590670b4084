"""The Python of a function: its own code, the packages of Lambda's Python, and no other installed package.

So an import that is missing in its asset fails here as on AWS.
"""

import importlib.util
import venv
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from webhook_runtime.contract import lambda_python

# Returns MiniStack's program and script for a runtime.
_Starter = Callable[[str], tuple[str, str]]

# MiniStack's script imports botocore first, to count how deep functions invoke one another. That takes longer than the
# rest of a start, and ours are not invoked by one another.
_COUNTS = "    _ms_install_invoke_depth()\n"
_COUNTS_OTHERS = f'    if not module_name.startswith("webhook_runtime."):\n    {_COUNTS}'


def by(program: Path, start: _Starter) -> _Starter:
    """Return the same starter with this Python, which imports botocore only for functions that are not ours."""

    def started(runtime: str) -> tuple[str, str]:
        stock, script = start(runtime)
        if not runtime.startswith("python"):
            return stock, script
        return str(program), script.replace(_COUNTS, _COUNTS_OTHERS)

    return started


def make(folder: Path) -> Path:
    """Create a virtual environment with the packages of Lambda's Python, and return its Python."""
    venv.create(folder, symlinks=True, clear=True)
    (site,) = folder.glob("lib/python*/site-packages")
    packages = {*lambda_python.PACKAGES, *_with_all_they_require(_backports())}
    modules = {module for package in packages for module in _modules(package)}
    # A missing package fails when it is imported.
    for place in {found for module in modules if (found := _place(module))}:
        (site / place.name).symlink_to(place)
    return folder / "bin" / "python"


def _modules(package: str) -> Iterator[str]:
    """Yield the modules of a package."""
    for distribution in metadata.distributions(name=package):
        told = (distribution.read_text("top_level.txt") or "").split()
        files = [file for file in distribution.files or () if file.suffix == ".py"]
        yield from told or (file.parts[0].removesuffix(".py") for file in files)


def _place(module: str) -> Path | None:
    """Return the folder or the file of a module."""
    spec = importlib.util.find_spec(module) if module.isidentifier() else None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(spec.submodule_search_locations[0])
    return Path(spec.origin) if spec.has_location and spec.origin else None


def _backports() -> set[str]:
    """Return packages that others require for this Python, but not for Lambda's newer one: no asset has them."""
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
    """Yield the packages that a package requires, by the markers of this Python or another one."""
    for text in distribution.requires or ():
        try:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate(dict(markers or {})):
                yield canonicalize_name(requirement.name)
        except ValueError:  # a requirement that no function may need
            continue
