"""The circuit breaker: the webhooks and the connections of an outage, with it and without it, and the tries of each
webhook.

A Postgres of its own for each side is stopped. Meanwhile a listener at its port counts connections, and closes them.
All sides of an outage run side by side, since one takes seven minutes.
"""

import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

import postgres_server
from demo_outage import STACK, Deployed, deployed, paced
from demo_postgres import deleted
from postgres_server import PostgresServer

from figure import Figure, figure, highest, print_figures
from protection import requests
from scalable_webhook_cli.burst import send
from scalable_webhook_cli.local.emulator import Emulator, running
from scalable_webhook_cli.observe import wait_for

# The webhooks that are sent each second, and the seconds for which the server is stopped.
_RATE, _STOPPED = 5, 240
# As in the app.
_TRIES = 5
# Longer than any wait of these outages.
_PATIENCE = 600

# Each side, and the wait that is in force when its server is started again; None: after the seconds above. Until then
# the tries are used up several times.
_SIDES: dict[str, int | None] = {"Without": None, "With": None, "AfterOne": 120, "AfterTwo": 240}
# The sides that have one webhook, or a full queue, and the batches at a time.
_RECEIVES = {"OneByTwo": (1, 2), "OneByFive": (1, 5), "FullByTwo": (500, 2), "FullByFive": (500, 5)}


@dataclass(frozen=True)
class Measured:
    """An outage of one side. ``paused`` is when it was paused, and the last batch before that had ended."""

    dead_letters: int
    connections: list[float]
    wait: int | None
    paused: float | None
    first_stored_after: float

    @property
    def beyond_wait(self) -> float:
        """The seconds from the server's return to the first stored webhook, less the wait in force."""
        return self.first_stored_after - (self.wait or 0)

    @property
    def connections_per_minute(self) -> int:
        """The most connections of any minute while it is paused, and the server is stopped."""
        return most_in_a_minute([at for at in self.connections if self.paused is not None and at > self.paused])


class Counting:
    """A listener at the port of a stopped server, which closes each connection and keeps its time."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connections: list[float] = []
        self._socket = socket.create_server(("127.0.0.1", port), backlog=100)
        self._thread = Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        with suppress(OSError):  # it is shut down
            while True:
                connection, _ = self._socket.accept()
                self.connections.append(time.time())
                connection.close()

    def close(self) -> None:
        """Give the port back."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


@contextmanager
def stopped(server: PostgresServer) -> Iterator[Counting]:
    """Stop the server, and start it again at the end. Yield who counts its connections."""
    server.stop()
    counting = Counting(server.port)
    try:
        yield counting
    finally:
        counting.close()
    server.start()


def measure(emulator: Emulator) -> Iterator[Figure]:
    """Measure each figure, once."""
    with ExitStack() as stack:
        shared = stack.enter_context(postgres_server.running(max_connections=40))
        servers = {id: stack.enter_context(postgres_server.running(max_connections=20)) for id in _SIDES}
        servers |= dict.fromkeys(_RECEIVES, shared)
        arguments: dict[str, dict[str, Any]] = {id: {"breaker": id != "Without"} for id in _SIDES}
        arguments |= {
            id: {"breaker": True, "at_a_time": at_a_time, "retry_seconds": 1}
            for id, (_, at_a_time) in _RECEIVES.items()
        }
        stack.enter_context(deleted(emulator, STACK))
        sides = deployed(emulator, servers, arguments)
        receiving = {id: sides[id] for id in _RECEIVES}
        _use_up(shared, receiving)
        # The rule resumes those meanwhile.
        yield from _outages({id: sides[id] for id in _SIDES})
        yield from _receives(receiving)


def _outages(sides: dict[str, Deployed]) -> Iterator[Figure]:
    over = Event()
    with ThreadPoolExecutor(len(sides)) as threads:
        try:
            found = {id: threads.submit(_outage, side, _SIDES[id], over) for id, side in sides.items()}
            measured = {id: each.result() for id, each in found.items()}
        finally:
            over.set()
    without = measured.pop("Without")
    told = f"{_RATE} webhooks a second, {_TRIES} receives, Postgres down for {_STOPPED} seconds"
    dead = [each.dead_letters for each in measured.values()]
    yield highest("breaker.dead_letters", dead, goal="== 0", note=f"{told}, or until just after a probe")
    yield figure("breaker.dead_letters_without", [without.dead_letters], goal="> 0", note=told)
    connections = [each.connections_per_minute for each in measured.values()]
    note = f"the most of any minute once it is paused; without it {most_in_a_minute(without.connections)}"
    yield highest("breaker.connections_per_minute_while_down", connections, goal="<= 1", note=note)
    beyond = [each.beyond_wait for each in measured.values()]
    note = f"the waits were {', '.join(str(each.wait) for each in measured.values())} seconds"
    yield highest("breaker.first_stored_seconds_beyond_wait", beyond, unit="s", goal="<= 60", note=note)


