"""An editor completes and describes every argument of a call.

Most editors use pyright's language server. The others use jedi.
"""

import asyncio
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jedi
import pytest
from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

import cdk_scalable_webhook
from cdk_scalable_webhook import Acknowledgement, Ingress, Retry, RuntimeLayer, ScalableWebhook, Sink, Source

SERVER = str(Path(sys.executable).parent / "pyright-langserver")
SECONDS = 300


def factories(kind: type) -> dict[str, Callable[..., object]]:
    """Return the factory methods of a class, by the text of their call."""
    members = {name: inspect.getattr_static(kind, name) for name in dir(kind) if not name.startswith("_")}
    names = [name for name, member in members.items() if isinstance(member, staticmethod | classmethod)]
    return {f"{kind.__name__}.{name}": getattr(kind, name) for name in names}


CALLS: dict[str, Callable[..., object]] = {
    "ScalableWebhook": ScalableWebhook.__init__,
    "ScalableWebhook(stack, 'Webhook').add_source": ScalableWebhook.add_source,
    "ScalableWebhook(stack, 'Webhook').metric_backlog_age": ScalableWebhook.metric_backlog_age,
    "Retry": Retry.__init__,
    "RuntimeLayer": RuntimeLayer.__init__,
    "Acknowledgement": Acknowledgement.__init__,
    **factories(Ingress),
    **factories(Sink),
    **factories(Source),
}


def arguments(call: str) -> set[str]:
    return {name for name in inspect.signature(CALLS[call]).parameters if name != "self"}


def typed(call: str) -> str:
    """Return the text of a file up to the arguments of a call."""
    names = ", ".join(cdk_scalable_webhook.__all__)
    return f"from aws_cdk import Stack\nfrom cdk_scalable_webhook import {names}\nstack = Stack()\n{call}("


@dataclass
class Offer:
    """The answers of the language server for a call."""

    completions: set[str]
    documentation: str
    hover: str


@pytest.fixture(scope="module")
def offers(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Offer]:
    folder = tmp_path_factory.mktemp("editor")
    return asyncio.run(asyncio.wait_for(ask(installed, folder), SECONDS))


async def ask(python: Path, folder: Path) -> dict[str, Offer]:
    client = LanguageClient("tests", "1")

    @client.feature("workspace/configuration")  # type: ignore[untyped-decorator]
    def _configuration(asked: lsp.ConfigurationParams) -> list[dict[str, str]]:
        return [{"pythonPath": str(python)} if item.section == "python" else {} for item in asked.items]

    @client.feature("client/registerCapability")  # type: ignore[untyped-decorator]
    def _register(_: object) -> None:
        pass

    await client.start_io(SERVER, "--stdio")
    try:
        workspace = lsp.WorkspaceClientCapabilities(configuration=True)
        await client.initialize_async(
            lsp.InitializeParams(
                capabilities=lsp.ClientCapabilities(workspace=workspace),
                workspace_folders=[lsp.WorkspaceFolder(folder.as_uri(), folder.name)],
            )
        )
        client.initialized(lsp.InitializedParams())
        return {call: await look(client, folder / f"{number}.py", call) for number, call in enumerate(CALLS)}
    finally:
        await client.shutdown_async(None)
        client.exit(None)
        await client.stop()  # type: ignore[no-untyped-call]


async def look(client: Any, file: Path, call: str) -> Offer:
    uri, text = file.as_uri(), typed(call)
    client.text_document_did_open(lsp.DidOpenTextDocumentParams(lsp.TextDocumentItem(uri, "python", 1, text)))
    document, line = lsp.TextDocumentIdentifier(uri), text.count("\n")
    end, name = lsp.Position(line, len(call) + 1), lsp.Position(line, len(call) - 1)
    completions = await client.text_document_completion_async(lsp.CompletionParams(document, end))
    help = await client.text_document_signature_help_async(lsp.SignatureHelpParams(document, end))
    hover = await client.text_document_hover_async(lsp.HoverParams(document, name))
    (signature,) = help.signatures
    return Offer(
        completions={item.label for item in completions.items},
        documentation=signature.documentation.value if signature.documentation else "",
        hover=hover.contents.value if hover else "",
    )


@pytest.mark.parametrize("call", CALLS)
def test_pyright_completes_every_argument(call: str, offers: dict[str, Offer]) -> None:
    assert {f"{name}=" for name in arguments(call)} <= offers[call].completions


@pytest.mark.parametrize("call", CALLS)
def test_pyright_describes_every_argument(call: str, offers: dict[str, Offer]) -> None:
    told = set(re.findall(r"^\s+(\w+): \S", offers[call].documentation, re.MULTILINE))
    assert arguments(call) <= told


@pytest.mark.parametrize("call", CALLS)
def test_pyright_describes_the_name_under_the_pointer(call: str, offers: dict[str, Offer]) -> None:
    owners = [CALLS[call], getattr(cdk_scalable_webhook, call, None)]
    firsts = [documentation.splitlines()[0] for owner in owners if (documentation := inspect.getdoc(owner))]
    hover = re.sub(r"\W+", " ", offers[call].hover)
    assert any(re.sub(r"\W+", " ", first) in hover for first in firsts)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.slow(1)
def test_jedi_completes_every_argument(call: str, installed: Path) -> None:
    environment = jedi.create_environment(str(installed.parent.parent), safe=False)
    script = jedi.Script(typed(call), environment=environment)
    assert {f"{name}=" for name in arguments(call)} <= {completion.name for completion in script.complete()}
