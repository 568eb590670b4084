"""Find deployed webhooks by their names: outputs of stacks describe them, in any AWS."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from scalable_webhook_cli.errors import CliError
from webhook_runtime.contract import outputs

if TYPE_CHECKING:  # a plan needs no AWS
    from scalable_webhook_cli.target import Target


class Named(Protocol):
    """Something that the path of a construct names."""

    @property
    def name(self) -> str: ...


Found = TypeVar("Found", bound=Named)


def stacks(target: "Target") -> Iterator[dict[str, Any]]:
    """Yield the description of every stack of the region."""
    for page in target.client("cloudformation").get_paginator("describe_stacks").paginate():
        yield from page["Stacks"]


def urls(stack: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name and the URL of each webhook of a stack."""
    yield from _outputs(stack, outputs.URL)


def mappings(stack: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name of each webhook of a stack, and the id of its event source mapping."""
    yield from _outputs(stack, outputs.MAPPING)


def mapping_in(template: dict[str, Any], name: str) -> str:
    """Return the logical id of the event source mapping of this webhook."""
    (logical_id,) = (
        output["Value"]["Ref"]
        for output in template["Outputs"].values()
        if output.get("Description") == outputs.described(outputs.MAPPING, name)
    )
    return str(logical_id)


def _outputs(stack: dict[str, Any], what: str) -> Iterator[tuple[str, str]]:
    for output in stack.get("Outputs", []):
        if name := outputs.name_in(what, output.get("Description", "")):
            yield name, output["OutputValue"]


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
    raise CliError(f"which webhook? there are {_listed(found)}")


def _listed(every: Sequence[Named]) -> str:
    return ", ".join(sorted(each.name for each in every))
