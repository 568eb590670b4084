"""The function behind ``Sink.http()``."""

from webhook_runtime.consumer import handler_of
from webhook_runtime.sinks.http import HttpSink

handler = handler_of(HttpSink.from_environment)