def _outage(side: Deployed, wait: int | None, over: Event) -> Measured:
    """Send to a side while its server is stopped: until a failed probe puts this wait in force, or for a while."""
    sending = Event()
    with ThreadPoolExecutor(2) as threads:
        burst = threads.submit(send, side.url, paced(_RATE, _RATE * _PATIENCE, sending), concurrency=1)
        try:
            _require(wait_for(lambda: side.stored() > _RATE, _PATIENCE), side, "stored nothing")
            with stopped(side.server) as counting:
                pausing = threads.submit(_paused, side, over) if side.observed.id != "Without" else None
                if wait is None:
                    over.wait(_STOPPED)
                else:
                    _require(wait_for(lambda: over.is_set() or _wait_of(side) == wait, _PATIENCE), side, "did not wait")
                in_force = _wait_of(side)
            ended, before = time.time(), side.stored()
            paused = pausing.result() if pausing else None
            # Asked in the table, since the log of an outage is long.
            _require(wait_for(lambda: over.is_set() or side.stored() > before, _PATIENCE), side, "stored nothing more")
            first_stored_after = time.time() - ended
        finally:
            sending.set()
        accepted = burst.result().accepted
    side.observed.wait_until_drained(_PATIENCE)
    dead_letters = side.observed.dead_letters()
    _require(side.stored() + dead_letters == accepted, side, f"lost some of {accepted}")
    return Measured(dead_letters, counting.connections, in_force, paused, first_stored_after)


def _paused(side: Deployed, over: Event) -> float | None:
    """Return when the side was paused, and the batches that it had begun before had ended."""
    if not wait_for(lambda: over.is_set() or side.is_paused(), _STOPPED):
        return None
    moment = time.time()
    ends: list[float] = [line["ended"] / 1000 for line in side.batches() if line["started"] / 1000 <= moment]
    return max([moment, *ends])


def _wait_of(side: Deployed) -> int | None:
    """Return the seconds between two probes, None if it is not paused by the circuit breaker."""
    tags = side.observed.target.client("lambda").list_tags(Resource=side.throttle.describe()["EventSourceMappingArn"])
    state = dict(pair.split("=") for pair in tags["Tags"].get("scalable-webhook:breaker", "").split())
    return int(state["wait"]) if "wait" in state else None


def _require(holds: bool, side: Deployed, otherwise: str) -> None:
    if not holds:
        raise RuntimeError(f"{side.observed.id} {otherwise}")


def _use_up(server: PostgresServer, sides: dict[str, Deployed]) -> None:
    """Stop the server until all of these sides are paused: each with one webhook, or a full queue."""
    for id, side in sides.items():
        side.throttle.pause()
        send(side.url, requests(id, _RECEIVES[id][0]), concurrency=16)
    with stopped(server):
        for side in sides.values():
            side.throttle.resume()
        for side in sides.values():
            _require(wait_for(side.is_paused, _PATIENCE), side, "was not paused")


def _receives(sides: dict[str, Deployed]) -> Iterator[Figure]:
    last, most = [], []
    for id, side in sides.items():
        side.observed.wait_until_drained(_PATIENCE)
        dead_letters = side.observed.dead_letters()
        _require(side.stored() + dead_letters == _RECEIVES[id][0], side, "lost some")
        lines = side.observed.log("ConsumerLogs")
        attempts = {line["id"]: line["attempt"] for line in lines if line["message"] in ("failed", "dead-lettered")}
        last.append(max(dead_letters, sum(attempt >= _TRIES for attempt in attempts.values())))
        most.append(max(attempts.values()))
    note = "webhooks that came to their last receive: one alone, and 500, each 2 and 5 at a time"
    yield highest("breaker.receives_over_max", last, goal="< 1", note=note)
    yield highest("breaker.receives_while_down", most, goal=f"< {_TRIES}", note=f"the most of any webhook, of {_TRIES}")


def most_in_a_minute(times: Sequence[float]) -> int:
    """Return how many of these times are in the same 60 seconds, at most."""
    return max((sum(first <= other < first + 60 for other in times) for first in times), default=0)


if __name__ == "__main__":
    with running() as local_aws:
        print_figures(lambda: measure(local_aws))
