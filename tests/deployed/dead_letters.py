"""Messages of the dead-letter queue, as tests count them."""

from typing import Any


def each_once(dead_letters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Drop duplicates: SQS may be slow to confirm a message, which is then sent twice."""
    return list(
        {(each["Body"], str(each.get("MessageAttributes", {}).get("webhook"))): each for each in dead_letters}.values()
    )
