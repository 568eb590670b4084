"""How a request becomes a message."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from aws_cdk import Annotations, Duration, RemovalPolicy
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IDependable

from cdk_scalable_webhook import findings, grants
from cdk_scalable_webhook.acknowledgement import Acknowledgement
from cdk_scalable_webhook.arguments import typed
from cdk_scalable_webhook.asset import packed
from cdk_scalable_webhook.edge import quoted
from cdk_scalable_webhook.filters import EventFilters, count_dropped, filter_environment
from cdk_scalable_webhook.function import runtime_function
from cdk_scalable_webhook.payloads import grant_put
from cdk_scalable_webhook.source import Source, count_mismatched, environment
from webhook_runtime.contract.settings import PublisherSettings, to_environment

if TYPE_CHECKING:
    from aws_cdk import aws_s3 as s3

_MAPPING = Path(__file__).parent / "mapping"
_PUBLISHER_TIMEOUT = Duration.seconds(20)
# The largest event takes it to 137 MiB (decisions/0013).
_PUBLISHER_MEMORY = 256


@dataclass(frozen=True)
class IngressOptions:
    """What an ingress is given to work with: what all endpoints of a webhook share, such as the queue, and what is this
    endpoint's own.

    Attributes:
        webhook: Where belongs what the endpoints of a webhook share: the ``ScalableWebhook``.
        queue: The queue that every accepted request goes into.
        delivery_id_header: The header whose value makes a delivery unique, in lower case; None: API Gateway's request
            id.
        mount: The path of the endpoint.
        source: Who sends; None: anybody. Where the ingress does not verify, the consumer does.
        event_filters: What is wanted, for an ingress that filters; None: everything, or somebody behind it filters.
        payload_bucket: Where payloads go that no message holds; None: they are refused.
        tracing: X-Ray tracing for functions.
        log_retention: How long functions keep their logs.
        removal_policy: What happens to the ingress's log groups when the stack goes; None: the CDK's default.
        acknowledgement: What an accepted webhook is answered. Default: what the source's sender takes for accepted, or
            202 and its id.
        response_headers: What every answer has for browsers. Default: nothing, as without CORS.
        credential_headers: Headers by which API Gateway has let the sender in, in lower case: they are no part of the
            webhook, and go no further. Default: none.
        credential_parameters: The same of the query. Default: none.

    See: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-integration-types.html
    """

    webhook: Construct
    queue: sqs.IQueue
    delivery_id_header: str | None
    mount: str
    source: Source | None
    event_filters: EventFilters | None
    payload_bucket: "s3.IBucket | None"
    tracing: lambda_.Tracing | None
    log_retention: logs.RetentionDays
    removal_policy: RemovalPolicy | None
    acknowledgement: Acknowledgement | None = None
    response_headers: Mapping[str, str] = field(default_factory=dict)
    credential_headers: Collection[str] = ()
    credential_parameters: Collection[str] = ()

    def accepted(self) -> Acknowledgement | None:
        """Choose what an accepted webhook is answered.

        Returns:
            What the user said, or else what the sender takes for accepted; None: 202 and the id.
        """
        if self.acknowledgement is None and self.source is not None:
            return self.source.acknowledgement
        return self.acknowledgement


@dataclass(frozen=True)
class IngressConfig:
    """What an ingress gives to the API.

    Attributes:
        integration: The integration of every method of the door.
        method_responses: The answers that the integration can give. Default: none, as for a proxy integration.
        methods: HTTP methods that have an integration of their own instead. Default: none has.
        after: What has to be there before the first request, such as a permission that nothing refers to. Default:
            nothing but what the integration refers to.
        publisher: The function that sends to the queue, for ``ScalableWebhook.publishers``. Default: there is none.

    See: https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-integration-settings.html
    """

    integration: apigateway.Integration
    method_responses: Sequence[apigateway.MethodResponse] = ()
    methods: "Mapping[str, IngressConfig]" = field(default_factory=dict)
    after: Sequence[IDependable] = ()
    publisher: lambda_.Function | None = None


@typed
class Ingress(ABC):
    """How a request becomes a message: through a publisher Lambda, or straight from API Gateway into SQS.

    Both accept any method, any path below the mount and any content type, answer 202 only once SQS has the message, and
    write the same message format, so that the same consumer serves both. Subclass it for a door of your own.
    """

    @staticmethod
    def lambda_integration() -> "Ingress":
        """A publisher Lambda between API Gateway and SQS.

        Byte-exact for any payload, and the place for what needs code at the door. Costs one invocation a webhook.

        Returns:
            The ingress, for ``ScalableWebhook(ingress=…)``.

        See: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
        """
        return _LambdaIntegration()

    @staticmethod
    def direct_integration(*, binary: bool = False) -> "Ingress":
        """API Gateway writes to SQS by itself: no function between, so less latency and less cost.

        Args:
            binary: Whether payloads may be any bytes. They then travel as base64, which any consumer that knows the
                message format decodes, and which takes a third more of the 1 MiB that a message holds. Default:
                payloads are text, and one that is not XML-legal UTF-8 is answered with 400.

        Returns:
            The ingress, for ``ScalableWebhook(ingress=…)``.

        See: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings-workflow.html
        """
        return _DirectIntegration(binary=binary)

    @property
    def verifies(self) -> bool:
        """Whether the ingress itself verifies what the ``source`` has signed, and answers 401. If not, the consumer
        verifies."""
        return False

    @property
    def filters(self) -> bool:
        """Whether the ingress itself drops what no filter of ``event_filters`` wants. If not, the event source mapping
        or the consumer does."""
        return False

    @property
    def takes_large_payloads(self) -> bool:
        """Whether the ingress puts into S3 what no message holds."""
        return False

    @property
    @abstractmethod
    def binary_media_types(self) -> Sequence[str]:
        """The binary media types that the API must have, so that payloads reach the integration unchanged."""

    def check_api(  # noqa: B027 (most have nothing to say)
        self, api: apigateway.RestApi, *, binary_media_types: Sequence[str]
    ) -> None:
        """Refuse an API that was brought and would hand other bytes to the integration than it got.

        Args:
            api: The API, for annotations.
            binary_media_types: What is binary in it; every media type is where ``*/*`` is among them.

        Raises:
            ValueError: The ingress cannot work in such an API. The base class refuses none.
        """

    @abstractmethod
    def bind(self, scope: Construct, options: IngressOptions) -> IngressConfig:
        """Create what the ingress needs below ``scope``, with the permission to send to the queue.

        Args:
            scope: The ``ScalableWebhook``, or its construct of a further endpoint.
            options: The queue and the settings that apply to every ingress.

        Returns:
            The integration to put behind every method of the door.
        """


class _LambdaIntegration(Ingress):
    @property
    def verifies(self) -> bool:
        return True

    @property
    def filters(self) -> bool:
        return True

    @property
    def takes_large_payloads(self) -> bool:
        return True

    @property
    def binary_media_types(self) -> Sequence[str]:
        return ["*/*"]

    def check_api(self, api: apigateway.RestApi, *, binary_media_types: Sequence[str]) -> None:
        if "*/*" not in binary_media_types:
            Annotations.of(api).add_warning_v2(
                "cdk-scalable-webhook:binaryMediaTypes",
                'api should have binary_media_types=["*/*"], got an api without: payloads of other types that are not '
                "UTF-8 are refused at the door with 400.",
            )

    def bind(self, scope: Construct, options: IngressOptions) -> IngressConfig:
        source = options.source
        acknowledgement = options.accepted()
        settings = PublisherSettings(
            queue_url=options.queue.queue_url,
            delivery_id_header=None if source is not None and source.gives_ids else options.delivery_id_header,
            acknowledgement=asdict(acknowledgement) if acknowledgement is not None else None,
            response_headers=dict(options.response_headers) or None,
            credentials=_credentials(options),
            payload_bucket=options.payload_bucket.bucket_name if options.payload_bucket is not None else None,
        )
        variables = to_environment(settings) | environment({options.mount: source})
        if options.event_filters is not None:
            variables |= filter_environment({options.mount: options.event_filters})
        packages, own = (source.packages, [source.code] if source.code else []) if source else ((), [])
        with packed(scope, packages, own) as code:
            publisher = runtime_function(
                scope,
                "Publisher",
                code=code,
                handler="publisher",
                description="Writes each webhook to the queue",
                environment=variables,
                timeout=_PUBLISHER_TIMEOUT,
                memory_size=_PUBLISHER_MEMORY,
                tracing=options.tracing,
                log_retention=options.log_retention,
                removal_policy=options.removal_policy,
                accepted=[findings.THROTTLED_BY_STAGE],
            )
        grants.send(options.queue, publisher)
        if source is not None:
            source.grant_read(publisher)
            count_mismatched(publisher, options.queue, [source])
        if options.event_filters is not None:
            count_dropped(publisher, options.queue)
        if options.payload_bucket is not None:
            grant_put(options.payload_bucket, publisher)
        # One permission for the whole API instead of one a method, so for every stage that the API has or gets.
        integration = apigateway.LambdaIntegration(publisher, scope_permission_to_method=False)
        return IngressConfig(integration, publisher=publisher)


