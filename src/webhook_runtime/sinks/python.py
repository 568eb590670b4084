"""To a function of the user's."""

import importlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Sequence
from typing import Any

from webhook_runtime import guard
from webhook_runtime.contract.settings import PythonSettings, from_environment
from webhook_runtime.deadline import INTERRUPTS, Deadline
from webhook_runtime.message import Webhook
from webhook_runtime.outcome import STORED, Kind, Outcome

# What is done once somebody asks for it, as nobody here does.
_NOT_YET_DONE = (Awaitable, Generator, AsyncGenerator, map, filter)


class PythonSink:
    """Hands over webhooks, one at a time or, with ``batch``, as a list."""

    def __init__(self, handler: Callable[[Any], object], *, batch: bool = False) -> None:
        self._handler = handler
        self._batch = batch

    @classmethod
    def from_environment(cls) -> "PythonSink":
        """The sink of a deployed function. An error of the user's module shows when it is loaded."""
        settings = from_environment(PythonSettings)
        module, _, name = settings.handler.rpartition(".")
        return cls(getattr(importlib.import_module(module), name), batch=settings.handler_batch)

    def store(self, webhooks: Sequence[Webhook], deadline: Deadline) -> Iterator[Outcome]:
        if self._batch and len(webhooks) > 1:
            with deadline.step():
                done = self._hand_over(list(webhooks))
            if done.kind is Kind.STORED or done.retry_after is not None:
                yield from [done] * len(webhooks)
                return
            # One of them is to blame; alone, each can be told from the others.
        for webhook in webhooks:
            with deadline.step():
                outcome = self._hand_over([webhook] if self._batch else webhook)
            yield outcome

    def _hand_over(self, argument: Webhook | list[Webhook]) -> Outcome:
        try:
            result = self._handler(argument)
            # The last is what the futures of threads and processes have.
            if isinstance(result, _NOT_YET_DONE) or hasattr(result, "add_done_callback"):
                raise TypeError("the handler has not run: it must be no generator, nor async, nor return a future")
        except INTERRUPTS:
            raise
        except BaseException as error:  # an exit too: it would end the function, and nobody would know what is stored
            return guard.outcome(error)
        return STORED
