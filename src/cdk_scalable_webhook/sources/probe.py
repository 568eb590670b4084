"""What a provider sends unsigned, to see whether somebody is there."""

from collections.abc import Sequence

from cdk_scalable_webhook.checks.types import typed
from cdk_scalable_webhook.checks.values import require_text

# Characters. They go into a function's environment.
MAX_FIELD = 256


@typed
class Probe:
    """A request that a sender sends unsigned, to see whether somebody is there, for ``Source.hmac(probe=…)`` and
    ``Source.token(probe=…)``. Whoever sends it is answered by 200, and it is never queued.

    See: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """

    def __init__(self, kind: str, *arguments: str) -> None:
        """Not called by itself: the static methods know each kind.

        Args:
            kind: Of ``webhook_runtime.sources.handshakes.KINDS``.
            arguments: What that is made of.
        """
        self._kind = kind
        self._arguments = arguments

    @staticmethod
    def head() -> "Probe":
        """A HEAD, as Trello's and Intercom's.

        Returns:
            The probe.
        """
        return Probe("head")

    @staticmethod
    def echo(parameter: str) -> "Probe":
        """A GET whose query has a parameter that has to come back as text, as Dropbox's ``challenge``.

        Args:
            parameter: Its name, up to 256 characters.

        Returns:
            The probe.

        Raises:
            ValueError: ``parameter`` is too long or not printable.
        """
        require_text("parameter", parameter, MAX_FIELD, "challenge")
        return Probe("echo", parameter)

    @staticmethod
    def form(field: str) -> "Probe":
        """A form with one field and no other, as WooCommerce's ``webhook_id``.

        Args:
            field: Its name, up to 256 characters.

        Returns:
            The probe.

        Raises:
            ValueError: ``field`` is too long or not printable.
        """
        require_text("field", field, MAX_FIELD, "webhook_id")
        return Probe("form", field)

    def describe(self) -> Sequence[str]:
        """Tell the function that answers what it has to know.

        Returns:
            The kind, and what it is made of.
        """
        return [self._kind, *self._arguments]
