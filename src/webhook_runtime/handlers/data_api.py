"""The function behind ``Sink.data_api()``."""

from webhook_runtime.consumer import handler_of
from webhook_runtime.sinks.data_api import DataApiSink

handler = handler_of(DataApiSink.from_environment)
