"""Tries the files of a release, by what is done with them: `make release-check`, which has built them.

Each line is something that was seen. The first that is not as it has to be ends it.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from release_check import environments, files, registry, use
from release_check.environments import Environment, Interpreter
from release_check.refused import ROOT, Refused
from release_check.registry import Registry
from scalable_webhook_cli.errors import CliError

DIST = ROOT / "dist" / "python"
STARTED = time.monotonic()


def tell(what: str, seen: str) -> None:
    """One thing that is proven."""
    print(f"{time.monotonic() - STARTED:4.0f} s  {what:<13} {seen}", flush=True)


def interpreters() -> tuple[Interpreter, Interpreter]:
    """The oldest and the newest Python that are here. Which of those promised are not is said, since the newest that is
    tried is not the newest then."""
    promised = environments.promised_pythons()
    found = environments.interpreters(promised[0])
    if not found:
        raise Refused("no Python of those that are promised answers here")
    here = {python.version[:2] for python in found}
    missing = [".".join(map(str, version)) for version in promised if version not in here]
    tried = f"{found[0]} and {found[-1]} are tried" if len(found) > 1 else f"{found[0]} ALONE is tried"
    tell("pythons", tried + (f"; promised, and NOT HERE: {', '.join(missing)}" if missing else ""))
    return found[0], found[-1]


def leg(served: Registry, python: Interpreter, constraints: Path | None, wheel: Path, folder: Path) -> Environment:
    """An empty environment: base, then every extra."""
    said = files.metadata(wheel)
    what = f"{python} {'oldest' if constraints else 'newest'}"
    environment = Environment(folder, constraints)
    environment.make(python)
    began = time.monotonic()
    report = environment.install(served, f"{environments.NAME}=={said.version}")
    tell(what, environments.came_from(served, wheel, report))
    tell(what, environments.nothing_else(environment))
    told(what, use.base(environment, said.description or ""))
    tell(what, f"that was {time.monotonic() - began:.0f} seconds after pip began to install")
    every = ",".join(said.provides_extra or [])
    more = environment.install(served, f"{environments.NAME}[{every}]=={said.version}")
    tell(what, f"with [{every}] {len(more)} distributions more")
    told(what, use.extras(environment))
    return environment


def told(what: str, seen: Iterable[str]) -> None:
    """Each as it is seen."""
    for line in seen:
        tell(what, line)


def check(scratch: Path) -> None:
    """All of it."""
    (wheel,), (sdist,) = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    tell("built", f"{wheel.name}, {sdist.name}: {files.same_again(DIST, scratch)}")
    tell("built", files.same_alone(DIST, scratch))
    source = files.source()
    for seen in (
        files.wheel_is(wheel, source),
        files.sdist_is(sdist, source),
        files.wheel_has_what_runs(wheel),
        files.checked_by_others(wheel, sdist),
        files.page_is_whole(wheel),
    ):
        tell("files", seen)
    oldest, newest = interpreters()
    with registry.running(scratch / "registry") as served:
        told("upload", registry.upload(served, DIST, scratch))
        tell("upload", registry.holds(served, [wheel, sdist]))
        told("published", registry.published(served, DIST))
        leg(served, oldest, environments.floors(scratch), wheel, scratch / "oldest")
        shutil.rmtree(scratch / "oldest")
        last = leg(served, newest, None, wheel, scratch / "newest")
        tell("sdist", environments.built_by_pip(last, served, wheel, sdist))


def main() -> None:
    """Exits with 1 where something is not as it has to be."""
    os.environ.pop("PYTHONPATH", None)  # it leads to tools, which no app may see
    with tempfile.TemporaryDirectory(prefix="release-check-") as folder:
        try:
            check(Path(folder))
        except (Refused, CliError) as refused:
            sys.exit(f"release-check: FAILED {refused}")
    print(f"release-check: ok in {time.monotonic() - STARTED:.0f} s")


if __name__ == "__main__":
    main()
