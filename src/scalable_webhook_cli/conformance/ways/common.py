"""Helpers that the ways share."""

import json
from collections.abc import Callable, Iterator, Sequence

from scalable_webhook_cli.conformance.case import Case, Facts
from scalable_webhook_cli.conformance.sending import Answer
from scalable_webhook_cli.conformance.world import Reply, World

Seen = tuple[Case, str, Facts]
Way = Callable[[World, Sequence[Case]], Iterator[Seen]]


def each(look: Callable[[World, Case, str], Facts]) -> Way:
    """Return the way that tries one case at one endpoint after the other."""

    def way(world: World, cases: Sequence[Case]) -> Iterator[Seen]:
        for case, ingress in at_each(cases):
            yield case, ingress, look(world, case, ingress)

    return way


def at_each(cases: Sequence[Case]) -> list[tuple[Case, str]]:
    return [(case, ingress) for case in cases for ingress in case.expected]


def sent_at_once(world: World, cases: Sequence[Case]) -> tuple[list[tuple[Case, str]], list[Reply]]:
    """Send the one request of each case to each endpoint."""
    pairs = at_each(cases)
    return pairs, world.send((ingress, case.requests[0], world.mark(case, ingress)) for case, ingress in pairs)


def sent(world: World, case: Case, ingress: str) -> Reply:
    """Send the one request of a case, and return the answer."""
    (reply,) = world.send([(ingress, case.requests[0], world.mark(case, ingress))])
    return reply


def wanted(world: World, case: Case, ingress: str) -> Facts:
    """Return what has to be waited for."""
    return known_locally(world, case, ingress) or case.expected[ingress] or {}


def known_locally(world: World, case: Case, ingress: str) -> Facts | None:
    """Return what the local AWS is known to do instead, if this is one."""
    known = case.locally.get(ingress) if world.is_local else None
    return None if known is None else known.facts


def count_of(world: World, case: Case) -> int:
    return case.count[1 if world.is_local else 0]


def status_of(reply: Reply) -> int:
    """Return the status of an answer; 999 if there is none."""
    return reply.status if isinstance(reply, Answer) else 999


def id_of(reply: Reply) -> str:
    """Return the id in an answer, or an empty text."""
    try:
        return str(json.loads(reply.body)["id"]) if isinstance(reply, Answer) else ""
    except (ValueError, KeyError, TypeError):
        return ""


def share(count: int, total: int) -> str:
    return "all" if count == total > 0 else f"{count:,} of {total:,}"


def is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
