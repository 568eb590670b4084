"""What a sender is told whose webhook was accepted."""

from dataclasses import dataclass

from cdk_scalable_webhook import checks
from cdk_scalable_webhook.arguments import typed


@typed
@dataclass(frozen=True)
class Acknowledgement:
    """The answer to an accepted webhook, where the sender wants another than 202 and ``{"id": …}``.

    Attributes:
        status: 200 to 299; 204 and 205 have no body. Default: 200.
        body: Up to 1 KiB of text, the same for every webhook. Default: nothing.
        content_type: The media type of the body, with parameters such as ``; charset=utf-8`` or without. Default:
            ``text/plain``.

    Raises:
        ValueError: A value is out of its limits.

    See: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-integration-settings-integration-response.html
    """

    status: int = 200
    body: str = ""
    content_type: str = "text/plain"

    def __post_init__(self) -> None:
        """Check the values."""
        checks.acknowledgement(self.status, self.body, self.content_type)
