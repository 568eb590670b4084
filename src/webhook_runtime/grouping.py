"""The message group of a webhook, by a value that it has."""

from collections.abc import Mapping, Sequence

from webhook_runtime.contract.groups import group_of
from webhook_runtime.message import Webhook, has_too_many_values, parse_json


class Grouping:
    """``by`` is one of ``header``, ``field`` and ``mount``, with the name of the header, or the names of the field."""

    def __init__(self, by: Mapping[str, Sequence[str]]) -> None:
        ((self._kind, self._names),) = by.items()

    def group(self, webhook: Webhook) -> str | None:
        """Return the group of a webhook, or None if it does not have the value. Never raises, whatever the payload."""
        value = self._value(webhook)
        return group_of(value) if value else None

    def _value(self, webhook: Webhook) -> str | None:
        match self._kind:
            case "header":
                # Of a repeated header, the last value, which a mapping template also gets.
                values = [value for value in webhook.headers.get_all(self._names[0]) if value]
                return values[-1] if values else None
            case "field":
                return _field(webhook.body, self._names)
        return webhook.mount


def _field(payload: bytes, names: Sequence[str]) -> str | None:
    """Return a text, a number or a truth value of a JSON payload as text."""
    if has_too_many_values(payload):
        return None
    try:
        value = parse_json(payload)
    except ValueError:
        return None
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else None
