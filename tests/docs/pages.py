"""The pages of the documentation and their code blocks.

A page is a folder: a block with a title is the file of that name, and any other block is typed or run there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(
    r'^```(?P<language>\S*)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$', re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Fence:
    """A code block: its place, its language, its file name if it has one, and its text."""

    page: Path
    line: int
    language: str
    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def is_quotation(self) -> bool:
        """Tell whether it quotes a file of the repository."""
        return bool(self.title) and (ROOT / self.title).is_file()

    @property
    def is_program(self) -> bool:
        """Tell whether it is a CDK app."""
        return self.language == "python" and self.title in ("", "app.py") and not self.is_webhook

    @property
    def is_webhook(self) -> bool:
        """Tell whether it is a webhook alone, which tests/providers tests."""
        return self.text.startswith("ScalableWebhook(")

    @property
    def has_tests(self) -> bool:
        """Tell whether pytest finds tests in it."""
        return self.language == "python" and not self.is_quotation and "\ndef test_" in self.text


def fences(page: Path) -> list[Fence]:
    """Return the code blocks of a page, in their order."""
    text = page.read_text()
    return [
        Fence(page, text.count("\n", 0, match.start()) + 1, match["language"], match["title"] or "", match["text"])
        for match in _FENCE.finditer(text)
    ]


def every_fence() -> Iterator[Fence]:
    """Yield the code blocks of all pages."""
    for page in PAGES:
        yield from fences(page)


def write_files(page: Path, folder: Path) -> None:
    """Create the page's folder with its titled blocks, and with each quoted file as a whole."""
    for fence in fences(page):
        if fence.title:
            file = folder / fence.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text((ROOT / fence.title).read_text() if fence.is_quotation else fence.text)


def links(page: Path) -> list[str]:
    """Return the links within the repository, including anchors."""
    text = _FENCE.sub("", page.read_text())
    targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text))
    return [target for target in targets if "://" not in target and not target.startswith("mailto:")]
