"""The delays of retries."""

from aws_cdk import Duration

from cdk_scalable_webhook.checks.types import typed
from cdk_scalable_webhook.checks.values import HOUR, MINUTE, in_seconds, require_duration, require_known
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.limits import MAX_DELAY_SECONDS

_LONGEST = MAX_DELAY_SECONDS // HOUR * HOUR

_INITIAL = 30  # seconds
_MAXIMUM = 15 * MINUTE


@typed
class Retry:
    """The delay before a failed webhook is retried: exponential backoff with full jitter.

    After the n-th failure the delay is random, up to ``initial`` x 2^(n - 1), never above ``maximum``.
    ``max_receive_count`` is the number of tries. If a sink tells when to retry, as by ``Retry-After``, that is the
    delay.

    See: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/

    The delay is the visibility timeout of the message.

    See: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
    """

    def __init__(self, *, initial: Duration | None = None, maximum: Duration | None = None) -> None:
        """Set the delays.

        Args:
            initial: The longest delay after the first failure: 1 second to 11 hours. Default: 30 seconds.
            maximum: The longest delay of all: ``initial`` to 11 hours. Default: 15 minutes, or ``initial`` if that is
                more.

        Raises:
            ValueError: A delay is out of its limits, or is known only at deployment.
        """
        self.initial: Duration = require_known("retry initial", initial) or Duration.seconds(_INITIAL)
        require_duration("retry initial", self.initial, 1, _LONGEST)
        first = in_seconds(self.initial)
        self.maximum: Duration = require_known("retry maximum", maximum) or Duration.seconds(max(_MAXIMUM, first))
        require_duration("retry maximum", self.maximum, first, _LONGEST)

    def longest(self, max_receive_count: int) -> Duration:
        """Return the longest time that all delays of a webhook can take together.

        Args:
            max_receive_count: The number of tries: 1 to 1000.

        Returns:
            The sum of the longest delays.
        """
        return Duration.seconds(round(self._backoff.longest(max_receive_count)))

    def average(self, max_receive_count: int) -> Duration:
        """Return the time that all delays take on average, and so the outage of the sink that a webhook survives.

        Args:
            max_receive_count: The number of tries: 1 to 1000.

        Returns:
            Half of ``longest``.
        """
        return Duration.seconds(round(self._backoff.average(max_receive_count)))

    @property
    def _backoff(self) -> Backoff:
        return Backoff(in_seconds(self.initial), in_seconds(self.maximum))
