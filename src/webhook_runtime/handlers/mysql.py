"""The function behind ``Sink.mysql()``."""

from webhook_runtime import logs
from webhook_runtime.consumer import Consumer
from webhook_runtime.sinks.database import DatabaseSink
from webhook_runtime.sinks.mysql import MySqlDriver

logs.configure()
handler = Consumer.from_environment(DatabaseSink.from_environment(MySqlDriver)).handle
