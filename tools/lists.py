"""Write the lists of options, providers and sinks into pages and navigation; with --check, fail if they are stale."""

import inspect
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import griffe

from cdk_scalable_webhook import AlarmOptions, ApiOptions, ConsumerOptions, QueueOptions, Sink
from webhook_runtime.contract.providers import PROVIDERS, Provider

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
OPTIONS = (ApiOptions, QueueOptions, ConsumerOptions, AlarmOptions)
# The rows that the page of each sink has.
FACTS = ("deduplicates by", "a batch is", "payloads")


def providers() -> str:
    """Return a table with a row for each provider."""
    head = ("provider", "signature", "idempotency key", "endpoint verification", "ingress")
    return table(head, (_of_provider(provider) for provider in PROVIDERS))


def _of_provider(provider: Provider) -> list[str]:
    told = [
        f"[{provider.name}]({provider.page}){provider.also}",
        f"{provider.what_is_signed}{', with its time' if provider.signs_time else ''}",
        provider.what_is_unique if provider.id_of_delivery else "each request",
        provider.endpoint_verification or "none",
        "Lambda integration" if provider.takes_code else "both",
    ]
    return [each.replace("``", "`") for each in told]


def sinks() -> str:
    """Return a table with a row for each sink, in the order of the factories of ``Sink``."""
    rows = [[f"[`Sink.{name}()`]({page_of(name).name})", *facts(page_of(name))] for name in names_of_sinks()]
    return table(("sink", *FACTS), rows)


def names_of_sinks() -> list[str]:
    """Return the names of the factories of ``Sink``."""
    return [name for name, member in vars(Sink).items() if isinstance(member, staticmethod)]


def page_of(sink: str) -> Path:
    """Return the page of a sink."""
    return DOCS / "sinks" / f"{sink.replace('_', '-')}.md"


def facts(page: Path) -> list[str]:
    """Return the facts of a sink from the table of its page."""
    told = dict(re.findall(r"^\| ([a-z ]+) \| (.+) \|$", page.read_text(), re.MULTILINE))
    if missing := [fact for fact in FACTS if fact not in told]:
        sys.exit(f"{page.relative_to(ROOT)} lacks the rows of a sink: {', '.join(missing)}")
    return [told[fact] for fact in FACTS]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as Markdown."""
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, ["---"] * len(head), *rows))


def navigation(folder: str, pages: Iterable[tuple[str, str]]) -> str:
    """Return lines of zensical.toml for these titles and files."""
    return "".join(f'    {{ "{title}" = "{folder}/{file}" }},\n' for title, file in pages)


def title_of(page: Path) -> str:
    """Return the first heading of a page."""
    return page.read_text().partition("\n")[0].removeprefix("# ")


def options(kind: type) -> str:
    """Return a table of the options of a class, from its docstring."""
    sections = griffe.parse_google(griffe.Docstring(inspect.getdoc(kind) or ""), warnings=False)
    (attributes,) = (each.value for each in sections if each.kind is griffe.DocstringSectionKind.attributes)
    rows = []
    for each in attributes:
        meaning, _, default = " ".join(each.description.replace("``", "`").split()).partition(" Default: ")
        sentence = re.split(r"(?<=[.;]) ", meaning)[0].removesuffix(".").removesuffix(";")
        default = default.partition(" See: ")[0].removesuffix(".")
        rows.append([f"`{each.name}`", sentence[0].lower() + sentence[1:], default])
    return table(("argument", "meaning", "default"), rows)


def lists() -> list[tuple[Path, str, str]]:
    """Return each list: its file, its name there, and its lines."""
    site = ROOT / "zensical.toml"
    pages = [page_of(name) for name in names_of_sinks()]
    return [
        *((DOCS / "arguments.md", kind.__name__, options(kind)) for kind in OPTIONS),
        (DOCS / "sources" / "index.md", "providers", providers()),
        (DOCS / "sinks" / "index.md", "sinks", sinks()),
        (site, "providers", navigation("sources", ((each.name, each.page) for each in PROVIDERS))),
        (site, "sinks", navigation("sinks", ((title_of(page), page.name) for page in pages))),
    ]


def main() -> None:
    """Write the lists, or check them."""
    for file, name, lines in lists():
        text = file.read_text()
        comment, end = ("<!-- {} -->", "\n\n") if file.suffix == ".md" else ("    # {}", "\n")
        first, last = comment.format(f"{name}: by make generate"), comment.format(f"end of {name}")
        before, found, rest = text.partition(f"{first}{end}")
        _, closed, after = rest.partition(f"{end[1:]}{last}\n")
        if not (found and closed):
            sys.exit(f"{file.relative_to(ROOT)} has no place for {name}: the lines {first!r} and {last!r}")
        fresh = f"{before}{found}{lines}{closed}{after}"
        if "--check" in sys.argv and fresh != text:
            sys.exit(f"the {name} in {file.relative_to(ROOT)} are stale: run make generate")
        file.write_text(fresh)
    print("the lists of options, providers and sinks are fresh")


if __name__ == "__main__":
    main()
