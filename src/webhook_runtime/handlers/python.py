"""The function behind ``Sink.python()``."""

from webhook_runtime.consumer import handler_of
from webhook_runtime.sinks.python import PythonSink

handler = handler_of(PythonSink.from_environment)
