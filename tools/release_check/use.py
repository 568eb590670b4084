"""The steps of a user in an environment: an app, a local AWS, a webhook, and a look at the stored webhook."""

import json
import os
import re
import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import postgres_server
import psutil

from release_check.environments import Environment
from release_check.rejected import Rejected, run
from scalable_webhook_cli.commands.starting import init
from scalable_webhook_cli.local import emulator as emulators
from scalable_webhook_cli.local.deploy import deploy
from scalable_webhook_cli.observe import ObservedWebhook, wait_for
from scalable_webhook_cli.processes import end

# Not text, and nothing that an endpoint, a queue or a table could interpret.
PAYLOAD = bytes(range(256)) + "Grüße, 世界 😀\r\n".encode()
SECONDS = 60
EXTRAS_APP = Path(__file__).parent / "extras"
# The drivers of the sinks are packed into their functions under these names.
DRIVERS = {"pg8000", "pymysql"}


def new_app(folder: Path, code: str, python: Path) -> None:
    """Write an app for this Python."""
    folder.mkdir()
    (folder / "app.py").write_text(code)
    (folder / "cdk.json").write_text(json.dumps({"app": f"{shlex.quote(str(python))} app.py"}))


def first_code(page: str, folder: Path) -> str:
    """Return the app that a reader of the page at PyPI tries first: ``init`` writes it into a folder."""
    if not re.search(r"^scalable-webhook init \w+", page, re.MULTILINE):
        raise Rejected("the page at PyPI must begin an app by scalable-webhook init, got none")
    init(folder)
    return (folder / "app.py").read_text()


def base(environment: Environment, page: str) -> Iterator[str]:
    """Deploy the app of the page with an environment that has the CDK's library alone. Node, the CDK CLI and the local
    AWS are those of development."""
    app = environment.folder / "app"
    new_app(app, first_code(page, environment.folder / "first"), environment.python)
    with emulators.running() as emulator:
        (webhook,) = deploy(emulator, app)
        yield f"the page's app to try is synthesised by it and deployed as {webhook.name}"
        yield stored(ObservedWebhook(emulator, *webhook.name.split("/")), send(webhook.url))


def extras(environment: Environment) -> Iterator[str]:
    """Deploy an app with every extra. Node, the CDK CLI and the local AWS are those of the environment itself."""
    work = environment.folder / "work"
    home, aws, app = work / "home", work / "aws", work / "app"
    home.mkdir(parents=True)
    shutil.copytree(EXTRAS_APP, app, ignore=shutil.ignore_patterns("__pycache__"))
    programs = environment.python.parent
    # Without the user's settings, caches and programs.
    own = {"HOME": str(home), "PATH": f"{programs}{os.pathsep}{os.defpath}", "SCALABLE_WEBHOOK_HOME": str(aws)}
    own |= {"LANG": "C.UTF-8", "TMPDIR": str(work)}
    for program in ("scalable-webhook", "cdk", "node"):
        if shutil.which(program, path=own["PATH"]) != str(programs / program):
            raise Rejected(f"the extras must have {program}, and do not")
    command = programs / "scalable-webhook"
    with postgres_server.running() as server, _ended(aws, work):
        yield packed(environment, app, own, server.context())
        run([command, "local", "up"], env=own, cwd=work)
        context = [word for pair in server.context() for word in ("--context", pair)]
        said = run([command, "local", "deploy", str(app), *context], env=own, cwd=work)
        urls = dict(re.findall(r"^(\S+)  (http\S+)$", said, re.MULTILINE))
        if urls.keys() != {"Extras/DynamoDB", "Extras/Postgres", "Extras/MySQL"}:
            raise Rejected(f"scalable-webhook local deploy said\n{said}")
        yield f"its own scalable-webhook, Node and CDK CLI deployed {', '.join(sorted(urls))}"
        emulator = emulators.find(aws)
        if emulator is None:
            raise Rejected("scalable-webhook local up must start a local AWS that answers, and did not")
        yield stored(ObservedWebhook(emulator, "Extras", "DynamoDB"), send(urls["Extras/DynamoDB"]))
        yield in_postgres(server, send(urls["Extras/Postgres"]))
        run([command, "burst", urls["Extras/DynamoDB"], "--count", "20"], env=own, cwd=work)
        run([command, "local", "down"], env=own, cwd=work)
        if left := _processes(work):
            raise Rejected(f"scalable-webhook local down has left {', '.join(map(str, left))}")
        yield "its burst of 20 was accepted, and its local down left no process"


