"""Unsigned requests by which a provider verifies the endpoint."""

from collections.abc import Sequence

from cdk_scalable_webhook.checks.types import typed
from cdk_scalable_webhook.checks.values import require_text

# Characters. They go into a function's environment.
MAX_FIELD = 256


@typed
class Probe:
    """An unsigned request by which a provider verifies the endpoint, for ``Source.hmac(probe=…)`` and
    ``Source.token(probe=…)``. It gets a 200, and is never queued.

    See: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """

    def __init__(self, kind: str, *arguments: str) -> None:
        """Do not call this: use the static methods, which know each kind.

        Args:
            kind: One of ``webhook_runtime.sources.handshakes.KINDS``.
            arguments: The arguments of that kind.
        """
        self._kind = kind
        self._arguments = arguments

    @staticmethod
    def head() -> "Probe":
        """Answer a HEAD, such as Trello's and Intercom's.

        Returns:
            The probe.
        """
        return Probe("head")

    @staticmethod
    def echo(parameter: str) -> "Probe":
        """Answer a GET with the text of a parameter of its query, such as Dropbox's ``challenge``.

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
        """Answer a form with only one field, such as WooCommerce's ``webhook_id``.

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
        """Describe the probe for the function that answers it.

        Returns:
            The kind and its arguments.
        """
        return [self._kind, *self._arguments]
