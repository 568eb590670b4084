"""Look at each message of a queue, and leave it as it was.

A message that was received is hidden, so that the next receive returns another one. At the end all are shown again,
except those that were deleted. After a kill they are when the time is over for which they were hidden.
"""

import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event, Lock

from scalable_webhook_cli.dead_letters.message import Message
from scalable_webhook_cli.dead_letters.queue import Queue, State
from scalable_webhook_cli.errors import CliError
from webhook_runtime.contract.messages import ENTRIES

# The time for which a message is hidden. It is renewed for as long as the look takes.
HIDDEN_SECONDS = 60
# SQS has at most 120,000 messages of a queue in flight.
MOST = 100_000
# By then it is shown again, even if a command was killed.
_PATIENCE_SECONDS = HIDDEN_SECONDS + 5
_RENEWS_SECONDS = 1.0
_THREADS = 8
# A receive may return messages again. After so many receives without a new one there is none.
_REPEATS = 3

# Called with new messages, by several threads. Returns the ids of those that it has deleted.
Take = Callable[[Sequence[Message]], Collection[str]]


@dataclass(frozen=True)
class Looked:
    """The result of a look: the messages that it saw, and as far as SQS tells, the number of those that it did not."""

    seen: int
    unseen: int


def look(queue: Queue, take: Take, *, patient: bool = False, stop: Event | None = None) -> Looked:
    """Call ``take`` with each message once.

    Of a FIFO queue SQS returns only the first ten messages of a group. Where some of them are deleted, this goes on
    with the next.

    Args:
        queue: The queue.
        take: What to do with new messages.
        patient: Whether to wait for messages that another look hides, such as one that was killed.
        stop: An event that ends the look early.

    Raises:
        CliError: Each look would use up one of the receives after which SQS moves a message elsewhere.
    """
    state = queue.state()
    if state.redrive_policy is not None:
        raise CliError(
            f"{queue.name} must have no redrive policy of its own, got {state.redrive_policy}: a look uses up one of "
            "the receives after which SQS moves a message on; remove the policy"
        )
    seen = _Seen(state, patient=patient)
    stop = stop or Event()
    while _Pass(queue, take, seen, stop).run() and queue.is_fifo and not stop.is_set():
        pass
    return Looked(len(seen.ids), seen.missing)


class _Seen:
    """The messages that were seen, and whether some are missing of those that were there in the beginning."""

    def __init__(self, state: State, *, patient: bool) -> None:
        self.ids: set[str] = set()
        self._began = state.now
        self._missing = state.visible + state.hidden
        self._give_up = time.monotonic() + _PATIENCE_SECONDS if patient and state.hidden else 0

    @property
    def missing(self) -> int:
        return max(self._missing, 0)

    @property
    def is_complete(self) -> bool:
        return self.missing == 0 or time.monotonic() > self._give_up

    def add(self, message: Message) -> bool:
        """Return whether the message is new."""
        if message.id in self.ids:
            return False
        self.ids.add(message.id)
        if message.sent_at <= self._began:
            self._missing -= 1
        return True


class _Pass:
    """One time through a queue, until no message is visible."""

    def __init__(self, queue: Queue, take: Take, seen: _Seen, stop: Event) -> None:
        self._queue = queue
        self._take = take
        self._seen = seen
        self._stop = stop
        # The receipt of each message that it hides, and until when. The messages themselves may not fit into memory.
        self._held: dict[str, tuple[str, float]] = {}
        self._deleted = 0
        self._lock = Lock()

    def run(self) -> int:
        """Return the number of messages that were deleted."""
        try:
            with ThreadPoolExecutor(_THREADS) as threads:
                working = {threads.submit(self._work) for _ in range(_THREADS)}
                try:
                    while working:
                        done, working = wait(working, timeout=_RENEWS_SECONDS, return_when=FIRST_EXCEPTION)
                        for each in done:
                            each.result()
                        self._renew()
                except BaseException:  # Ctrl-C too
                    self._stop.set()
                    raise
        finally:
            self._show_again()
        return self._deleted

    def _work(self) -> None:
        repeats = 0
        while not self._stop.is_set() and len(self._held) < MOST and repeats < _REPEATS:
            until = time.monotonic() + HIDDEN_SECONDS
            messages: Sequence[Message] = self._queue.receive(HIDDEN_SECONDS)
            if not messages and self._seen.is_complete:
                return
            messages = self._whole_groups(messages)
            repeats = repeats + 1 if messages and all(each.id in self._held for each in messages) else 0
            if new := self._hold(messages, until):
                self._drop(self._take(new))

    def _whole_groups(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Show the last group of a full receive again: some of it may not be in it, and would be behind it."""
        last = messages[-1].group if messages else None
        if not self._queue.is_fifo or len(messages) < ENTRIES or messages[0].group == last:
            return messages
        self._queue.hide({message.id: message.receipt for message in messages if message.group == last}, 0)
        return [message for message in messages if message.group != last]

    def _hold(self, messages: Sequence[Message], until: float) -> list[Message]:
        """Note that messages are hidden, and return the new ones."""
        with self._lock:
            self._held |= {message.id: (message.receipt, until) for message in messages}
            return [message for message in messages if self._seen.add(message)]

    def _drop(self, ids: Collection[str]) -> None:
        with self._lock:
            self._deleted += len(ids)
            for id in ids:
                self._held.pop(id, None)

    def _show_again(self) -> None:
        held = [(id, receipt) for id, (receipt, _) in self._held.items()]
        with ThreadPoolExecutor(_THREADS) as threads:
            list(threads.map(lambda first: self._queue.hide(dict(held[first::_THREADS]), 0), range(_THREADS)))

    def _renew(self) -> None:
        """Hide for longer what would be visible soon."""
        with self._lock:
            soon = time.monotonic() + HIDDEN_SECONDS / 2
            due = {id: receipt for id, (receipt, until) in self._held.items() if until < soon}
            self._held |= {id: (receipt, soon + HIDDEN_SECONDS / 2) for id, receipt in due.items()}
        self._queue.hide(due, HIDDEN_SECONDS)
