"""The function behind ``Sink.dynamodb()``."""

from webhook_runtime.consumer import handler_of
from webhook_runtime.sinks.dynamodb import DynamoDBSink

handler = handler_of(DynamoDBSink.from_environment)
