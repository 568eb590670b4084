"""The function behind ``Sink.dynamodb()``."""

from webhook_runtime import logs
from webhook_runtime.clients import client
from webhook_runtime.consumer import Consumer, DeadLetters
from webhook_runtime.settings import ConsumerSettings, DynamoDBSettings
from webhook_runtime.sinks.dynamodb import DynamoDBSink

logs.configure()
_queue_url = ConsumerSettings.from_environment().dead_letter_queue_url
handler = Consumer(
    DynamoDBSink(DynamoDBSettings.from_environment(), client("dynamodb")),
    DeadLetters(client("sqs"), _queue_url) if _queue_url else None,
).handle
