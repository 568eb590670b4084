"""The route of a message: queue, consumer and sink, with the throttle between queue and consumer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_cdk import Duration, Token
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk_scalable_webhook.checks.cdk import require_same_environment
from cdk_scalable_webhook.checks.values import require_unset
from cdk_scalable_webhook.common import CommonOptions
from cdk_scalable_webhook.endpoints import Dropping, Endpoint, dropping, unverified
from cdk_scalable_webhook.filters import count_dropped
from cdk_scalable_webhook.grouping import GroupBy
from cdk_scalable_webhook.packaging.function import require_room
from cdk_scalable_webhook.payloads import payload_bucket
from cdk_scalable_webhook.route import existing_queue
from cdk_scalable_webhook.route.breaker import CircuitBreaker, breaker_of, create_breaker
from cdk_scalable_webhook.route.consumer import (
    ConsumerOptions,
    create_consumer,
    environment_of,
    require_consumer,
    take_unverified_aside,
    timeout_of,
)
from cdk_scalable_webhook.route.queue import (
    QueueOptions,
    Timing,
    check_tries,
    create_queues,
    create_unverified_queue,
    existing_queues,
)
from cdk_scalable_webhook.route.rate import AdaptiveRate, pace_settings
from cdk_scalable_webhook.route.retry import Retry
from cdk_scalable_webhook.route.sink import Sink
from cdk_scalable_webhook.route.throttle import (
    check_fairness,
    concurrency_of,
    require_batching,
    stop_filtering,
    throttle,
)
from cdk_scalable_webhook.sources.source import Source, count_mismatched

if TYPE_CHECKING:  # importing it slows each synth
    from aws_cdk import aws_s3 as s3

# The bytes reserved for the other variables of a consumer, with any sink.
_OTHER_VARIABLES = 1000


class Route(Construct):
    """A queue with its consumer and sink. The arguments are those of ``ScalableWebhook``; ``endpoints`` has the first
    endpoint, by its path."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        endpoints: Mapping[str, Endpoint],
        queue: sqs.IQueue | QueueOptions,
        consumer: lambda_.Function | ConsumerOptions,
        sink: Sink | None,
        retry: Retry | None,
        large_payloads: "bool | s3.IBucket",
        max_concurrency: int | None,
        batch_size: int,
        max_batching_window: Duration | None,
        max_delivery_rate: float | AdaptiveRate | None,
        breaker: CircuitBreaker | bool,
        enabled: bool,
        common: CommonOptions,
    ) -> None:
        super().__init__(scope, id)
        self._endpoints = dict(endpoints)
        existing = None if isinstance(queue, QueueOptions) else queue
        own_consumer = not isinstance(consumer, ConsumerOptions)
        self._drops = dropping(endpoints, own_consumer=own_consumer)
        max_concurrency = concurrency_of(max_concurrency, queue)
        fifo = existing.fifo if existing is not None else _is_fifo(queue, max_concurrency)
        require_batching(batch_size, max_batching_window, fifo=fifo)
        require_consumer(self, consumer, existing, max_concurrency)
        require_same_environment(self, queue=existing, large_payloads=large_payloads)
        if own_consumer:
            require_unset(
                "consumer",
                "leave {them} out, or leave consumer out",
                sink=sink,
                retry=retry,
                max_delivery_rate=max_delivery_rate,
            )
            if isinstance(queue, QueueOptions):
                require_unset("consumer", "leave {them} out", unverified_queue=queue.unverified_queue)
            else:
                require_unset("queue and consumer", encryption_key=common.encryption_key)

        retry = retry or Retry()
        self.retry: Retry | None = None if own_consumer else retry
        self.max_concurrency: int = max_concurrency
        timing = Timing(timeout_of(consumer), max_batching_window, self.retry)
        if isinstance(queue, QueueOptions):
            if queue.fair_by is not None:
                check_fairness(self, max_concurrency=max_concurrency, batch_size=batch_size)
            queues = create_queues(self, queue, timing, common, fifo=fifo)
        else:
            queues = existing_queues(self, queue, timing)
        self.sink: Sink | None = None if own_consumer else sink or Sink.dynamodb()
        retention = queues.retention
        circuit = breaker_of(breaker, self.sink, queues.max_receive_count, retention)
        check_tries(self, self.retry, queues.max_receive_count, retention, breaks=circuit is not None)
        self.queue: sqs.IQueue = queues.queue
        self.group_by: GroupBy | None = queue.group_by if isinstance(queue, QueueOptions) else None
        self.dead_letter_queue: sqs.IQueue | None = queues.dead_letter_queue
        self._queues = queues
        self.payload_bucket: s3.IBucket | None = payload_bucket(self, large_payloads, queues, common)

        if isinstance(consumer, ConsumerOptions):
            assert self.sink
            consumer = create_consumer(
                self,
                consumer,
                queues=queues,
                sink=self.sink,
                max_concurrency=max_concurrency,
                pace=pace_settings(
                    self,
                    max_delivery_rate,
                    max_concurrency=max_concurrency,
                    batch_size=batch_size,
                    timeout=timing.timeout,
                ),
                retry=retry,
                breaker=circuit,
                endpoints=endpoints,
                event_filters=self._drops.consumer,
                payload_bucket=self.payload_bucket,
                common=common,
            )
        self.consumer: lambda_.Function = consumer
        self.unverified_queue: sqs.IQueue | None = None
        self._given_unverified_queue = queue.unverified_queue if isinstance(queue, QueueOptions) else None
        self._common = common
        if any(unverified(endpoints).values()):
            self._take_unverified_aside()
        self.event_source_mapping: lambda_.EventSourceMapping = throttle(
            self,
            queue=self.queue,
            consumer=self.consumer,
            max_concurrency=max_concurrency,
            batch_size=batch_size,
            max_batching_window=max_batching_window,
            event_filters=self._drops.mapping,
            enabled=enabled,
        )
        self.breaker: lambda_.Function | None = None
        if circuit is not None:
            self.breaker = create_breaker(
                self, circuit, mapping=self.event_source_mapping, consumer=self.consumer, common=common
            )
        self._is_counted_by_mapping = False

    @property
    def outage_tolerance(self) -> Duration | None:
        """The time that the sink may be down; None if only the consumer or deployment knows it."""
        tries, retention = self._queues.max_receive_count, self._queues.retention
        if self.breaker is not None:
            return None if retention is None else Duration.seconds(retention)
        if self.retry is None or tries is None or Token.is_unresolved(tries):
            return None
        return self.retry.average(int(tries))

    @property
    def retention(self) -> float | None:
        """The seconds for which the queue keeps a webhook; None if that is not known."""
        return self._queues.retention

    @property
    def dead_letter_retention(self) -> float | None:
        """The same for the dead-letter queue."""
        return None if self.dead_letter_queue is None else existing_queue.retention_of(self.dead_letter_queue)

    @property
    def filters(self) -> bool:
        """Whether one of the endpoints has filters."""
        return any(each.filters for each in self._endpoints.values())

    def filtering_mapping(self) -> lambda_.EventSourceMapping | None:
        """Return the event source mapping if it drops. From then on no other part may drop, since the metric is its."""
        self._is_counted_by_mapping = self._drops.mapping is not None
        return self.event_source_mapping if self._is_counted_by_mapping else None

    def plan(self, mount: str, endpoint: Endpoint) -> "Addition":
        """Plan to take the webhooks of one more endpoint.

        Raises:
            ValueError: The consumer cannot verify or filter them.
        """
        endpoints = {**self._endpoints, mount: endpoint}
        drops = dropping(endpoints, own_consumer=self.sink is None)
        if self._is_counted_by_mapping and drops.mapping is None:
            raise ValueError(
                "metric_dropped() must be called after add_source() if event_filters then differ between "
                "endpoints, got it before, so it counts in another place; move it behind the last add_source()"
            )
        variables = environment_of(endpoints, drops.consumer)
        remedy = "shorten them"
        if endpoint.source is not None:
            remedy = f"take Ingress.lambda_integration(), whose function has its own source alone, or {remedy}"
        require_room(variables, others=_OTHER_VARIABLES, remedy=remedy)
        stops = [self.event_source_mapping] if self._drops.mapping and drops.mapping is None else []
        return Addition(endpoint.source, endpoints, drops, variables, stops)

    def add(self, addition: "Addition") -> None:
        """Take the webhooks of a planned endpoint."""
        if addition.source is not None:
            addition.source.grant_read(self.consumer)
            count_mismatched(self.consumer, self.queue, [addition.source])
            self._take_unverified_aside()
        for name, value in addition.variables.items():
            self.consumer.add_environment(name, value)
        if addition.drops.consumer and not self._drops.consumer:
            count_dropped(self.consumer, self.queue)
        for mapping in addition.stops:
            stop_filtering(mapping)
        self._endpoints, self._drops = addition.endpoints, addition.drops

    def _take_unverified_aside(self) -> None:
        """Let the consumer move webhooks that fail verification to their queue."""
        if self.unverified_queue is None:
            self.unverified_queue = self._given_unverified_queue or create_unverified_queue(self, self._common)
            take_unverified_aside(self.consumer, self.unverified_queue, self.queue)


def _is_fifo(queue: sqs.IQueue | QueueOptions, max_concurrency: int) -> bool:
    """Tell whether a new queue is a FIFO queue: only that keeps an order, or has one batch at a time."""
    return max_concurrency == 1 or (isinstance(queue, QueueOptions) and bool(queue.ordered))


@dataclass(frozen=True)
class Addition:
    """One more endpoint of a queue.

    Attributes:
        source: The source that the consumer has to verify; None if there is none.
        endpoints: All endpoints then.
        drops: The filters of mapping and consumer then.
        variables: The environment of the consumer then.
        stops: Mappings that drop by the filters of other endpoints, and have to stop before this one opens.
    """

    source: Source | None
    endpoints: dict[str, Endpoint]
    drops: Dropping
    variables: Mapping[str, str]
    stops: Sequence[lambda_.EventSourceMapping]
