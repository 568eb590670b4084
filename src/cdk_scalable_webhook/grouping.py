"""The value by which webhooks belong together, for their order or for their fair share of the queue."""

from collections.abc import Mapping, Sequence

from aws_cdk import Token

from cdk_scalable_webhook.checks.types import brief, typed
from cdk_scalable_webhook.checks.values import require_header_of_provider

_MAX_FIELD = 256


@typed
class GroupBy:
    """The value by which webhooks form groups, for ``QueueOptions(ordered=…)`` and ``QueueOptions(fair_by=…)``: the
    account of a customer, for example. It becomes the message group of SQS.

    SQS takes 128 printable ASCII characters without blanks. The publisher replaces any other value by its SHA-256. A
    direct integration replaces each other character by ``_``, and cuts the rest off, so two values may become one
    group.

    See: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagegroupid-property.html
    """

    def __init__(self, kind: str, *names: str) -> None:
        """Do not call this: use the static methods, which know each kind.

        Args:
            kind: One of ``header``, ``field`` and ``mount``.
            names: The name of the header, or the names of the field.
        """
        self._kind = kind
        self._names = names

    @staticmethod
    def header(name: str) -> "GroupBy":
        """Group by the value of a header. The client chooses it, unless the provider signs it.

        Args:
            name: The name, in any case, such as ``X-Shopify-Shop-Domain``: 1 to 128 letters, digits, hyphens or
                underscores. Of a repeated header the last value counts.

        Returns:
            The group; in a FIFO queue all webhooks without the header share one.

        Raises:
            ValueError: ``name`` is no name of a header, or that of one that API Gateway drops or writes.
        """
        require_header_of_provider("name of GroupBy.header()", name)
        return GroupBy("header", name.lower())

    @staticmethod
    def field(path: str) -> "GroupBy":
        """Group by a field of the JSON payload: a text, a number or a truth value. It needs the Lambda integration.

        Args:
            path: The names of the field, from the outer to the inner object, with dots between them, such as
                ``data.account``: 1 to 256 printable characters.

        Returns:
            The group; in a FIFO queue all webhooks without the field share one.

        Raises:
            ValueError: ``path`` is too long, has a name without a character, or is known only at deployment.
        """
        names = path.split(".")
        if Token.is_unresolved(path):
            raise ValueError(
                f"path of GroupBy.field() must be known at synth, got {brief(path)}, which only deployment knows; "
                "write it out, for example 'data.account'"
            )
        if not (len(path) <= _MAX_FIELD and path.isprintable() and all(names)):
            raise ValueError(
                f"path of GroupBy.field() must be 1 to {_MAX_FIELD} printable characters, with a name on each side of "
                f"a dot, got {brief(path)}; for example 'data.account'"
            )
        return GroupBy("field", *names)

    @staticmethod
    def mount() -> "GroupBy":
        """Group by the path of the endpoint, so that each ``add_source()`` is a group of its own.

        Returns:
            The group.
        """
        return GroupBy("mount")

    @property
    def header_name(self) -> str | None:
        """The header, in lower case. None: the value is not in a header."""
        return self._names[0] if self._kind == "header" else None

    @property
    def is_of_endpoint(self) -> bool:
        """Whether an endpoint has one group."""
        return self._kind == "mount"

    @property
    def needs_code(self) -> bool:
        """Whether only a function can find the value."""
        return self._kind == "field"

    def describe(self) -> Mapping[str, Sequence[str]]:
        """Describe the value for the function that sends to the queue.

        Returns:
            The kind and its names.
        """
        return {self._kind: self._names}


def has_one_group(by: GroupBy | None, *, fifo: bool) -> bool:
    """Tell whether all webhooks of an endpoint are in one group of a FIFO queue."""
    return fifo and (by is None or by.is_of_endpoint)
