"""The construct: endpoints in an API, and the route from their queue to the sink."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import jsii
from aws_cdk import Annotations, CfnOutput, Duration, RemovalPolicy
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk_scalable_webhook import grants
from cdk_scalable_webhook.acknowledgement import Acknowledgement
from cdk_scalable_webhook.alarms import AlarmOptions, create_alarms
from cdk_scalable_webhook.checks.cdk import require_place, require_same_environment
from cdk_scalable_webhook.checks.types import typed
from cdk_scalable_webhook.checks.values import require_header_of_provider
from cdk_scalable_webhook.common import CommonOptions
from cdk_scalable_webhook.endpoint.api import mount_of
from cdk_scalable_webhook.endpoint.front import Front, RestApiFront, UrlFront
from cdk_scalable_webhook.endpoint.ingress import Ingress, IngressOptions, RestApiIngress
from cdk_scalable_webhook.endpoint.options import ApiOptions
from cdk_scalable_webhook.endpoints import Endpoint
from cdk_scalable_webhook.filters import EventFilters, metric_dropped
from cdk_scalable_webhook.grouping import has_one_group
from cdk_scalable_webhook.monitoring import require_period
from cdk_scalable_webhook.payloads import require_code_at_both_ends
from cdk_scalable_webhook.route.breaker import CircuitBreaker, metric_paused, metric_sink_down
from cdk_scalable_webhook.route.consumer import ConsumerOptions, metric_unverified, metric_webhook_age
from cdk_scalable_webhook.route.queue import QueueOptions
from cdk_scalable_webhook.route.rate import AdaptiveRate
from cdk_scalable_webhook.route.retry import Retry
from cdk_scalable_webhook.route.route import Route
from cdk_scalable_webhook.route.sink import Sink
from cdk_scalable_webhook.sources.source import Source, metric_mismatched
from cdk_scalable_webhook.stack import watch
from webhook_runtime.contract import outputs

if TYPE_CHECKING:  # importing these slows each synth
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_s3 as s3
    from aws_cdk import aws_sns as sns
    from aws_cdk import aws_wafv2 as wafv2


@typed
@jsii.implements(iam.IGrantable)
class ScalableWebhook(Construct):
    """A webhook endpoint that does not overload the backend behind it.

    API Gateway answers 202 to a request once it is in a queue. A consumer processes the queue, at most
    ``max_concurrency`` batches at a time, and stores each webhook once. No accepted webhook is lost: one that cannot
    be stored moves to the dead-letter queue.

    There are two limits. The API *rejects* requests above ``throttling_rate_limit`` of ``ApiOptions``, with 429. The
    consumer *delays* messages: ``max_concurrency``.

    Example:
        ```python
        ScalableWebhook(self, "Webhook")
        ```
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        source: Source | None = None,
        sink: Sink | None = None,
        max_concurrency: int | None = None,
        batch_size: int = 10,
        max_batching_window: Duration | None = None,
        max_delivery_rate: float | AdaptiveRate | None = None,
        retry: Retry | None = None,
        breaker: CircuitBreaker | bool = True,
        enabled: bool = True,
        event_filters: Sequence[Mapping[str, object]] | None = None,
        path: str = "/",
        ingress: Ingress | None = None,
        acknowledgement: Acknowledgement | None = None,
        delivery_id_header: str | None = None,
        cors: apigateway.CorsOptions | None = None,
        large_payloads: "bool | s3.IBucket" = False,
        api: apigateway.RestApi | ApiOptions | None = None,
        queue: sqs.IQueue | QueueOptions | None = None,
        consumer: lambda_.Function | ConsumerOptions | None = None,
        encryption_key: kms.IKey | kms.Key | None = None,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
        removal_policy: RemovalPolicy | None = None,
        tracing: lambda_.Tracing | None = None,
    ) -> None:
        """Create the endpoint.

        ``source``, ``event_filters``, ``path``, ``ingress``, ``acknowledgement``, ``delivery_id_header`` and ``cors``
        apply to this endpoint alone. ``add_source()`` adds endpoints with settings of their own.

        Args:
            scope: The stack, or the construct that this one belongs to.
            id: The id within the scope.
            source: The provider: a request without its signature is rejected, and its own event id makes a delivery
                unique. Default: anyone may send.
            sink: The destination that webhooks are stored in. Not together with an existing ``consumer`` function.
                Default: ``Sink.dynamodb()``, a new table.
            max_concurrency: The number of batches that the consumer works on at a time, and so of busy connections to
                the sink: 1 to 1000. With 1 the new queue is a FIFO queue with one group. Webhooks are then stored in
                their order, and one that has to be retried holds the others. A change from or to 1 replaces the queue,
                and deletes the webhooks in it. For some minutes after a deployment, up to as many idle connections of
                retired Lambda environments may remain. Default: 2; 1 with ``QueueOptions(ordered=True)``.
                See: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
            batch_size: The maximum number of messages in a batch: 1 to 10,000, with a FIFO queue 1 to 10. Above 10 it
                needs a ``max_batching_window``. Default: 10.
            max_batching_window: The time to wait for a batch to fill, up to 5 minutes. Default: no waiting.
            max_delivery_rate: The webhooks a second that the sink is asked for at most, retries included: 0.01 to
                100,000. Or an ``AdaptiveRate``, which follows the sink. A batch that is done early waits until its
                webhooks have had their time, so the consumer is billed for it. ``batch_size`` x ``max_concurrency`` /
                rate has to fit into ``timeout`` - 5 seconds. Not together with an existing ``consumer`` function.
                Default: as fast as the sink answers.
            retry: The delay before a failed webhook is retried. Not together with an existing ``consumer`` function.
                Default: ``Retry()``: up to 30 seconds at first, twice as long each time, 15 minutes at most. Together
                with ``max_receive_count`` it decides how long the sink may be down: ``outage_tolerance``.
            breaker: The pause while the sink is down, in which no webhook uses up a try: the sink may then be down for
                as long as the queue keeps webhooks. ``True`` stands for ``CircuitBreaker()`` where the sink has
                outages and can be pinged: a database, an HTTP service, or a handler whose module has ``def ping()``.
                With DynamoDB, an existing ``consumer`` function or a ``max_receive_count`` of 1 it stands for none. A
                deployment that changes the event source mapping resumes the webhook, until the sink is probed again.
                Default: ``True``.
            enabled: Whether the consumer gets webhooks. If not, the endpoint accepts them, and they wait in the queue,
                for at most its ``retention_period``. ``scalable-webhook pause`` and ``resume`` change it without a
                deployment. A later deployment that changes the event source mapping sets it back. Default: it does.
                See: https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
            event_filters: The webhooks to keep: 1 to 5 patterns in the syntax of Lambda's event filters, of which one
                has to match. ``headers`` looks at headers, whose names are in any case, ``body`` at the fields of a
                JSON payload. Other webhooks get the same answer, and are dropped before the sink. Filters are part of
                the template, so put no secret into them. Default: all webhooks are kept.
                See: https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html#filtering-syntax
            path: The path of the endpoint in the API, such as ``/hooks/github``. It serves every path below as well,
                and stores the path with the webhook. An id belongs to its endpoint: after a change of the path, a
                repeated delivery is stored again. In an existing ``api`` the path must have no POST method, and no
                variable below it; its other methods keep working. Default: ``/``, so every path.
            ingress: The way in which a request becomes a message. Default: ``Ingress.lambda_integration()``.
            acknowledgement: The answer to an accepted webhook. Default: the one that the provider expects, such as 200
                for Zoom; else 202 and ``{"id": …}``.
            delivery_id_header: The header whose value makes a delivery unique, such as ``Idempotency-Key``: two
                requests with the same value are stored once. Not together with a ``source`` that gives its deliveries
                an id. Default: the id of the source; else each request is a delivery of its own, and is stored once
                even if SQS delivers it more often.
            cors: The origin, one or ``*``, whose pages may send from a browser. ``OPTIONS`` is then a preflight, and no
                webhook. In an existing ``api`` it applies to the endpoint itself; API Gateway's own answers there
                have the headers of your gateway responses. Default: the one origin of the preflights that ``api`` has
                by default; else none, and no answer has CORS headers.
                See: https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-cors.html
            large_payloads: Whether a payload larger than a message (1 MiB) goes through S3, up to the 6 MB of a Lambda
                event. ``True`` creates a bucket: encrypted, for TLS only, closed to the public. A payload in flight is
                deleted when it is stored, at the latest once no message can refer to it any more. A removal policy
                of DESTROY deletes the bucket only when it is empty. The lifecycle of an existing bucket has to keep
                ``queued/`` for at least the retention of the queue, the dead-letter queue and the queue again: 23 days
                with the defaults. The consumer may list its keys. Needs the Lambda integration and a sink; a consumer
                in a VPC has to reach S3. Default: a larger payload is answered with 413.
            api: The settings of the new REST API; or an existing REST API of this stack to add the endpoint to, which
                keeps its throttling, stage and access logs. To carry any bytes it needs
                ``binary_media_types=["*/*"]``. The defaults of its resources, such as an authorizer or preflights,
                apply to the endpoint too. Default: ``ApiOptions()``, a new regional API.
            queue: The settings of the new queue; or an existing queue, standard or FIFO. The policy of a queue of
                another account has to permit the actions that are granted here. An imported queue with a key of its own
                has to name it (``from_queue_attributes(key_arn=…)``). If this webhook had a queue of its own before,
                CloudFormation deletes it with its messages. Default: ``QueueOptions()``, a new, encrypted standard
                queue for TLS only.
            consumer: The settings of the function that comes with the sink; or an existing function, in any language,
                that gets the batches instead of a sink. It answers with ``batchItemFailures``; an exception fails the
                whole batch. It has to be in the stack of the queue. Default: ``ConsumerOptions()``, the function of the
                sink.
                See: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
            encryption_key: The key for queues, table and bucket. After a change of the key, messages and payloads in
                flight stay encrypted with the old one: let the webhook decrypt with it until they are gone. Default:
                encrypted with keys that AWS owns.
            log_retention: The time for which the logs of functions and API are kept. Default: one month.
            removal_policy: The fate of table, queues, bucket and log groups when the stack is deleted; none of them has
                snapshots. Default: the CDK's own for each: table, bucket and log groups stay, queues are deleted.
            tracing: X-Ray tracing of functions and API. Default: none.

        Raises:
            ValueError: An argument is of another type or out of its limits, or two of them contradict each other. The
                message names the argument, the limit, the value and the remedy.
        """
        require_place(scope, id)
        super().__init__(scope, id)
        common = CommonOptions(
            encryption_key=encryption_key, log_retention=log_retention, removal_policy=removal_policy, tracing=tracing
        )
        require_same_environment(self, encryption_key=encryption_key)
        self._ingress = ingress or Ingress.lambda_integration()
        self._path = mount_of(path)
        self._source = source
        delivery_id_header = _delivery_id_header(delivery_id_header, source)
        consumer = consumer or ConsumerOptions()
        own_consumer = not isinstance(consumer, ConsumerOptions)
        if source is not None:
            _require_verifier(self._ingress, own_consumer=own_consumer)
        if large_payloads:
            require_code_at_both_ends(ingress_takes_them=self._ingress.takes_large_payloads, own_consumer=own_consumer)
        endpoint = _endpoint(self._ingress, source, event_filters)
        # A child called Default does not change the logical ids of its own children.
        self._route = Route(
            self,
            "Default",
            endpoints={self._path: endpoint},
            queue=queue or QueueOptions(),
            consumer=consumer,
            sink=sink,
            retry=retry,
            large_payloads=large_payloads,
            max_concurrency=max_concurrency,
            batch_size=batch_size,
            max_batching_window=max_batching_window,
            max_delivery_rate=max_delivery_rate,
            breaker=breaker,
            enabled=enabled,
            common=common,
        )

        self._front: Front = (
            RestApiFront(
                self,
                ApiOptions() if api is None else api,
                cors,
                self._ingress,
                mount=self._path,
                one_group=has_one_group(self._route.group_by, fifo=self._route.queue.fifo),
                common=common,
            )
            if isinstance(self._ingress, RestApiIngress)
            else UrlFront(api, cors)
        )
        # The options that all endpoints share.
        self._options = partial(
            IngressOptions,
            webhook=self,
            queue=self._route.queue,
            payload_bucket=self._route.payload_bucket,
            group_by=self._route.group_by,
            common=common,
        )
        self._alarms: dict[str, cloudwatch.Alarm] = {}
        options = self._options(
            mount=self._path,
            source=source,
            delivery_id_header=delivery_id_header,
            event_filters=endpoint.of_ingress,
            acknowledgement=acknowledgement,
        )
        self._front.open(self, self._ingress, options, endpoint)
        CfnOutput(
            self,
            "EventSourceMapping",
            value=self.event_source_mapping.event_source_mapping_id,
            description=outputs.described(outputs.MAPPING, self.node.path),
        )
        watch(self)
        if source is None and self._front.asks_nobody:
            Annotations.of(self).add_warning_v2(
                "cdk-scalable-webhook:missingSource",
                "source should name the provider, got none: anyone who knows the URL may send. Set source=Source.…(), "
                "or silence this warning: "
                "Annotations.of(webhook).acknowledge_warning('cdk-scalable-webhook:missingSource').",
            )

    def add_source(
        self,
        path: str,
        source: Source,
        *,
        ingress: Ingress | None = None,
        event_filters: Sequence[Mapping[str, object]] | None = None,
        acknowledgement: Acknowledgement | None = None,
        delivery_id_header: str | None = None,
    ) -> str:
        """Add another provider, at an endpoint of its own: the same API, queue, consumer and sink.

        A handler distinguishes endpoints by ``webhook.mount``, which is ``path``. Each endpoint has its own check: a
        request signed by one provider is rejected at the endpoint of another. The ``source``, ``event_filters``,
        ``delivery_id_header``, ``acknowledgement`` and ``cors`` of the webhook's own endpoint do not apply here.
        ``ApiOptions`` apply to every endpoint. An id belongs to its endpoint: the same id of two providers is two
        webhooks. Each is stored by ``webhook.key``, which has the path and the id.

        Args:
            path: The path of the endpoint in the API, such as ``/hooks/stripe``, with every path below.
            source: The provider.
            ingress: The way in which a request becomes a message. A direct integration answers 413 to a payload larger
                than a message, even with ``large_payloads``. Default: that of the webhook.
            event_filters: The webhooks of this endpoint to keep, 1 to 5 filters as those of ``ScalableWebhook``.
                Default: all webhooks of this endpoint.
            acknowledgement: The answer to an accepted webhook at this endpoint. Default: the one that the provider
                expects, such as 200 for Zoom; else 202 and ``{"id": …}``.
            delivery_id_header: The header whose value makes a delivery unique, for a source that gives its deliveries
                no id. Default: the source's own id, else each request is a delivery of its own.

        Returns:
            The URL to give to the provider. If ``api`` has no stage yet, a token of the URL.

        Raises:
            ValueError: ``path`` is taken, an argument is out of its limits, or the ingress does not suit the source,
                the API or the consumer. The message names the endpoint.
        """
        mount = mount_of(path)
        id = f"Source {mount.strip('/') or mount}"
        with _of_endpoint(mount):
            if self.node.try_find_child("Dashboard") is not None:
                raise ValueError(
                    "source must be added before add_dashboard(), got it behind, so the dashboard would not show it; "
                    "move add_dashboard() behind the last add_source()"
                )
            if self._alarms and isinstance(self._front, UrlFront):
                raise ValueError(
                    "source must be added before add_alarms(), got it behind, so no alarm would watch its URL; move "
                    "add_alarms() behind the last add_source()"
                )
            if self.node.try_find_child(id) is not None:
                raise ValueError(
                    f"path must be free in api, got {mount!r}, which another source has already; take another path"
                )
            ingress = ingress or self._ingress
            delivery_id_header = _delivery_id_header(delivery_id_header, source)
            _require_verifier(ingress, own_consumer=self.sink is None)
            self._front.require(ingress)
            if not ingress.verifies and (source.code or source.packages):
                raise ValueError(
                    "source must not be Source.custom() at a further endpoint whose ingress does not verify, got one; "
                    "take ingress=Ingress.lambda_integration(), or give it to the ScalableWebhook itself"
                )
            endpoint = _endpoint(ingress, source, event_filters)
            addition = self._route.plan(mount, endpoint)
            options = self._options(
                mount=mount,
                source=source,
                delivery_id_header=delivery_id_header,
                event_filters=endpoint.of_ingress,
                acknowledgement=acknowledgement,
            )
            self._front.open(Construct(self, id), ingress, options, endpoint, addition.stops)
            self._route.add(addition)
        return self._front.url_of(mount)

    @property
    def url(self) -> str:
        """The URL to give to the provider: every method, and every path below it. It has the domain of ``api``, or else
        API Gateway's own host name.

        Raises:
            RuntimeError: While it is resolved: ``api`` has neither a stage nor a domain that it knows.
        """
        return self._front.url_of(self._path)

    @property
    def api(self) -> apigateway.RestApi:
        """The REST API with the endpoints in it.

        Raises:
            ValueError: The ingress has an address of its own, so there is none.
        """
        return self._front.api

    @property
    def api_key(self) -> apigateway.IApiKey | None:
        """The key that a request needs. None if it needs none."""
        return self._front.api_key

    @property
    def usage_plan(self) -> apigateway.UsagePlan | None:
        """The plan of ``api_key``, for more keys: ``usage_plan.add_api_key(key)``. None if a request needs no key."""
        return self._front.usage_plan

    @property
    def web_acl(self) -> "wafv2.CfnWebACL | None":
        """The web ACL in front of the API. None if it has none."""
        return self._front.web_acl

    @property
    def publisher(self) -> lambda_.Function | None:
        """The function between API Gateway and the queue at the webhook's own endpoint. None if API Gateway writes to
        the queue by itself."""
        return self._front.publishers.get(self._path)

    @property
    def publishers(self) -> Mapping[str, lambda_.Function]:
        """The functions between API Gateway and the queue, by the path of their endpoint, those of ``add_source()``
        included."""
        return self._front.publishers

    @property
    def queue(self) -> sqs.IQueue:
        """The queue between the endpoints and the consumer."""
        return self._route.queue

    @property
    def dead_letter_queue(self) -> sqs.IQueue | None:
        """The queue for webhooks that could not be stored. None with an existing queue whose own is not known."""
        return self._route.dead_letter_queue

    @property
    def unverified_queue(self) -> sqs.IQueue | None:
        """The queue for webhooks that fail verification. None if every endpoint with a source verifies by itself."""
        return self._route.unverified_queue

    @property
    def payload_bucket(self) -> "s3.IBucket | None":
        """The bucket for payloads larger than a message. None without ``large_payloads``."""
        return self._route.payload_bucket

    @property
    def consumer(self) -> lambda_.Function:
        """The function that takes webhooks from the queue to the sink."""
        return self._route.consumer

    @property
    def event_source_mapping(self) -> lambda_.EventSourceMapping:
        """The throttle: it delivers the queue to the consumer. While it is disabled, webhooks wait in the queue."""
        return self._route.event_source_mapping

    @property
    def breaker(self) -> lambda_.Function | None:
        """The function that pauses the webhook while the sink is down. None without a circuit breaker."""
        return self._route.breaker

    @property
    def sink(self) -> Sink | None:
        """The destination that webhooks are stored in. None with an existing consumer."""
        return self._route.sink

    @property
    def outage_tolerance(self) -> Duration | None:
        """The time that the sink may be down. With a circuit breaker: the ``retention_period`` of the queue, before SQS
        deletes webhooks. Without: before they move to the dead-letter queue, the average that ``retry`` and
        ``max_receive_count`` take together. None with an existing consumer, or if it is known at deployment only."""
        return self._route.outage_tolerance

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The consumer: a permission that is granted to the webhook is granted to it."""
        return self._route.consumer.grant_principal

    def grant_invoke(self, grantee: iam.IGrantable) -> iam.Grant:
        """Permit sending webhooks if ``iam_authorization`` is on: to every endpoint that exists by now, and to every
        path below it.

        Args:
            grantee: The principal that signs the requests. One of another account needs the permission there as well.

        Returns:
            The grant of ``execute-api:Invoke``.

        Raises:
            ValueError: ``iam_authorization`` is off, so no caller needs a permission.
        """
        return self._front.grant_invoke(grantee)

    def grant_pause(self, grantee: iam.IGrantable) -> iam.Grant:
        """Permit pausing and resuming the consumer, and changing its concurrency: ``scalable-webhook pause``.

        Args:
            grantee: The principal, such as the role of an operator. To find a webhook by its name, it needs
                ``cloudformation:DescribeStacks`` as well.

        Returns:
            The grant of the actions on ``event_source_mapping``. They include its tags, which tell who paused it.

        See: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
        """
        return grants.pause(self.event_source_mapping, grantee)

    def grant_redrive(self, grantee: iam.IGrantable) -> iam.Grant:
        """Permit looking at the webhooks that are set aside, redriving and deleting them: ``scalable-webhook
        dead-letters`` and ``unverified``.

        Args:
            grantee: The principal, such as the role of an operator. To find a webhook by its name, it needs
                ``cloudformation:DescribeStacks`` as well. It may read every webhook in ``dead_letter_queue``, and in
                the ``unverified_queue`` that exists by now. A payload in S3 is not included: its reader needs
                ``payload_bucket.grant_read()``.

        Returns:
            The grant of the actions on the queues, and of those by which the command finds them.

        Raises:
            ValueError: An existing queue has no dead-letter queue that is known.

        See: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
        """
        if self.dead_letter_queue is None:
            raise ValueError(
                "grant_redrive needs a dead-letter queue, got a queue of which none is known; "
                "create the queue in this app with dead_letter_queue=, or call grant() on your own dead-letter queue"
            )
        aside = [self.dead_letter_queue, *([self.unverified_queue] if self.unverified_queue else [])]
        return grants.redrive(self.queue, aside, self.event_source_mapping, self.consumer, grantee)

    def metric_backlog_age(self, *, period: Duration | None = None) -> "cloudwatch.Metric":
        """Return the age of the oldest message in the queue, in seconds: how far the consumer is behind.

        Args:
            period: The time that one point covers, in whole minutes: 1 or more. Default: 5 minutes.

        Returns:
            The maximum of ``ApproximateAgeOfOldestMessage``.

        Raises:
            ValueError: ``period`` is not in whole minutes.

        See: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
        """
        require_period(period)
        return self._route.queue.metric_approximate_age_of_oldest_message(statistic="Maximum", period=period)

    def metric_webhook_age(self, *, period: Duration | None = None) -> "cloudwatch.Metric":
        """Return the age of the oldest webhook that the consumer worked on, in seconds since it was queued, at the end
        of its batch. It sees webhooks that are retried, which ``metric_backlog_age()`` leaves out. There are no points
        while the consumer gets no webhooks, as while it is paused.

        Args:
            period: The time that one point covers, in whole minutes: 1 or more. Default: 5 minutes.

        Returns:
            The maximum of the ages that the consumer logs, one for each batch.

        Raises:
            ValueError: ``period`` is not in whole minutes, or the consumer is an existing function.

        See: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html
        """
        if self.sink is None:
            raise ValueError(
                "metric_webhook_age needs a sink, got an existing consumer, which does not tell the age of its "
                "webhooks; pass a sink instead of consumer, or take metric_backlog_age()"
            )
        require_period(period)
        return metric_webhook_age(self.consumer, self.queue, period)

    def metric_dead_letters(self, *, period: Duration | None = None) -> "cloudwatch.Metric":
        """Return the number of webhooks in the dead-letter queue. Anything above zero needs your attention.

        Args:
            period: The time that one point covers, in whole minutes: 1 or more. Default: 5 minutes.

        Returns:
            The maximum of ``ApproximateNumberOfMessagesVisible`` of the dead-letter queue.

        Raises:
            ValueError: ``period`` is not in whole minutes, or an existing queue has no dead-letter queue that is known.

        See: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
        """
        if self._route.dead_letter_queue is None:
            raise ValueError(
                "metric_dead_letters needs a dead-letter queue, got a queue of which none is known; "
                "create the queue in this app with dead_letter_queue=, or call "
                "metric_approximate_number_of_messages_visible() on your own dead-letter queue"
            )
        require_period(period)
        return self._route.dead_letter_queue.metric_approximate_number_of_messages_visible(
            statistic="Maximum", period=period
        )

    def metric_sink_down(self, *, period: Duration | None = None) -> "cloudwatch.Metric":
        """Return the number of times that the consumer noticed that the sink is down: every few batches in a row, and
        before the last try of a webhook.

        Args:
            period: The time that one point covers, in whole minutes: 1 or more. Default: 5 minutes.

        Returns:
            The sum of the lines that the consumer logs.

        Raises:
            ValueError: ``period`` is not in whole minutes, or the consumer is an existing function.

        See: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html
        """
        if self.sink is None:
            raise ValueError(
                "metric_sink_down needs a sink, got an existing consumer, which does not tell that its sink is down; "
                "pass a sink instead of consumer, or leave the metric out"
            )
        require_period(period)
        return metric_sink_down(self.consumer, self.queue, period)

    def metric_paused(self, *, period: Duration | None = None) -> "cloudwatch.Metric":
        """Return the number of minutes for which the circuit breaker pauses the webhook. A pause by a person does not
        count.

        Args:
            period: The time that one point covers, in whole minutes: 1 or more. Default: 5 minutes.

        Returns:
            The sum of the lines that the circuit breaker logs, one a minute.

        Raises:
            ValueError: ``period`` is not in whole minutes, or there is no circuit breaker.

        See: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html
        """
        if self._route.breaker is None:
            raise ValueError(
                "metric_paused needs a circuit breaker, got none; set breaker=CircuitBreaker(), or leave the metric out"
            )
        require_period(period)
        return metric_paused(self._route.breaker, self.queue, period)

    def metric_dropped(self, *, period: Duration | None = None) -> "cloudwatch.Metric":
        """Return the number of webhooks that were dropped, since no filter of their endpoint matches them. Call it
        after the last ``add_source()``.

        Args:
            period: The time that one point covers, in whole minutes: 1 or more. Default: 5 minutes.

        Returns:
            The sum of the lines that publishers and consumer log for each; of ``FilteredOutEventCount`` if the event
            source mapping drops.

        Raises:
            ValueError: ``period`` is not in whole minutes, or there are no ``event_filters``.

        See: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html#event-source-mapping-metrics
        """
        if not self._route.filters:
            raise ValueError(
                "metric_dropped needs event_filters, got none, so no webhook is ever dropped; set event_filters, or "
                "leave the metric out"
            )
        require_period(period)
        return metric_dropped(self._route.queue, self._route.filtering_mapping(), period)

    def metric_mismatched(self, source: Source | None = None, *, period: Duration | None = None) -> "cloudwatch.Metric":
        """Return the number of webhooks whose signature does not match the secret of their source. A few are forged. If
        it is all of them, the secret is wrong, on one side or the other.

        Args:
            source: The source, one of ``add_source()`` too. Default: that of the webhook itself.
            period: The time that one point covers, in whole minutes: 1 or more. Default: 5 minutes.

        Returns:
            The sum of the lines that publisher or consumer log for each try. The dimension ``Secret`` is the secret
            that they used.

        Raises:
            ValueError: ``period`` is not in whole minutes, there is no ``source``, or it has no secret.

        See: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html
        """
        require_period(period)
        source = source or self._source
        arn = source.secret_arn if source else None
        if arn is None:
            raise ValueError(
                f"metric_mismatched needs a source with a secret, got {'one without' if source else 'none'}; "
                "pass a source of this webhook that has one, or leave the metric out"
            )
        return metric_mismatched(self._route.queue, arn, period)

    def metric_unverified(self, *, period: Duration | None = None) -> "cloudwatch.Metric":
        """Return the number of webhooks that failed verification behind an ingress that does not verify. They are a
        stranger's, or all of a provider's if its secret is wrong. Call it after the ``add_source()`` that adds such an
        endpoint.

        Args:
            period: The time that one point covers, in whole minutes: 1 or more. Default: 5 minutes.

        Returns:
            The sum of the lines that the consumer logs when it moves a webhook to ``unverified_queue``.

        Raises:
            ValueError: ``period`` is not in whole minutes, or no source is verified behind such an ingress.

        See: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html
        """
        if self._route.unverified_queue is None:
            raise ValueError(
                "metric_unverified needs a source behind an ingress that does not verify, got none, so the endpoint "
                "itself rejects unsigned requests; take metric_client_error() of webhook.api, or leave the metric out"
            )
        require_period(period)
        return metric_unverified(self._route.queue, period)

    def add_alarms(
        self, topic: "sns.ITopic | sns.Topic | None" = None, options: AlarmOptions | None = None
    ) -> "Mapping[str, cloudwatch.Alarm]":
        """Create the alarms that someone has to act on. Each description tells what to do.

        Args:
            topic: The SNS topic to publish to when an alarm goes off: a standard one of this region. CloudWatch cannot
                publish to one that AWS's key ``aws/sns`` encrypts. The policy of your own key has to permit
                ``kms:Decrypt`` and ``kms:GenerateDataKey*`` to ``cloudwatch.amazonaws.com``. Default: none, for actions
                of your own. See: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
            options: The thresholds. Default: ``AlarmOptions()``, the default of each.

        Returns:
            The alarms by their names, such as ``DeadLetters``, for more actions: ``alarm.add_alarm_action(…)``.

        Raises:
            ValueError: It is called twice, or after ``add_dashboard()``; CloudWatch cannot publish to the topic; or a
                threshold is set for something that the webhook does not have.

        See: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
        """
        self._alarms = create_alarms(self, self._front, self._route, topic, options or AlarmOptions())
        return self._alarms

    def add_dashboard(self, name: str | None = None) -> "cloudwatch.Dashboard":
        """Create a dashboard that shows the way from the endpoint to the sink: requests, publisher, queue, throttle,
        consumer and dead-letter queue. Call it after the last ``add_source()``, and after ``add_alarms()``: it shows
        the state of the alarms as well.

        Args:
            name: The name of the dashboard, 1 to 255 letters, digits, hyphens and underscores. It has to be unique in
                the account. Default: CloudFormation makes one.

        Returns:
            The dashboard, for widgets of your own.

        Raises:
            ValueError: It is called twice, or the name is not valid.

        See: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Dashboards.html
        """
        from cdk_scalable_webhook.dashboard import create_dashboard

        return create_dashboard(self, name, self._front, self._route, self._alarms)


def _endpoint(
    ingress: Ingress, source: Source | None, event_filters: Sequence[Mapping[str, object]] | None
) -> Endpoint:
    """Return the tasks that the ingress of an endpoint leaves to the consumer."""
    filters = None if event_filters is None else EventFilters(event_filters)
    left = None if ingress.verifies else source
    return Endpoint(left, filters, ingress_filters=ingress.filters, as_text=ingress.as_text)


def _delivery_id_header(given: str | None, source: Source | None) -> str | None:
    """Return the header that makes a delivery of an endpoint unique, in lower case."""
    require_header_of_provider("delivery_id_header", given)
    if given is not None and source is not None and source.gives_ids:
        raise ValueError(
            "delivery_id_header must not be set for a source that gives each delivery an id of its own, got "
            f"{given!r}; leave it out"
        )
    header = given if source is None else given or source.delivery_id_header
    return header and header.lower()


def _require_verifier(ingress: Ingress, *, own_consumer: bool) -> None:
    """Require that either the ingress or our consumer verifies the source."""
    if own_consumer and not ingress.verifies:
        raise ValueError(
            "source must not be set together with consumer if the ingress does not verify, got both; take "
            "Ingress.lambda_integration(), which does, or verify in your function"
        )


@contextmanager
def _of_endpoint(mount: str) -> Iterator[None]:
    """Name the endpoint in an error."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"endpoint {mount}: {error}") from None
