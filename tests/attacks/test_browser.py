"""Attack the local AWS from a real browser: from a page of another origin, and from a name that is rebound to this
machine.

The browser's own check of local networks is switched off, since some browsers have none.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from scalable_webhook_cli.local.emulator import running
from scalable_webhook_cli.observe import wait_for
from scalable_webhook_cli.processes import end, free_port

from ..runtime.serving import Quiet, Serving
from ..suite.attacks import Attempts
from ..suite.patience import SECONDS, http
from .test_local_aws import LocalAws, zipped

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
    pytest.mark.skipif(sys.platform != "linux", reason="needs a second address of loopback, as Linux has"),
]
PAGE = (Path(__file__).parent / "page.html").read_text()
# Another address of loopback, on which the name is until it is rebound.
BEFORE_REBINDING = "127.0.0.2"
NOT_CHECKED = [
    *("LocalNetworkAccessChecks", "LocalNetworkAccessChecksWebSockets", "LocalNetworkAccessForWorkers"),
    *("BlockInsecurePrivateNetworkRequests", "PrivateNetworkAccessSendPreflights"),
]
OPTIONS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--no-proxy-server", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    f"--disable-features={','.join(NOT_CHECKED)}",
    # Nothing leaves this machine.
    f"--host-resolver-rules=MAP evil.example {BEFORE_REBINDING}, MAP * ~NOTFOUND, EXCLUDE localhost",
]
# The results of attempts that could not read a response, and had no socket.
NOTHING = {"opaque", "failed", "failed: TypeError", "load", "error", "true"}

Report = Mapping[str, Mapping[str, str]]


class Site:
    """The attacker's web server.

    With ``rebound``, it forwards everything that is not its own to this port, as a rebound name would.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0, rebound: str | None = None) -> None:
        self.page = ""
        self.report: Report | None = None
        site = self

        class Handler(Quiet):
            protocol_version = "HTTP/1.1"

            def do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path == "/page":
                    self.answer(200, {"Content-Type": "text/html"}, site.page.encode())
                elif self.path == "/report":
                    site.report = json.loads(body)
                    self.answer(200, {}, b"")
                elif rebound is None:
                    self.answer(404, {}, b"")
                else:
                    self.forward(body)

            do_GET = do_POST = do_PUT = do_OPTIONS = do

            def forward(self, body: bytes) -> None:
                there = HTTPConnection(rebound or "", port, timeout=SECONDS)
                there.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    there.putheader(name, value)
                there.endheaders(body)
                reply = there.getresponse()
                kept = {name: value for name, value in reply.getheaders() if name.lower() not in NOT_FORWARDED}
                self.answer(reply.status, kept, reply.read())
                there.close()

            def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        self._server = Serving(Handler, host=host, port=port)
        self.port = self._server.port

    def close(self) -> None:
        self._server.close()


NOT_FORWARDED = {"content-length", "transfer-encoding", "connection"}


@dataclass
class Victim:
    """A local AWS, or MiniStack without a guard. ``mark`` is a file that the page's code writes where it runs."""

    ports: Mapping[str, int]
    holding: Callable[[], Mapping[str, Any]]
    mark: Path

    def code(self) -> str:
        source = f"def handler(event, context):\n    open({str(self.mark)!r}, 'w').close()\n    return 'RAN'\n"
        while len(zipped({"index.py": source})) % 3:  # without padding, at which a form would split it
            source += "\n"
        return base64.b64encode(zipped({"index.py": source})).decode()

    def page(self, targets: list[str], report: str) -> str:
        role = "arn:aws:iam::000000000000:role/any"
        function = {"FunctionName": "NAME", "Runtime": "python3.11", "Role": role, "Handler": "index.handler"}
        upload = json.dumps(function | {"Code": {"ZipFile": self.code()}})
        # A form of plain text sends NAME=VALUE.
        form = json.dumps({"Description": "="} | function | {"Code": {"ZipFile": self.code()}})
        configuration = {"targets": targets, "upload": upload, "form": form, "report": report}
        return PAGE.replace("CONFIGURATION", json.dumps(configuration))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    with running() as emulator:
        aws = LocalAws(emulator, iam=False)
        yield Victim(aws.ports, aws.holding, tmp_path_factory.mktemp("guarded") / "mark")


