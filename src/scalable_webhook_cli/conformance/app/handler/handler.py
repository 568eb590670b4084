"""Do what a payload asks for."""

import time

from webhook_runtime import Permanent, Webhook

_SECONDS = 0.02


def handle(webhook: Webhook) -> None:
    """Handle one webhook, at a speed that makes batches overlap."""
    time.sleep(_SECONDS)
    match webhook.text:
        case "permanent":
            raise Permanent("as the payload asks")
        case "twice" if webhook.attempt <= 2:
            raise RuntimeError("as the payload asks, twice")
        case "always":
            raise RuntimeError("as the payload asks, always")
