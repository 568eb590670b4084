"""The Pythons of this machine, and empty environments with packages from the registry."""

import json
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from release_check.files import digest, installed, metadata
from release_check.registry import Registry
from release_check.rejected import ROOT, Rejected, run

NAME = "cdk-scalable-webhook"
# The promised requirements of the base installation; all others are extras.
PROMISED = {"aws-cdk-lib", "constructs", "jsii"}

_WHO = "import sys; print(*sys.version_info[:3], sys.version_info.releaselevel)"


@dataclass(frozen=True, order=True)
class Interpreter:
    """A Python of this machine."""

    version: tuple[int, int, int]
    path: Path

    def __str__(self) -> str:
        return ".".join(map(str, self.version))


def promised_pythons() -> list[tuple[int, int]]:
    """Return the versions of the metadata, the oldest first."""
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    found = (re.fullmatch(r"Programming Language :: Python :: (\d+)\.(\d+)", line) for line in named)
    return sorted((int(match[1]), int(match[2])) for match in found if match)


def interpreters(oldest: tuple[int, int]) -> list[Interpreter]:
    """Return the Pythons of PATH, of pyenv and ours: one of each version, from ``oldest`` on."""
    found: dict[tuple[int, int, int], Path] = {}
    for path in _candidates(oldest):
        try:
            *numbers, level = run([path, "-c", _WHO]).split()
        except (Rejected, OSError):
            continue  # a shim of pyenv for a version that is not selected
        version = (int(numbers[0]), int(numbers[1]), int(numbers[2]))
        if version >= oldest and level == "final":
            found.setdefault(version, path)
    return sorted(Interpreter(version, path) for version, path in found.items())


def _candidates(oldest: tuple[int, int]) -> Iterator[Path]:
    yield Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
    for minor in range(oldest[1], oldest[1] + 20):
        if on_path := shutil.which(f"python3.{minor}"):
            yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from pyenv.glob("versions/3.*/bin/python3")


def floors(scratch: Path) -> Path:
    """Write a file of constraints: the lowest version in the range of each requirement, extras included."""
    lowest = ["--resolution", "lowest-direct", "--no-deps", "--all-extras", "--no-header", "--no-annotate"]
    (oldest, *_) = promised_pythons()
    version = ".".join(map(str, oldest))
    uv = Path(sys.executable).with_name("uv")
    pins = run([uv, "pip", "compile", "--quiet", *lowest, "--python-version", version, "pyproject.toml"])
    file = scratch / "floors.txt"
    file.write_text(pins)
    return file


@dataclass(frozen=True)
class Environment:
    """An environment of one of these Pythons, in which pip installs as for any user."""

    folder: Path
    constraints: Path | None = None

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def make(self, interpreter: Interpreter) -> None:
        """Create it, without pip in it."""
        run([Path(sys.executable).with_name("uv"), "venv", "--quiet", "--python", interpreter.path, self.folder])

    def install(self, registry: Registry, requirement: str, *options: str) -> list[dict[str, Any]]:
        """Install from the registry, and missing packages from the registries of the user's pip.

        Returns:
            The report of pip for each package.
        """
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        constraints: list[str | Path] = ["--constraint", self.constraints] if self.constraints else []
        found_by: list[str | Path] = ["--extra-index-url", registry.index, "--report", report]
        self._pip(
            "install",
            "--progress-bar",
            "off",
            "--no-warn-script-location",
            *found_by,
            *constraints,
            *options,
            requirement,
        )
        return list(json.loads(report.read_text())["install"])

    def distributions(self) -> tuple[dict[str, "Distribution"], dict[str, str]]:
        """Return the installed packages by name, and the values for markers of requirements."""
        seen = json.loads(self._pip("inspect"))
        every = (each["metadata"] for each in seen["installed"])
        return {str(canonicalize_name(each["name"])): Distribution.of(each) for each in every}, seen["environment"]

    def _pip(self, *arguments: str | Path) -> str:
        return run([sys.executable, "-m", "pip", "--python", self.python, *arguments])


@dataclass(frozen=True)
class Distribution:
    """An installed package and its requirements."""

    version: str
    requires: tuple[Requirement, ...]

    @classmethod
    def of(cls, metadata: dict[str, Any]) -> "Distribution":
        return cls(metadata["version"], tuple(map(Requirement, metadata.get("requires_dist", []))))


def came_from(registry: Registry, file: Path, report: Sequence[dict[str, Any]]) -> str:
    """Check that our package was installed from the registry, with the bytes of the build."""
    urls = {str(canonicalize_name(each["metadata"]["name"])): each["download_info"] for each in report}
    if NAME not in urls:
        raise Rejected(f"pip installed no {NAME}")
    url, hashes = urls[NAME]["url"], urls[NAME].get("archive_info", {}).get("hashes", {})
    if not url.startswith(registry.url) or hashes.get("sha256") != digest(file):
        raise Rejected(f"pip installed {url} with {hashes}, which is not the {file.name} that was uploaded")
    return f"pip took {file.name} from 127.0.0.1, sha256 {digest(file)[:12]}…, as it was built"


def nothing_else(environment: Environment) -> str:
    """Check that the base installation has the three promised packages with their requirements, and nothing else."""
    installed, markers = environment.distributions()
    ours = _asked_by(NAME, installed, markers)
    if ours != PROMISED:
        raise Rejected(f"the base installation must require {_and(PROMISED)}, got {_and(ours)}")
    wanted, new = {NAME}, {NAME}
    while new:
        new = set().union(*(_asked_by(name, installed, markers) for name in new)) - wanted
        wanted |= new
    if strange := installed.keys() - wanted:
        raise Rejected(f"no package requires {_and(strange)}")
    versions = _and(f"{name} {installed[name].version}" for name in PROMISED)
    theirs = len(wanted) - len(PROMISED) - 1
    return f"{len(installed)} distributions: ours, {versions}, and the {theirs} that these ask for; nothing else"


def _asked_by(name: str, installed: dict[str, Distribution], markers: dict[str, str]) -> set[str]:
    """Return the requirements in this Python, without an extra."""
    known = {**markers, "extra": ""}
    asked = (each for each in installed[name].requires if each.marker is None or each.marker.evaluate(known))
    return {str(canonicalize_name(each.name)) for each in asked}


def _and(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def built_by_pip(environment: Environment, registry: Registry, wheel: Path, sdist: Path) -> str:
    """Check the wheel that pip builds from the sdist, with a hatchling that it chooses."""
    target = environment.folder / "from-sdist"
    from_source = ["--no-binary", NAME, "--no-deps", "--target", str(target)]
    report = environment.install(registry, f"{NAME}=={metadata(wheel).version}", *from_source)
    came_from(registry, sdist, report)
    code = installed(wheel)
    other = [
        name for name, data in code.items() if not (target / name).is_file() or (target / name).read_bytes() != data
    ]
    if other:
        raise Rejected(f"the wheel that pip builds from {sdist.name} differs from {wheel.name} in {_and(other)}")
    return f"pip took {sdist.name} from there as well, and built of it the same {len(code)} files"
