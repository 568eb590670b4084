import dataclasses
import grp
import json
import os
import pwd
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from scalable_webhook_cli import processes
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.local import emulator as emulators
from scalable_webhook_cli.local.guard import new_key
from scalable_webhook_cli.observe import wait_for
from scalable_webhook_cli.target import require_loopback

from ... import signed
from ...suite.patience import SECONDS, http


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    emulators.down(tmp_path / "home")


def command(home: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "SCALABLE_WEBHOOK_HOME": str(home), "COLUMNS": "200", **more}
    line = [sys.executable, "-m", "scalable_webhook_cli", *arguments]
    return subprocess.run(line, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS)


def test_one_emulator_runs_however_often_it_is_started_and_nothing_of_it_stays(home: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(emulators.up, [home, home])
    assert first == second == emulators.find(home)
    family = [process for known in first.processes for process in _family(known)]
    assert all(process.is_running() for process in family)

    assert emulators.down(home)

    assert emulators.find(home) is None
    assert not any(process.is_running() for process in family)
    assert not emulators.down(home)
    assert {path.name for path in home.iterdir()} - {"lock"} == {"ministack.log", "gateway.log"}


def test_it_listens_on_loopback_only(home: Path) -> None:
    emulator = emulators.up(home)
    # Ports of other services open after that of the health check.
    assert wait_for(
        lambda: signed.call(emulator.key, "GET", f"{emulator.endpoint}/_ministack/ready").is_success, SECONDS
    )
    listening = {
        connection.laddr.ip
        for known in emulator.processes
        for process in _family(known)
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_user_can_read_the_key_even_in_a_folder_that_was_open_before(home: Path) -> None:
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    (home / "gateway.log").touch(mode=0o644)
    emulator = emulators.up(home)
    assert mode(home) == 0o700
    assert {path.name: mode(path) for path in home.iterdir() if path.is_file()} == dict.fromkeys(
        ("gateway.log", "lock", "ministack.log", "state.json"), 0o600
    )
    assert json.loads((home / "state.json").read_text())["key"] == emulator.key
    assert emulator.key not in repr(emulator)


def test_a_folder_that_other_users_can_write_is_rejected(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir()
    home.chmod(0o1777)  # as /tmp, whose mode must not change
    with pytest.raises(CliError, match="must be a folder of your own, got"):
        emulators.up(home)
    assert mode(home) == 0o1777
    home.chmod(0o755)
    (home / "state.json").write_text('{"endpoint": "http://127.0.0.1:9", "processes": [], "key": "theirs"}')
    assert emulators._load(home)
    monkeypatch.setattr(os, "geteuid", lambda: home.stat().st_uid + 1)
    assert emulators._load(home) is None
    with pytest.raises(CliError, match="another user owns"):
        emulators.up(home)


def test_no_other_process_can_bind_its_ports_while_it_starts(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process on the port would get the key, so it is bound before it can be known."""
    spawn, taken = emulators._spawn, []

    def watched(home: Path, name: str, arguments: list[str], environment: Any, listening: socket.socket) -> Any:
        for reuse in (0, 1):
            with socket.socket() as thief, suppress(OSError):
                thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
                thief.bind(listening.getsockname())
                taken.append(name)
        return spawn(home, name, arguments, environment, listening)

    monkeypatch.setattr(emulators, "_spawn", watched)
    assert emulators.up(home).is_healthy()
    assert taken == []


def test_another_process_on_its_port_is_not_the_emulator(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spawn = emulators._spawn

    def ends(home: Path, name: str, arguments: list[str], environment: Any, listening: socket.socket) -> Any:
        process = spawn(home, name, ["-c", "raise SystemExit"], environment, listening)
        process.wait()
        return process

    monkeypatch.setattr(emulators, "_spawn", ends)
    monkeypatch.setattr(emulators, "_answers", lambda *_: True)
    with pytest.raises(CliError, match="ended while it started"):
        emulators.up(home)
    assert not (home / "state.json").exists()


def test_existing_files_in_the_folder_are_not_used(home: Path, tmp_path: Path) -> None:
    for theirs in ("scratch", "log"):
        (tmp_path / theirs).mkdir()
    home.mkdir(mode=0o700)
    (home / "tmp").symlink_to(tmp_path / "scratch")
    (home / "gateway.log").symlink_to(tmp_path / "log" / "theirs")
    emulator = emulators.up(home)
    assert not (home / "tmp").is_symlink()
    assert mode(home / "tmp") == 0o700
    assert [*(tmp_path / "scratch").iterdir(), *(tmp_path / "log").iterdir()] == []
    emulators.down(home)
    (home / "tmp").mkdir()
    (home / "tmp" / "theirs").touch()
    assert emulators.up(home).key != emulator.key
    assert not (home / "tmp" / "theirs").exists()


@pytest.mark.parametrize(
    ("group", "members", "is_home"), [("me", [], True), ("me", ["other"], False), ("staff", [], False)]
)
def test_a_group_may_write_to_the_folder_if_only_the_user_is_in_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, group: str, members: list[str], is_home: bool
) -> None:
    monkeypatch.setattr(pwd, "getpwuid", lambda _: SimpleNamespace(pw_name="me"))
    monkeypatch.setattr(grp, "getgrgid", lambda _: SimpleNamespace(gr_name=group, gr_mem=members))
    home.mkdir()
    home.chmod(0o775)
    with nullcontext() if is_home else pytest.raises(CliError, match="must be a folder of your own, got"):
        emulators._make(home)
    assert mode(home) == (0o700 if is_home else 0o775)


def test_an_emulator_of_an_earlier_version_is_restarted(home: Path) -> None:
    first = emulators.up(home)
    state = json.loads((home / "state.json").read_text())
    del state["key"]
    (home / "state.json").write_text(json.dumps(state))
    assert emulators.find(home) is None
    second = emulators.up(home)
    assert second.key
    assert second.processes != first.processes
    assert [process.find() for process in first.processes] == [None, None]


def test_each_emulator_has_its_own_key_that_no_other_accepts(home: Path) -> None:
    with emulators.running() as other:
        mine = emulators.up(home)
        assert mine.key != other.key
        for key, status in ((mine.key, 200), (other.key, 403)):
            assert signed.call(key, "GET", f"{mine.endpoint}/_ministack/ready").status_code == status
    emulators.down(home)
    assert emulators.up(home).key != mine.key


@pytest.mark.parametrize("key", [None, "test", "000000000000", "LOCAL", "LOCAL" + "0" * 39])
@pytest.mark.parametrize(
    "module", [["gateway.server", "--port", "1", "--upstream", "http://127.0.0.1:9"], ["local.backend"]]
)
def test_a_program_started_by_hand_needs_a_key_of_the_local_aws(module: list[str], key: str | None) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    line = [sys.executable, "-m", f"scalable_webhook_cli.{module[0]}", *module[1:]]
    result = subprocess.run(
        line,
        env=environment | ({"AWS_ACCESS_KEY_ID": key} if key else {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert result.returncode == 1
    assert result.stderr == (
        "AWS_ACCESS_KEY_ID must hold a key of the local AWS; start it with: scalable-webhook local up\n"
    )


def test_no_option_starts_ministack_without_its_guard(tmp_path: Path) -> None:
    port = processes.free_port()
    started = subprocess.Popen(
        [sys.executable, "-m", "scalable_webhook_cli.local.backend", "--detach"],
        env=os.environ
        | {"AWS_ACCESS_KEY_ID": new_key(), "GATEWAY_PORT": str(port), "BIND_HOST": "0.0.0.0", "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        start_new_session=True,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        assert wait_for(lambda: emulators._answers(f"{url}/_ministack/health"), SECONDS)
        assert http.get(f"{url}/2015-03-31/functions/").status_code == 403
        listening = [each.laddr.ip for each in psutil.Process(started.pid).net_connections() if each.status == "LISTEN"]
        assert listening == ["127.0.0.1"]
    finally:
        processes.end([started.pid])


def test_a_dead_emulator_is_replaced(home: Path) -> None:
    first = emulators.up(home)
    os.kill(first.processes[0].pid, signal.SIGKILL)
    second = emulators.up(home)
    assert second.processes != first.processes
    assert second.is_healthy()
    assert first.processes[1].find() is None


def test_a_process_that_got_a_recycled_id_is_left_alone(home: Path) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        home.mkdir()
        state = {"endpoint": "http://127.0.0.1:9", "processes": [{"pid": bystander.pid, "created": 1.0}]}
        (home / "state.json").write_text(json.dumps(state))
        emulators.down(home)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_start_that_is_interrupted_leaves_no_process(home: Path) -> None:
    starting = subprocess.Popen(
        [sys.executable, "-m", "scalable_webhook_cli", "local", "up"],
        env={**os.environ, "SCALABLE_WEBHOOK_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    give_up = time.monotonic() + SECONDS
    while not (home / "gateway.log").exists() and time.monotonic() < give_up:
        time.sleep(0.01)
    started = psutil.Process(starting.pid).children(recursive=True)
    starting.send_signal(signal.SIGINT)
    starting.wait(SECONDS)
    assert started
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in started)
    assert not (home / "state.json").exists()


@pytest.mark.parametrize("spawned", ["ministack", "gateway"])
def test_an_interrupt_before_a_process_is_known_leaves_no_process(
    home: Path, spawned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    spawn = emulators._spawn

    def spawn_and_interrupt(home: Path, name: str, *more: Any) -> "subprocess.Popen[bytes]":
        process = spawn(home, name, *more)
        started.append(process.pid)
        if name == spawned:
            raise KeyboardInterrupt
        return process

    monkeypatch.setattr(emulators, "_spawn", spawn_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        emulators.up(home)
    assert started
    assert not any(psutil.pid_exists(pid) for pid in started)


def test_a_function_that_outlives_its_emulator_is_ended_too(home: Path) -> None:
    emulator = emulators.up(home)
    backend = emulator.processes[0]
    # MiniStack's workers are of its session, and run from its folder.
    (home / "tmp" / "worker.py").write_text("import time\ntime.sleep(60)")
    code = (
        f"import os; os.setsid(); os.spawnl(os.P_WAIT, {sys.executable!r}, 'python', {str(home / 'tmp/worker.py')!r})"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    try:
        worker = _first_child(parent.pid)
        parent.kill()
        parent.wait()
        known = (processes.Process(parent.pid, backend.created), emulator.processes[1])
        emulators._save(dataclasses.replace(emulator, processes=known))
        emulators.down(home)
        assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    finally:
        processes.end([parent.pid, backend.pid])


def test_a_process_that_a_group_starts_during_its_end_is_ended_too(tmp_path: Path) -> None:
    # When it is ended, it leaves an orphan process.
    code = (
        "import signal, subprocess, sys, time\n"
        f"leave = [sys.executable, '-c', 'import time; time.sleep(60)', {str(tmp_path)!r}]\n"
        "signal.signal(signal.SIGTERM, lambda *_: (subprocess.Popen(leave), sys.exit()))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, process_group=0) as leader:
        assert leader.stdout
        assert leader.stdout.readline() == b"ready\n"
        processes.end([leader.pid])
        assert processes.processes_in(tmp_path) == []
    assert leader.returncode == 0


def test_a_process_is_found_although_the_clock_was_set_a_little(home: Path) -> None:
    mine = psutil.Process()
    assert processes.Process(mine.pid, mine.create_time() - 1).find() == mine
    assert processes.Process(mine.pid, mine.create_time() - 60).find() is None


def test_an_unwritable_folder_is_reported_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = command(tmp_path / "file", "local", "up")
    assert result.returncode == 1
    assert result.stderr == (
        f"scalable-webhook: cannot write to {tmp_path / 'file'}: File exists; "
        "name another folder in SCALABLE_WEBHOOK_HOME\n"
    )


def test_the_local_aws_is_called_without_a_proxy(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "intranet.example,localhost")
    emulator = emulators.up(home)
    assert emulator.environment()["no_proxy"] == "127.0.0.1,localhost,intranet.example"
    assert emulator.environment()["NO_PROXY"] == emulator.environment()["no_proxy"]
    assert emulators.find(home) == emulator


@pytest.mark.slow(6)
def test_an_idle_connection_stays_open(home: Path) -> None:
    address = urlsplit(emulators.up(home).endpoint)
    kept = HTTPConnection(address.netloc, timeout=SECONDS)
    for pause in (0, 6):  # servers end an idle connection after 5 seconds by default
        time.sleep(pause)
        kept.request("GET", "/_ministack/health")
        answer = kept.getresponse()
        answer.read()
        assert answer.status == 200
        assert kept.sock is not None, "it is closed after an answer"
    kept.close()


def test_users_own_credentials_reach_neither_emulator_nor_functions(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://sqs.us-east-1.amazonaws.com")
    monkeypatch.setenv("GITHUB_TOKEN", "real")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:real@proxy.example:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("MINISTACK_ACCOUNT_ID", "111122223333")
    monkeypatch.setenv("SERVICES", "s3")
    emulator = emulators.up(home)
    for known in emulator.processes:
        process = known.find()
        assert process
        environment = process.environ()
        assert environment["PATH"] == os.environ["PATH"]
        theirs = {"AWS_PROFILE", "AWS_SESSION_TOKEN", "GITHUB_TOKEN", "MINISTACK_ACCOUNT_ID", "SERVICES", "HTTPS_PROXY"}
        assert not theirs & environment.keys()
        assert environment["HTTP_PROXY"] == "http://proxy.example:3128"
        assert environment.get("AWS_ENDPOINT_URL", "http://127.0.0.1").startswith("http://127.0.0.1")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "http://127.9.9.9"])
def test_a_loopback_address_is_accepted(url: str) -> None:
    assert require_loopback(url) == url


@pytest.mark.parametrize(
    "url", ["https://sqs.us-east-1.amazonaws.com", "http://10.0.0.1", "http://localhost.evil.example", "nonsense", ""]
)
def test_any_other_address_is_rejected(url: str) -> None:
    with pytest.raises(CliError, match="must be on a loopback address"):
        require_loopback(url)


@pytest.mark.slow(5)
def test_the_commands_print_their_result_and_the_next_command(home: Path) -> None:
    not_running = command(home, "local", "status")
    assert (not_running.returncode, not_running.stderr.strip()) == (
        1,
        "scalable-webhook: the local AWS is not running; start it with: scalable-webhook local up",
    )
    up = command(home, "local", "up")
    assert re.fullmatch(
        r"local AWS at http://127\.0\.0\.1:\d+\nnext: scalable-webhook local deploy APP_DIR\n", up.stdout
    )
    assert command(home, "local", "up").stdout == up.stdout
    assert command(home, "local", "status").stdout.endswith("no webhook is deployed\n")

    env = command(home, "local", "env").stdout
    endpoint = up.stdout.split()[3]
    shell = subprocess.run(["sh", "-c", f"{env}\necho $AWS_ENDPOINT_URL"], capture_output=True, text=True, check=True)
    assert shell.stdout.strip() == endpoint
    assert http.get(f"{endpoint}/_ministack/health").status_code == 200

    assert command(home, "local", "down").stdout == "local AWS stopped\n"
    assert command(home, "local", "down").stdout == "no local AWS was running\n"


def test_a_folder_without_an_app_is_reported_in_one_sentence(home: Path, tmp_path: Path) -> None:
    result = command(home, "local", "deploy", str(tmp_path))
    assert result.returncode == 1
    assert result.stderr == (
        f"scalable-webhook: a CDK app has a cdk.json, and {tmp_path} has none; name the folder of an app\n"
    )


def test_help_and_version_need_no_emulator(home: Path) -> None:
    assert "local" in command(home, "--help").stdout
    assert command(home, "--version").stdout.strip() == "0.1.0"
    assert not home.exists()


def test_without_the_extra_the_command_names_it(home: Path) -> None:
    code = "import sys; sys.modules['typer'] = None\nfrom scalable_webhook_cli.__main__ import main\nmain()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert 'pip install "cdk-scalable-webhook[local]"' in result.stderr
    assert "Traceback" not in result.stderr


def _first_child(pid: int) -> psutil.Process:
    give_up = time.monotonic() + SECONDS
    while time.monotonic() < give_up:
        for child in psutil.Process(pid).children():
            if "worker.py" in " ".join(child.cmdline()):
                return child
        time.sleep(0.01)
    raise AssertionError("no worker")


def _family(known: processes.Process) -> list[psutil.Process]:
    process = known.find()
    return [process, *process.children(recursive=True)] if process else []
