"""The function behind ``Sink.postgres()``."""

from webhook_runtime import logs
from webhook_runtime.consumer import Consumer
from webhook_runtime.sinks.database import DatabaseSink
from webhook_runtime.sinks.postgres import PostgresDriver

logs.configure()
handler = Consumer.from_environment(DatabaseSink.from_environment(PostgresDriver)).handle
