"""The function behind ``Sink.postgres()``."""

from webhook_runtime.consumer import handler_of
from webhook_runtime.sinks.database import DatabaseSink
from webhook_runtime.sinks.postgres import PostgresDriver

handler = handler_of(lambda: DatabaseSink.from_environment(PostgresDriver))
