"""The function behind ``Sink.data_api()``."""

from webhook_runtime import logs
from webhook_runtime.clients import client
from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.settings import DataApiSettings
from webhook_runtime.sinks.data_api import DataApiSink

logs.configure()
# A statement may take a while: the Data API itself gives it 45 seconds. It is not sent again while it may still run.
_rds_data = client("rds-data", read_timeout=20, attempts=1)
handler = Consumer.from_environment(DataApiSink(DataApiSettings.from_environment(), _rds_data)).handle
