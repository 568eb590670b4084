"""Settings by their names alone, for tables: each belongs to the options class that has it."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from cdk_scalable_webhook import ApiOptions, ConsumerOptions, QueueOptions

_OPTIONS = {"api": ApiOptions, "queue": QueueOptions, "consumer": ConsumerOptions}


def grouped(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a ``ScalableWebhook`` with these settings."""
    left = dict(settings)
    for argument, options in _OPTIONS.items():
        given = {field.name: left.pop(field.name) for field in fields(options) if field.name in left}
        if given:
            assert argument not in left, f"{', '.join(given)} next to {argument}"
            left[argument] = options(**given)
    return left
