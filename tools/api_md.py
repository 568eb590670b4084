"""Write API.md from the docstrings of the public names; with --check, fail where it is not fresh."""

import re
import sys
from pathlib import Path

import griffe
from griffe2md import ConfigDict, render_object_docs

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "API.md"
CONFIG = ConfigDict(
    docstring_section_style="table",
    heading_level=2,
    show_signature_annotations=True,
    line_length=100,
    show_root_full_path=False,
    show_object_full_path=False,
    members_order="source",
    inherited_members=False,
    show_if_no_docstring=False,  # the fields of a dataclass are in the table of its class
    summary=False,
)
INTRODUCTION = """\
# API

Written from the docstrings by `make generate`. Everything here is imported from `cdk_scalable_webhook`.

"""


def api() -> str:
    """The reference, without links to anchors that code hosts do not make."""
    package = griffe.load("cdk_scalable_webhook", search_paths=[ROOT / "src"], docstring_parser="google")
    # The construct first, then what it is made of, in the order of the flow.
    names = sorted(package.exports or [], key=lambda name: ("Scalable" not in str(name), "Ingress" not in str(name)))
    sections = [render_object_docs(package[str(name)].final_target, CONFIG) for name in names]
    text = re.sub(r"\[([^\]]+)\]\(#[^)]*\)", r"\1", "\n\n".join(sections))
    # Users import from the package, whichever module a name lives in.
    return INTRODUCTION + re.sub(r"`cdk_scalable_webhook\.\w+\.([\w.]+)`", r"`\1`", text).strip() + "\n"


if __name__ == "__main__":
    fresh = api()
    if "--check" in sys.argv and (not TARGET.exists() or TARGET.read_text() != fresh):
        sys.exit("API.md is not what the docstrings say: run make generate")
    TARGET.write_text(fresh)
    print("API.md is fresh")
