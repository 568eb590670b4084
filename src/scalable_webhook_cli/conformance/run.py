"""Deploy, send, compare, destroy."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from scalable_webhook_cli.conformance.case import Case, Facts, Locally, Request, differences
from scalable_webhook_cli.conformance.cases import CASES
from scalable_webhook_cli.conformance.places import Place, destroy
from scalable_webhook_cli.conformance.sending import Answer
from scalable_webhook_cli.conformance.ways import WAYS, Way
from scalable_webhook_cli.conformance.world import World
from scalable_webhook_cli.errors import CliError

AS_EXPECTED, DIFFERS, KNOWN, RECORDED, FAILED = "as expected", "differs", "known", "recorded", "failed"
# The endpoints with access control.
_CLOSED = {"Keyed", "Elsewhere", "Signed"}
_FAILURES = (CliError, BotoCoreError, ClientError, OSError, LookupError, ValueError)


@dataclass(frozen=True)
class Row:
    """A case at an endpoint: what was expected there, and what was seen.

    Attributes:
        status: ``as expected``; ``differs``; ``known``, if it is what the local AWS is known to do instead;
            ``recorded``, if no one knew; ``failed``, if it could not be tried.
    """

    case: Case
    ingress: str
    expected: Facts | None
    seen: Facts
    status: str
    differs: Mapping[str, tuple[object, object]] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class Outcome:
    """The result of a run. ``left`` is why the app was not destroyed, or an empty text."""

    rows: Sequence[Row]
    secrets: Mapping[str, str]
    left: str = ""


def chosen(prefixes: Sequence[str]) -> list[Case]:
    """Return the cases whose ids begin with one of these texts; without any, all.

    Raises:
        CliError: No case begins with one of them.
    """
    for prefix in prefixes:
        if not any(case.id.startswith(prefix) for case in CASES):
            groups = ", ".join(dict.fromkeys(case.id.partition(".")[0] for case in CASES))
            raise CliError(f"no case begins with {prefix}; the groups are {groups}")
    return [case for case in CASES if not prefixes or case.id.startswith(tuple(prefixes))]


def run(
    place: Place,
    cases: Sequence[Case],
    *,
    keep: bool,
    tell: Callable[[str], None],
    ways: Mapping[str, Way] = WAYS,
) -> Outcome:
    """Deploy the app, try the cases, and destroy it, however it ends.

    Args:
        place: The AWS.
        cases: The cases.
        keep: Whether to leave the app there.
        tell: Gets each step.
        ways: The ways in which cases are tried.
    """
    try:
        tell("deploying")
        place.deploy()
        world = World(place.target)
        secrets = _secrets(world)
        rows = sorted(_compared(world, cases, ways, tell), key=lambda row: cases.index(row.case))
    except BaseException:  # Ctrl-C
        if not keep and (left := _destroy(place, tell)):
            tell(left)
        raise
    return Outcome(rows, secrets, "" if keep else _destroy(place, tell))


def _destroy(place: Place, tell: Callable[[str], None]) -> str:
    """Destroy the app, and return why that failed."""
    tell("destroying")
    try:
        try:
            destroy(place.target)
        except KeyboardInterrupt:
            # It ends the run, but not this. Another one does not arrive: see signals.py.
            tell(f"destroying all the same; if you kill it, {place.by_hand}")
            destroy(place.target)
            raise
    except _FAILURES as error:
        return f"not destroyed: {error}\ndestroy it by hand: {place.by_hand}"
    return ""


def _compared(
    world: World, cases: Sequence[Case], ways: Mapping[str, Way], tell: Callable[[str], None]
) -> Iterator[Row]:
    _wait_until_open(world, tell)
    for name, way in ways.items():
        of_way = [case for case in cases if case.way == name]
        if not of_way:
            continue
        tell(f"trying {', '.join(dict.fromkeys(case.id.partition('.')[0] for case in of_way))}")
        missing = {(case.id, ingress): case for case in of_way for ingress in case.expected}
        error = ""
        try:
            for case, ingress, seen in way(world, of_way):
                del missing[case.id, ingress]
                yield _row(world, case, ingress, seen)
        except Exception as failure:  # it must not cost the others, which took their time
            error = f"{type(failure).__name__}: {failure}"
        for (_, ingress), case in missing.items():
            yield Row(case, ingress, case.expected[ingress], {}, FAILED, error=error)


def _row(world: World, case: Case, ingress: str, seen: Facts) -> Row:
    expected, locally = case.expected[ingress], case.locally.get(ingress) if world.is_local else None
    if expected is None:
        return Row(case, ingress, None, seen, RECORDED)
    if isinstance(locally, Locally):
        differs = differences({**expected, **locally.facts}, seen)
        return Row(case, ingress, expected, seen, DIFFERS if differs else KNOWN, differs or differences(expected, seen))
    differs = differences(expected, seen)
    return Row(case, ingress, expected, seen, DIFFERS if differs else AS_EXPECTED, differs)


def _wait_until_open(world: World, tell: Callable[[str], None]) -> None:
    """Send to each endpoint until it answers: a new role or deployment takes some seconds everywhere to be known."""
    tell("waiting for the endpoints")
    waiting = set(world.urls) - _CLOSED

    def are_open() -> bool:
        names = sorted(waiting)
        replies = world.send((name, Request(body=b"x"), f"{world.run} first") for name in names)
        for name, reply in zip(names, replies, strict=True):
            if isinstance(reply, Answer) and reply.status < 500 and reply.status != 403:
                waiting.discard(name)
        return not waiting

    world.wait_for(are_open)


def _secrets(world: World) -> dict[str, str]:
    """Return texts that no report may have, and what to write instead."""
    credentials, caller = world.target.credentials(), world.target.client("sts").get_caller_identity()
    secrets = {
        caller["Arn"]: "(caller)",
        caller["Account"]: "(account)",
        world.api_key: "(API key)",
        credentials.access_key: "(key)",
        credentials.secret_key: "(key)",
        credentials.token or "": "(token)",
        **{(urlsplit(url).hostname or "").partition(".")[0]: "(api)" for url in world.urls.values()},
    }
    return {text: instead for text, instead in secrets.items() if text}
