"""docs/errors.md lists the text of each rejection, and each error of a message in the dead-letter queue.

The page of a sink may have its own.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNTIME = ROOT / "src" / "webhook_runtime"
MAPPING = ROOT / "src" / "cdk_scalable_webhook" / "endpoint" / "mapping"
PAGES = [ROOT / "docs" / "errors.md", *sorted((ROOT / "docs" / "sinks").glob("*.md"))]
PAGE = "".join(page.read_text() for page in PAGES).replace("\\*", "*")

# The position of the text, or of the error's name, among the arguments of a call.
TEXTS = {"Unverified": 0, "_Rejected": 1, "NoSecret": 0}
ERRORS = {"Outcome": 1, "BadWebhook": 0}


def text_of(node: ast.expr) -> str | None:
    """Return a literal, with … for each value in it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return None


def called(node: ast.AST) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def texts() -> Iterator[str]:
    for path in RUNTIME.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if called(node) in TEXTS:
                assert isinstance(node, ast.Call)
                text = text_of(node.args[TEXTS[called(node)]])
                yield from [text] if text else []
            # The reason of a scheme for a signature that no secret matches.
            if isinstance(node, ast.FunctionDef) and node.name == "mismatch":
                yield from (text for each in ast.walk(node) if isinstance(each, ast.Return) and each.value
                            for text in [text_of(each.value)] if text)  # fmt: skip
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "mismatch":
                yield text_of(node.value) or ""
    for path in MAPPING.glob("*.vtl"):
        yield from re.findall(r'"message":"([^"]+)"', path.read_text())


def errors() -> Iterator[str]:
    for path in RUNTIME.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                named = [each.value for each in node.keywords if each.arg == "error" and called(node) == "SinkDown"]
                if called(node) in ERRORS and len(node.args) > ERRORS[called(node)]:
                    named.append(node.args[ERRORS[called(node)]])
                yield from (text for each in named if (text := text_of(each)))


@pytest.mark.parametrize("text", sorted(set(filter(None, texts()))))
def test_every_text_of_a_rejection_is_on_the_page(text: str) -> None:
    assert text in PAGE


@pytest.mark.parametrize("error", sorted(set(errors())))
def test_every_error_of_a_dead_letter_is_on_the_page(error: str) -> None:
    rows = [line.split(" | ")[0].removeprefix("| ") for line in PAGE.splitlines() if line.startswith("| ")]
    assert any(error.replace("HTTP …", "HTTP 4…") in row for row in rows)


def test_the_texts_and_errors_are_found() -> None:
    """Without texts the other tests check nothing."""
    assert len(set(texts())) > 20
    assert "The webhook could not be queued: try again." in re.findall(
        r'"message":"([^"]+)"', "".join(map(Path.read_text, MAPPING.glob("*.vtl")))
    )
    assert {"Unverified", "MalformedMessage", "TooLarge", "PayloadExpired"} <= set(errors())
