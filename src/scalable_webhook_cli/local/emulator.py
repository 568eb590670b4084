"""The emulator's life: MiniStack and the gateway before it, as two background processes that a state file remembers."""

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
from scalable_webhook_cli.target import Target

_HOME_VARIABLE = "SCALABLE_WEBHOOK_HOME"
_START_SECONDS = 60
# Under a burst, an answer may take long; that is no reason to take the emulator for dead, and end it.
_ANSWER_SECONDS = 30
# What the emulator, and with it every function, sees of the user's environment: nothing that is a setting of somebody
# else's emulator, and no secret. As in AWS, a function has the variables that its app gave it.
_PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"}
_INHERITED = {"HOME", "LANG", "PATH", "TZ", "LD_LIBRARY_PATH", *_PROXIES}
_INHERITED_PREFIXES = ("LC_", "PYTHON", "SSL_CERT_")
# No profile, role or instance metadata may turn dummy credentials into somebody's account.
_NO_ACCOUNT = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True, kw_only=True)
class Emulator(Target):
    """A running local AWS. Who has its ``key`` may do anything in it; it is without one where an earlier version of
    this library has started it."""

    home: Path
    processes: tuple[Process, ...]
    endpoint: str
    region: str = "us-east-1"
    account: str = "000000000000"

    def is_healthy(self) -> bool:
        """Whether its processes live and answer, to those alone who have its key."""
        answers = self._lives() and _answers(f"{self.endpoint}{HEALTH_PATH}", _ANSWER_SECONDS)
        # Still: where one has ended, somebody else may have taken its port and answered.
        return answers and self._lives()

    def _lives(self) -> bool:
        return bool(self.key) and all(process.find() for process in self.processes)

    def environment(self) -> dict[str, str]:
        """What the CDK CLI and boto3 need to know to use it, and it alone."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            **_credentials(self.key),
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "CDK_DEFAULT_ACCOUNT": self.account,
            "CDK_DEFAULT_REGION": self.region,
            # The CDK CLI keeps which account a key is of, in a file that everybody may read where nobody says another.
            "CDK_HOME": str(self.home.absolute() / "tmp" / "cdk"),
            **_NO_ACCOUNT,
            **_past_the_proxy(),
        }


def default_home() -> Path:
    """Where state and logs live: the user's cache folder, or SCALABLE_WEBHOOK_HOME."""
    named = os.environ.get(_HOME_VARIABLE)
    return Path(named) if named else user_cache_path("cdk-scalable-webhook")


def find(home: Path | None = None) -> Emulator | None:
    """The emulator that runs, if one does."""
    emulator = _load(home or default_home())
    return emulator if emulator and emulator.is_healthy() else None


def up(home: Path | None = None, *, iam: bool = False) -> Emulator:
    """Start the emulator, or find the one that runs. Ports are whichever are free. With ``iam`` it evaluates policies:
    a role may do what it was permitted, and no more.

    Raises:
        CliError: It does not start; the message says where its log is.
    """
    home = (home or default_home()).absolute()
    _make(home)
    # Two at once shall find one emulator, not start two.
    with FileLock(home / "lock"):
        emulator = _load(home)
        if emulator and emulator.is_healthy():
            return emulator
        if emulator:
            _end(emulator)
        return _start(home, iam=iam)


def down(home: Path | None = None) -> bool:
    """Stop the emulator with every process that it started. Returns whether one was running."""
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
    """The emulator that runs, or else one that is started and stays; but where the block is interrupted, what was
    started for it ends."""
    already = find(home)
    try:
        yield already or up(home)
    except KeyboardInterrupt:
        if already is None:
            down(home)
        raise


@contextmanager
def running(*, iam: bool = False) -> Iterator[Emulator]:
    """A private emulator in a folder of its own, for a test or a demo; it ends with the block."""
    home = Path(tempfile.mkdtemp(prefix="scalable-webhook-"))
    try:
        yield up(home, iam=iam)
    finally:
        down(home)
        shutil.rmtree(home, ignore_errors=True)


def _start(home: Path, *, iam: bool) -> Emulator:
    # They listen before anybody knows of them: of a port that is free for a moment another user would be sent the key.
    with listening() as backend, listening() as gateway:
        return _start_at(home, backend, gateway, iam=iam)


def _start_at(home: Path, backend: socket.socket, gateway: socket.socket, *, iam: bool) -> Emulator:
    endpoint, upstream = (f"http://127.0.0.1:{each.getsockname()[1]}" for each in (gateway, backend))
    key = new_key()
    # Not by an argument, which everybody on this machine may read.
    environment = _backend_environment(home, backend.getsockname()[1]) | _credentials(key)
    arguments = ["-m", "scalable_webhook_cli.gateway.server", "--upstream", upstream]
    if iam:
        # A call through the gateway counts as TLS, which the policies ask for: functions call through it as well.
        environment |= {"AUTH": "true", "AWS_ENDPOINT_URL": endpoint}
        arguments.append("--iam")
    _make_scratch(home / "tmp")
    started: list[subprocess.Popen[bytes]] = []
    try:
        ours = _base_environment() | _credentials(key)
        started.append(_spawn(home, "ministack", ["-m", "scalable_webhook_cli.local.backend"], environment, backend))
        started.append(_spawn(home, "gateway", arguments, ours, gateway))
        # The gateway forwards this to the emulator: the answer means that both are there.
        _wait(f"{endpoint}{HEALTH_PATH}", started, home)
    except BaseException:  # Ctrl-C too: what was started here ends here
        end(_started_in(home))
        raise
    processes = tuple(identify(process) for process in started)
    emulator = Emulator(home=home, processes=processes, endpoint=endpoint, key=key)
    _save(emulator)
    return emulator


