"""The function behind ``Ingress.lambda_integration()``."""

from webhook_runtime import logs
from webhook_runtime.clients import client
from webhook_runtime.filters import EventFilters
from webhook_runtime.publisher import Publisher
from webhook_runtime.settings import FilterSettings, PublisherSettings, SourceSettings
from webhook_runtime.verify import Verifier

logs.configure()
_verifier = Verifier.from_settings(SourceSettings.from_environment())
_event_filters = EventFilters.from_settings(FilterSettings.from_environment())
handler = Publisher(PublisherSettings.from_environment(), client("sqs"), _verifier, _event_filters).handle
