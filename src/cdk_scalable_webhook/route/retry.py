"""When a webhook that failed is tried again."""

from aws_cdk import Duration

from cdk_scalable_webhook.checks.types import typed
from cdk_scalable_webhook.checks.values import in_seconds, require_duration, require_known
from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.limits import MAX_DELAY_SECONDS

_LONGEST = Duration.hours(MAX_DELAY_SECONDS // 3600)

_INITIAL = Duration.seconds(30)
_MAXIMUM = Duration.minutes(15)


@typed
class Retry:
    """How long a webhook that failed waits before it is tried again: exponentially longer, with full jitter.

    After its n-th failure it waits for anything up to ``initial`` x 2^(n - 1), never above ``maximum``. How often it is
    tried is ``max_receive_count``. A sink that says when it wants to be asked again is asked then.

    See: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/

    The wait is the visibility timeout of the message.

    See: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
    """

    def __init__(self, *, initial: Duration | None = None, maximum: Duration | None = None) -> None:
        """Set the delays.

        Args:
            initial: The longest delay after the first failure: 1 second to 11 hours. Default: 30 seconds.
            maximum: The longest delay of all: ``initial`` to 11 hours. Default: 15 minutes, or ``initial`` where that
                is more.

        Raises:
            ValueError: A delay is out of its limits, or is known only at deployment.
        """
        self.initial: Duration = require_known("retry initial", initial) or _INITIAL
        require_duration("retry initial", self.initial, Duration.seconds(1), _LONGEST)
        usual = self.initial if in_seconds(self.initial) > in_seconds(_MAXIMUM) else _MAXIMUM
        self.maximum: Duration = require_known("retry maximum", maximum) or usual
        require_duration("retry maximum", self.maximum, self.initial, _LONGEST)

    def longest(self, max_receive_count: int) -> Duration:
        """How long all the delays of a webhook take together that is tried so often, if each is as long as it may be.

        Args:
            max_receive_count: How often it is tried: 1 to 1000.

        Returns:
            The sum of the longest delays.
        """
        return Duration.seconds(round(self._backoff.longest(max_receive_count)))

    def average(self, max_receive_count: int) -> Duration:
        """How long they take on average, and so how long an outage of the sink is survived.

        Args:
            max_receive_count: How often it is tried: 1 to 1000.

        Returns:
            Half of ``longest``.
        """
        return Duration.seconds(round(self._backoff.average(max_receive_count)))

    @property
    def _backoff(self) -> Backoff:
        return Backoff(in_seconds(self.initial), in_seconds(self.maximum))
