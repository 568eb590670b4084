"""The page at PyPI: the README, with links into the repository.

The release workflow knows the address of the repository, so links and pictures lead to the files of the tag. Any other
build does not, and turns links into plain text, since a dead link is worse than none. A build from an sdist takes the
page of the sdist.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from hatchling.metadata.plugin.interface import MetadataHookInterface

# It matches code too, in which a link is no link.
_LINK = re.compile(
    r"^```.*?^```$|(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)|(?P<picture>!?)\[(?P<text>[^]]*)\]\((?P<target>[^)\s]+)\)",
    re.DOTALL | re.MULTILINE,
)


class PageHook(MetadataHookInterface):
    """Write the description and the addresses of the project."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the dynamic fields of pyproject.toml, unless an sdist has set them."""
        if "readme" in metadata:
            metadata.setdefault("urls", {})  # an sdist may have none
            return
        at = repository(os.environ)
        text = page((Path(self.root) / "README.md").read_text(encoding="utf-8"), at)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = urls(at)


def repository(environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the address of the repository and the tag, if the code host builds it."""
    try:
        home = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}".format_map(environment)
        return home, environment["GITHUB_REF_NAME"]
    except KeyError:
        return None


def urls(at: tuple[str, str] | None) -> dict[str, str]:
    """Return the addresses that PyPI shows next to the page."""
    if at is None:
        return {}
    home, tag = at
    return {
        "Source": home,
        "Changelog": f"{home}/blob/{tag}/CHANGELOG.md",
        "Documentation": f"{home}/tree/{tag}/docs",
    }


def page(readme: str, at: tuple[str, str] | None) -> str:
    """Return the README for a page outside of the repository."""

    def elsewhere(link: re.Match[str]) -> str:
        target = link["target"]
        if target is None or target.startswith("#") or urlsplit(target).scheme:
            return link[0]
        if at is None:
            return "" if link["picture"] else link["text"]
        home, tag = at
        # An <img> needs the file itself instead of the page about it.
        file = f"{home}/{'raw' if link['picture'] else 'blob'}/{tag}/README.md"
        return f"{link['picture']}[{link['text']}]({urljoin(file, target)})"

    return _LINK.sub(elsewhere, readme)
