"""Dead letters as tests count them."""

from typing import Any


def each_once(letters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One that was sent twice, since SQS was slow to say that it had it, is one letter."""
    return list(
        {(each["Body"], str(each.get("MessageAttributes", {}).get("webhook"))): each for each in letters}.values()
    )