def packed(environment: Environment, app: Path, own: dict[str, str], context: list[str]) -> str:
    """Synthesise the app without the CDK CLI, and check that its functions have the drivers."""
    out = app / "cdk.out"
    given = {"CDK_OUTDIR": str(out), "CDK_CONTEXT_JSON": json.dumps(dict(pair.split("=", 1) for pair in context))}
    run([environment.python, "app.py"], cwd=app, env=own | given)
    found = {path.name for path in out.glob("asset.*/*") if path.name in DRIVERS}
    if found != DRIVERS:
        raise Rejected(
            f"the functions must have {', '.join(sorted(DRIVERS))}, got {', '.join(sorted(found)) or 'none'}"
        )
    return f"an app with every sink's extra is synthesised, with {' and '.join(sorted(found))} in its functions"


def send(url: str) -> str:
    """Send the payload, and return the webhook's id."""
    headers = {"Content-Type": "application/octet-stream"}
    answer = httpx.post(url, content=PAYLOAD, headers=headers, timeout=SECONDS, trust_env=False)
    if answer.status_code != 202:
        raise Rejected(f"the endpoint answered {answer.status_code} {answer.text}")
    return str(answer.json()["id"])


def stored(webhook: ObservedWebhook, id: str) -> str:
    """Check that the table has the webhook with this id once, with the bytes that were sent."""

    def payloads() -> list[object]:
        return [item["payload"] for item in webhook.items() if item["delivery_id"] == id]

    return stored_once(f"{webhook.stack}/{webhook.id}", payloads)


def in_postgres(server: postgres_server.PostgresServer, id: str) -> str:
    """Check the same in Postgres, whose table the function creates."""

    def payloads() -> list[object]:
        ((made,),) = server.query("SELECT to_regclass('webhooks') IS NOT NULL")
        rows = server.query("SELECT payload FROM webhooks WHERE id = :id", id=id) if made else []
        return [payload for (payload,) in rows]

    return stored_once("Extras/Postgres", payloads)


def stored_once(name: str, payloads: Callable[[], list[object]]) -> str:
    """Wait for the webhook, and look again: there must be one, with the bytes that were sent."""
    wait_for(lambda: bool(payloads()), SECONDS)
    found = payloads()
    if found != [PAYLOAD]:
        raise Rejected(f"{name} stored {found or 'nothing'} after {SECONDS} seconds, and was sent {PAYLOAD!r}")
    return f"a webhook of {len(PAYLOAD)} bytes to {name} is answered 202 and stored once, byte for byte"


@contextmanager
def _ended(aws: Path, work: Path) -> Iterator[None]:
    """End all processes that were started in this folder, also after an error."""
    try:
        yield
    finally:
        emulators.down(aws)
        end(_processes(work))


def _processes(work: Path) -> list[int]:
    """Return the processes of this folder."""
    give_up, found = time.monotonic() + 5, [0]
    while found and time.monotonic() < give_up:
        found = [process.pid for process in psutil.process_iter() if _is_of(process, work)]
    return found


def _is_of(process: psutil.Process, work: Path) -> bool:
    try:
        return process.pid != os.getpid() and str(work) in f"{process.cwd()} {' '.join(process.cmdline())}"
    except (psutil.Error, OSError):
        return False
