"""A registry on loopback, and the upload to it."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import digests
import httpx

from release_check.rejected import ROOT, Rejected, inherited, run
from scalable_webhook_cli.processes import end, free_port

_WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
_UPLOAD = re.compile(r"^\s+run: (bash tools/publish/publish\.sh .*)$", re.MULTILINE)
_COMPARE = "make published"
_ALL_RUNS = "all-runs"
_START_SECONDS = 30


@dataclass(frozen=True)
class Registry:
    """A server with PyPI's protocol that keeps uploads in a folder."""

    url: str
    folder: Path

    @property
    def index(self) -> str:
        return f"{self.url}simple/"


@contextmanager
def running(folder: Path) -> Iterator[Registry]:
    """Run a registry within the context. It never passes on files of another registry."""
    port = free_port()
    folder.mkdir()
    registry = Registry(f"http://127.0.0.1:{port}/", folder)
    open_to_all = ["--passwords", ".", "--authenticate", "."]
    command = [str(Path(sys.executable).with_name("pypi-server")), "run", "--disable-fallback", *open_to_all]
    with (folder.parent / "registry.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--interface", "127.0.0.1", "--port", str(port), str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=inherited(),
        )
    try:
        _wait(registry, server, folder.parent / "registry.log")
        yield registry
    finally:
        end([server.pid])


def _wait(registry: Registry, server: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + _START_SECONDS
    while True:
        try:
            if httpx.get(registry.index, trust_env=False).is_success:
                return
        except httpx.TransportError:
            if server.poll() is not None or time.monotonic() > give_up:
                raise Rejected(f"the registry does not start\n{log.read_text()}") from None
        time.sleep(0.1)


def command() -> str:
    """Return the command by which the release workflow uploads."""
    found = _UPLOAD.findall(_WORKFLOW.read_text())
    if len(found) != 1:
        raise Rejected(f"{_WORKFLOW.name} must call publish.sh once, and does {len(found)} times")
    return str(found[0])


def upload(registry: Registry, files: Path, scratch: Path) -> Iterator[str]:
    """Upload the files by the workflow's command. Only the credentials differ: a name and a password, instead of the
    code host's token."""
    line, uploading = command(), _uploading(registry, scratch)
    known = digests.text(digests.digests(files))
    changed = scratch / "changed"
    shutil.copytree(files, changed)
    wheel = next(changed.glob("*.whl"))
    wheel.write_bytes(wheel.read_bytes() + b"\n")
    for what, told in {
        "other bytes than were built": {"BUILT": digests.text(digests.digests(changed)), "TESTED": known},
        "other bytes than were tested": {"BUILT": known, "TESTED": digests.text(digests.digests(changed))},
        "files without a test": {"BUILT": known, "TESTED": ""},
    }.items():
        _rejects("rejected: ", what, line, uploading | told)
        yield f"{line} rejects {what}"
    _rejects(_ALL_RUNS, "an upload without a token", line, _trusted(uploading, known, scratch))
    yield "it has its tools for upload, signature and identity, without an index"
    if left := [file.name for file in registry.folder.iterdir()]:
        raise Rejected(f"the registry must not have files of a rejected upload, got {', '.join(left)}")
    _shell(line, uploading | {"BUILT": known, "TESTED": known})
    yield line


def _uploading(registry: Registry, scratch: Path) -> dict[str, str]:
    """Return the environment variables of an upload, with the Python and the Node of a runner."""
    # publib installs its twine for the user, which a virtual environment does not allow, so it gets the base Python.
    programs = scratch / "bin"
    programs.mkdir()
    for name in ("node", "npm"):
        (programs / name).symlink_to(Path(sys.executable).with_name(name))
    (programs / "python3").symlink_to(Path(sys.base_prefix, "bin", "python3"))
    env = {name: value for name, value in inherited().items() if not name.startswith(("TWINE_", "PYPI_", "PUBLIB_"))}
    return env | {
        "PATH": f"{programs}:{env['PATH']}",
        "TWINE_REPOSITORY_URL": registry.url,
        "TWINE_USERNAME": "release-check",
        "TWINE_PASSWORD": "any",
        "TWINE_NON_INTERACTIVE": "1",
    }


def _trusted(uploading: Mapping[str, str], known: str, scratch: Path) -> dict[str, str]:
    """Run trusted publishing until PyPI itself would be called, since nothing here can prove to be the workflow."""
    asks = scratch / "asks" / "curl"
    asks.parent.mkdir()
    runs = "".join(f"python3 -m {module} --help >/dev/null && " for module in ("id", "pypi_attestations", "twine"))
    asks.write_text(f"#!/bin/sh\n{runs}echo {_ALL_RUNS} >&2\nexit 1\n")
    asks.chmod(0o755)
    env = {name: value for name, value in uploading.items() if not name.startswith(("TWINE_", "GITHUB_", "ACTIONS_"))}
    told = {"PYPI_TRUSTED_PUBLISHER": "true", "BUILT": known, "TESTED": known}
    return env | told | {"PATH": f"{asks.parent}:{env['PATH']}"}


def _shell(line: str, env: Mapping[str, str]) -> str:
    """Run a step of the workflow."""
    return run(["bash", "-e", "-c", line], env=env)


def _rejects(told: str, what: str, line: str, env: Mapping[str, str]) -> None:
    try:
        _shell(line, env)
    except Rejected as rejected:
        if told not in str(rejected):
            raise
        return
    raise Rejected(f"{line} must reject {what}, and did not")


def published(registry: Registry, files: Path) -> Iterator[str]:
    """Check the comparison of the registry with the build, by the workflow's command."""
    if _COMPARE not in _WORKFLOW.read_text():
        raise Rejected(f"{_WORKFLOW.name} must call {_COMPARE}, and does not")
    env = inherited() | {"PIP_INDEX_URL": registry.index, "BUILT": digests.text(digests.digests(files))}
    _shell(_COMPARE, env)
    yield f"{_COMPARE}: pip fetches both from there, with the hashes that were built"
    for file in files.iterdir():
        stored = registry.folder / file.name
        stored.write_bytes(file.read_bytes() + b"\n")
        _rejects("the registry has another", f"another {file.name}", _COMPARE, env)
        stored.write_bytes(file.read_bytes())
    yield f"{_COMPARE} rejects either, if a byte was added to it"


def holds(registry: Registry, files: list[Path]) -> str:
    """Check that the registry has the bytes of the build."""
    stored = {file.name: file.read_bytes() for file in registry.folder.iterdir()}
    built = {file.name: file.read_bytes() for file in files}
    if stored.keys() != built.keys():
        raise Rejected(
            f"{' and '.join(sorted(built))} were uploaded, and the registry has {sorted(stored) or 'nothing'}"
        )
    if other := sorted(name for name in built if stored[name] != built[name]):
        raise Rejected(f"the registry has other bytes of {' and '.join(other)} than were built")
    return f"the registry holds {' and '.join(sorted(stored))}, as they were built"
