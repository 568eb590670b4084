"""The function behind ``Sink.dynamodb()``."""

from webhook_runtime import logs
from webhook_runtime.clients import client
from webhook_runtime.consumer import Consumer
from webhook_runtime.settings import DynamoDBSettings
from webhook_runtime.sinks.dynamodb import DynamoDBSink

logs.configure()
handler = Consumer.from_environment(DynamoDBSink(DynamoDBSettings.from_environment(), client("dynamodb"))).handle
