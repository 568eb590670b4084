"""The faults: kill and stop processes, and change settings."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import inf
from random import Random

import psutil

from scalable_webhook_cli.observe import ObservedWebhook
from scalable_webhook_cli.terminal import say

from .client import Client
from .effects import given_up
from .pgbouncer import PgBouncer
from .plan import INGRESSES, Fault, Ingress, Plan, Strike
from .system import System
from .weak_link import NEVER

# The functions' boto3 clients wait for a response of SQS for 5 seconds, twice.
SQS_PATIENCE = 5
# The visibility timeout while messages are delivered early. Some connections then hang for longer.
_EARLY_SECONDS = 1
_HUNG_SECONDS = 3
# The share of acceptances that are lost while providers are cut off.
_CUT_OFF = 0.5
# The pause between kills, until a killed process was in use. No fault waits longer than the other.
_KILL_PAUSE = 0.3
# The time that SQS takes for an answer while publishers are killed.
_AT_WORK_SECONDS = 0.7
_STRIKE_SECONDS = 40
# Lines of the emulator's log about a batch whose process was killed: during it, at its start, or just before.
_DIED = ("errorMessage=Worker process", "errorMessage=[Errno 32] Broken pipe")


@dataclass
class Struck:
    """The number of times that each fault struck.

    ``rejected`` counts clients that waited too long for a connection of the pooler. Commits are in milliseconds, before
    and during a slow disk.
    """

    times: Counter[Fault] = field(default_factory=Counter)
    consumers_killed: int = 0
    publishers_killed: int = 0
    rejected: Counter[Fault] = field(default_factory=Counter)
    commits_before: list[float] = field(default_factory=list)
    commits_meanwhile: list[float] = field(default_factory=list)


class Strikes:
    """Strikes as planned, each lane in a thread, while the client makes progress."""

    def __init__(
        self,
        plan: Plan,
        client: Client,
        system: System,
        webhooks: Mapping[Ingress, ObservedWebhook],
    ) -> None:
        self.struck = Struck()
        self._plan = plan
        self._client = client
        self._emulator = system.emulator
        self._database = system.database
        self._pooler = system.pooler
        self._sqs = system.sqs
        self._providers = system.providers
        self._webhooks = list(webhooks.values())
        self._queues = [webhook.queue_url for webhook in webhooks.values()]
        self._consumers = {ingress: _function(webhook, "Consumer") for ingress, webhook in webhooks.items()}
        self._publisher = _function(webhooks["Lambda"], "Publisher")
        self._over = threading.Event()
        self._errors: list[BaseException] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Strike during the block, and wait for the last fault. If the block or a lane fails, cancel the remaining
        ones.

        Raises the error of a lane.
        """
        lanes = [threading.Thread(target=self._run, args=lane) for lane in self._plan.lanes.items()]
        for lane in lanes:
            lane.start()
        try:
            yield
        except BaseException:
            self._over.set()
            raise
        finally:
            self._join(lanes)
        for error in self._errors:
            raise error

    def _join(self, lanes: list[threading.Thread]) -> None:
        try:
            for lane in lanes:
                lane.join()
        except BaseException:  # Ctrl-C
            self._over.set()
            for lane in lanes:
                lane.join()
            raise

    def _run(self, name: str, strikes: list[Strike]) -> None:
        chance = Random(f"{name} {self._plan.seed}")
        # The client waits for a fault that lasts, but not for a kill: a function needs something to do.
        ats = [*(strike.at for strike in strikes[1:]), inf]
        limits = [at if strike.seconds else inf for strike, at in zip(strikes, ats, strict=True)]
        try:
            for strike, limit in zip(strikes, limits, strict=True):
                self._client.limits[name] = limit
                while self._client.through < strike.at:
                    if self._over.wait(0.05):
                        return
                say(f"  {self._client.through:>6} sent: {strike.fault}" + _lasting(strike.seconds))
                self._strike(strike, chance)
                self.struck.times[strike.fault] += 1
        except BaseException as error:
            self._errors.append(error)
            self._over.set()
        finally:
            self._client.limits[name] = inf

    def _strike(self, strike: Strike, chance: Random) -> None:
        match strike.fault:
            case "consumer killed":
                ingress = INGRESSES[self.struck.times[strike.fault] % len(INGRESSES)]
                server = self._pooler if self._pooler and ingress == "Direct" else self._database
                self.struck.consumers_killed += self._kill(
                    self._consumers[ingress], server.port, lambda: self.batches_lost(ingress), chance
                )
            case "publisher killed":
                # Alone, a publisher works for a few milliseconds, and a kill may find it idle each time.
                with self._sqs.holding_back(lambda _: _AT_WORK_SECONDS):
                    self.struck.publishers_killed += self._kill(
                        self._publisher, self._sqs.port, lambda: self._client.rejected[502], chance
                    )
            case "database killed":
                with self._at_work():
                    self._database.kill()
                    self._over.wait(strike.seconds)
                    self._database.start()
            case "connections terminated":
                with self._at_work():
                    self._database.terminate_connections()
            case "disk slow":
                self.struck.commits_before.extend(self._database.commit_milliseconds())
                with self._database.slow_disk():
                    self.struck.commits_meanwhile.extend(self._database.commit_milliseconds())
                    self._over.wait(strike.seconds)
            case "disk hangs":
                with self._at_work(), self._database.hung(_STRIKE_SECONDS, self._over.wait):
                    self._lasts(strike.seconds, self._given_up)
            case "redelivered early":
                self._redeliver_early(strike.seconds, chance)
            case "pooler killed" | "pool exhausted" | "pooler paused":
                assert self._pooler  # the plan has these only with a pooler
                self._strike_pooler(strike, self._pooler)
            case "SQS slow":
                self._slow_sqs(strike.seconds, chance)
            case "SQS rejects":
                with self._sqs.rejecting(lambda: chance.choice(_REJECTIONS)):
                    self._lasts(strike.seconds, lambda: self._client.rejected[500])
            case "providers cut off":
                self._cut_off(strike.seconds, chance)

    def batches_lost(self, ingress: Ingress) -> int:
        """Count the batches that ended with their process, by the emulator's log."""
        log, consumer = (self._emulator.home / "ministack.log").read_text(errors="replace"), self._consumers[ingress]
        return sum(consumer in line and any(died in line for died in _DIED) for line in log.splitlines())

    def _given_up(self) -> int:
        return sum(given_up(webhook.log("ConsumerLogs")) for webhook in self._webhooks)

    def _kill(self, function: str, port: int, hits: Callable[[], int], chance: Random) -> int:
        """Kill one process of a function after the other, until one was in use. Return the number of kills."""
        before, kills = hits(), 0
        give_up = time.monotonic() + _STRIKE_SECONDS
        while hits() == before and time.monotonic() < give_up and not self._over.is_set():
            workers = self._workers(function, port)
            used = {worker: _processor_time(worker) for worker in workers}
            self._over.wait(_KILL_PAUSE * chance.uniform(0.2, 1.8))
            # A busy process will be busy again. If none is, any will do.
            busy = [worker for worker in workers if _processor_time(worker) > used[worker]]
            for worker in chance.sample(busy or workers, min(1, len(workers))):
                with suppress(psutil.NoSuchProcess):
                    worker.kill()
                    kills += 1
        return kills

    def _workers(self, function: str, port: int) -> list[psutil.Process]:
        """Return the processes of a function with a connection to this port.

        If a process is killed while it starts, the emulator ends all others as well.
        """
        found = []
        for process in self._emulator.processes:
            emulator = process.find()
            for child in emulator.children(recursive=True) if emulator else []:
                with suppress(psutil.Error):
                    if child.environ().get("AWS_LAMBDA_FUNCTION_NAME") == function and _is_connected(child, port):
                        found.append(child)
        return found

    def _lasts(self, seconds: float, effect: Callable[[], int]) -> None:
        """Wait for so many seconds, and then until there is an effect."""
        started, before = time.monotonic(), effect()
        while not self._over.wait(0.1):
            passed = time.monotonic() - started
            if passed > _STRIKE_SECONDS or (passed > seconds and effect() > before):
                return

    @contextmanager
    def _at_work(self, within: float = _STRIKE_SECONDS) -> Iterator[None]:
        """Run the block while a batch is stored. A slow disk makes that long enough to be hit."""
        with self._database.slow_disk():
            self._database.wait_until_at_work(within, self._over.wait)
            yield

    def _redeliver_early(self, seconds: float, chance: Random) -> None:
        """Make messages visible again while they are in progress."""
        sqs, names = self._emulator.client("sqs"), ["VisibilityTimeout"]
        usual = [
            (queue, sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"])
            for queue in self._queues
        ]
        for queue in self._queues:
            sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": str(_EARLY_SECONDS)})
        try:
            within, give_up = float(_STRIKE_SECONDS), time.monotonic() + seconds
            while within > 0 and not self._over.is_set():
                with self._at_work(within):
                    self._database.hang_some_at_work(2, _HUNG_SECONDS, self._over.wait, chance)
                within = give_up - time.monotonic()
        finally:
            for queue, attributes in usual:
                sqs.set_queue_attributes(QueueUrl=queue, Attributes=attributes)

    def _slow_sqs(self, seconds: float, chance: Random) -> None:
        """Delay two of three responses, one of them beyond every timeout."""

        def delay(_: bytes) -> float:
            late = chance.uniform(0.1, 2), SQS_PATIENCE + chance.uniform(1, 5)
            return chance.choice([0, *late])

        with self._sqs.holding_back(delay):
            self._lasts(seconds, lambda: sum(late > SQS_PATIENCE for late in self._sqs.delays))

    def _cut_off(self, seconds: float, chance: Random) -> None:
        """Cut half of the connections on which API Gateway accepts a webhook."""

        def delay(answer: bytes) -> float:
            return NEVER if answer.startswith(b"HTTP/1.1 202") and chance.random() < _CUT_OFF else 0

        with self._providers.holding_back(delay):
            self._lasts(seconds, lambda: self._providers.cut)

    def _strike_pooler(self, strike: Strike, pooler: PgBouncer) -> None:
        if strike.fault == "pooler killed":
            pooler.kill()
            self._over.wait(strike.seconds)
            pooler.start()
            return
        before = pooler.rejected()
        with pooler.paused() if strike.fault == "pooler paused" else pooler.exhausted():
            self._lasts(strike.seconds, pooler.rejected)
        self.struck.rejected[strike.fault] += pooler.rejected() - before


def _rejection(status: str, code: str) -> bytes:
    error = f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(error)}\r\nConnection: close\r\n\r\n{error}".encode()


# Responses while SQS rejects calls: it is down, throttles, or closes the connection. One of four calls passes.
_REJECTIONS = [
    _rejection("503 Service Unavailable", "ServiceUnavailable"),
    _rejection("403 Forbidden", "RequestThrottled"),
    b"",
    None,
]


def _function(webhook: ObservedWebhook, role: str) -> str:
    return webhook.physical("AWS::Lambda::Function", webhook.id + role)


def _is_connected(process: psutil.Process, port: int) -> bool:
    return any(connection.raddr and connection.raddr.port == port for connection in process.net_connections("tcp"))


def _processor_time(process: psutil.Process) -> float:
    try:
        return sum(process.cpu_times()[:2])
    except psutil.NoSuchProcess:
        return 0


def _lasting(seconds: float) -> str:
    return f" for {seconds:g} seconds" if seconds else ""
