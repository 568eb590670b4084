"""Lambda's entry points: ``webhook_runtime.handlers.publisher``, ``…breaker``, and one with the name of each sink.

Lambda asks for its own while a function starts, and only that one is created: before the first event.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from webhook_runtime import logs


@cache  # tools that wrap a handler ask for it more than once
def __getattr__(name: str) -> Callable[[Any, Any], dict[str, Any]]:
    if name.startswith("_"):
        raise AttributeError(name)
    logs.configure()
    if name == "publisher":
        from webhook_runtime.publisher import Publisher

        return Publisher.from_environment().handle
    if name == "breaker":
        from webhook_runtime.breaker import Breaker

        return Breaker.from_environment().handle
    from webhook_runtime.consumer import Consumer

    return Consumer.from_environment(import_module(f"webhook_runtime.sinks.{name}").deployed()).handle
