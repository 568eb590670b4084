"""Start, find and end the emulator: MiniStack and its gateway, as two background processes in a state file."""

import grp
import json
import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import psutil
from filelock import FileLock
from platformdirs import user_cache_path

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.local.guard import HEALTH_PATH, KEY_VARIABLE, new_key
from scalable_webhook_cli.processes import Process, end, identify, listening
from scalable_webhook_cli.target import Target, http_options

_HOME_VARIABLE = "SCALABLE_WEBHOOK_HOME"
_START_SECONDS = 60
# Responses are slow under a burst, which does not mean that the emulator is dead.
_ANSWER_SECONDS = 30
# The user's environment variables that the emulator and its functions inherit: no settings of another emulator, and no
# secret. As on AWS, a function has the variables that its app sets.
_PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"}
_INHERITED = {"HOME", "LANG", "PATH", "TZ", "LD_LIBRARY_PATH", *_PROXIES}
_INHERITED_PREFIXES = ("LC_", "PYTHON", "SSL_CERT_")
# No profile, role or instance metadata may turn dummy credentials into a real account.
_NO_ACCOUNT = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True, kw_only=True)
class Emulator(Target):
    """A running local AWS.

    The ``key`` permits everything in it. An emulator of an earlier version of this library has none.
    """

    home: Path
    processes: tuple[Process, ...]
    endpoint: str
    region: str = "us-east-1"
    account: str = "000000000000"

    def is_healthy(self) -> bool:
        """Tell whether its processes are alive, and answer with its key."""
        answers = self._lives() and _answers(f"{self.endpoint}{HEALTH_PATH}", _ANSWER_SECONDS)
        # Check again: if a process has ended, another one may have taken its port and answered.
        return answers and self._lives()

    def _lives(self) -> bool:
        return bool(self.key) and all(process.find() for process in self.processes)

    def environment(self) -> dict[str, str]:
        """Return the environment variables by which the CDK CLI and boto3 use this emulator only."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            **_credentials(self.key),
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "CDK_DEFAULT_ACCOUNT": self.account,
            "CDK_DEFAULT_REGION": self.region,
            # The CDK CLI keeps the account of each key, in a file that everyone may read unless another one is named.
            "CDK_HOME": str(self.home.absolute() / "tmp" / "cdk"),
            **_NO_ACCOUNT,
            **_past_the_proxy(),
        }


def default_home() -> Path:
    """Return the folder for state and logs: the user's cache folder, or SCALABLE_WEBHOOK_HOME."""
    named = os.environ.get(_HOME_VARIABLE)
    return Path(named) if named else user_cache_path("cdk-scalable-webhook")


def find(home: Path | None = None) -> Emulator | None:
    """Return the running emulator, or None."""
    emulator = _load(home or default_home())
    return emulator if emulator and emulator.is_healthy() else None


def up(home: Path | None = None, *, iam: bool = False) -> Emulator:
    """Start the emulator on free ports, or return the running one.

    With ``iam`` it evaluates policies: a role may do what it is permitted, and no more.

    Raises:
        CliError: It does not start. The message names its log.
    """
    home = (home or default_home()).absolute()
    _make(home)
    # Two calls at once must find one emulator, and not start two.
    with FileLock(home / "lock"):
        emulator = _load(home)
        if emulator and emulator.is_healthy():
            return emulator
        if emulator:
            _end(emulator)
        return _start(home, iam=iam)


def down(home: Path | None = None) -> bool:
    """Stop the emulator with every process that it started. Return whether it was running."""
    home = home or default_home()
    if not (home / "state.json").exists():
        return False
    with FileLock(home / "lock"):
        emulator = _load(home)
        if emulator is None:
            return False
        _end(emulator)
        return True


@contextmanager
def found_or_started(home: Path | None = None) -> Iterator[Emulator]:
    """Yield the running emulator, or start one that stays. It is ended if it was started for a block that is
    interrupted.
    """
    already = find(home)
    try:
        yield already or up(home)
    except KeyboardInterrupt:
        if already is None:
            down(home)
        raise


