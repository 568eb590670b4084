"""The function behind ``Ingress.lambda_integration()``."""

from webhook_runtime import logs
from webhook_runtime.clients import client
from webhook_runtime.publisher import Publisher
from webhook_runtime.settings import PublisherSettings, SourceSettings
from webhook_runtime.source import Sources

logs.configure()
_sources = Sources.from_settings(SourceSettings.from_environment())
handler = Publisher(PublisherSettings.from_environment(), client("sqs"), _sources).handle
