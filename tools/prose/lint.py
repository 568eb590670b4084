"""Pages and Python as Markdown, what textlint finds in it, and in which line."""

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


@dataclass(frozen=True)
class Fault:
    """A sentence or a word, where it is, and what to do about it."""

    path: str
    line: int
    column: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message} [{self.rule}]"


def lint(paths: Sequence[Path]) -> list[Fault]:
    """What is wrong in the prose of these files."""
    texts = [{"path": _name(path), "text": markdown(path)} for path in paths]
    command = [ROOT / ".venv" / "bin" / "node", Path(__file__).with_name("lint.mjs")]
    run = subprocess.run(command, cwd=NPM, input=json.dumps(texts), capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(run.stderr)
    return [Fault(**{**fault, "message": " ".join(fault["message"].split())}) for fault in json.loads(run.stdout)]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


def markdown(path: Path) -> str:
    """The prose of a file, each line of it where it is in the file."""
    return prose_of_python(path.read_text()) if path.suffix == ".py" else path.read_text()


def prose_of_python(code: str) -> str:
    """Docstrings, comments and messages of errors as Markdown; all other lines are empty."""
    lines = [""] * (code.count("\n") + 1)
    for row, text in [*_comments(code), *_docstrings(code), *_messages(code)]:
        for number, line in enumerate(text.splitlines(), row - 1):
            lines[number] = f"{lines[number]} {line.strip()}".strip()
    return "\n".join(lines)


def _comments(code: str) -> Iterable[tuple[int, str]]:
    """One behind a statement is a paragraph of its own, so it becomes an entry of a list."""
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT and not token.string.startswith(("#:", "# type:", "# noqa", "# fmt:", "#!")):
            alone = not token.line[: token.start[1]].strip()
            yield token.start[0], ("" if alone else "- ") + token.string.lstrip("# ")


def _docstrings(code: str) -> Iterable[tuple[int, str]]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                # The name of an argument is code.
                yield first.lineno, re.sub(r"(?m)^( {4,})(\w+): ", r"\1`\2`: ", first.value.value)


def _messages(code: str) -> Iterable[tuple[int, str]]:
    """Each text in what is raised; what is put into it counts as code."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            for text in node.exc.args:
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    yield text.lineno, text.value
                if isinstance(text, ast.JoinedStr):
                    parts = (str(each.value) if isinstance(each, ast.Constant) else "`…`" for each in text.values)
                    yield text.lineno, "".join(parts)
