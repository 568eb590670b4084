"""Known differences of the local AWS, by the id of a case and its endpoint."""

from collections.abc import Mapping

from scalable_webhook_cli.conformance.case import Locally

_FILTERS = "MiniStack's mapping knows neither $or nor equals-ignore-case, and takes a dot for a part of a name"
_PLATFORM = "MiniStack writes Lambda's own lines as text"
_GATEWAY_RESPONSE = Locally(
    {"answer_headers": {"access-control-allow-origin": None}},
    "the local API Gateway has no headers of gateway responses",
)

LOCALLY: Mapping[str, Mapping[str, Locally]] = {
    "payload.1-mib": {"Text": Locally({"status": 202}, "MiniStack does not count the attributes of a message")},
    "access.no-key": {"Keyed": _GATEWAY_RESPONSE},
    "access.wrong-key": {"Keyed": _GATEWAY_RESPONSE},
    **{
        f"filter.{name}": {"Filtered": Locally({"kept": False}, _FILTERS)}
        for name in ("dots", "ignore-case", "or", "or-exists")
    },
    "own.wrong-key": {"Own": Locally({"retried": False}, "MiniStack takes a wrong key for success")},
    "logs.lines": {
        name: Locally({"other lines": ["END", "REPORT", "START"]}, _PLATFORM) for name in ("Lambda", "Handler")
    },
    "logs.dropped": {"Dropped": Locally({"counted each": False}, "MiniStack counts nothing in logs")},
}
