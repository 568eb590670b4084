"""``scalable-webhook init``: begin an app."""

import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from scalable_webhook_cli import samples
from scalable_webhook_cli.commands.options import Json
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.terminal import in_one_sentence, say, say_json
from webhook_runtime.contract.providers import Provider, provider_named

_APP = """\
from aws_cdk import App, Stack
from cdk_scalable_webhook import ScalableWebhook

app = App()
stack = Stack(app, "{stack}")
ScalableWebhook(stack, "Webhook")
app.synth()
"""
_APP_OF_A_PROVIDER = """\
from aws_cdk import App, Stack
from aws_cdk import aws_secretsmanager as secretsmanager
from cdk_scalable_webhook import ScalableWebhook, Source

app = App()
stack = Stack(app, "{stack}")
# Store it in Secrets Manager: {signs_with}
# {documentation}
secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "{secret}")
ScalableWebhook(stack, "Webhook", path="/{path}", source=Source.{method}(secret))
app.synth()
"""
_CDK = '{ "app": "python3 app.py" }\n'
# Of a stack: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
_LONGEST_NAME = 128


@in_one_sentence
def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the app. It is created.", metavar="FOLDER")] = Path(),
    provider: Annotated[
        str | None,
        typer.Option(help="Provider whose signatures the webhook verifies, such as stripe.", metavar="PROVIDER"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a first app: app.py with one webhook, and cdk.json.

    It never overwrites a file.
    """
    known = None if provider is None else _named(provider)
    texts = {"app.py": _app(_stack_name(folder), known), "cdk.json": _CDK}
    there = [name for name in texts if (folder / name).exists()]
    if there:
        raise CliError(f"{folder / there[0]} is there already, and init overwrites nothing; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        with (folder / name).open("x", encoding="utf-8") as file:
            file.write(text)
    if as_json:
        say_json({"files": [str(folder / name) for name in texts]})
        return
    say(f"wrote {' and '.join(str(folder / name) for name in texts)}; next:")
    say(f"  scalable-webhook local deploy {shlex.quote(str(folder))}")
    say(f"  scalable-webhook send{f' {known.method} {samples.names(known.method)[0]}' if known else ''}")


def _named(provider: str) -> Provider:
    try:
        return provider_named(provider)
    except ValueError as error:
        raise CliError(str(error)) from None


def _app(stack: str, provider: Provider | None) -> str:
    if provider is None:
        return _APP.format(stack=stack)
    path, signs_with = provider.page.removesuffix(".md"), provider.signs_with.replace("``", "")
    return _APP_OF_A_PROVIDER.format(
        stack=stack,
        signs_with=signs_with[0].lower() + signs_with[1:],
        documentation=provider.documentation,
        secret=f"{path.removesuffix('-webhooks')}-webhooks",
        path=path,
        method=provider.method,
    )


def _stack_name(folder: Path) -> str:
    """Return the name of the folder as that of a stack, which has ASCII characters and starts with no digit."""
    words = re.findall(r"[A-Za-z0-9]+", folder.absolute().name)
    name = "".join(word[0].upper() + word[1:] for word in words).lstrip("0123456789")
    return name[:_LONGEST_NAME] or "Webhooks"
