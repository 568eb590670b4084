"""docs/errors.md has every rejection: each text that the code rejects with is in its tables."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNTIME = ROOT / "src" / "webhook_runtime"
MAPPING = ROOT / "src" / "cdk_scalable_webhook" / "endpoint" / "mapping"
TOLD = (ROOT / "docs" / "errors.md").read_text().replace("\\*", "*")

# Which argument of a call is the text, or the error's name.
TEXTS = {"Unverified": 0, "_Rejected": 1, "NoSecret": 0}
ERRORS = {"Outcome": 1, "BadWebhook": 0}


def text_of(node: ast.expr) -> str | None:
    """A literal, with … for what is put into it."""
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
            # What a scheme says of a signature that no secret bears out.
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
def test_every_text_is_told(text: str) -> None:
    assert text in TOLD


@pytest.mark.parametrize("error", sorted(set(errors())))
def test_every_error_of_a_dead_letter_is_told(error: str) -> None:
    rows = [line.split(" | ")[0].removeprefix("| ") for line in TOLD.splitlines() if line.startswith("| ")]
    assert any(error.replace("HTTP …", "HTTP 4…") in row for row in rows)


def test_there_are_some() -> None:
    """Or nothing would be held to anything."""
    assert len(set(texts())) > 20
    assert "The webhook could not be queued: try again." in re.findall(
        r'"message":"([^"]+)"', "".join(map(Path.read_text, MAPPING.glob("*.vtl")))
    )
    assert {"Unverified", "MalformedMessage", "TooLarge", "PayloadExpired"} <= set(errors())
