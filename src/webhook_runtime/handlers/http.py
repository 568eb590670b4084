"""The function behind ``Sink.http()``."""

from webhook_runtime import logs
from webhook_runtime.consumer import Consumer
from webhook_runtime.sinks.http import HttpSink

logs.configure()
handler = Consumer.from_environment(HttpSink.from_environment()).handle
