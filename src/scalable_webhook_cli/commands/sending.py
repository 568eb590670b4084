"""``scalable-webhook send`` and ``burst``."""

import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from scalable_webhook_cli import burst as bursts
from scalable_webhook_cli import deliveries, outcomes, samples, signing_secrets
from scalable_webhook_cli.commands import options
from scalable_webhook_cli.commands.delivered import Following
from scalable_webhook_cli.commands.options import Json, Profile, Region, Webhook, Yes
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.recipients import Recipient
from scalable_webhook_cli.samples import Event
from scalable_webhook_cli.terminal import counted, errors, in_one_sentence, progress, say, say_json, status_line
from webhook_runtime.contract.providers import Provider, provider_named
from webhook_runtime.contract.schemes import Custom
from webhook_runtime.contract.signing import new_secret

Header = Annotated[
    list[str] | None,
    typer.Option("--header", "-H", help="Another header, such as 'x-api-key: KEY'.", metavar="'NAME: VALUE'"),
]
_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n]*)")


@in_one_sentence
def send(
    provider: Annotated[
        str | None, typer.Argument(help="Provider, such as stripe. Default: that of the webhook.", metavar="PROVIDER")
    ] = None,
    event: Annotated[
        str | None, typer.Argument(help="Event, such as invoice.paid. Without one, list them.", metavar="EVENT")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="File with the payload, sent byte for byte. -: standard input.", metavar="FILE"),
    ] = None,
    new_id: Annotated[bool, typer.Option("--new-id", help="Give the payload of --data a new id.")] = False,
    webhook: Webhook = None,
    header: Header = None,
    bad_signature: Annotated[bool, typer.Option("--bad-signature", help="Sign with another secret.")] = False,
    twice: Annotated[bool, typer.Option("--twice", help="Send the same delivery twice.")] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the outcome. 0: do not wait.")] = 30,
    profile: Profile = None,
    region: Region = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Send an event as its provider does, and follow it.

    It is signed with the webhook's secret, and you see what became of it.

    Exits with 1 unless it was stored, or dropped by event_filters; with --bad-signature, unless it was rejected. If the
    local AWS lacks the secret, it gets one for tests.
    """
    if new_id and data is None:
        raise CliError("--new-id needs --data: an event without it has a new id anyway")
    known, name = _asked(provider, event)
    is_a_question = name is None and data is None
    if known is None or not is_a_question:
        to = options.recipient(webhook, profile, region, known)
        known = _provider_at(to, known)
    if known is not None and is_a_question:
        _list(known, as_json)
        return
    _require_event(to, known, name, is_own=data is not None)
    body = None if data is None else _read(data)
    if body is not None and new_id:
        body = deliveries.with_id(body, to.scheme)
    what = f"{known.method} {name or ''}".strip() if known else "a webhook"
    options.confirm(f"send {what}{' twice' if twice else ''} to {to.name}", to.target, yes=yes)
    headers = _headers(header)
    secret = _secret(to, headers, bad=bad_signature)
    sent = _event(to, known, name, body, bad=bad_signature)
    request = deliveries.signed(to, sent, secret, headers, known)
    following = Following(to, sent, wait, is_bad=bad_signature, is_quiet=as_json)
    delivered = []
    for _ in range(2 if twice else 1):
        delivered.append(following.delivered(deliveries.deliver(to.endpoint.url, request)))
        if not as_json:
            delivered[-1].show()
    if as_json:
        asked = {"webhook": to.name, "provider": known.method if known else None, "event": sent.name or None}
        say_json(asked | {"deliveries": [each.told() for each in delivered]})
    if not all(each.is_as_wanted for each in delivered):
        raise typer.Exit(1)


@in_one_sentence
def burst(
    url: Annotated[
        str | None, typer.Argument(help="The webhook's URL. Default: that of --webhook.", metavar="URL")
    ] = None,
    webhook: Webhook = None,
    provider: Annotated[
        str | None,
        typer.Option("--as", help="Provider whose events to send, each signed and new.", metavar="PROVIDER"),
    ] = None,
    event: Annotated[str | None, typer.Option(help="Event of --as. Default: its usual one.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Number of requests.")] = 100,
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="Number of requests in flight.")] = 16,
    body: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="File with the payload.")] = None,
    duplicates: Annotated[float, typer.Option(min=0, max=100, help="Percentage of duplicate deliveries.")] = 0,
    id_header: Annotated[str, typer.Option(help="Header with the delivery id, without --as.")] = bursts.ID_HEADER,
    header: Header = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for what becomes of all. 0: do not wait.")] = 0,
    profile: Profile = None,
    region: Region = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Send many webhooks at once.

    Exits with 1 unless all were accepted, and with --wait unless all were stored or dropped. With --as and --body, the
    payload gets a new id for each request.
    """
    headers, payload = _headers(header), body.read_bytes() if body else None
    known = _named(provider) if provider else None
    if url is not None:
        if known or wait or webhook or profile or region:
            raise CliError("a URL alone tells neither secret nor log; name its webhook with --webhook instead")
        to = None
    else:
        to = options.recipient(webhook, profile, region, known)
        options.confirm(f"send {count} webhooks to {to.name}", to.target, yes=yes)
    if to is not None and known is not None:
        made = bursts.made(count, _maker(to, known, event, payload, headers), duplicates=duplicates)
    else:
        content = bursts.DEFAULT_BODY if payload is None else payload
        made = bursts.uniform(count, body=content, duplicates=duplicates, id_header=id_header, headers=headers)
    with progress("sending", count) as advance:
        report = bursts.send(to.endpoint.url if to else str(url), made, concurrency=concurrency, on_answer=advance)
    became = _of_all(to, report, wait) if to is not None and wait else None
    if as_json:
        say_json(_told_of_all(report, became))
    else:
        show_report(report)
        if became is not None:
            say(f"{report.accepted} accepted; {_counts(became)}")
    if lost := report.sent - report.accepted:
        raise CliError(
            f"{lost} of {report.sent} were not accepted; a provider would send them again, and burst does not"
        )
    if became is not None and sum(became[kind] for kind in outcomes.ENDED_WELL) < report.accepted:
        raise typer.Exit(1)


