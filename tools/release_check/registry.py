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

from release_check.refused import ROOT, Refused, inherited, run
from scalable_webhook_cli.processes import end, free_port

_WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
_UPLOAD = re.compile(r"^\s+run: (bash tools/publish/publish\.sh .*)$", re.MULTILINE)
_COMPARE = "make published"
_ALL_RUNS = "all-runs"
_START_SECONDS = 30


@dataclass(frozen=True)
class Registry:
    """A server that speaks PyPI's protocol, and keeps what is uploaded in a folder."""

    url: str
    folder: Path

    @property
    def index(self) -> str:
        return f"{self.url}simple/"


@contextmanager
def running(folder: Path) -> Iterator[Registry]:
    """A registry for as long as it is needed. It never answers with another's files."""
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
                raise Refused(f"the registry does not start\n{log.read_text()}") from None
        time.sleep(0.1)


def command() -> str:
    """The line by which the release workflow uploads."""
    found = _UPLOAD.findall(_WORKFLOW.read_text())
    if len(found) != 1:
        raise Refused(f"{_WORKFLOW.name} must call publish.sh once, and does {len(found)} times")
    return str(found[0])


def upload(registry: Registry, files: Path, scratch: Path) -> Iterator[str]:
    """Upload the files by the workflow's line. Only the proof of who uploads is another: a name and a password; what
    stands for them there comes from the code host."""
    line, uploading = command(), _uploading(registry, scratch)
    known = digests.text(digests.digests(files))
    changed = scratch / "changed"
    shutil.copytree(files, changed)
    wheel = next(changed.glob("*.whl"))
    wheel.write_bytes(wheel.read_bytes() + b"\n")
    for what, told in {
        "other bytes than were built": {"BUILT": digests.text(digests.digests(changed)), "TESTED": known},
        "other bytes than were tested": {"BUILT": known, "TESTED": digests.text(digests.digests(changed))},
        "what nobody has tested": {"BUILT": known, "TESTED": ""},
    }.items():
        _refuses("refused: ", what, line, uploading | told)
        yield f"{line} refuses {what}"
    _refuses(_ALL_RUNS, "nobody's token", line, _trusted(uploading, known, scratch))
    yield "it has what it uploads, signs and proves with who it is, without an index"
    if left := [file.name for file in registry.folder.iterdir()]:
        raise Refused(f"what was refused is in the registry all the same: {', '.join(left)}")
    _shell(line, uploading | {"BUILT": known, "TESTED": known})
    yield line


def _uploading(registry: Registry, scratch: Path) -> dict[str, str]:
    """The environment of an upload, with the Python and the Node of a runner."""
    # publib installs its twine for the user, which an environment does not allow: it sees the Python below ours.
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
    """As the workflow has it, up to where PyPI itself would be asked: nobody here can prove to be the workflow."""
    asks = scratch / "asks" / "curl"
    asks.parent.mkdir()
    runs = "".join(f"python3 -m {module} --help >/dev/null && " for module in ("id", "pypi_attestations", "twine"))
    asks.write_text(f"#!/bin/sh\n{runs}echo {_ALL_RUNS} >&2\nexit 1\n")
    asks.chmod(0o755)
    env = {name: value for name, value in uploading.items() if not name.startswith(("TWINE_", "GITHUB_", "ACTIONS_"))}
    told = {"PYPI_TRUSTED_PUBLISHER": "true", "BUILT": known, "TESTED": known}
    return env | told | {"PATH": f"{asks.parent}:{env['PATH']}"}


def _shell(line: str, env: Mapping[str, str]) -> str:
    """A step of the workflow."""
    return run(["bash", "-e", "-c", line], env=env)


def _refuses(told: str, what: str, line: str, env: Mapping[str, str]) -> None:
    try:
        _shell(line, env)
    except Refused as refused:
        if told not in str(refused):
            raise
        return
    raise Refused(f"{line} has taken {what}")


def published(registry: Registry, files: Path) -> Iterator[str]:
    """What the registry gives out is compared, as the workflow does it."""
    if _COMPARE not in _WORKFLOW.read_text():
        raise Refused(f"{_WORKFLOW.name} must call {_COMPARE}, and does not")
    env = inherited() | {"PIP_INDEX_URL": registry.index, "BUILT": digests.text(digests.digests(files))}
    _shell(_COMPARE, env)
    yield f"{_COMPARE}: pip fetches both from there, with the hashes that were built"
    for file in files.iterdir():
        stored = registry.folder / file.name
        stored.write_bytes(file.read_bytes() + b"\n")
        _refuses("the registry has another", f"another {file.name}", _COMPARE, env)
        stored.write_bytes(file.read_bytes())
    yield f"{_COMPARE} refuses either, where one byte was added to it"


def holds(registry: Registry, files: list[Path]) -> str:
    """What was uploaded is what was built."""
    stored = {file.name: file.read_bytes() for file in registry.folder.iterdir()}
    built = {file.name: file.read_bytes() for file in files}
    if stored.keys() != built.keys():
        raise Refused(
            f"{' and '.join(sorted(built))} were uploaded, and the registry holds {sorted(stored) or 'nothing'}"
        )
    if other := sorted(name for name in built if stored[name] != built[name]):
        raise Refused(f"the registry holds other bytes of {' and '.join(other)} than were built")
    return f"the registry holds {' and '.join(sorted(stored))}, as they were built"
