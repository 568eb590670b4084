"""``scalable-webhook dead-letters`` and ``unverified``: look at the messages that are set aside, and repair them."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer

from scalable_webhook_cli.commands import options, payloads
from scalable_webhook_cli.commands.options import Json, Name, Profile, Region, Webhook, Yes
from scalable_webhook_cli.commands.payloads import Payload, Raw
from scalable_webhook_cli.dead_letters.find import find, find_one
from scalable_webhook_cli.dead_letters.look import look
from scalable_webhook_cli.dead_letters.message import Message
from scalable_webhook_cli.dead_letters.payloads import payload_of
from scalable_webhook_cli.dead_letters.queue import Queue
from scalable_webhook_cli.dead_letters.redrive import MOST_A_SECOND, Done, Sorting, Wanted, safe_rate
from scalable_webhook_cli.dead_letters.summary import Summary, in_bytes, one_line, short
from scalable_webhook_cli.dead_letters.task import MoveTask
from scalable_webhook_cli.deployed import DeployedWebhook
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.terminal import console, counting, errors, in_one_sentence, say, say_json, status_line

Error = Annotated[str | None, typer.Option("--error", help="Only messages of this error, as list shows it.")]
Ids = Annotated[list[str] | None, typer.Option("--id", help="Only this message. Repeat it for several.", metavar="ID")]


def _unverified(webhook: DeployedWebhook) -> str:
    url = webhook.unverified_queue_url
    if url is None:
        raise CliError(
            f"{webhook.name} has no unverified queue: each endpoint with a source verifies before it queues a webhook"
        )
    return url


@dataclass(frozen=True)
class _Kind:
    """One of the two queues: its name on a page, and its URL. ``sqs_moves`` is whether SQS can redrive it by itself."""

    title: str
    url: Callable[[DeployedWebhook], str]
    sqs_moves: bool


_DEAD_LETTERS = _Kind("dead-letter queue", lambda webhook: webhook.dead_letter_queue_url, sqs_moves=True)
_UNVERIFIED = _Kind("unverified queue", _unverified, sqs_moves=False)


@dataclass(frozen=True)
class _Aside:
    """The messages of a webhook that are set aside."""

    kind: _Kind
    webhook: DeployedWebhook

    @property
    def queue(self) -> Queue:
        return Queue(self.webhook.target, self.kind.url(self.webhook))

    @property
    def name(self) -> str:
        return f"the {self.kind.title} of {self.webhook.name}"

    def list(self, *, as_json: bool) -> None:
        queue, summary = self.queue, Summary()
        with status_line(f"looking at {self.name}"):
            looked = look(queue, summary.add)
        if as_json:
            told = {"messages": summary.count, "bytes": summary.bytes, "unseen": looked.unseen}
            groups = [group.told() for group in summary.groups]
            say_json({"webhook": self.webhook.name, "queue": queue.name, **told, "groups": groups})
            return
        if summary.count:
            state = queue.state()
            left = short(max(summary.oldest + state.retention_seconds - state.now, 0))
            say(f"{summary.count:,} in {self.name}, {in_bytes(summary.bytes)}")
            say(f"SQS deletes the oldest in {left}")
            for line in summary.table(width=console.width if console.is_terminal else None):
                say(line)
        else:
            say(f"nothing in {self.name}")
        self._tell_unseen(looked.unseen)

    def show(self, id: str, *, with_payload: bool, raw: bool, as_json: bool) -> None:
        queue = self.queue
        with status_line(f"looking for {one_line(id)}"):
            message = find_one(queue, id)
        payload = payload_of(message, self.webhook) if with_payload else None
        if as_json:
            say_json(message.told() | ({} if payload is None else payloads.told(payload)))
        elif payload is not None and payloads.is_alone(raw=raw):
            payloads.write(payload)
        else:
            for line in _lines(message):
                say(line)
            if payload is not None:
                payloads.show(payload)

    def redrive(self, error: str | None, ids: Sequence[str], rate: int | None, *, yes: bool, as_json: bool) -> None:
        queue, to = self.queue, Queue(self.webhook.target, self.webhook.queue_url)
        rate = rate or safe_rate(self.webhook)
        if self.kind.sqs_moves and error is None and not ids and self._is_alone(queue, to):
            self._redrive_all(queue, to, rate, yes=yes, as_json=as_json)
            return
        wanted = self._wanted(queue, error, ids)
        if not yes and self._is_account:
            self._ask("redrive", queue, wanted, f" at {rate} a second")
        self._sort(Sorting(queue, wanted, to=to, rate=rate), "redriven", as_json=as_json)

    def delete(self, error: str | None, ids: Sequence[str], *, every: bool, yes: bool, as_json: bool) -> None:
        if not (error or ids or every):
            raise CliError("name the messages to delete: --error, --id, or --all for all of them")
        if every and (error or ids):
            raise CliError("--all must not be set together with --error or --id, got both; leave one of them out")
        queue = self.queue
        wanted = self._wanted(queue, error, ids)
        if not yes and (self._is_account or _is_asked()):
            self._ask("delete", queue, wanted, " for good")
        self._sort(Sorting(queue, wanted), "deleted", as_json=as_json)

    @property
    def _is_account(self) -> bool:
        return self.webhook.target.endpoint is None

    def _is_alone(self, queue: Queue, to: Queue) -> bool:
        """Tell whether the queue of the webhook is the only one with this dead-letter queue."""
        sources = {url.rpartition("/")[2] for url in queue.sources()}
        if others := sorted(sources - {to.name}):
            raise CliError(
                f"{self.name} is also that of {', '.join(others)}, and SQS would move the messages of all; name those "
                "of this webhook by --error or --id"
            )
        return to.name in sources

    def _redrive_all(self, queue: Queue, to: Queue, rate: int, *, yes: bool, as_json: bool) -> None:
        task, done = MoveTask(self.webhook.target, queue, to), Done()
        running = task.running()
        if running is None:
            about = queue.state().visible
            question = f"redrive about {about:,} messages of {self.name} at {rate} a second"
            options.confirm(question, self.webhook.target, yes=yes)
            task.start(rate)
        elif running.get("DestinationArn") != to.arn:
            raise CliError(f"a redrive of {queue.name} to {running.get('DestinationArn')} is in progress; wait for it")
        else:
            say(f"a redrive of {queue.name} is in progress already; Ctrl-C cancels it", errors)
        with self._reported(done, "redriven", as_json=as_json), counting("redriving") as tell:

            def moved(number: int, of: int) -> None:
                done.done = number
                tell(f"{number:,} of {of:,}")

            task.follow(moved)

    def _wanted(self, queue: Queue, error: str | None, ids: Sequence[str]) -> Wanted:
        now, to = queue.state().now, Queue(self.webhook.target, self.webhook.queue_url)
        named = None
        if ids:
            with status_line(f"looking at {self.name}"):
                named = {message.id for message in find(queue, ids, patient=True)}
        return Wanted(now, to.arn, error, named)

    def _ask(self, verb: str, queue: Queue, wanted: Wanted, how: str) -> None:
        """Show what is wanted, and ask."""
        summary = Summary()
        with status_line(f"looking at {self.name}"):
            looked = look(queue, lambda messages: summary.add([each for each in messages if wanted.has(each)]))
        if not summary.count:
            return
        for line in summary.table(width=errors.width if errors.is_terminal else None):
            say(line, errors)
        also = f", and those of about {looked.unseen:,} more that it cannot see," if looked.unseen else ""
        question = f"{verb} these {summary.count:,} messages of {self.name}{also}{how}"
        if self._is_account:
            options.confirm(question, self.webhook.target, yes=False)
        else:
            typer.confirm(f"{question}?", abort=True, err=True)

    def _sort(self, sorting: Sorting, verb: str, *, as_json: bool) -> None:
        what = "redriving" if verb == "redriven" else "deleting"
        with self._reported(sorting.done, verb, as_json=as_json), counting(what) as tell:
            sorting.run(lambda number: tell(f"{number:,}"))

    @contextmanager
    def _reported(self, done: Done, verb: str, *, as_json: bool) -> Iterator[None]:
        """Tell what was done when the block ends, in whichever way. Exit with 1 if something failed."""
        try:
            yield
        finally:
            if as_json:
                say_json({"webhook": self.webhook.name, verb: done.done} | done.told())
            else:
                self._tell(done, verb)
        if done.failures:
            raise typer.Exit(1)

    def _tell(self, done: Done, verb: str) -> None:
        say(f"{verb} {done.done:,} from {self.name}")
        if done.arrived:
            say(f"left {done.arrived:,} that arrived in the meantime")
        for reason, number in done.failures.most_common():
            say(f"failed {number:,}: {one_line(reason)}")
        if done.twice:
            say(f"{done.twice:,} are in both queues now; they are stored once")
        self._tell_unseen(done.unseen)
        if verb == "redriven" and self.webhook.is_paused:
            say(f"{self.webhook.name} is paused; next: scalable-webhook resume {self.webhook.name}")

    def _tell_unseen(self, number: int) -> None:
        if not number:
            return
        if self.kind.url(self.webhook).endswith(".fifo"):
            why = "SQS returns the first ten of each group, and the others once those are gone"
        else:
            why = "another look hides them for a minute at most"
        say(f"not seen: about {number:,}; {why}")


def _is_asked() -> bool:
    """Tell whether a person can answer."""
    return sys.stdin.isatty()


def _lines(message: Message) -> Iterator[str]:
    """Yield the lines about a message, for a person."""
    now = datetime.now(UTC)
    for name, value in message.told().items():
        if isinstance(value, datetime):
            value = f"{value:%Y-%m-%d %H:%M:%S} UTC, {short((now - value).total_seconds())} ago"
        if isinstance(value, list):
            value = ", ".join(value)
        if value not in (None, ""):
            yield f"{name.replace('_', ' '):<14}{one_line(str(value))}"
    if message.payload_key is not None:
        yield f"{'payload':<14}in S3, at {one_line(message.payload_key)}"


def _group(kind: _Kind) -> typer.Typer:
    """Return the commands of one of the queues."""
    help = f"List, redrive or delete messages of the {kind.title}."
    group = typer.Typer(help=help, no_args_is_help=True, rich_markup_mode=None)

    def aside(name: str | None, profile: str | None, region: str | None) -> _Aside:
        return _Aside(kind, options.webhook(name, profile, region))

    @group.command("list")
    @in_one_sentence
    def list_(name: Name = None, profile: Profile = None, region: Region = None, as_json: Json = False) -> None:
        """List the messages by error and reason.

        It only reads. Each line has the number, the age and the bytes of the messages. They are hidden while it looks.
        """
        aside(name, profile, region).list(as_json=as_json)

    @group.command()
    @in_one_sentence
    def show(
        id: Annotated[
            str,
            typer.Argument(help="Id of the webhook, of its request or of SQS, or the beginning of one.", metavar="ID"),
        ],
        webhook: Webhook = None,
        payload: Payload = False,
        raw: Raw = False,
        profile: Profile = None,
        region: Region = None,
        as_json: Json = False,
    ) -> None:
        """Show a message, and its payload.

        It only reads. No value of a header is shown. The receives count each look, and each try if SQS itself moved it.
        """
        aside(webhook, profile, region).show(id, with_payload=payload or raw, raw=raw, as_json=as_json)

    @group.command()
    @in_one_sentence
    def redrive(
        name: Name = None,
        error: Error = None,
        id: Ids = None,
        rate: Annotated[
            int | None,
            typer.Option(
                min=1,
                max=MOST_A_SECOND,
                help="Messages a second. Default: as many as the consumer may have in progress, or max_delivery_rate "
                "if that is less.",
            ),
        ] = None,
        profile: Profile = None,
        region: Region = None,
        yes: Yes = False,
        as_json: Json = False,
    ) -> None:
        """Move messages back into the queue.

        It moves all, or those of --error and --id, and leaves those that arrive in the meantime. Ctrl-C stops it, and
        another call continues.
        """
        aside(name, profile, region).redrive(error, id or (), rate, yes=yes, as_json=as_json)

    @group.command()
    @in_one_sentence
    def delete(
        name: Name = None,
        error: Error = None,
        id: Ids = None,
        every: Annotated[bool, typer.Option("--all", help="All messages.")] = False,
        profile: Profile = None,
        region: Region = None,
        yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
        as_json: Json = False,
    ) -> None:
        """Delete messages for good.

        It deletes those of --error or --id, or --all, and leaves those that arrive in the meantime. On a terminal and
        in an account it shows them first, and asks.
        """
        aside(name, profile, region).delete(error, id or (), every=every, yes=yes, as_json=as_json)

    return group


dead_letters: typer.Typer = _group(_DEAD_LETTERS)
unverified: typer.Typer = _group(_UNVERIFIED)
