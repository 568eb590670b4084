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

from cdk_scalable_webhook.sources.providers import PROVIDERS, Provider

ROOT = Path(__file__).parents[1]
PAGES, SITE = ROOT / "build" / "docs", ROOT / "build" / "site"
CONFIGURATION = ROOT / "build" / "zensical.toml"
ELSEWHERE = ["API.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md", "decisions/*.md"]

LINK = re.compile(r"(?<=\]\()(?!\w+:|#)(?P<file>[^)#\s]+)")
# The places for lists that are made from the records of the providers.
IN_NAVIGATION = re.compile(r"^ +# PROVIDERS: .*\n", re.MULTILINE)
IN_PAGE = re.compile(r"^<!-- PROVIDERS: .*-->\n", re.MULTILINE)
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
        _place(source).write_text(_mended(source))
    _index_of_decisions()
    _table_of_providers(PAGES / "sources" / "index.md")
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


def _mended(page: Path) -> str:
    """Return the text of a page, with each link translated to the place of its target among the pages."""

    def mend(link: re.Match[str]) -> str:
        target = (page.parent / link["file"]).resolve()
        place = _place(target) / "index.md" if target.is_dir() else _place(target)
        if target.is_file() and not place.exists():
            _copy(target)
        return Path(os.path.relpath(place, _place(page).parent)).as_posix()

    parts, text = [], page.read_text()
    end = 0
    for fence in FENCE.finditer(text):  # code stays as it is
        parts += [LINK.sub(mend, text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, LINK.sub(mend, text[end:])])


def _index_of_decisions() -> None:
    """A code host shows the README of a folder as its page."""
    shutil.move(PAGES / "decisions" / "README.md", PAGES / "decisions" / "index.md")


def configuration() -> str:
    """Return zensical.toml for build/, with the providers in the navigation."""
    lines = [f'    {{ "{provider.name}" = "sources/{provider.page}" }},\n' for provider in PROVIDERS]
    text, found = IN_NAVIGATION.subn("".join(lines), (ROOT / "zensical.toml").read_text())
    assert found == 1, "zensical.toml has no place for the providers"
    return re.sub(r'^(\w+_dir = ")build/', r"\1", text, flags=re.MULTILINE)


def table() -> str:
    """Return a table with a row for each provider."""
    return "\n".join(
        [
            "| provider | signature | idempotency key | endpoint verification | ingress |",
            "| --- | --- | --- | --- | --- |",
            *map(_row, PROVIDERS),
            "",
        ]
    )


def _row(provider: Provider) -> str:
    told = [
        f"[{provider.name}]({provider.page}){provider.also}",
        f"{provider.what_is_signed}{', with its time' if provider.signs_time else ''}",
        provider.what_is_unique if provider.id_of_delivery else "each request",
        provider.endpoint_verification,
        "Lambda integration" if provider.takes_code else "both",
    ]
    return f"| {' | '.join(told).replace('``', '`')} |"


def _table_of_providers(page: Path) -> None:
    text, found = IN_PAGE.subn(table(), page.read_text())
    assert found == 1, f"{page.name} has no place for the providers"
    page.write_text(text)


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
    stage()
    build()
    here = SITE.relative_to(Path.cwd()) if SITE.is_relative_to(Path.cwd()) else SITE
    print(f"The site is in {here}. To look at it: python -m http.server --bind 127.0.0.1 --directory {here}")
