"""The site that `make docs` builds."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import docs_site
import pytest

from .pages import ROOT

# Attributes whose URLs a browser fetches by itself.
LOADED = {
    "img": "src",
    "script": "src",
    "link": "href",
    "iframe": "src",
    "source": "srcset",
    "video": "src",
    "object": "data",
}


class Page(HTMLParser):
    """The resources, links and anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        if (loaded := has.get(LOADED.get(tag, ""))) and has.get("rel") not in ("canonical", "prev", "next"):
            self.loads.append(loaded)
        if tag == "a" and (target := has.get("href")):
            self.links.append(target)
        if anchor := has.get("id"):
            self.anchors.add(anchor)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Build the site from a copy of its sources, so that the checkout does not change."""
    copy = tmp_path_factory.mktemp("site")
    for name in ["README.md", "API.md", "CHANGELOG.md", "CONTRIBUTING.md", "zensical.toml"]:
        shutil.copyfile(ROOT / name, copy / name)
    for name in ["docs", "decisions", "benchmarks", "examples", "src", "tools"]:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    run = subprocess.run([sys.executable, "tools/docs_site.py"], cwd=copy, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    yield copy / "build" / "site"
    shutil.rmtree(copy)


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {file: Page(file.read_text()) for file in site.rglob("*.html")}


def test_nothing_is_loaded_from_the_network(site: Path, pages: dict[Path, Page]) -> None:
    assert sum(len(page.loads) for page in pages.values()) > len(pages)
    assert [(file.name, url) for file, page in pages.items() for url in page.loads if urlsplit(url).netloc] == []
    sheets = {file: file.read_text() for file in site.rglob("*.css")}
    assert sheets
    assert [
        file.name for file, text in sheets.items() if re.search(r"(@import|url\()\s*[\"']?(https?:)?//", text)
    ] == []


def test_every_link_of_every_page_has_a_target(site: Path, pages: dict[Path, Page]) -> None:
    dead = []
    for file, page in pages.items():
        if file.name == "404.html":  # its links are relative to the requested page
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.netloc or parts.scheme:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            target = target / "index.html" if target.is_dir() else target
            if not target.exists() or (
                parts.fragment and target in pages and not anchored(pages[target], parts.fragment)
            ):
                dead.append((str(file.relative_to(site)), link))
    assert dead == []


def anchored(page: Page, fragment: str) -> bool:
    return unquote(fragment) in page.anchors


def test_every_page_is_in_the_navigation() -> None:
    named = set(_files(tomllib.loads(docs_site.configuration())["project"]["nav"]))
    docs = ROOT / "docs"
    assert {file.relative_to(docs).as_posix() for file in docs.rglob("*.md")} - named == set()


def _files(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
        return
    for part in entry.values() if isinstance(entry, dict) else entry:
        yield from _files(part)
