"""Write API.md from the docstrings of the public names; with --check, fail where it is not fresh."""

import re
import sys
from pathlib import Path

import griffe
from griffe2md import ConfigDict, render_object_docs

from webhook_runtime.contract.providers import PROVIDERS

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "API.md"
CONFIG = ConfigDict(
    docstring_section_style="list",
    heading_level=2,
    show_signature_annotations=True,
    line_length=100,
    show_root_full_path=False,
    show_object_full_path=False,
    members_order="source",
    inherited_members=False,
    show_if_no_docstring=False,  # the fields of a dataclass are in the list of its class
    summary=False,
)
INTRODUCTION = """\
# API

Written from the docstrings by `make generate`. What belongs to the stack is imported from `cdk_scalable_webhook`; what
a handler or a function of yours is given, from `webhook_runtime`, and for its tests from `webhook_runtime.testing`.

Every argument of `cdk_scalable_webhook` that is of another type than its hint is a `ValueError` as well, which is not
said again at each.

"""


# The construct first, then its parts, in the order of the flow.
ORDER = ["ScalableWebhook", "ApiOptions", "QueueOptions", "ConsumerOptions", "Ingress", "Source", "Sink", "Retry"]


# Users call the inherited methods by the name of the class: one method a provider.
OWN: dict[str, ConfigDict] = {
    "Source": {
        "inherited_members": [provider.method for provider in PROVIDERS],
        "members_order": "alphabetical",
        "show_bases": False,
    }
}

# A list fits a narrow screen, unlike a table. Names are code.
ITEM = re.compile(r"^- \*\*(\w+)\*\* ", re.MULTILINE)

HEADING = re.compile(r"^(#+ )`(?:[a-z_]+\.)*([A-Z]\w*(?:\.\w+)?|[a-z_]+)`$", re.MULTILINE)


def api() -> str:
    """Return the reference, without links to anchors that code hosts do not have."""
    sections = [INTRODUCTION, "# cdk_scalable_webhook", *documented("cdk_scalable_webhook")]
    sections += ["# webhook_runtime", *documented("webhook_runtime")]
    sections += ["# webhook_runtime.testing", *documented("webhook_runtime.testing")]
    text = re.sub(r"\[([^\]]+)\]\(#[^)]*\)", r"\1", "\n\n".join(sections))
    # Users import each name from the package.
    return ITEM.sub(r"- **`\1`** ", HEADING.sub(r"\1`\2`", text)).strip() + "\n"


def documented(module: str) -> list[str]:
    """Return a section for each public name of a module."""
    package = griffe.load(module, search_paths=[ROOT / "src"], docstring_parser="google")
    names = [str(name) for name in package.exports or []]
    names.sort(key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    members = [package[name] for name in names]
    targets = [member.final_target if member.is_alias else member for member in members]
    texts = [(target.name, render_object_docs(target, CONFIG | OWN.get(target.name, {}))) for target in targets]
    return [re.sub(r"\bSelf\b", name, text) for name, text in texts]


if __name__ == "__main__":
    fresh = api()
    if "--check" in sys.argv and (not TARGET.exists() or TARGET.read_text() != fresh):
        sys.exit("API.md is not what the docstrings say: run make generate")
    TARGET.write_text(fresh)
    print("API.md is fresh")
