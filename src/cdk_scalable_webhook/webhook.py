"""The construct: door, queue, consumer, sink, in the order in which a webhook passes them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import jsii
from aws_cdk import Annotations, CfnOutput, Duration, RemovalPolicy, Token
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IDependable

from cdk_scalable_webhook import checks
from cdk_scalable_webhook.acknowledgement import Acknowledgement
from cdk_scalable_webhook.address import has_address, stage_of, url_of
from cdk_scalable_webhook.arguments import typed
from cdk_scalable_webhook.buffer import brought_buffer, check_unverified_queue, create_buffer
from cdk_scalable_webhook.buffer import unverified_queue as make_unverified_queue
from cdk_scalable_webhook.consumer import (
    consumer_timeout,
    create_consumer,
    metric_unverified,
    put_unverified_aside,
    throttle,
)
from cdk_scalable_webhook.credentials import Credentials
from cdk_scalable_webhook.door import brought_api, create_api, open_door, place
from cdk_scalable_webhook.edge import Edge, Throttle, paths, usage_plan, web_acl_of_stage
from cdk_scalable_webhook.filters import (
    Endpoint,
    EventFilters,
    count_dropped,
    drop_nothing,
    dropping,
    filter_environment,
    metric_dropped,
)
from cdk_scalable_webhook.ingress import Ingress, IngressOptions
from cdk_scalable_webhook.payloads import payload_bucket
from cdk_scalable_webhook.retry import Retry
from cdk_scalable_webhook.sink import Sink
from cdk_scalable_webhook.source import Source, count_mismatched, environment, metric_mismatched
from cdk_scalable_webhook.stack import watch

if TYPE_CHECKING:  # importing it costs every synth
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_s3 as s3
    from aws_cdk import aws_wafv2 as wafv2

# Bytes, with which a consumer of any sink gets by.
_OTHER_VARIABLES = 1000

# The local AWS finds a webhook's URL among a stack's outputs by this.
_URL_DESCRIPTION = "Webhook URL"


@typed
@jsii.implements(iam.IGrantable)
class ScalableWebhook(Construct):
    """A webhook endpoint in front of something that does not scale.

    API Gateway takes every request and answers 202 once it is in a queue; a consumer empties the queue, never more
    than ``max_concurrency`` batches at a time, and stores each webhook once. Nothing accepted is lost: what cannot be
    stored ends in the dead-letter queue.

    Two throttles, never confused: the door *rejects* (``throttling_rate_limit``, 429), the consumer *delays*
    (``max_concurrency``).

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
        ingress: Ingress | None = None,
        source: Source | None = None,
        event_filters: Sequence[Mapping[str, object]] | None = None,
        sink: Sink | None = None,
        consumer: lambda_.Function | None = None,
        api: apigateway.RestApi | None = None,
        path: str = "/",
        delivery_id_header: str | None = None,
        queue: sqs.IQueue | None = None,
        dead_letter_queue: sqs.IQueue | None = None,
        unverified_queue: sqs.IQueue | None = None,
        large_payloads: "bool | s3.IBucket | None" = None,
        max_concurrency: int = 2,
        batch_size: int = 10,
        max_batching_window: Duration | None = None,
        max_receive_count: int | None = None,
        retry: Retry | None = None,
        retention_period: Duration | None = None,
        visibility_timeout: Duration | None = None,
        timeout: Duration | None = None,
        memory_size: int | None = None,
        reserved_concurrent_executions: int | None = None,
        throttling_rate_limit: float | None = None,
        throttling_burst_limit: int | None = None,
        api_key: apigateway.IApiKey | bool | None = None,
        allowed_ip_ranges: Sequence[str] | None = None,
        iam_authorization: bool = False,
        web_acl: "wafv2.CfnWebACL | bool | None" = None,
        domain_name: apigateway.DomainNameOptions | None = None,
        acknowledgement: Acknowledgement | None = None,
        cors: apigateway.CorsOptions | None = None,
        encryption_key: kms.IKey | kms.Key | None = None,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
        removal_policy: RemovalPolicy | None = None,
        tracing: lambda_.Tracing | None = None,
    ) -> None:
        """Create the endpoint.

        ``ingress``, ``source``, ``event_filters``, ``path``, ``delivery_id_header``, ``acknowledgement`` and ``cors``
        are of this one endpoint. ``add_source()`` makes further ones, with their own.

        Args:
            scope: The stack, or the construct that this one belongs to.
            id: The id within the scope.
            ingress: How a request becomes a message. Default: ``Ingress.lambda_integration()``.
            source: Who sends: what it has not signed is refused, and its own id makes a delivery unique. Default:
                anybody may send.
            event_filters: Which webhooks are wanted, in the syntax of Lambda's event filters, over ``headers``, whose
                names are in any case, and ``body``, the fields of a JSON payload: 1 to 5, of which one has to match.
                The others are answered as ever, and dropped as early as can be. They are part of the template, so no
                secret in them. Default: every webhook is wanted.
                See: https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html#filtering-syntax
            sink: Where webhooks end. Not together with ``consumer``. Default: ``Sink.dynamodb()``, a new table.
            consumer: A function of yours, in any language, that gets the batches instead of a sink. It answers with
                ``batchItemFailures``; an exception fails the whole batch. In the stack of the queue. Default: the
                function of the sink.
                See: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
            api: A REST API of yours, made by this stack, to put the endpoint into; throttling, stage and access logs
                stay yours. To carry any bytes it needs ``binary_media_types=["*/*"]``. What its resources have by
                default, such as an authorizer or preflights, the endpoint has, too. Default: a new regional one.
            path: Where the endpoint is mounted, such as ``/hooks/github``. Every path below comes in too, and is stored
                with the webhook. An id belongs to its endpoint: where you change the path, what a sender sends again
                is stored again. In an ``api`` of yours no POST is there, and no variable below it; another method
                stays yours. Default: ``/``, so every path.
            delivery_id_header: The header whose value makes a delivery unique, such as ``Idempotency-Key``: two
                requests with the same value are stored once. Not together with a ``source`` that gives its deliveries
                an id. Default: the id of the source; else each request is its own delivery, and is stored once however
                often SQS delivers it.
            queue: A queue of yours, standard or FIFO, instead of a new one. Not together with the settings of a queue.
                One of another account has to permit what is granted here, in its own policy; an imported one with a key
                of its own has to name it (``from_queue_attributes(key_arn=…)``). Where there was a new one before, that
                goes with what is in it. Default: a new, encrypted standard queue that only TLS can reach.
            dead_letter_queue: Where messages go that cannot be stored. Default: a new queue that keeps them for 14
                days.
            unverified_queue: Where goes what is surely not of its ``source``, behind an ingress that does not verify,
                with the reason beside it: a standard queue, also beside a FIFO one. It is used only where there is such
                an endpoint, of ``add_source()`` too. Not together with ``consumer``. Default: a new queue, where it is
                used, that keeps it for 4 days.
            large_payloads: Whether a payload that no message holds (1 MiB) goes through S3, up to the 6 MB of a Lambda
                event. ``True`` makes a bucket: encrypted, for TLS only, closed to the public; what is on its way is
                deleted when it is stored, and in any case once no message can ask for it any more. A removal policy
                of DESTROY deletes the bucket only when it is empty. A bucket of yours keeps ``queued/`` for as long
                as its life cycle says: at least the retention of queue, dead-letter queue and queue again, 23 days
                with the defaults; the consumer may list its keys. Needs the Lambda door and a sink; a consumer in a
                VPC has to reach S3. Default: what is too large is answered with 413.
            max_concurrency: How many batches are worked on at the same time, so how many connections of the sink are
                at work: 2 to 1000. After a deployment there may be as many idle ones again for some minutes, of
                environments that Lambda has retired. Default: 2.
                See: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
            batch_size: How many messages a batch has at most: 1 to 10,000, to 10 with a FIFO queue. Above 10 it needs a
                ``max_batching_window``. Default: 10.
            max_batching_window: How long to wait for a batch to fill, up to 5 minutes. Default: no waiting.
            max_receive_count: How often a message may fail before it moves to the dead-letter queue: 1 to 1000; below 5
                gives a warning. Default: 5.
            retry: How long a webhook waits that failed. Not together with ``consumer``. Default: ``Retry()``, so
                anything up to 30 seconds first, twice that each time, 15 minutes at most. Together with
                ``max_receive_count`` it says how long an outage of the sink is survived: ``outage_tolerance``.
            retention_period: How long the queue keeps a message that nobody could store: 1 minute to 14 days. A shorter
                one than before deletes what waits and is older. Default: 4 days.
            visibility_timeout: How long a message that is worked on stays hidden, at least 6 x ``timeout`` +
                ``max_batching_window``. Default: just that.
                See: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
            timeout: How long the consumer may work on one batch: 1 second to 15 minutes. Default: 30 seconds.
            memory_size: The consumer's memory in MiB: 128 to 10,240. Default: 256.
            reserved_concurrent_executions: Concurrency reserved for the consumer: at least ``max_concurrency``, so 2
                or more; the account has to keep 100 for functions without. Default: none; ``max_concurrency``
                throttles without it.
                See: https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
            throttling_rate_limit: Requests a second that the endpoint lets in before it answers 429: 1 to 100,000, of
                each method of the API's stage: the mount, and all paths below it. What is above the account's limit has
                no effect. Default: 1,000, a tenth of what all APIs of an account share in a region; 300 before a FIFO
                queue, which takes no more.
                See: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
            throttling_burst_limit: Requests at once that the endpoint lets in before it answers 429: 1 to 100,000, of
                each method of the API's stage. Default: 2,000; 300 before a FIFO queue.
            api_key: Whether senders have to send an ``x-api-key``, else 403: True for a new key, or a key of yours. It
                identifies a sender and meters its requests, by a usage plan with the endpoint's throttle; AWS says not
                to rely on it for authentication. It is no part of the webhook: neither stored nor handed on. Default:
                no key.
                See: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html
            allowed_ip_ranges: CIDR ranges of IPv4 or IPv6 that may call, such as ``["203.0.113.0/24"]``; from anywhere
                else it is 403. To take them away later say ``["0.0.0.0/0", "::/0"]``, since CloudFormation leaves the
                policy of an API that had one. Default: any address.
                See: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies-examples.html
            iam_authorization: Whether requests must be signed with AWS Signature Version 4, by somebody who has
                ``grant_invoke()``; else 403. The signature is no part of the webhook. Default: no.
                See: https://docs.aws.amazon.com/apigateway/latest/developerguide/permissions.html
            web_acl: A web ACL of WAF before the API: yours, of the scope REGIONAL, or True for a new one with those of
                AWS's managed rules that suit a webhook. Rules that look into a payload, or limit it, only count there.
                Default: none.
                See: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-control-access-aws-waf.html
            domain_name: A domain of yours with its certificate, and with ``mtls`` the authorities whose clients may
                call: their file has to be in its bucket before. The API then has no other name. TLS 1.2 at least where
                it says nothing. The DNS record is yours to make, to ``webhook.api.domain_name``. Default: API
                Gateway's own name.
                See: https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-custom-domains.html
            acknowledgement: What an accepted webhook is answered. Default: what the source's sender takes for accepted,
                such as 200 for Zoom; else 202 and ``{"id": …}``.
            cors: The pages of which origin, one or ``*``, may send from a browser. ``OPTIONS`` then is a preflight, and
                no webhook. With an ``api`` too, for the endpoint itself; what API Gateway refuses by itself there says
                what your gateway responses say. Default: the one origin of the preflights that ``api`` has by default;
                else none, and no answer has a header of CORS.
                See: https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-cors.html
            encryption_key: The key for queues, table and bucket. Where it is changed, what waits in queues and bucket
                stays encrypted with the old one: let the webhook decrypt by that until they are empty. Default:
                encrypted with keys that AWS owns.
            log_retention: How long the logs of functions and API are kept. Default: one month.
            removal_policy: What happens to table, queues, bucket and log groups when the stack goes; none of them has
                snapshots. Default: the CDK's own for each: table, bucket and log groups stay, queues go.
            tracing: X-Ray tracing of functions and API. Default: none.

        Raises:
            ValueError: An argument is of another type or out of its limits, or two of them contradict each other. The
                message names the argument, the limit, what it got and what to do.
        """
        checks.place(scope, id)
        super().__init__(scope, id)
        ingress = ingress or Ingress.lambda_integration()
        busy = consumer_timeout(consumer, timeout)
        self._retry = (retry or Retry()) if consumer is None else None
        fifo = queue is not None and queue.fifo
        checks.mount_path(path)
        self._path = "/" + path.strip("/")
        delivery_id_header = _delivery_id_header(delivery_id_header, source)
        if source is not None:
            _require_verifier(ingress, consumer)
        if large_payloads:
            checks.large_payloads(ingress.takes_large_payloads, consumer)
        self._ingress = ingress
        self._source = source
        self._sources = {self._path: None if ingress.verifies else source}
        endpoint = _endpoint(ingress, event_filters)
        self._endpoints = {self._path: endpoint}
        self._drops = dropping(self._endpoints, own_consumer=consumer is not None)
        self._has_counted_mapping = False
        self._is_signed = False
        self._publishers: dict[str, lambda_.Function] = {}
        checks.max_concurrency(max_concurrency)
        checks.batching(batch_size, max_batching_window, fifo=fifo)
        checks.reserved_concurrency(reserved_concurrent_executions, max_concurrency)
        checks.removal_policy(removal_policy)
        checks.encryption_key(encryption_key)
        if consumer is not None:
            checks.consumer_stack(self, consumer, queue)
            checks.brought_consumer_concurrency(consumer, max_concurrency, fifo=fifo)
        checks.same_environment(
            self,
            queue=queue,
            encryption_key=encryption_key,
            large_payloads=large_payloads,
            api_key=api_key,
            web_acl=web_acl,
            **checks.certificate_of(domain_name),
        )
        if queue is not None and consumer is not None:
            checks.nothing_set("queue and consumer", encryption_key=encryption_key)
        if queue is None:
            buffer = create_buffer(
                self,
                dead_letter_queue=dead_letter_queue,
                max_receive_count=max_receive_count,
                retention_period=retention_period,
                visibility_timeout=visibility_timeout,
                consumer_timeout=busy,
                max_batching_window=max_batching_window,
                retry=self._retry,
                encryption_key=encryption_key,
                removal_policy=removal_policy,
            )
        else:
            checks.nothing_set(
                "queue",
                dead_letter_queue=dead_letter_queue,
                max_receive_count=max_receive_count,
                retention_period=retention_period,
                visibility_timeout=visibility_timeout,
            )
            buffer = brought_buffer(
                self, queue, consumer_timeout=busy, max_batching_window=max_batching_window, retry=self._retry
            )
        if unverified_queue is not None:
            check_unverified_queue(self, unverified_queue, queue, buffer.dead_letter_queue)
        self._queue = buffer.queue
        self._dead_letter_queue = buffer.dead_letter_queue
        self._max_receive_count = buffer.max_receive_count
        self._payload_bucket = payload_bucket(
            self,
            large_payloads,
            days=buffer.days,
            encryption_key=encryption_key,
            removal_policy=removal_policy,
        )

        if consumer is None:
            assert self._retry
            self._sink: Sink | None = sink or Sink.dynamodb()
            self._consumer = create_consumer(
                self,
                buffer=buffer,
                sink=self._sink,
                retry=self._retry,
                sources=self._sources,
                event_filters=self._drops.consumer,
                timeout=busy,
                payload_bucket=self._payload_bucket,
                memory_size=memory_size,
                reserved_concurrent_executions=reserved_concurrent_executions,
                encryption_key=encryption_key,
                log_retention=log_retention,
                removal_policy=removal_policy,
                tracing=tracing,
            )
        else:
            checks.nothing_set(
                "consumer",
                "leave {them} out, or leave consumer out",
                sink=sink,
                retry=retry,
                unverified_queue=unverified_queue,
            )
            checks.nothing_set(
                "consumer",
                timeout=timeout,
                memory_size=memory_size,
                reserved_concurrent_executions=reserved_concurrent_executions,
            )
            self._sink = None
            self._consumer = consumer
        self._make_unverified_queue = partial(
            make_unverified_queue,
            self,
            unverified_queue,
            encryption_key=encryption_key,
            removal_policy=removal_policy,
        )
        self._unverified_queue: sqs.IQueue | None = None
        if any(self._sources.values()):
            self._put_unverified_aside()
        self._mapping = throttle(
            self,
            buffer=buffer,
            consumer=self._consumer,
            max_concurrency=max_concurrency,
            batch_size=batch_size,
            max_batching_window=max_batching_window,
            event_filters=self._drops.mapping,
        )

        edge = Edge(
            api_key=api_key,
            allowed_ip_ranges=allowed_ip_ranges,
            iam_authorization=iam_authorization,
            web_acl=web_acl,
            domain_name=domain_name,
            cors=cors,
        )
        self._edge = edge
        stage_throttle: Throttle | None = None
        if api is None:
            stage_throttle = Throttle.of(throttling_rate_limit, throttling_burst_limit, fifo=fifo)
            self._api = create_api(
                self,
                edge=edge,
                mount=self._path,
                binary_media_types=ingress.binary_media_types,
                throttle=stage_throttle,
                log_retention=log_retention,
                removal_policy=removal_policy,
                tracing=tracing,
            )
        else:
            checks.nothing_set(
                "api",
                throttling_rate_limit=throttling_rate_limit,
                throttling_burst_limit=throttling_burst_limit,
                **edge.guards(),
            )
            checks.api_stack(self, api)
            self._api = brought_api(api, ingress)
        # What endpoints share. Everything else each has of its own, and says so where it is opened.
        self._options = partial(
            IngressOptions,
            webhook=self,
            queue=buffer.queue,
            payload_bucket=self._payload_bucket,
            tracing=tracing,
            log_retention=log_retention,
            removal_policy=removal_policy,
        )
        options = self._options(
            mount=self._path,
            source=source,
            delivery_id_header=delivery_id_header,
            event_filters=endpoint.of_ingress,
            acknowledgement=acknowledgement,
        )
        asked = self._open(self, ingress, options, edge, endpoint)
        self._api_key, self._usage_plan = usage_plan(self, self._api, edge, stage_throttle)
        self._web_acl = web_acl_of_stage(self, self._api, edge)
        watch(self)
        if source is None and not edge.proves_sender and asked == "NONE":
            Annotations.of(self).add_warning_v2(
                "cdk-scalable-webhook:openDoor",
                "source should say who sends, got none: anybody who knows the URL may send. If so it shall be: "
                "Annotations.of(webhook).acknowledge_warning('cdk-scalable-webhook:openDoor').",
            )

    def add_source(
        self,
        path: str,
        source: Source,
        *,
        ingress: Ingress | None = None,
        event_filters: Sequence[Mapping[str, object]] | None = None,
        delivery_id_header: str | None = None,
        acknowledgement: Acknowledgement | None = None,
    ) -> str:
        """Another sender, at an endpoint of its own: the same API, queue, consumer and sink.

        A handler tells them apart by ``webhook.mount``, which is ``path``. Each endpoint has its own check: what one
        sender has signed is refused at another's. What you said of the webhook's own endpoint says nothing of this one:
        not its ``source``, ``event_filters``, ``delivery_id_header``, ``acknowledgement`` or ``cors``. What guards the
        API guards every endpoint: throttle, ``api_key``, ``allowed_ip_ranges``, ``iam_authorization``, ``web_acl`` and
        ``domain_name``. An id belongs to its endpoint: what two senders give the same id is two webhooks, and
        ``webhook.key``, of mount and id, is what each is stored by.

        Args:
            path: Where the endpoint is mounted in the API, such as ``/hooks/stripe``, with every path below.
            source: Who sends.
            ingress: How a request becomes a message. One that is direct answers 413 to what no message holds, whatever
                ``large_payloads`` says. Default: that of the webhook.
            event_filters: Which webhooks of this endpoint are wanted, 1 to 5 filters as those of ``ScalableWebhook``.
                Default: every webhook of this endpoint is wanted.
            delivery_id_header: The header whose value makes a delivery unique, for a source that gives its deliveries
                no id. Default: the source's own id, else each request is its own delivery.
            acknowledgement: What an accepted webhook is answered at this endpoint. Default: what the source's sender
                takes for accepted, such as 200 for Zoom; else 202 and ``{"id": …}``.

        Returns:
            The URL to give to the sender. In an ``api`` that has no stage yet, a token of that of its stage.

        Raises:
            ValueError: ``path`` is taken, an argument is out of its limits, or the ingress does not suit the source,
                the API or the consumer. The message names the endpoint.
        """
        checks.mount_path(path)
        mount = "/" + path.strip("/")
        ingress = ingress or self._ingress
        id = f"Source {mount.strip('/') or mount}"
        with checks.of_endpoint(mount):
            if self.node.try_find_child(id) is not None:
                raise ValueError(
                    f"path must be free in api, got {mount!r}, which another source has already; take another path"
                )
            delivery_id_header = _delivery_id_header(delivery_id_header, source)
            _require_verifier(ingress, None if self._sink else self._consumer)
            brought_api(self._api, ingress)
            if not ingress.verifies and (source.code or source.packages):
                raise ValueError(
                    "source must not be Source.custom() at a further endpoint whose ingress does not verify, got one; "
                    "take ingress=Ingress.lambda_integration(), or give it to the ScalableWebhook itself"
                )
            endpoint = _endpoint(ingress, event_filters)
            sources = {**self._sources, mount: None if ingress.verifies else source}
            endpoints = {**self._endpoints, mount: endpoint}
            drops = dropping(endpoints, own_consumer=self._sink is None)
            if self._has_counted_mapping and drops.mapping is None:
                raise ValueError(
                    "metric_dropped() must be called after add_source() where event_filters then differ between "
                    "endpoints, got it before, so that it counts in another place; move it behind the last add_source()"
                )
            told = environment(sources) | filter_environment(drops.consumer)
            remedy = "give less of them"
            if not ingress.verifies:
                remedy = f"take Ingress.lambda_integration(), whose function knows its own source alone, or {remedy}"
            checks.environment_size(told, beside=_OTHER_VARIABLES, remedy=remedy)
            options = self._options(
                mount=mount,
                source=source,
                delivery_id_header=delivery_id_header,
                event_filters=endpoint.of_ingress,
                acknowledgement=acknowledgement,
            )
            # A mapping that drops by the filters of other endpoints has to stop before this one opens.
            stops = [self._mapping] if self._drops.mapping and drops.mapping is None else []
            edge = self._edge.of_further_endpoint()
            self._open(Construct(self, id), ingress, options, edge, endpoint, after=stops)
            if not ingress.verifies:
                source.grant_read(self._consumer)
                count_mismatched(self._consumer, self._queue, [source])
                self._put_unverified_aside()
        for name, value in told.items():
            self._consumer.add_environment(name, value)
        if drops.consumer and not self._drops.consumer:
            count_dropped(self._consumer, self._queue)
        for mapping in stops:
            drop_nothing(mapping)
        self._sources, self._endpoints, self._drops = sources, endpoints, drops
        return self._url_of(mount)

    def _open(
        self,
        scope: Construct,
        ingress: Ingress,
        options: IngressOptions,
        edge: Edge,
        endpoint: Endpoint,
        *,
        after: Sequence[IDependable] = (),
    ) -> str:
        """Open an endpoint, and tell what API Gateway asks of a sender there."""
        mount, verified = place(self._api, options.mount), options.source is not None
        edge = edge.at(mount)
        credentials = Credentials.asked_at(mount, edge)
        source = options.source
        credentials.require_unused(options.delivery_id_header, endpoint.filters, source, verifies=ingress.verifies)
        credentials = credentials.but_for(source)
        options = replace(
            options,
            response_headers=edge.response_headers(),
            credential_headers=credentials.headers,
            credential_parameters=credentials.parameters,
        )
        config = ingress.bind(scope, options)
        asked = open_door(mount, config, edge, verified=verified, after=after)
        self._is_signed = self._is_signed or asked == "AWS_IAM"
        if config.publisher is not None:
            self._publishers[options.mount] = config.publisher
        if has_address(self._api):
            url = self._url_of(options.mount)
            CfnOutput(scope, "Url", value=url, description=f"{_URL_DESCRIPTION} of {scope.node.path}")
        return asked

    def _put_unverified_aside(self) -> None:
        """The consumer verifies what no ingress does."""
        if self._unverified_queue is None:
            self._unverified_queue = self._make_unverified_queue()
            put_unverified_aside(self._consumer, self._unverified_queue, self._queue)

    def _url_of(self, mount: str) -> str:
        return url_of(self._api, mount, self._edge.domain_name)

    @property
    def url(self) -> str:
        """The URL to give to senders: every method, and every path below it. At the domain of ``api`` where it has one,
        else at API Gateway's own name.

        Raises:
            RuntimeError: While it is resolved: ``api`` has neither a stage nor a domain that it knows.
        """
        return self._url_of(self._path)

    @property
    def api(self) -> apigateway.RestApi:
        """The REST API with the door in it."""
        return self._api

    @property
    def api_key(self) -> apigateway.IApiKey | None:
        """The key that senders have to send. None where they need none."""
        return self._api_key

    @property
    def usage_plan(self) -> apigateway.UsagePlan | None:
        """The plan of ``api_key``, for more keys: ``usage_plan.add_api_key(key)``. None where senders need none."""
        return self._usage_plan

    @property
    def web_acl(self) -> "wafv2.CfnWebACL | None":
        """The web ACL before the API. None where there is none."""
        return self._web_acl

    @property
    def publisher(self) -> lambda_.Function | None:
        """The function between API Gateway and the queue at the webhook's own endpoint. None where API Gateway writes
        to the queue by itself."""
        return self._publishers.get(self._path)

    @property
    def publishers(self) -> Mapping[str, lambda_.Function]:
        """The functions between API Gateway and the queue, by the path of their endpoint: those of ``add_source()``,
        too."""
        return self._publishers

    @property
    def queue(self) -> sqs.IQueue:
        """The queue between door and consumer."""
        return self._queue

    @property
    def dead_letter_queue(self) -> sqs.IQueue | None:
        """Where webhooks go that could not be stored. None where you brought a queue and its own is not known."""
        return self._dead_letter_queue

    @property
    def unverified_queue(self) -> sqs.IQueue | None:
        """Where goes what is surely not of its source. None where every endpoint that has a source verifies by
        itself."""
        return self._unverified_queue

    @property
    def payload_bucket(self) -> "s3.IBucket | None":
        """Where payloads are that no message holds. None without ``large_payloads``."""
        return self._payload_bucket

    @property
    def consumer(self) -> lambda_.Function:
        """The function that takes webhooks from the queue to the sink."""
        return self._consumer

    @property
    def sink(self) -> Sink | None:
        """Where webhooks end. None where you brought a consumer."""
        return self._sink

    @property
    def outage_tolerance(self) -> Duration | None:
        """How long the sink may be down before webhooks go to the dead-letter queue: what ``retry`` and
        ``max_receive_count`` take together, on average. None where you brought the consumer, or where only deployment
        knows."""
        if self._retry is None or self._max_receive_count is None or Token.is_unresolved(self._max_receive_count):
            return None
        return self._retry.average(int(self._max_receive_count))

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The consumer: what is granted to the webhook is granted to it."""
        return self._consumer.grant_principal

    def grant_invoke(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let somebody send webhooks where ``iam_authorization`` is on: to every door that there is by now, and to
        every path below it.

        Args:
            grantee: Who signs the requests. Somebody of another account needs the permission there as well.

        Returns:
            The grant of ``execute-api:Invoke``.

        Raises:
            ValueError: ``iam_authorization`` is off, and nobody needs a permission.
        """
        if not self._is_signed:
            raise ValueError(
                "grant_invoke needs iam_authorization=True, got a door that asks nobody for a signature; set it, "
                "or give the URL to the sender"
            )
        below = [path for mount in self._sources for path in paths(mount)]
        deployed = stage_of(self._api)
        stage = "*" if deployed is None else deployed.stage_name
        return iam.Grant.add_to_principal_or_resource(
            grantee=grantee,
            actions=["execute-api:Invoke"],
            resource_arns=[self._api.arn_for_execute_api("*", path, stage) for path in below],
            resource=self._api,
            resource_self_arns=[f"execute-api:/*/*{path}" for path in below],
        )

    def metric_backlog_age(self, *, period: Duration | None = None) -> "cloudwatch.Metric":
        """The age of the oldest message in the queue, in seconds: how far the consumer is behind the senders.

        Args:
            period: Over how long one point is, in whole minutes: 1 or more. Default: 5 minutes.

        Returns:
            The maximum of ``ApproximateAgeOfOldestMessage``.

        Raises:
            ValueError: ``period`` is not in whole minutes.

        See: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
        """
        checks.period(period)
        return self._queue.metric_approximate_age_of_oldest_message(statistic="Maximum", period=period)

    def metric_dead_letters(self, *, period: Duration | None = None) -> "cloudwatch.Metric":
        """How many webhooks lie in the dead-letter queue: anything above zero wants a person.

        Args:
            period: Over how long one point is, in whole minutes: 1 or more. Default: 5 minutes.

        Returns:
            The maximum of ``ApproximateNumberOfMessagesVisible`` of the dead-letter queue.

        Raises:
            ValueError: ``period`` is not in whole minutes, or you brought the queue, and no dead-letter queue is known.

        See: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
        """
        if self._dead_letter_queue is None:
            raise ValueError(
                "metric_dead_letters needs a dead-letter queue, got a queue of which none is known; "
                "create the queue in this app with dead_letter_queue=, or call "
                "metric_approximate_number_of_messages_visible() on the dead-letter queue of yours"
            )
        checks.period(period)
        return self._dead_letter_queue.metric_approximate_number_of_messages_visible(statistic="Maximum", period=period)

    def metric_dropped(self, *, period: Duration | None = None) -> "cloudwatch.Metric":
        """How many webhooks were dropped, since no filter of their endpoint wants them. Call it after the last
        ``add_source()``.

        Args:
            period: Over how long one point is, in whole minutes: 1 or more. Default: 5 minutes.

        Returns:
            The sum of the lines with which publishers and consumer say so; of ``FilteredOutEventCount`` where the event
            source mapping drops.

        Raises:
            ValueError: ``period`` is not in whole minutes, or there are no ``event_filters``.

        See: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html#event-source-mapping-metrics
        """
        if not any(each.filters for each in self._endpoints.values()):
            raise ValueError(
                "metric_dropped needs event_filters, got none, so that nothing is ever dropped; set event_filters, or "
                "leave the metric out"
            )
        checks.period(period)
        self._has_counted_mapping = self._drops.mapping is not None
        return metric_dropped(self._queue, self._mapping if self._has_counted_mapping else None, period)

    def metric_mismatched(self, source: Source | None = None, *, period: Duration | None = None) -> "cloudwatch.Metric":
        """How many webhooks had a signature that does not fit the secret of their source. A few are forged. Where it is
        all of them, the secret is wrong, at one side or the other.

        Args:
            source: The source, one of ``add_source()`` too. Default: that of the webhook itself.
            period: Over how long one point is, in whole minutes: 1 or more. Default: 5 minutes.

        Returns:
            The sum of the lines with which publisher or consumer say so, each time that they do. The dimension
            ``Secret`` is the secret that they asked.

        Raises:
            ValueError: ``period`` is not in whole minutes, there is no ``source``, or it has no secret.

        See: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html
        """
        checks.period(period)
        source = source or self._source
        arn = source.secret_arn if source else None
        if arn is None:
            raise ValueError(
                f"metric_mismatched needs a source with a secret, got {'one without' if source else 'none'}; "
                "pass a source of this webhook that has one, or leave the metric out"
            )
        return metric_mismatched(self._queue, arn, period)

    def metric_unverified(self, *, period: Duration | None = None) -> "cloudwatch.Metric":
        """How many webhooks were surely not of their source, behind an ingress that does not verify: a stranger's, or
        all of a sender's whose secret is wrong. Call it after the ``add_source()`` that makes such an endpoint.

        Args:
            period: Over how long one point is, in whole minutes: 1 or more. Default: 5 minutes.

        Returns:
            The sum of the lines with which the consumer says that it took one to ``unverified_queue``.

        Raises:
            ValueError: ``period`` is not in whole minutes, or no source is verified behind such an ingress.

        See: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html
        """
        if self._unverified_queue is None:
            raise ValueError(
                "metric_unverified needs a source behind an ingress that does not verify, got none, so that the "
                "endpoint itself refuses what is not signed; take metric_client_error() of webhook.api, or leave the "
                "metric out"
            )
        checks.period(period)
        return metric_unverified(self._queue, period)


def _endpoint(ingress: Ingress, event_filters: Sequence[Mapping[str, object]] | None) -> Endpoint:
    """What an endpoint wants, and who can tell."""
    filters = None if event_filters is None else EventFilters(event_filters)
    return Endpoint(filters, ingress_drops=ingress.filters, as_text=not ingress.binary_media_types)


def _delivery_id_header(given: str | None, source: Source | None) -> str | None:
    """The header that makes a delivery of an endpoint unique, in lower case."""
    checks.header_of_the_sender("delivery_id_header", given)
    if given is not None and source is not None and source.gives_ids:
        raise ValueError(
            "delivery_id_header must not be set for a source that gives each delivery an id of its own, got "
            f"{given!r}; leave it out"
        )
    header = given if source is None else given or source.delivery_id_header
    return header and header.lower()


def _require_verifier(ingress: Ingress, consumer: lambda_.IFunction | None) -> None:
    """Somebody has to verify what a source has signed."""
    if consumer is not None and not ingress.verifies:
        raise ValueError(
            "source must not be set together with consumer where the door does not verify, got both; take "
            "Ingress.lambda_integration(), which does, or verify in your function"
        )