@contextmanager
def running(*, iam: bool = False) -> Iterator[Emulator]:
    """Run a private emulator in a folder of its own, for a test or a demo, as long as the block runs."""
    home = Path(tempfile.mkdtemp(prefix="scalable-webhook-"))
    try:
        yield up(home, iam=iam)
    finally:
        down(home)
        shutil.rmtree(home, ignore_errors=True)


def _start(home: Path, *, iam: bool) -> Emulator:
    # Listen before the address is known: another user could take a port that is free for a moment, and get the key.
    with listening() as backend, listening() as gateway:
        return _start_at(home, backend, gateway, iam=iam)


def _start_at(home: Path, backend: socket.socket, gateway: socket.socket, *, iam: bool) -> Emulator:
    endpoint, upstream = (f"http://127.0.0.1:{each.getsockname()[1]}" for each in (gateway, backend))
    key = new_key()
    # Not as an argument, which everyone on this machine may read.
    environment = _backend_environment(home, backend.getsockname()[1]) | _credentials(key)
    arguments = ["-m", "scalable_webhook_cli.gateway.server", "--upstream", upstream]
    if iam:
        # A call through the gateway counts as TLS, which policies require. So functions call through it as well.
        environment |= {"AUTH": "true", "AWS_ENDPOINT_URL": endpoint}
        arguments.append("--iam")
    _make_scratch(home / "tmp")
    started: list[subprocess.Popen[bytes]] = []
    try:
        ours = _base_environment() | _credentials(key)
        started.append(_spawn(home, "ministack", ["-m", "scalable_webhook_cli.local.backend"], environment, backend))
        started.append(_spawn(home, "gateway", arguments, ours, gateway))
        # The gateway forwards this to the emulator, so a response means that both are up.
        _wait(f"{endpoint}{HEALTH_PATH}", started, home)
    except BaseException:  # Ctrl-C too
        end(_started_in(home))
        raise
    processes = tuple(identify(process) for process in started)
    emulator = Emulator(home=home, processes=processes, endpoint=endpoint, key=key)
    _save(emulator)
    return emulator


def _make_scratch(folder: Path) -> None:
    """Create the folder again: functions run from it, and another user may have filled it while the home was open to
    all.
    """
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(0o700)


def _spawn(
    home: Path, name: str, arguments: list[str], environment: Mapping[str, str], listening: socket.socket
) -> subprocess.Popen[bytes]:
    with _private(home / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, *arguments, "--fd", str(listening.fileno())],
            pass_fds=[listening.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=home,
            env=dict(environment),
            # Not in the terminal's process group, whose Ctrl-C must not end the emulator.
            start_new_session=True,
        )


def _backend_environment(home: Path, port: int) -> dict[str, str]:
    """Return the emulator's environment. Functions inherit it, so it must lead to the emulator only.

    Its addresses are set in ``local/backend.py``.
    """
    scratch = home / "tmp"
    return _base_environment() | {
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "LOG_LEVEL": "WARNING",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "LAMBDA_EXECUTOR": "local",
        # Docker is not used.
        "DOCKER_HOST": f"unix://{scratch / 'no-docker'}",
        "TMPDIR": str(scratch),
        "S3_DATA_DIR": str(scratch / "s3"),
        "STATE_DIR": str(scratch / "state"),
    }


def _base_environment() -> dict[str, str]:
    """Return the variables of both processes: no settings for AWS, no proxy between them, and no proxy password."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if (name in _INHERITED and not (name in _PROXIES and "@" in value)) or name.startswith(_INHERITED_PREFIXES)
    }
    return inherited | _past_the_proxy() | _NO_ACCOUNT


def _credentials(key: str) -> dict[str, str]:
    """Return the credentials of a call. Only with ``iam`` is the signature verified, and not just the key."""
    return {KEY_VARIABLE: key, "AWS_SECRET_ACCESS_KEY": key}


def _past_the_proxy() -> dict[str, str]:
    """Return variables that bypass the user's proxy on this machine. Programs read either name."""
    direct = ["127.0.0.1", "localhost"]
    others = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = ",".join(dict.fromkeys(direct + [host for host in others.split(",") if host]))
    return {"NO_PROXY": hosts, "no_proxy": hosts}


