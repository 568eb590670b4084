"""The function behind ``Sink.python()``."""

from webhook_runtime import logs
from webhook_runtime.consumer import Consumer
from webhook_runtime.sinks.python import PythonSink

logs.configure()
handler = Consumer.from_environment(PythonSink.from_environment()).handle
