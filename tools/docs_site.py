"""Build the site: `make docs`.

Its pages are docs/ and some from elsewhere in the repository. They are copied into build/docs, and their links are
translated, so every link in the repository is one that a code host follows.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from scalable_webhook_cli.signals import interrupt_on_termination

ROOT = Path(__file__).parents[1]
PAGES, SITE = ROOT / "build" / "docs", ROOT / "build" / "site"
CONFIGURATION = ROOT / "build" / "zensical.toml"
ELSEWHERE = ["API.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md", "decisions/*.md"]

LINK = re.compile(r"(?<=\]\()(?!\w+:|#)(?P<file>[^)#\s]+)")
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def stage() -> None:
    """Copy the pages, and the files that they link to, into the source of the site."""
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(ROOT / "docs", PAGES)
    sources = [file for pattern in ELSEWHERE for file in sorted(ROOT.glob(pattern))]
    for source in sources:
        _copy(source)
    sources += (ROOT / "docs").rglob("*.md")
    for source in sources:
        _place(source).write_text(_translated(source))
    _index_of_decisions()
    CONFIGURATION.write_text(configuration())
    _one_title(PAGES / "API.md")


def _place(source: Path) -> Path:
    """Return the place of a file among the pages. The README is the first page."""
    if source == ROOT / "README.md":
        return PAGES / "index.md"
    within = source.relative_to(ROOT / "docs") if source.is_relative_to(ROOT / "docs") else source.relative_to(ROOT)
    return PAGES / within


def _copy(source: Path) -> None:
    target = _place(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _translated(page: Path) -> str:
    """Return the text of a page, with each link translated to the place of its target among the pages."""

    def translated(link: re.Match[str]) -> str:
        target = (page.parent / link["file"]).resolve()
        place = _place(target) / "index.md" if target.is_dir() else _place(target)
        if target.is_file() and not place.exists():
            _copy(target)
        return Path(os.path.relpath(place, _place(page).parent)).as_posix()

    parts, text = [], page.read_text()
    end = 0
    for fence in FENCE.finditer(text):  # code stays as it is
        parts += [LINK.sub(translated, text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, LINK.sub(translated, text[end:])])


def _index_of_decisions() -> None:
    """A code host shows the README of a folder as its page."""
    shutil.move(PAGES / "decisions" / "README.md", PAGES / "decisions" / "index.md")


def configuration() -> str:
    """Return zensical.toml for build/."""
    return re.sub(r'^(\w+_dir = ")build/', r"\1", (ROOT / "zensical.toml").read_text(), flags=re.MULTILINE)


def _one_title(page: Path) -> None:
    """Return the text with one first-level heading, since the site lists the headings below it."""
    title, _, rest = page.read_text().partition("\n")
    parts = re.split(r"(^```.*?^```$)", rest, flags=re.DOTALL | re.MULTILINE)
    parts[::2] = [re.sub(r"^#", "##", part, flags=re.MULTILINE) for part in parts[::2]]
    page.write_text("\n".join([title, "".join(parts)]))


def build() -> None:
    """Build the site. A dead link is an error."""
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", str(CONFIGURATION)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(run.stdout + run.stderr)


if __name__ == "__main__":
    interrupt_on_termination()
    stage()
    build()
    here = SITE.relative_to(Path.cwd()) if SITE.is_relative_to(Path.cwd()) else SITE
    print(f"The site is in {here}. To look at it: python -m http.server --bind 127.0.0.1 --directory {here}")
