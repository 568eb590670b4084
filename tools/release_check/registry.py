"""A registry on loopback, and the upload to it."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from cdk_scalable_webhook.local.emulator import end, free_ports
from release_check.refused import ROOT, Refused, inherited, run

_WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
_UPLOAD = re.compile(r"^\s+run: (npx .*\bpublib-pypi\b.*)$", re.MULTILINE)
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
    (port,) = free_ports(1)
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
        raise Refused(f"{_WORKFLOW.name} must call publib-pypi once, and does {len(found)} times")
    return str(found[0])


def upload(registry: Registry, scratch: Path) -> str:
    """Upload dist/python, by the workflow's line. Only the proof of who uploads is another: a name and a password, for
    what stands for them there comes from the code host."""
    # publib installs its twine for the user, which an environment does not allow: it sees the Python below ours.
    programs = scratch / "bin"
    programs.mkdir()
    for name in ("node", "npm", "npx"):
        (programs / name).symlink_to(Path(sys.executable).with_name(name))
    (programs / "python3").symlink_to(Path(sys.base_prefix, "bin", "python3"))
    env = {name: value for name, value in inherited().items() if not name.startswith(("TWINE_", "PYPI_", "PUBLIB_"))}
    env |= {
        "PATH": f"{programs}:{env['PATH']}",
        "PIP_BREAK_SYSTEM_PACKAGES": "1",
        "PYTHONUSERBASE": str(scratch / "user"),
        "TWINE_REPOSITORY_URL": registry.url,
        "TWINE_USERNAME": "release-check",
        "TWINE_PASSWORD": "any",
        "TWINE_NON_INTERACTIVE": "1",
    }
    line = command()
    run(["bash", "-e", "-c", line], env=env)
    return line


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