def show_report(report: bursts.Report) -> None:
    """Print the result of a burst, in lines that fit any terminal."""
    say(f"{report.accepted} of {report.sent} accepted, {report.rate:.0f} requests a second")
    for what, counts in (("rejected", report.rejected), ("no answer", report.unanswered)):
        if counts:
            say(f"{what}: {counted(counts)}")
    if report.milliseconds:
        times = " / ".join(f"{report.percentile(percent):.0f}" for percent in (50, 95, 99))
        say(f"p50 / p95 / p99: {times} ms")


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == Path("-") else file.read_bytes()
    except OSError as error:
        raise CliError(f"--data must be a file or -, got {str(file)!r}: {error.strerror}") from None


def _asked(provider: str | None, event: str | None) -> tuple[Provider | None, str | None]:
    """Return the provider and the event of the two arguments: a single one may be either."""
    if provider is None or event is not None:
        return (None if provider is None else _named(provider)), event
    try:
        return provider_named(provider), None
    except ValueError:
        return None, provider


def _named(provider: str) -> Provider:
    try:
        return provider_named(provider)
    except ValueError as error:
        raise CliError(str(error)) from None


def _provider_at(to: Recipient, asked: Provider | None) -> Provider | None:
    """Return the provider whose events an endpoint gets."""
    if asked is not None and to.provider is not None and asked is not to.provider:
        raise CliError(
            f"{to.name} verifies webhooks of {to.provider.name}, not of {asked.name}; name another with --webhook"
        )
    return to.provider if asked is None else asked


def _list(provider: Provider, as_json: bool) -> None:
    if as_json:
        say_json({"provider": provider.method, "events": samples.names(provider.method)})
        return
    for name in samples.names(provider.method):
        say(name)


def _require_event(to: Recipient, provider: Provider | None, name: str | None, *, is_own: bool) -> None:
    if name is None:
        return
    if provider is None:
        raise CliError(f"{name!r} is no provider, and that of {to.name} is not known; name one, or use --data alone")
    if not is_own and name not in (known := samples.names(provider.method)):
        raise CliError(
            f"there is no event {name} of {provider.name}, only {', '.join(known)}; send any other by --data"
        )


