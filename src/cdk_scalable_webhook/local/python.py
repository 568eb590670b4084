"""The Python of a function: its own code, what Lambda's Python has, and nothing else that is installed here.

So what a function imports and its asset has not fails here as it would at AWS.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from cdk_scalable_webhook import distributions, requirements

# Without what is installed Python only starts anew. A function's own code comes before its first folder.
_START = """\
import os, sys
if not sys.flags.no_site:
    os.execv(sys.executable, [sys.executable, "-s", "-S", __file__])
sys.path[0] = {folder!r}
"""

# What MiniStack runs a function with, by its runtime: a program, and a script for it.
_Starter = Callable[[str], tuple[str, str]]


def alone(start: _Starter, folder: Path) -> _Starter:
    """The same, for a Python that sees of what is installed this folder alone."""

    def started(runtime: str) -> tuple[str, str]:
        program, script = start(runtime)
        return program, _START.format(folder=str(folder)) + script if runtime.startswith("python") else script

    return started


def make(folder: Path) -> None:
    """Put into a folder what Lambda's Python has, as it is installed here."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in sorted({*requirements.OF_LAMBDA, *_backports()}):
        with suppress(ValueError):  # it is not there, or not whole: then whoever imports it is told
            for distribution in distributions.resolve([package], requirements.here()):
                _link(distribution, folder)


def _link(distribution: metadata.Distribution, folder: Path) -> None:
    for name, source in distributions.imported(distribution):
        root, _, below = name.partition("/")
        link = folder / root
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
