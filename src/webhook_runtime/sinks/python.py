"""Give webhooks to the user's function."""

import importlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Sequence
from typing import Any

from webhook_runtime import guard
from webhook_runtime.contract.settings import PythonSettings, from_environment
from webhook_runtime.deadline import Deadline
from webhook_runtime.interrupts import INTERRUPTS
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import STORED, Kind, Outcome, SinkDown

# Values of a function that has not run yet.
_NOT_YET_DONE = (Awaitable, Generator, AsyncGenerator, map, filter)


class PythonSink:
    """Calls the handler with one webhook or, with ``batch``, with a list. ``ping`` is a function of the user too."""

    def __init__(
        self, handler: Callable[[Any], object], *, batch: bool = False, ping: Callable[[], object] | None = None
    ) -> None:
        self._handler = handler
        self._batch = batch
        self._ping = ping

    def ping(self, _deadline: Deadline) -> None:
        """Call the user's ``ping``: any error of it says that the sink is down."""
        if self._ping is None:
            raise NotImplementedError("the module of the handler has no ping()")
        try:
            self._ping()
        except INTERRUPTS:
            raise
        except BaseException as error:
            said = guard.read(error)
            raise SinkDown(said.reason, error=said.error) from None

    def store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterator[Outcome]:
        for part in deadline.parts(webhooks):
            yield from self._store(part, deadline)

    def _store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterator[Outcome]:
        if self._batch and len(webhooks) > 1:
            with deadline.step(len(webhooks)):
                done = self._hand_over(list(webhooks))
            if done.kind is Kind.STORED or done.retry_after is not None:
                yield from [done] * len(webhooks)
                return
            # One of them is to blame. Alone, each can be judged.
        for webhook in webhooks:
            with deadline.step():
                outcome = self._hand_over([webhook] if self._batch else webhook)
            yield outcome

    def _hand_over(self, argument: Webhook | list[Webhook]) -> Outcome:
        try:
            result = self._handler(argument)
            # Futures of threads and processes have this attribute.
            if isinstance(result, _NOT_YET_DONE) or hasattr(result, "add_done_callback"):
                raise TypeError("the handler has not run: it must not be async or a generator, or return a future")
        except INTERRUPTS:
            raise
        except BaseException as error:  # SystemExit too: it would end the function, and lose what is stored
            return guard.outcome(error)
        return STORED


def deployed() -> PythonSink:
    """Return the sink of a deployed function. An error of the user's module shows when it is loaded."""
    settings = from_environment(PythonSettings)
    module, _, name = settings.handler.rpartition(".")
    code = importlib.import_module(module)
    return PythonSink(getattr(code, name), batch=settings.handler_batch, ping=getattr(code, "ping", None))