def _make_scratch(folder: Path) -> None:
    """Anew: what runs functions is in it, and somebody else may have made it, where the home was not always closed."""
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
            # Not in the terminal's process group: Ctrl-C there is not for the emulator.
            start_new_session=True,
        )


def _backend_environment(home: Path, port: int) -> dict[str, str]:
    """The emulator's environment, which its Lambda functions inherit: they must find it, and nothing else. What it
    listens on is said in ``local/backend.py``."""
    scratch = home / "tmp"
    return _base_environment() | {
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "LOG_LEVEL": "WARNING",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "LAMBDA_EXECUTOR": "local",
        # Where no Docker is, none is used.
        "DOCKER_HOST": f"unix://{scratch / 'no-docker'}",
        "TMPDIR": str(scratch),
        "S3_DATA_DIR": str(scratch / "s3"),
        "STATE_DIR": str(scratch / "state"),
    }


def _base_environment() -> dict[str, str]:
    """What our processes share: nothing of the user's AWS, no proxy between them, and no password for one."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if (name in _INHERITED and not (name in _PROXIES and "@" in value)) or name.startswith(_INHERITED_PREFIXES)
    }
    return inherited | _past_the_proxy() | _NO_ACCOUNT


def _credentials(key: str) -> dict[str, str]:
    """By which a call is let in. The key alone counts, but with ``iam``, where it has to have made the signature."""
    return {KEY_VARIABLE: key, "AWS_SECRET_ACCESS_KEY": key}


def _past_the_proxy() -> dict[str, str]:
    """What is on this machine is reached without the user's proxy. Some programs read one name, some the other."""
    direct = ["127.0.0.1", "localhost"]
    others = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = ",".join(dict.fromkeys(direct + [host for host in others.split(",") if host]))
    return {"NO_PROXY": hosts, "no_proxy": hosts}


def _make(home: Path) -> None:
    """A folder of the user's alone: whoever reads the key in it may run code as the user."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = home.stat()
        by_others = stat.S_IWOTH if _is_of_one_user(found.st_gid) else stat.S_IWOTH | stat.S_IWGRP
        if found.st_mode & by_others or found.st_uid != os.geteuid():
            raise CliError(
                f"the home of the local AWS must be a folder of yours alone, got {home}, which is somebody else's or "
                f"which others may write to; name another in {_HOME_VARIABLE}"
            )
        home.chmod(0o700)
        _private(home / "lock")
    except OSError as error:
        raise CliError(f"cannot write to {home}: {error.strerror}; name another folder in {_HOME_VARIABLE}") from error


def _is_of_one_user(group: int) -> bool:
    """Whether a group is the user's own, as many systems make one for each user: its folders are writable for it."""
    with suppress(KeyError):
        user = pwd.getpwuid(os.geteuid()).pw_name
        found = grp.getgrgid(group)
        return found.gr_name == user and set(found.gr_mem) <= {user}
    return False


def _wait(url: str, processes: list[subprocess.Popen[bytes]], home: Path) -> None:
    give_up = time.monotonic() + _START_SECONDS
    # Whoever answers is ours for as long as ours live, since they have held their ports from the beginning.
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
        return httpx.get(url, timeout=seconds, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _end(emulator: Emulator) -> None:
    """End it, and leave nothing of it but its logs."""
    end(process.pid for process in emulator.processes if process.find())
    end(_orphans(emulator))
    shutil.rmtree(emulator.home / "tmp", ignore_errors=True)
    (emulator.home / "state.json").unlink(missing_ok=True)


def _started_in(home: Path) -> list[int]:
    """Our children that run in this folder: Ctrl-C may have come before we took down the id of the last."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if Path(child.cwd()) == home.resolve():
                found.append(child.pid)
    return found


def _orphans(emulator: Emulator) -> list[int]:
    """Functions whose emulator died while they worked: of its session, and run from its folder."""
    sessions = {process.pid for process in emulator.processes}
    orphans = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getsid(process.pid) in sessions and str(emulator.home) in " ".join(process.cmdline()):
                orphans.append(process.pid)
    return orphans


def _private(file: Path) -> Path:
    """The file, which nobody else may read, and which is no link of somebody else's to another."""
    if file.is_symlink():
        file.unlink()
    file.touch(mode=0o600)
    file.chmod(0o600)  # that of an earlier version was for everybody
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
        if file.stat().st_uid != os.geteuid():  # another user's, in a folder of this name, would get what is deployed
            return None
        state = json.loads(file.read_text())
        processes = tuple(Process(**process) for process in state["processes"])
        return Emulator(home=home, processes=processes, endpoint=state["endpoint"], key=str(state.get("key", "")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
