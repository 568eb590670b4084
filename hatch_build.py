"""The page at PyPI: the README, whose links lead into the repository, which the page is not part of.

The release workflow knows where the repository is, and gives links and picture an address there, that of the tag. Any
other build knows none and makes plain text of them, since a dead link is worse than none. Where an sdist is built,
hatchling takes what the sdist says.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from hatchling.metadata.plugin.interface import MetadataHookInterface

# Code is looked for too: what looks like a link in it is none.
_LINK = re.compile(
    r"^```.*?^```$|(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)|(?P<picture>!?)\[(?P<text>[^]]*)\]\((?P<target>[^)\s]+)\)",
    re.DOTALL | re.MULTILINE,
)


class PageHook(MetadataHookInterface):
    """Writes the description, and the addresses beside it."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set what pyproject.toml says is dynamic, where no sdist has said it."""
        if "readme" in metadata:
            metadata.setdefault("urls", {})  # of nowhere, as the sdist's page
            return
        at = repository(os.environ)
        text = page((Path(self.root) / "README.md").read_text(encoding="utf-8"), at)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = urls(at)


def repository(environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Where the repository is, and the tag that is built, if the code host builds it."""
    try:
        home = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}".format_map(environment)
        return home, environment["GITHUB_REF_NAME"]
    except KeyError:
        return None


def urls(at: tuple[str, str] | None) -> dict[str, str]:
    """What PyPI shows beside the page."""
    if at is None:
        return {}
    home, tag = at
    return {
        "Source": home,
        "Changelog": f"{home}/blob/{tag}/CHANGELOG.md",
        "Documentation": f"{home}/tree/{tag}/docs",
    }


def page(readme: str, at: tuple[str, str] | None) -> str:
    """The README for a place where the files beside it are not."""

    def elsewhere(link: re.Match[str]) -> str:
        target = link["target"]
        if target is None or target.startswith("#") or urlsplit(target).scheme:
            return link[0]
        if at is None:
            return "" if link["picture"] else link["text"]
        home, tag = at
        # Of a picture, the page about it is not what an <img> wants.
        file = f"{home}/{'raw' if link['picture'] else 'blob'}/{tag}/README.md"
        return f"{link['picture']}[{link['text']}]({urljoin(file, target)})"

    return _LINK.sub(elsewhere, readme)
