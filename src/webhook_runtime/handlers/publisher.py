"""The function behind ``Ingress.lambda_integration()``."""

from webhook_runtime import logs
from webhook_runtime.clients import client
from webhook_runtime.publisher import Publisher
from webhook_runtime.settings import PublisherSettings

logs.configure()
handler = Publisher(PublisherSettings.from_environment(), client("sqs")).handle