def _credentials(options: IngressOptions) -> Mapping[str, list[str]] | None:
    """The names of what API Gateway has let the sender in by, if it has."""
    if not options.credential_headers and not options.credential_parameters:
        return None
    # A signature of the URL is of all of its query.
    parameters = "signed_parameters" if options.source is not None and options.source.signs_url else "parameters"
    return {"headers": sorted(options.credential_headers), parameters: sorted(options.credential_parameters)}


class _DirectIntegration(Ingress):
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
                "binary_media_types, got Ingress.direct_integration(), whose template API Gateway makes of text alone: "
                "a webhook of that type would be answered 500; take Ingress.lambda_integration(), or an api without"
            )
        if binary and not self._binary:
            raise ValueError(
                'ingress must be Ingress.direct_integration(binary=True) for an api with binary_media_types=["*/*"], '
                "got binary=False; take that one: API Gateway would hand over base64 as if it were text"
            )
        if self._binary and not binary:
            raise ValueError(
                'ingress must be Ingress.direct_integration() for an api without binary_media_types=["*/*"], got '
                "binary=True; take that one: API Gateway would hand over text as if it were base64"
            )

    def bind(self, scope: Construct, options: IngressOptions) -> IngressConfig:
        queue, handshakes = options.queue, options.source.handshakes if options.source else []
        if coded := [each for each in handshakes if each not in _ANSWERED_BY_API_GATEWAY]:
            raise ValueError(
                "ingress must be Ingress.lambda_integration() for a source with a handshake or probe that takes code, "
                f"got Ingress.direct_integration() and {coded[-1]!r}; take Ingress.lambda_integration() for this source"
            )
        # One for all endpoints, but for one that asks SQS for more.
        role = _role(scope if "microsoft_graph" in handshakes else options.webhook, queue)
        header = options.delivery_id_header or ""
        request = mapping_template(
            "request",
            BINARY="true" if self._binary else "false",
            DELIVERY_ID_HEADER=header,
            MOUNT=quote(options.mount, safe=""),
            CREDENTIAL_HEADERS=_encoded(options.credential_headers),
            CREDENTIAL_PARAMETERS=_encoded(options.credential_parameters),
            # Every request is its own message: two equal payloads are two webhooks unless their ids say otherwise.
            FIFO="&MessageGroupId=webhook&MessageDeduplicationId=$util.urlEncode($context.extendedRequestId)"
            if queue.fifo
            else "",
        )
        status, accepted, accepted_headers = "202", mapping_template("accepted", DELIVERY_ID_HEADER=header), {}
        if (acknowledgement := options.accepted()) is not None:
            status, accepted = str(acknowledgement.status), literal(acknowledgement.body)
            accepted_headers = {"Content-Type": acknowledgement.content_type}
        if "microsoft_graph" in handshakes:
            queue.grant(role, "sqs:GetQueueAttributes")  # what the template asks of SQS instead of sending
            request = mapping_template("validation_request", REQUEST=request)
            accepted = mapping_template("validation_accepted", ACCEPTED=accepted)
        answers = [
            # The one without a pattern is for everything unforeseen, so it must not be the one that accepts.
            _Answer("503", mapping_template("unavailable")),
            _Answer(status, accepted, "200", accepted_headers),
            _Answer("400", mapping_template("rejected"), "4\\d{2}"),
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
                # $default stands for every content type without a template of its own; without a template nothing may
                # reach SQS, since the raw payload would then be the call itself.
                request_templates={"application/json": request, "$default": request},
                passthrough_behavior=apigateway.PassthroughBehavior.NEVER,
                integration_responses=[answer.integration_response(headers) for answer in answers],
            ),
        )
        # Those that a template says instead of the status of its answer.
        overrides = [_Answer("200", ""), _Answer("413", "")]
        declared = {answer.status: answer.method_response(headers) for answer in [*overrides, *answers]}
        methods = {"GET": _okta()} if "okta" in handshakes else {}
        # The methods refer to the role and not to its policy: a door that is changed would be open before it may send.
        # A role that is made elsewhere (iam.Role.customize_roles) has its policy there.
        policy = role.node.try_find_child("DefaultPolicy")
        after = [policy] if policy else []
        return IngressConfig(integration, [declared[status] for status in sorted(declared)], methods, after=after)


