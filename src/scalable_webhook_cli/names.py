"""The names of webhooks: the outputs of a stack have them, deployed or synthesised."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

from scalable_webhook_cli.errors import CliError
from webhook_runtime.contract import outputs

# CloudFormation's name of a resource: the path of its construct, and eight digits.
HASH = "[0-9A-F]{8}"


class Named(Protocol):
    """Something that the path of a construct names."""

    @property
    def name(self) -> str: ...


Found = TypeVar("Found", bound=Named)


def mapping_in(template: dict[str, Any], name: str) -> str:
    """Return the logical id of the event source mapping of this webhook."""
    (logical_id,) = (
        output["Value"]["Ref"]
        for output in template["Outputs"].values()
        if output.get("Description") == outputs.described(outputs.MAPPING, name)
    )
    return str(logical_id)


def mappings(stack: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the name of each webhook of a stack, the start of its logical ids, and the id of its mapping."""
    for name, key, id in in_outputs(stack, outputs.MAPPING):
        yield name, re.sub(f"EventSourceMapping({HASH})?$", "", key), id


def in_outputs(stack: dict[str, Any], what: str) -> Iterator[tuple[str, str, str]]:
    """Yield the name of the webhook, the key and the value of each output of this kind."""
    for output in stack.get("Outputs", []):
        if name := outputs.name_in(what, output.get("Description", "")):
            yield name, output.get("OutputKey", ""), output["OutputValue"]


def named(every: Sequence[Found], name: str | None, *, none: str) -> Found:
    """Return the one of that name, or with that last part of its name; without a name the only one.

    Raises:
        CliError: There is none, or there are several. ``none`` is the text if there is none at all.
    """
    found = [each for each in every if name in (None, each.name)]
    if not found and name:
        found = [each for each in every if each.name.endswith(f"/{name}")]
    if len(found) == 1:
        return found[0]
    if not every:
        raise CliError(none)
    if not found:
        raise CliError(f"no webhook is called {name}, only {_listed(every)}")
    raise CliError(f"which webhook? name one of {_listed(found)}")


def _listed(every: Sequence[Named]) -> str:
    return ", ".join(sorted(each.name for each in every))
