"""The function behind ``Ingress.lambda_integration()``."""

from webhook_runtime import logs
from webhook_runtime.clients import client
from webhook_runtime.contract.settings import FilterSettings, PublisherSettings, SourceSettings
from webhook_runtime.filters import EventFilters
from webhook_runtime.payloads import Payloads
from webhook_runtime.publisher import Publisher
from webhook_runtime.sources.source import Sources

logs.configure()
_sources = Sources.from_settings(SourceSettings.from_environment())
_event_filters = EventFilters.from_settings(FilterSettings.from_environment())
_settings = PublisherSettings.from_environment()
_payloads = Payloads.in_bucket(_settings.payload_bucket)
handler = Publisher(_settings, client("sqs"), _sources, _event_filters, _payloads).handle