def _role(scope: Construct, queue: sqs.IQueue) -> iam.Role:
    """The role by which API Gateway sends."""
    role = scope.node.try_find_child("IngressRole")
    if not isinstance(role, iam.Role):
        role = iam.Role(scope, "IngressRole", assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"))
        grants.send(queue, role)
    return role


# What API Gateway can say by itself. The rest takes a signature, or the payload.
_ANSWERED_BY_API_GATEWAY = ("okta", "microsoft_graph")


def _okta() -> IngressConfig:
    """A mock integration that says what it was asked to say."""
    answer = _Answer("200", mapping_template("okta"))
    integration = apigateway.MockIntegration(
        # Where every media type is binary, API Gateway else fails on the mock's own template with 500.
        content_handling=apigateway.ContentHandling.CONVERT_TO_TEXT,
        request_templates={"application/json": '{"statusCode": 200}', "$default": '{"statusCode": 200}'},
        passthrough_behavior=apigateway.PassthroughBehavior.NEVER,
        integration_responses=[answer.integration_response({})],
    )
    return IngressConfig(integration, [each.method_response({}) for each in (answer, _Answer("400", ""))])


def mapping_template(name: str, **placeholders: str) -> str:
    """A template of ``mapping/`` as API Gateway gets it: comments and layout removed, placeholders filled."""
    lines = (_MAPPING / f"{name}.vtl").read_text().splitlines()
    template = "".join(line.strip() for line in lines if not line.startswith("##"))
    for placeholder, value in placeholders.items():
        template = template.replace(f"@{placeholder}@", value)
    return template


def _encoded(names: Collection[str]) -> str:
    """Names as $util.urlEncode writes them, with blanks between, which no name then has."""
    return " ".join(quote_plus(name, safe="*").replace("~", "%7E") for name in sorted(names))


def literal(text: str) -> str:
    """A template of this text, whatever it would mean to Velocity."""
    return f'$util.urlDecode("{quote(text, safe="")}")'


@dataclass(frozen=True)
class _Answer:
    """An answer of the direct integration, for the statuses of SQS that match the pattern."""

    status: str
    template: str
    pattern: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def integration_response(self, headers: Mapping[str, str]) -> apigateway.IntegrationResponse:
        values = quoted(_responded({**self.headers, **headers}))
        return apigateway.IntegrationResponse(
            status_code=self.status,
            selection_pattern=self.pattern,
            # Where every media type is binary, the reply is bytes as well, of which no template can be rendered: each
            # answer would be a 500, that to an accepted webhook too.
            content_handling=apigateway.ContentHandling.CONVERT_TO_TEXT,
            response_templates={"application/json": self.template},
            response_parameters=values or None,
        )

    def method_response(self, headers: Mapping[str, str]) -> apigateway.MethodResponse:
        names = dict.fromkeys(_responded({**self.headers, **headers}), True)
        return apigateway.MethodResponse(status_code=self.status, response_parameters=names or None)


def _responded(headers: Mapping[str, str]) -> dict[str, str]:
    return {f"method.response.header.{name}": value for name, value in headers.items()}