def _event(to: Recipient, provider: Provider | None, name: str | None, body: bytes | None, *, bad: bool) -> Event:
    """Return the event to send: a payload of your own, a new one of the provider, or any if it is not known."""
    if body is not None or provider is None or name is None:
        headers = {"Content-Type": "application/json"} if provider is None else samples.headers(provider.method, name)
        return Event(name or "", deliveries.default_body(to.scheme) if body is None else body, headers)
    return samples.event(provider.method, name, lambda: _verify_token(to, bad=bad))


def _headers(given: Sequence[str] | None) -> dict[str, str]:
    headers = {}
    for text in given or ():
        found = _HEADER.fullmatch(text)
        if found is None:
            raise CliError(f"a header is 'NAME: VALUE', got {text!r}; for example 'x-api-key: KEY'")
        headers[found[1]] = found[2].rstrip()
    return headers


def _secret(to: Recipient, headers: Mapping[str, str], *, bad: bool = False) -> str | None:
    """Return the secret to sign with. None: nothing has to be signed, or a header has the signature."""
    source, scheme = to.source, to.scheme
    if source is None or scheme is None or isinstance(scheme, Custom):
        if bad:
            raise CliError(f"{to.name} has no source whose signature is known; --bad-signature needs one")
        if scheme is not None and not headers:
            raise CliError(
                f"{to.name} has a Source.custom(), and only its function knows the signature; pass it with --header"
            )
        return None
    if stored := signing_secrets.provide_if_missing(to.target, source, scheme):
        say(f"the local AWS had no value of the secret {stored}, and got one for tests", errors)
    secret = signing_secrets.value_of(to.target, source["secret"])
    return new_secret(scheme) if bad else secret


def _verify_token(to: Recipient, *, bad: bool) -> str:
    """Return the token with which the provider verifies the endpoint, if it has one."""
    if to.source is None or to.scheme is None or "token" not in to.source:
        return ""
    return new_secret(to.scheme) if bad else signing_secrets.value_of(to.target, to.source["token"])


def _maker(
    to: Recipient, asked: Provider, name: str | None, payload: bytes | None, headers: Mapping[str, str]
) -> Callable[[], bursts.Request]:
    """Return the function that makes each request of a burst, an event of its own."""
    provider = _provider_at(to, asked) or asked
    usual = name or samples.names(provider.method)[0]
    _require_event(to, provider, usual, is_own=payload is not None)
    secret = _secret(to, headers)

    def make() -> bursts.Request:
        data = None if payload is None else deliveries.with_id(payload, to.scheme)
        event = _event(to, provider, usual if data is None else name, data, bad=False)
        return deliveries.signed(to, event, secret, headers, provider)

    return make


def _of_all(to: Recipient, report: bursts.Report, wait: float) -> Counter[str]:
    """Return how many of a burst ended in each way, and how many wait."""
    if not outcomes.are_told(to.webhook):
        raise CliError(f"the consumer of {to.webhook.name} is a function of your own, whose log tells no outcome")
    ids = set(filter(None, report.request_ids))
    with status_line("waiting until all are stored"):
        found = outcomes.follow(to.webhook, ids, since=report.began, seconds=wait) if ids else {}
    became = Counter(outcome.kind for outcome in found.values() if outcome.has_ended)
    became["waiting"] = report.accepted - became.total()
    return became


def _counts(became: Counter[str]) -> str:
    always = ("stored", "duplicate", "waiting", "dead-lettered")
    others = sorted(became.keys() - {*always})
    plural = {"duplicate": "duplicate" if became["duplicate"] == 1 else "duplicates"}
    return ", ".join(f"{became[kind]} {plural.get(kind, kind)}" for kind in (*always, *others))


def _told_of_all(report: bursts.Report, became: Counter[str] | None) -> dict[str, Any]:
    return {
        "sent": report.sent,
        "accepted": report.accepted,
        "rejected": dict(report.rejected),
        "unanswered": dict(report.unanswered),
        "requests_a_second": round(report.rate, 1),
        "milliseconds": {f"p{percent}": round(report.percentile(percent)) for percent in (50, 95, 99)},
        "outcomes": None if became is None else dict(became),
    }
