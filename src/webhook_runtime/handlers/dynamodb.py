"""The function behind ``Sink.dynamodb()``."""

from webhook_runtime import logs
from webhook_runtime.clients import client
from webhook_runtime.consumer import Consumer
from webhook_runtime.contract.settings import DynamoDBSettings
from webhook_runtime.payloads import Payloads
from webhook_runtime.sinks.dynamodb import DynamoDBSink

logs.configure()
_settings = DynamoDBSettings.from_environment()
_payloads = Payloads.in_bucket(_settings.payload_bucket)
handler = Consumer.from_environment(DynamoDBSink(_settings, client("dynamodb"), _payloads)).handle
