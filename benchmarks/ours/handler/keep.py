"""A handler that does nothing, so that a cold start of it is that of the library."""

from webhook_runtime import Webhook


def handle(webhook: Webhook) -> None:
    """Keep nothing."""
