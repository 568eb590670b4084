"""The result of a plan, for a program and for a person."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from textwrap import wrap

from scalable_webhook_cli.plan.bill import REGION
from scalable_webhook_cli.plan.chart import chart
from scalable_webhook_cli.plan.load import BatchTime, Load, Outage
from scalable_webhook_cli.plan.quantities import shown
from scalable_webhook_cli.plan.series import Step
from scalable_webhook_cli.plan.template import Deployed
from webhook_runtime.contract.limits import MAX_IN_FLIGHT

_COLUMNS = 79


@dataclass(frozen=True, kw_only=True)
class Ages:
    """The seconds from the acceptance of a webhook until it is stored."""

    p50: float = 0.0
    p95: float = 0.0
    highest: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ClosedForm:
    """The same by arithmetic, as if webhooks flowed.

    Attributes:
        rate: The webhooks a second that the sink takes: batches at a time x batch size / the time of a batch.
        backlog: The webhooks that wait when the burst and the outage are over.
        drain: The seconds that these take: backlog / (rate - the steady load).
    """

    rate: float
    backlog: float
    drain: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The outcome of a load.

    Attributes:
        deployed: The deployed webhook.
        load: The webhooks that arrive.
        outage: The outage of the sink. None: there is none.
        time: The time of a batch.
        seed: The seed of the delays.
        sent: The webhooks until the queue is empty again.
        rejected: Those that the endpoint answers with 429. A provider would send them again.
        stored: Those that the sink has.
        dead_lettered: Those in the dead-letter queue.
        lost: Those that SQS deletes, since they are older than the retention period.
        peak_backlog: The highest number of messages in the queue.
        peak_backlog_at: The seconds until then.
        peak_in_flight: The highest number of messages in flight.
        ages: The ages of stored webhooks.
        oldest: The highest age in the queue, in seconds.
        drained_at: The seconds until the queue was empty.
        drain: The seconds from the end of burst and outage until then.
        batches: The batches.
        pauses: The number of pauses by the circuit breaker.
        paused_seconds: The seconds of all pauses.
        closed_form: The same by arithmetic.
        bill: The dollars of each service.
        steps: Backlog and age over time.
        notes: The assumptions, a sentence each.
    """

    deployed: Deployed
    load: Load
    outage: Outage | None
    time: BatchTime
    seed: int
    sent: int
    rejected: int
    stored: int
    dead_lettered: int
    lost: int
    peak_backlog: int
    peak_backlog_at: float
    peak_in_flight: int
    ages: Ages
    oldest: float
    drained_at: float
    drain: float
    batches: int
    pauses: int
    paused_seconds: float
    closed_form: ClosedForm
    bill: Mapping[str, float]
    steps: tuple[Step, ...]
    notes: tuple[str, ...]

    @property
    def accepted(self) -> int:
        return self.sent - self.rejected

    def told(self) -> dict[str, object]:
        """Return it for a program, without the time line."""
        told = asdict(self)
        del told["steps"]
        return told | {"accepted": self.accepted}

    def table(self) -> Iterator[str]:
        """Yield the lines of a table, for a terminal of 80 columns."""
        deployed, closed = self.deployed, self.closed_form
        yield self.deployed.name
        yield _row("batches at a time", f"{deployed.max_concurrency:,}", f"of {deployed.batch_size:,} webhooks")
        yield _row("rate of the sink", f"{closed.rate:,.4g}/s", self._batch())
        yield from self._pace()
        yield ""
        yield _row("sent", f"{self.sent:,}", self._load())
        if self.outage:
            yield _row("the sink is down", shown(self.outage.seconds), f"from {shown(self.outage.start)} on")
        if self.pauses:
            yield _row("paused", shown(self.paused_seconds), "by the circuit breaker")
        yield ""
        limits = f"above {deployed.rate_limit:,.4g}/s and {deployed.burst_limit:,} at once"
        yield _row("rejected with 429", f"{self.rejected:,}", limits if self.rejected else "")
        yield _row("stored", f"{self.stored:,}")
        yield _row("dead-lettered", f"{self.dead_lettered:,}", self._tries())
        if self.lost:
            yield _row("lost", f"{self.lost:,}", f"older than the retention period, {shown(deployed.retention)}")
        yield ""
        yield _row("peak backlog", f"{self.peak_backlog:,}", f"after {shown(self.peak_backlog_at)}")
        yield _row("peak in flight", f"{self.peak_in_flight:,}", self._in_flight())
        ages = self.ages
        if self.stored:
            yield _row("age when stored", shown(ages.p50), f"p50; p95 {shown(ages.p95)}, at most {shown(ages.highest)}")
        yield _row("oldest in the queue", shown(self.oldest), f"of {shown(deployed.retention)} that SQS keeps it")
        yield _row("empty again after", shown(self.drained_at), self._drained())
        if self.load.burst or self.outage:
            retries = ", without the waits of retries" if self.outage else ""
            yield _row("by arithmetic", shown(closed.drain), f"after {self._last()}{retries}")
        yield ""
        yield _row(f"bill ({REGION})", f"$ {sum(self.bill.values()):,.2f}", self._bill())
        for note in self.notes:
            yield from wrap(note, _COLUMNS)

    def chart(self, *, ascii_only: bool = False) -> Iterator[str]:
        """Yield the lines of a chart of backlog and age over time, for a terminal of 80 columns."""
        down = (self.outage.start, self.outage.end) if self.outage else None
        yield from chart(self.steps, self.drained_at, down=down, ascii_only=ascii_only)

    def _batch(self) -> str:
        time = self.time
        each = f" + {time.each:.3g} ms a webhook" if time.each else ""
        return f"a batch takes {time.milliseconds:.3g} ms{each}"

    def _pace(self) -> Iterator[str]:
        each = self.deployed.seconds_each
        if each is not None and self.deployed.max_concurrency:
            rate = self.deployed.max_concurrency / each
            yield _row("max_delivery_rate", f"{rate:,.4g}/s")

    def _load(self) -> str:
        load = self.load
        burst = f"{load.burst:,} {f'in {shown(load.over)}' if load.over else 'at once'}" if load.burst else ""
        then = f"{load.then:,.4g}/s" if load.then else ""
        return ", then ".join(part for part in (burst, then) if part)

    def _tries(self) -> str:
        tries = self.deployed.max_receive_count
        if not self.outage:
            return ""
        if "max_receive_count" in self.deployed.unread:
            return ""
        return f"after {tries:,} tries" if tries is not None else "there is no dead-letter queue"

    def _in_flight(self) -> str:
        full = "; new ones waited for these" if self.peak_in_flight >= MAX_IN_FLIGHT else ""
        return f"of {MAX_IN_FLIGHT:,} that SQS allows{full}"

    def _drained(self) -> str:
        return f"{shown(self.drain)} after {self._last()}" if self.load.burst or self.outage else ""

    def _last(self) -> str:
        return "the outage" if self.outage and self.outage.end >= self.load.over else "the burst"

    def _bill(self) -> str:
        return ", ".join(f"{name} {dollars:,.2f}" for name, dollars in self.bill.items() if dollars)


def _row(name: str, value: str, more: str = "") -> str:
    return f"{name:<20}{value:>11}  {more}".rstrip()
