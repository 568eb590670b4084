"""Pages and Python as Markdown, and the faults that textlint finds in it, with their lines."""

import ast
import io
import json
import re
import subprocess
import tokenize
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
NPM = ROOT / ".venv" / "npm"

# Arguments that are words too: a message names them without backquotes.
_ARGUMENTS = re.compile(r"\b(api|cors|url)\b")


@dataclass(frozen=True)
class Fault:
    """A wrong sentence or word: its place, the rule and the remedy."""

    path: str
    line: int
    column: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message} [{self.rule}]"


def lint(paths: Sequence[Path]) -> list[Fault]:
    """Return the faults in the prose of these files."""
    texts = [{"path": _name(path), "text": markdown(path)} for path in paths]
    command = [ROOT / ".venv" / "bin" / "node", Path(__file__).with_name("lint.mjs")]
    run = subprocess.run(command, cwd=NPM, input=json.dumps(texts), capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(run.stderr)
    return [Fault(**{**fault, "message": " ".join(fault["message"].split())}) for fault in json.loads(run.stdout)]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


def markdown(path: Path) -> str:
    """Return the prose of a file, with each line in its place."""
    return prose_of_python(path.read_text()) if path.suffix == ".py" else path.read_text()


def prose_of_python(code: str) -> str:
    """Return docstrings, comments and messages as Markdown, and all other lines empty."""
    lines = [""] * (code.count("\n") + 1)
    nodes = list(ast.walk(ast.parse(code)))
    for row, text in [*_comments(code), *_docstrings(nodes), *_messages(nodes)]:
        for number, line in enumerate(text.splitlines(), row - 1):
            lines[number] = f"{lines[number]} {line.strip()}".strip()
    return "\n".join(lines)


def _comments(code: str) -> Iterable[tuple[int, str]]:
    """A comment behind a statement is a paragraph of its own, so it becomes an entry of a list."""
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT and not token.string.startswith(("#:", "# type:", "# noqa", "# fmt:", "#!")):
            alone = not token.line[: token.start[1]].strip()
            yield token.start[0], ("" if alone else "- ") + token.string.lstrip("# ")


def _docstrings(nodes: Sequence[ast.AST]) -> Iterable[tuple[int, str]]:
    """The description of each argument becomes an entry of a list, and its name code."""
    for node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                # An argument is an entry of a list, and its name is code.
                yield first.lineno, re.sub(r"(?m)^ +(\w+):", r"- `\1`:", first.value.value)


def _messages(nodes: Sequence[ast.AST]) -> Iterable[tuple[int, str]]:
    """The texts of errors and warnings. Values, quotes and arguments count as code, a remedy as a sentence."""
    raised = {node.exc for node in nodes if isinstance(node, ast.Raise)}
    for node in nodes:
        if not isinstance(node, ast.Call) or not (node in raised or _is_message(node)):
            continue
        for text in node.args:
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield text.lineno, _marked(text.value)
            if isinstance(text, ast.JoinedStr):
                parts = (str(each.value) if isinstance(each, ast.Constant) else "`…`" for each in text.values)
                yield text.lineno, _marked("".join(parts))


def _is_message(call: ast.Call) -> bool:
    match call.func:
        case ast.Name(id=name):
            return name.endswith("Error")
        case ast.Attribute(attr=name):
            return name.startswith(("add_warning", "add_error"))
    return False


def _marked(message: str) -> str:
    quoted = re.sub(r"(?<!\w)'[^' ]+'", "`…`", message)
    return _ARGUMENTS.sub(r"`\1`", quoted).replace("; ", ". ")