@pytest.fixture
def unguarded(tmp_path: Path) -> Iterator[Victim]:
    """Run MiniStack without a guard, to show that the page's attacks work."""
    port = free_port()
    settings = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "MINISTACK_HOST": "127.0.0.1"}
    settings |= {"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "LAMBDA_EXECUTOR": "local", "LOG_LEVEL": "WARNING"}
    settings |= {"DOCKER_HOST": f"unix://{tmp_path}/none", "TMPDIR": str(tmp_path), "S3_DATA_DIR": str(tmp_path / "s3")}
    credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    url = f"http://127.0.0.1:{port}"

    def holding() -> Mapping[str, Any]:
        aws = {name: boto3.client(name, endpoint_url=url, **credentials) for name in ("lambda", "sqs", "s3")}
        return {
            "functions": sorted(each["FunctionName"] for each in aws["lambda"].list_functions()["Functions"]),
            "queues": sorted(each.rpartition("/")[2] for each in aws["sqs"].list_queues().get("QueueUrls", [])),
            "buckets": sorted(each["Name"] for each in aws["s3"].list_buckets()["Buckets"]),
        }

    started = subprocess.Popen(
        [sys.executable, "-m", "ministack"], cwd=tmp_path, env=os.environ | settings, start_new_session=True
    )
    try:
        assert wait_for(lambda: answers(f"{url}/_ministack/health"), SECONDS)
        yield Victim({"unguarded": port}, holding, tmp_path / "mark")
    finally:
        end([started.pid])


def answers(url: str) -> bool:
    try:
        return http.get(url).is_success
    except httpx.HTTPError:
        return False


def browsed(url: str, reporting: Site) -> Report:
    """Return the report of the page at this URL."""
    assert CHROMIUM
    # Not pytest's folder, whose path is too long for a socket in it.
    with tempfile.TemporaryDirectory(prefix="c-") as folder:
        log = Path(folder, "log")
        with log.open("wb") as written:
            browser = subprocess.Popen(
                [CHROMIUM, *OPTIONS, f"--user-data-dir={folder}/profile", url],
                cwd=folder,
                env=os.environ | {"HOME": folder, "TMPDIR": folder},
                stdout=written,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_for(lambda: reporting.report is not None or browser.poll() is not None, SECONDS)
            assert reporting.report, log.read_text()
        finally:
            end([browser.pid])
    return reporting.report


def from_another_origin(victim: Victim) -> Report:
    with closing(Site()) as attacker:
        origin = f"http://localhost:{attacker.port}"
        targets = [f"http://127.0.0.1:{port}" for port in victim.ports.values()]
        attacker.page = victim.page([*targets, *(url.replace("127.0.0.1", "localhost") for url in targets)], "/report")
        return browsed(f"{origin}/page", attacker)


def rebound(victim: Victim, port: int) -> Report:
    with closing(Site(host=BEFORE_REBINDING, port=port, rebound="127.0.0.1")) as attacker:
        origin = f"http://evil.example:{port}"
        attacker.page = victim.page([origin], "/report")
        return browsed(f"{origin}/page", attacker)


def require_nothing(report: Report, victim: Victim, before: Mapping[str, Any]) -> tuple[int, list[str]]:
    results = [result for attempts in report.values() for result in attempts.values()]
    through = [result for result in results if result not in NOTHING and not result.startswith("403: ")]
    assert victim.holding() == before, report
    assert not victim.mark.exists(), report
    return len(results), through


@pytest.mark.slow(15)
def test_a_page_of_another_origin_does_nothing_and_reads_nothing(guarded: Victim, attempts: Attempts) -> None:
    before = guarded.holding()
    report = from_another_origin(guarded)
    attempts("local AWS: a page of another origin, in Chromium", *require_nothing(report, guarded, before))
    # The page cannot even read that it is rejected.
    assert not [result for tried in report.values() for result in tried.values() if result.startswith("403")]


@pytest.mark.slow(20)
def test_a_page_whose_name_is_rebound_does_nothing_and_reads_nothing(guarded: Victim, attempts: Attempts) -> None:
    before = guarded.holding()
    for port in guarded.ports.values():
        report = rebound(guarded, port)
        attempts("local AWS: a page whose name is rebound, in Chromium", *require_nothing(report, guarded, before))


@pytest.mark.slow(20)
@pytest.mark.parametrize("way", ["another origin", "rebound"])
def test_without_the_guard_the_same_page_runs_code(unguarded: Victim, way: str) -> None:
    (port,) = unguarded.ports.values()
    report = rebound(unguarded, port) if way == "rebound" else from_another_origin(unguarded)
    holding = unguarded.holding()
    assert unguarded.mark.exists(), report
    assert {"upload", "read", "beacon", "form"} <= set(holding["functions"]), (report, holding)
    assert {"preflight", "image"} <= set(holding["queues"]), (report, holding)
    assert holding["buckets"] == ["put-bucket"]
    (first, *_) = report.values()
    if way == "rebound":  # then it has the page's own origin, whose responses a page may read
        assert first["run to read"] == '200: "RAN"'
        assert "index.handler" in first["read"]
