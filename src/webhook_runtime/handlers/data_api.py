"""The function behind ``Sink.data_api()``."""

from webhook_runtime import logs
from webhook_runtime.clients import client
from webhook_runtime.consumer import Consumer
from webhook_runtime.settings import DataApiSettings
from webhook_runtime.sinks.data_api import DataApiSink

logs.configure()
# A statement may take a while: the Data API itself gives it 45 seconds.
_rds_data = client("rds-data", read_timeout=20)
handler = Consumer.from_environment(DataApiSink(DataApiSettings.from_environment(), _rds_data)).handle
