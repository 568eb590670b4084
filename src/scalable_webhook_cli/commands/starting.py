"""``scalable-webhook init``: begin an app."""

import re
from pathlib import Path
from typing import Annotated

import typer

from scalable_webhook_cli.commands.options import Json
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.terminal import in_one_sentence, say, say_json

_APP = """\
from aws_cdk import App, Stack
from cdk_scalable_webhook import ScalableWebhook

app = App()
stack = Stack(app, "{stack}")
ScalableWebhook(stack, "Webhook")
app.synth()
"""
_CDK = '{ "app": "python3 app.py" }\n'
# Of a stack: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
_LONGEST_NAME = 128


@in_one_sentence
def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the app. It is created.", metavar="FOLDER")] = Path(),
    as_json: Json = False,
) -> None:
    """Write a first app: app.py with one webhook, and cdk.json.

    It never overwrites a file.
    """
    texts = {"app.py": _APP.format(stack=_stack_name(folder)), "cdk.json": _CDK}
    there = [name for name in texts if (folder / name).exists()]
    if there:
        raise CliError(f"{folder / there[0]} is there already, and init overwrites nothing; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        with (folder / name).open("x") as file:
            file.write(text)
    if as_json:
        say_json({"files": [str(folder / name) for name in texts]})
        return
    say(f"wrote {' and '.join(str(folder / name) for name in texts)}")
    say(f"next: scalable-webhook local deploy {folder}")


def _stack_name(folder: Path) -> str:
    """Return the name of the folder as that of a stack, which has ASCII characters and starts with no digit."""
    words = re.findall(r"[A-Za-z0-9]+", folder.absolute().name)
    name = "".join(word[0].upper() + word[1:] for word in words).lstrip("0123456789")
    return name[:_LONGEST_NAME] or "Webhooks"
