"""A picture of the operator's commands: some webhooks are sent, and the terminal shows what became of them.

The commands run in a terminal of 80 columns, against a local AWS of their own.
"""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping
from pathlib import Path

import pictures
from rich.text import Text

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.local import emulator as emulators
from scalable_webhook_cli.local.deploy import deploy
from scalable_webhook_cli.signals import interrupt_on_termination
from scalable_webhook_cli.terminal import say

COMMANDS = (
    "scalable-webhook send stripe invoice.paid",
    "scalable-webhook send stripe customer.subscription.deleted",
    "scalable-webhook send stripe invoice.paid --bad-signature",
    "scalable-webhook logs",
    "scalable-webhook dead-letters list",
)
_NAME = "stripe-webhooks"
_FILES = {
    "app.py": f"""\
from aws_cdk import App, Stack
from aws_cdk import aws_secretsmanager as secretsmanager
from cdk_scalable_webhook import ScalableWebhook, Sink, Source

app = App()
stack = Stack(app, "Shop")
secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "{_NAME}")
ScalableWebhook(stack, "Webhook", source=Source.stripe(secret), sink=Sink.python("handler", "shop.handle"))
app.synth()
""",
    "cdk.json": '{ "app": "python3 app.py" }\n',
    "handler/shop.py": """\
from webhook_runtime import Permanent, Webhook


def handle(webhook: Webhook) -> None:
    if webhook.json()["type"] == "customer.subscription.deleted":
        raise Permanent("no customer")
""",
}
_LINES = 50


def main(picture: Path) -> None:
    """Deploy an app, run the commands, and save what they print.

    Raises:
        CliError: A command prints a line that does not fit.
    """
    with tempfile.TemporaryDirectory() as folder, emulators.running() as emulator:
        for name, text in _FILES.items():
            file = Path(folder, name)
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        say("deploying the app of the picture with the CDK CLI")
        deploy(emulator, Path(folder))
        emulator.client("secretsmanager").create_secret(Name=_NAME, SecretString="whsec_of_no_worth")
        programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = {**os.environ, "PATH": programs, "SCALABLE_WEBHOOK_HOME": str(emulator.home)}
        screens = [Text.assemble((f"$ {command}\n", "bold"), printed(command, environment)) for command in COMMANDS]
    for screen in screens:
        for line in screen.plain.splitlines():
            if len(line) > pictures.COLUMNS:
                raise CliError(f"a line of the picture has {len(line)} columns, {pictures.COLUMNS} fit: {line}")
    pictures.save_terminal(picture, screens, title="scalable-webhook")
    say(f"Picture: {picture}")


def printed(command: str, environment: Mapping[str, str]) -> Text:
    """Return what a command prints on a terminal. Its progress, which is gone at its end, is left out."""
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, pictures.COLUMNS, 0, 0))
    with subprocess.Popen(
        command.split(),
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=subprocess.DEVNULL,
        env={**environment, "TERM": "xterm-256color"},
    ):
        os.close(terminal)
        said = b"".join(iter(lambda: _next(screen), b""))
    os.close(screen)
    return Text.from_ansi(said.decode().replace("\r\n", "\n"))


def _next(screen: int) -> bytes:
    try:
        return os.read(screen, 65536)
    except OSError:  # of a terminal whose last program has ended
        return b""


if __name__ == "__main__":
    interrupt_on_termination()
    try:
        main(Path(sys.argv[1]))
    except CliError as error:
        sys.exit(f"picture: FAILED {error}")
