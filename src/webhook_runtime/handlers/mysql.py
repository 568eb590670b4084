"""The function behind ``Sink.mysql()``."""

from webhook_runtime.consumer import handler_of
from webhook_runtime.sinks.database import DatabaseSink
from webhook_runtime.sinks.mysql import MySqlDriver

handler = handler_of(lambda: DatabaseSink.from_environment(MySqlDriver))