def _make(home: Path) -> None:
    """Create the folder for this user only: code that reads the key in it can run code as the user."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = home.stat()
        by_others = stat.S_IWOTH if _is_of_one_user(found.st_gid) else stat.S_IWOTH | stat.S_IWGRP
        if found.st_mode & by_others or found.st_uid != os.geteuid():
            raise CliError(
                f"the home of the local AWS must be a folder of your own, got {home}, which another user owns or "
                f"may write to; name another in {_HOME_VARIABLE}"
            )
        home.chmod(0o700)
        _private(home / "lock")
    except OSError as error:
        raise CliError(f"cannot write to {home}: {error.strerror}; name another folder in {_HOME_VARIABLE}") from error


def _is_of_one_user(group: int) -> bool:
    """Tell whether a group is the user's own, as many systems create one for each user."""
    with suppress(KeyError):
        user = pwd.getpwuid(os.geteuid()).pw_name
        found = grp.getgrgid(group)
        return found.gr_name == user and set(found.gr_mem) <= {user}
    return False


def _wait(url: str, processes: list[subprocess.Popen[bytes]], home: Path) -> None:
    give_up = time.monotonic() + _START_SECONDS
    # Only our processes can answer while they are alive, since they hold their ports from the start.
    while not (_answers(url) and all(process.poll() is None for process in processes)):
        dead = next((process for process in processes if process.poll() is not None), None)
        if dead or time.monotonic() > give_up:
            what = "ended" if dead else f"gave no answer in {_START_SECONDS} seconds"
            raise CliError(
                f"the local AWS {what} while it started; see {home / 'ministack.log'} and {home / 'gateway.log'}"
            )
        time.sleep(0.1)


def _answers(url: str, seconds: float = 5) -> bool:
    try:
        return httpx.get(url, timeout=seconds, **http_options(url)).status_code == 200
    except httpx.HTTPError:
        return False


def _end(emulator: Emulator) -> None:
    """End the emulator, and keep only its logs."""
    end(process.pid for process in emulator.processes if process.find())
    end(_orphans(emulator))
    shutil.rmtree(emulator.home / "tmp", ignore_errors=True)
    (emulator.home / "state.json").unlink(missing_ok=True)


def _started_in(home: Path) -> list[int]:
    """Return our children in this folder: Ctrl-C may arrive before the id of the last one is stored."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if Path(child.cwd()) == home.resolve():
                found.append(child.pid)
    return found


def _orphans(emulator: Emulator) -> list[int]:
    """Return functions whose emulator died: they are of its session, and run from its folder."""
    sessions = {process.pid for process in emulator.processes}
    orphans = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getsid(process.pid) in sessions and str(emulator.home) in " ".join(process.cmdline()):
                orphans.append(process.pid)
    return orphans


def _private(file: Path) -> Path:
    """Make a file that only this user may read, and that is no link."""
    if file.is_symlink():
        file.unlink()
    file.touch(mode=0o600)
    file.chmod(0o600)  # in an earlier version everyone could read it
    return file


def _save(emulator: Emulator) -> None:
    processes = [asdict(process) for process in emulator.processes]
    state = {"endpoint": emulator.endpoint, "processes": processes, "key": emulator.key}
    written = _private(emulator.home / "state.json.new")
    written.write_text(json.dumps(state))
    written.replace(emulator.home / "state.json")


def _load(home: Path) -> Emulator | None:
    try:
        file = home / "state.json"
        if (
            file.stat().st_uid != os.geteuid()
        ):  # another user's emulator, in a folder of this name, would get the deployment
            return None
        state = json.loads(file.read_text())
        processes = tuple(Process(**process) for process in state["processes"])
        return Emulator(home=home, processes=processes, endpoint=state["endpoint"], key=str(state.get("key", "")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
