"""How a request becomes a message."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from aws_cdk import Annotations
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IDependable

from cdk_scalable_webhook import findings, grants
from cdk_scalable_webhook.acknowledgement import Acknowledgement
from cdk_scalable_webhook.checks.types import typed
from cdk_scalable_webhook.common import CommonOptions
from cdk_scalable_webhook.endpoint.templates import Answer, encoded, literal, mapping_template
from cdk_scalable_webhook.filters import EventFilters
from cdk_scalable_webhook.grouping import GroupBy
from cdk_scalable_webhook.sources.source import Source
from webhook_runtime.contract.groups import NO_GROUP, ONE_GROUP, group_of
from webhook_runtime.contract.providers import ANSWERED_BY_API_GATEWAY

if TYPE_CHECKING:
    from aws_cdk import aws_s3 as s3


@dataclass(frozen=True)
class IngressOptions:
    """The settings of one endpoint, for the ingress that makes it.

    Attributes:
        webhook: The construct for resources that the endpoints of a webhook share: the ``ScalableWebhook``.
        queue: The queue that every accepted request goes into.
        delivery_id_header: The header whose value makes a delivery unique, in lower case; None: API Gateway's request
            id.
        mount: The path of the endpoint.
        source: The provider; None: anyone may send. If the ingress does not verify it, the consumer does.
        event_filters: The webhooks to keep, for an ingress that filters; None: all, or the consumer filters.
        payload_bucket: The bucket for payloads larger than a message; None: they are rejected.
        common: The settings that every part of the webhook shares, such as tracing.
        group_by: The value that makes the message group of each message. Default: a FIFO queue has one group, and a
            standard queue none.
        acknowledgement: The answer to an accepted webhook. Default: the one that the provider expects, or 202 and the
            webhook's id.
        response_headers: The headers of every answer for browsers. Default: none, as without CORS.
        credential_headers: The headers with credentials for API Gateway, in lower case: they are no part of the
            webhook, and must not be passed on. Default: none.
        credential_parameters: The same for query parameters. Default: none.

    See: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-integration-types.html
    """

    webhook: Construct
    queue: sqs.IQueue
    delivery_id_header: str | None
    mount: str
    source: Source | None
    event_filters: EventFilters | None
    payload_bucket: "s3.IBucket | None"
    common: CommonOptions
    group_by: GroupBy | None = None
    acknowledgement: Acknowledgement | None = None
    response_headers: Mapping[str, str] = field(default_factory=dict)
    credential_headers: Collection[str] = ()
    credential_parameters: Collection[str] = ()

    def accepted(self) -> Acknowledgement | None:
        """Choose the answer to an accepted webhook.

        Returns:
            The user's, or else the one that the provider expects; None: 202 and the id.
        """
        if self.acknowledgement is None and self.source is not None:
            return self.source.acknowledgement
        return self.acknowledgement


@dataclass(frozen=True)
class IngressConfig:
    """The result of an ingress for an endpoint.

    Attributes:
        after: The resources that must exist before the first request, such as a permission that nothing refers to.
            Default: none.
        publisher: The function that sends to the queue, for ``ScalableWebhook.publishers``. Default: none.
        url: The URL of the endpoint, of an ingress with an address of its own. Default: none; the endpoint is in a REST
            API.

    See: https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
    """

    after: Sequence[IDependable] = ()
    publisher: lambda_.Function | None = None
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class RestApiIngressConfig(IngressConfig):
    """The result of an ingress of a REST API for an endpoint.

    Attributes:
        after: What has to be there before the first request, as in ``IngressConfig``. Default: nothing.
        publisher: The function that sends to the queue, as in ``IngressConfig``. Default: there is none.
        url: Of no use here, since the API has the URL. Default: none.
        integration: The integration of every method of the endpoint.
        method_responses: The answers that the integration can give. Default: none, as for a proxy integration.
        methods: The HTTP methods that have an integration of their own instead. Default: none.

    See: https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-integration-settings.html
    """

    integration: apigateway.Integration
    method_responses: Sequence[apigateway.MethodResponse] = ()
    methods: "Mapping[str, RestApiIngressConfig]" = field(default_factory=dict)


@typed
class Ingress(ABC):
    """How a request becomes a message: through a publisher Lambda behind an API or a function URL, or straight from API
    Gateway into SQS.

    Each accepts any method, any path below that of the endpoint, and any content type. Each answers 202 only once SQS
    has the message. They write the same message format, so the same consumer serves all. For an ingress of your own,
    subclass ``RestApiIngress``, or ``Ingress`` if it has an address of its own.
    """

    @staticmethod
    def lambda_integration() -> "RestApiIngress":
        """Put a publisher Lambda between API Gateway and SQS.

        It is byte-exact for any payload, and can verify, filter and use S3 before the queue. It costs one invocation a
        webhook.

        Returns:
            The ingress, for ``ScalableWebhook(ingress=…)``.

        See: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
        """
        return _LambdaIntegration()

    @staticmethod
    def direct_integration(*, binary: bool = False) -> "RestApiIngress":
        """Let API Gateway write to SQS by itself: without a function, so with less latency and cost.

        Args:
            binary: Whether payloads may be any bytes. They then travel as base64, which any consumer that knows the
                message format decodes. Base64 takes a third more of the 1 MiB of a message. Default: payloads are text,
                and one that is not XML-legal UTF-8 is answered with 400.

        Returns:
            The ingress, for ``ScalableWebhook(ingress=…)``.

        See: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings-workflow.html
        """
        return _DirectIntegration(binary=binary)

    @staticmethod
    def function_url(*, reserved_concurrency: int | bool = True) -> "Ingress":
        """Put a function URL in front of the publisher Lambda, instead of an API: the cheapest endpoint.

        Everyone can call it, so it needs a ``source``. Without an API there are no ranges of addresses, web ACL, API
        keys, domain, CORS, IAM authorization and access log. Each endpoint of ``add_source()`` has a URL of its own.
        Headers of the same name arrive as one, joined by commas.

        Args:
            reserved_concurrency: The requests at a time that Lambda reserves for the endpoint: 1 to 10,000. It answers
                429 to more, and to more than ten times as many a second. ``True`` stands for 100, or 30 in front of a
                FIFO queue with one group. ``False`` reserves none: a flood can then take the concurrency of all
                functions of the account. Take it if the quota of the account is too small. Default: ``True``.
                See: https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-throttling

        Returns:
            The ingress, for ``ScalableWebhook(ingress=…)``.

        Raises:
            ValueError: ``reserved_concurrency`` is out of its limits.

        See: https://docs.aws.amazon.com/lambda/latest/dg/furls-http-invoke-decision.html
        """
        from cdk_scalable_webhook.endpoint.function_url import FunctionUrl

        return FunctionUrl(reserved_concurrency)

    @property
    def verifies(self) -> bool:
        """Whether the ingress itself verifies the signature of the ``source``, and answers 401. If not, the consumer
        verifies."""
        return False

    @property
    def filters(self) -> bool:
        """Whether the ingress itself drops webhooks that no filter of ``event_filters`` matches. If not, the event
        source mapping or the consumer does."""
        return False

    @property
    def takes_large_payloads(self) -> bool:
        """Whether the ingress puts payloads larger than a message into S3."""
        return False

    @property
    def as_text(self) -> bool:
        """Whether each payload is in the queue as text, which an event source mapping can filter by."""
        return False

    @abstractmethod
    def bind(self, scope: Construct, options: IngressOptions) -> IngressConfig:
        """Create the resources of the ingress below ``scope``, with the permission to send to the queue.

        Args:
            scope: The ``ScalableWebhook``, or its construct of a further endpoint.
            options: The queue and the settings of the endpoint.

        Returns:
            The result for the endpoint.
        """


@typed
class RestApiIngress(Ingress):
    """An ingress that is an integration of a REST API. Subclass it for an ingress of your own.

    See: https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-integration-settings.html
    """

    @property
    @abstractmethod
    def binary_media_types(self) -> Sequence[str]:
        """The binary media types that the API must have, so that payloads reach the integration unchanged."""

    @property
    def as_text(self) -> bool:
        """Whether each payload is in the queue as text: if no media type of the API is binary."""
        return not self.binary_media_types

    def check_api(self, api: apigateway.RestApi, *, binary_media_types: Sequence[str]) -> None:
        """Reject an existing API that would pass other bytes to the integration than it got.

        Args:
            api: The API, for annotations.
            binary_media_types: The media types that are binary in it; ``*/*`` is every type.

        Raises:
            ValueError: The ingress cannot work in such an API. The base class rejects none.
        """

    @abstractmethod
    def bind(self, scope: Construct, options: IngressOptions) -> RestApiIngressConfig:
        """Create the resources of the integration below ``scope``, with the permission to send to the queue.

        Args:
            scope: The ``ScalableWebhook``, or its construct of a further endpoint.
            options: The queue and the settings of the endpoint.

        Returns:
            The integration to put behind every method of the endpoint.
        """


class WithPublisher(Ingress):
    """An ingress whose publisher does all that takes code."""

    @property
    def verifies(self) -> bool:
        """See ``Ingress.verifies``."""
        return True

    @property
    def filters(self) -> bool:
        """See ``Ingress.filters``."""
        return True

    @property
    def takes_large_payloads(self) -> bool:
        """See ``Ingress.takes_large_payloads``."""
        return True


class _LambdaIntegration(WithPublisher, RestApiIngress):
    @property
    def binary_media_types(self) -> Sequence[str]:
        return ["*/*"]

    def check_api(self, api: apigateway.RestApi, *, binary_media_types: Sequence[str]) -> None:
        if "*/*" not in binary_media_types:
            Annotations.of(api).add_warning_v2(
                "cdk-scalable-webhook:binaryMediaTypes",
                'api should have binary_media_types=["*/*"], got an api without it: payloads of other types that are '
                "not UTF-8 are answered with 400.",
            )

    def bind(self, scope: Construct, options: IngressOptions) -> RestApiIngressConfig:
        from cdk_scalable_webhook.endpoint.publisher import create_publisher

        publisher = create_publisher(scope, options, accepted=[findings.THROTTLED_BY_STAGE])
        # One permission for the whole API instead of one a method also covers every later stage.
        integration = apigateway.LambdaIntegration(publisher, scope_permission_to_method=False)
        return RestApiIngressConfig(integration=integration, publisher=publisher)


