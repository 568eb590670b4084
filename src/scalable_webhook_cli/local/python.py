"""The Python of a function: its own code, what Lambda's Python has, and nothing else that is installed here.

So what a function imports and its asset has not fails here as it would at AWS.
"""

import venv
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from cdk_scalable_webhook import distributions, requirements

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
    for package in sorted({*requirements.OF_LAMBDA, *_backports()}):
        with suppress(ValueError):  # it is not there, or not whole: then whoever imports it is told
            for distribution in distributions.resolve([package], requirements.here()):
                _link(distribution, site)
    return folder / "bin" / "python"


def _link(distribution: metadata.Distribution, site: Path) -> None:
    for name, source in distributions.imported(distribution):
        root, _, below = name.partition("/")
        link = site / root
        if not link.is_symlink():
            link.symlink_to(source.parents[len(Path(below).parts) - 1] if below else source)


def _backports() -> Iterator[str]:
    """What some package requires of this Python, and not of Lambda's, which is newer: it is not in the asset."""
    environment, nothing = requirements.here(), frozenset[str]()
    for distribution in metadata.distributions():
        try:
            here, there = (
                set(distributions.required(distribution, nothing, place))
                for place in (environment, requirements.LAMBDA)
            )
        except ValueError:  # not ours to judge: it may be of no function
            continue
        yield from (requirement.name for requirement in here - there)
