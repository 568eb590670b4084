"""Lambda's entry points: ``webhook_runtime.handlers.publisher``, ``…breaker``, and one with the name of each sink.

Lambda asks for its own while a function starts, and only that one is created: before the first event.
"""

import gc
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from webhook_runtime import logs
from webhook_runtime.contract.functions import modules_of


@cache  # tools that wrap a handler ask for it more than once
def __getattr__(name: str) -> Callable[[Any, Any], dict[str, Any]]:
    if name.startswith("_"):
        raise AttributeError(name)
    logs.configure()
    # All that is made here stays. To look for garbage takes a millisecond now, and some at each later look.
    looked = gc.isenabled()
    gc.disable()
    try:
        function, *sinks = map(import_module, modules_of(name))
        handler: Callable[[Any, Any], dict[str, Any]] = function.handler(*(sink.deployed() for sink in sinks))
        gc.freeze()
    finally:
        if looked:
            gc.enable()
    return handler