class _DirectIntegration(RestApiIngress):
    def __init__(self, *, binary: bool) -> None:
        self._binary = binary

    @property
    def binary_media_types(self) -> Sequence[str]:
        return ["*/*"] if self._binary else []

    def check_api(self, api: apigateway.RestApi, *, binary_media_types: Sequence[str]) -> None:  # noqa: ARG002
        binary = "*/*" in binary_media_types
        if binary_media_types and not binary:
            raise ValueError(
                f"ingress must be Ingress.lambda_integration() for an api with {', '.join(binary_media_types)} as its "
                "binary_media_types, got Ingress.direct_integration(), which would answer 500 to such a type; take "
                "Ingress.lambda_integration(), or an api without"
            )
        if binary and not self._binary:
            raise ValueError(
                'ingress must be Ingress.direct_integration(binary=True) for an api with binary_media_types=["*/*"], '
                "got binary=False; take that one: API Gateway would pass on base64 as if it were text"
            )
        if self._binary and not binary:
            raise ValueError(
                'ingress must be Ingress.direct_integration() for an api without binary_media_types=["*/*"], got '
                "binary=True; take that one: API Gateway would pass on text as if it were base64"
            )

    def bind(self, scope: Construct, options: IngressOptions) -> RestApiIngressConfig:
        queue, handshakes = options.queue, options.source.handshakes if options.source else []
        if coded := [each for each in handshakes if each not in ANSWERED_BY_API_GATEWAY]:
            raise ValueError(
                "ingress must be Ingress.lambda_integration() for a source with a handshake or probe that needs code, "
                f"got Ingress.direct_integration() and {coded[-1]!r}; take Ingress.lambda_integration() for this source"
            )
        # All endpoints share a role, except one that needs another permission.
        role = _role(scope if "microsoft_graph" in handshakes else options.webhook, queue)
        header = options.delivery_id_header or ""
        request = mapping_template(
            "request",
            BINARY="true" if self._binary else "false",
            DELIVERY_ID_HEADER=header,
            MOUNT=quote(options.mount, safe=""),
            CREDENTIAL_HEADERS=encoded(options.credential_headers),
            CREDENTIAL_PARAMETERS=encoded(options.credential_parameters),
            **order(options.group_by, fifo=queue.fifo, mount=options.mount),
        )
        status, accepted, accepted_headers = "202", mapping_template("accepted", DELIVERY_ID_HEADER=header), {}
        if (acknowledgement := options.accepted()) is not None:
            status, accepted = str(acknowledgement.status), literal(acknowledgement.body)
            accepted_headers = {"Content-Type": acknowledgement.content_type}
        if "microsoft_graph" in handshakes:
            queue.grant(role, "sqs:GetQueueAttributes")  # the template calls it instead of sending
            request = mapping_template("validation_request", REQUEST=request)
            accepted = mapping_template("validation_accepted", ACCEPTED=accepted)
        answers = [
            # The answer without a pattern is for everything unexpected, so it must not be the one that accepts.
            Answer("503", mapping_template("unavailable")),
            Answer(status, accepted, "200", accepted_headers),
            Answer("400", mapping_template("rejected"), "4\\d{2}"),
        ]
        headers = options.response_headers
        integration = apigateway.AwsIntegration(
            service="sqs",
            path=f"{queue.env.account}/{queue.queue_name}",
            region=queue.env.region,
            integration_http_method="POST",
            options=apigateway.IntegrationOptions(
                credentials_role=role,
                content_handling=apigateway.ContentHandling.CONVERT_TO_TEXT if self._binary else None,
                request_parameters={"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
                # $default stands for every content type without a template of its own. Nothing may reach SQS without a
                # template, since the raw payload would then be the call itself.
                request_templates={"application/json": request, "$default": request},
                passthrough_behavior=apigateway.PassthroughBehavior.NEVER,
                integration_responses=[answer.integration_response(headers) for answer in answers],
            ),
        )
        # Statuses that a template sets instead of that of its answer.
        overrides = [Answer("200", ""), Answer("413", "")]
        declared = {answer.status: answer.method_response(headers) for answer in [*overrides, *answers]}
        methods = {"GET": _okta()} if "okta" in handshakes else {}
        # The methods refer to the role and not to its policy, so the endpoint could open before it may send.
        # A role that is created elsewhere (iam.Role.customize_roles) has its policy there.
        policy = role.node.try_find_child("DefaultPolicy")
        after = [policy] if policy else []
        responses = [declared[status] for status in sorted(declared)]
        return RestApiIngressConfig(integration=integration, method_responses=responses, methods=methods, after=after)


def order(by: GroupBy | None, *, fifo: bool, mount: str) -> dict[str, str]:
    """Return the placeholders for the message group of a request, and for the deduplication id of a FIFO queue."""
    if by is not None and by.needs_code:
        raise ValueError(
            "ingress must be Ingress.lambda_integration() for GroupBy.field(), got Ingress.direct_integration(), which "
            "cannot read payloads; take Ingress.lambda_integration(), or GroupBy.header()"
        )
    header, find, group = by.header_name if by is not None else None, "", ""
    if header is not None:
        find = mapping_template("group", HEADER=header, MISSING=NO_GROUP if fifo else "")
        group = "&MessageGroupId=$util.urlEncode($group)"
    elif by is not None or fifo:
        group = f"&MessageGroupId={quote(ONE_GROUP if by is None else group_of(mount), safe='')}"
    if fifo:
        # Every request is a message of its own: two equal payloads are two webhooks unless their ids are the same.
        group += "&MessageDeduplicationId=$util.urlEncode($context.extendedRequestId)"
    elif header is not None:
        group = f'#if($group != ""){group}#end'
    return {"GROUP": find, "ORDER": group}


def _role(scope: Construct, queue: sqs.IQueue) -> iam.Role:
    """Return the role with which API Gateway sends."""
    role = scope.node.try_find_child("IngressRole")
    if not isinstance(role, iam.Role):
        role = iam.Role(scope, "IngressRole", assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"))
        grants.send(queue, role)
    return role


def _okta() -> RestApiIngressConfig:
    """Return a mock integration that answers Okta's endpoint verification."""
    answer = Answer("200", mapping_template("okta"))
    integration = apigateway.MockIntegration(
        # If every media type is binary, API Gateway otherwise fails on the mock's own template with 500.
        content_handling=apigateway.ContentHandling.CONVERT_TO_TEXT,
        request_templates={"application/json": '{"statusCode": 200}', "$default": '{"statusCode": 200}'},
        passthrough_behavior=apigateway.PassthroughBehavior.NEVER,
        integration_responses=[answer.integration_response({})],
    )
    responses = [each.method_response({}) for each in (answer, Answer("400", ""))]
    return RestApiIngressConfig(integration=integration, method_responses=responses)
