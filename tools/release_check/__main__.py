"""Test the files of a release by using them: `make release-check`, which builds them first.

Each line is an observation. The first failure ends the test.
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
from release_check.registry import Registry
from release_check.rejected import ROOT, Rejected
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.processes import end, processes_in
from scalable_webhook_cli.signals import interrupt_on_termination

DIST = ROOT / "dist" / "python"
STARTED = time.monotonic()


def tell(what: str, seen: str) -> None:
    """Print an observation."""
    print(f"{time.monotonic() - STARTED:4.0f} s  {what:<13} {seen}", flush=True)


def interpreters() -> tuple[Interpreter, Interpreter]:
    """Return the oldest and the newest Python of this machine, and print the promised ones that are missing."""
    promised = environments.promised_pythons()
    found = environments.interpreters(promised[0])
    if not found:
        raise Rejected("this machine must have a promised version of Python, got none")
    here = {python.version[:2] for python in found}
    missing = [".".join(map(str, version)) for version in promised if version not in here]
    tested = f"{found[0]} and {found[-1]} are tested" if len(found) > 1 else f"{found[0]} ALONE is tested"
    tell("pythons", tested + (f"; promised, and NOT HERE: {', '.join(missing)}" if missing else ""))
    return found[0], found[-1]


def leg(served: Registry, python: Interpreter, constraints: Path | None, wheel: Path, folder: Path) -> Environment:
    """Install into an empty environment: base, then every extra."""
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
    tell(what, f"with [{every}] {len(more)} more packages")
    told(what, use.extras(environment))
    return environment


def told(what: str, seen: Iterable[str]) -> None:
    """Print each observation as it is made."""
    for line in seen:
        tell(what, line)


def check(scratch: Path) -> None:
    """Run all checks."""
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
    """Exit with 1 if a check fails. However it ends, no process is left."""
    interrupt_on_termination()
    os.environ.pop("PYTHONPATH", None)  # it has tools, which an app must not see
    with tempfile.TemporaryDirectory(prefix="release-check-") as folder:
        try:
            check(Path(folder))
        except (Rejected, CliError) as failure:
            sys.exit(f"release-check: FAILED {failure}")
        finally:
            end(process.pid for process in processes_in(Path(folder)))
    print(f"release-check: ok in {time.monotonic() - STARTED:.0f} s")


if __name__ == "__main__":
    main()
