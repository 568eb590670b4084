"""The app of the deployed tests: every ingress, and a consumer that records what it gets."""

from pathlib import Path
from typing import Any

from aws_cdk import App, CfnOutput, Duration, RemovalPolicy, SecretValue, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk_scalable_webhook import (
    Acknowledgement,
    ApiOptions,
    GroupBy,
    Ingress,
    QueueOptions,
    Retry,
    RuntimeLayer,
    ScalableWebhook,
    Sink,
    Source,
)
from webhook_runtime.contract.providers import PROVIDERS

RECORDER = """
import boto3, json, os
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
def handler(event, context):
    for record in event["Records"]:
        if record["body"] == "raise":
            raise RuntimeError("as asked")
        table.put_item(Item={"id": record["messageId"], "record": json.dumps(record)})
    return {"batchItemFailures": []}
"""

READER = """
import boto3, os
from webhook_runtime import read
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
def handler(event, context):
    for webhook in map(read, event["Records"]):
        table.put_item(Item={"id": webhook.key, "path": webhook.path, "total": webhook.json()["total"]})
    return {"batchItemFailures": []}
"""

# Each function has its default time: no test here is about a time-out, and the machine may be busy.
OPTIONS: dict[str, Any] = {"removal_policy": RemovalPolicy.DESTROY}
INGRESSES = {
    "Lambda": Ingress.lambda_integration(),
    "Direct": Ingress.direct_integration(),
    "Binary": Ingress.direct_integration(binary=True),
}


def recorder(scope: Construct, id: str) -> lambda_.Function:
    """Return an existing consumer that records each message in a table of its own."""
    table = dynamodb.Table(
        scope,
        f"{id}Records",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        removal_policy=RemovalPolicy.DESTROY,
    )
    function = lambda_.Function(
        scope,
        f"{id}Recorder",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline(RECORDER),
        environment={"TABLE": table.table_name},
        timeout=Duration.seconds(30),
    )
    table.grant_write_data(function)
    return function


class Ingresses(Stack):
    """Each ingress with the default sink."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        for name, ingress in INGRESSES.items():
            ScalableWebhook(
                self, name, ingress=ingress, delivery_id_header="Idempotency-Key", max_concurrency=3, **OPTIONS
            )
        for name in ("Lambda", "Direct"):
            ScalableWebhook(
                self,
                f"Throttled{name}",
                ingress=INGRESSES[name],
                api=ApiOptions(throttling_rate_limit=1, throttling_burst_limit=2),
                **OPTIONS,
            )
            ScalableWebhook(self, f"Broken{name}", ingress=INGRESSES[name], **OPTIONS)
            dead_letters = sqs.Queue(self, f"{name}DeadLetters", fifo=True)
            fifo = sqs.Queue(
                self,
                f"Fifo{name}Queue",
                fifo=True,
                visibility_timeout=Duration.minutes(3),
                dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=5),
            )
            ScalableWebhook(self, f"Fifo{name}", ingress=INGRESSES[name], queue=fifo, **OPTIONS)


class Recorders(Stack):
    """Each ingress with an existing consumer, in an API that has another method too."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.add_consumers("Text", {"Lambda": INGRESSES["Lambda"], "Direct": INGRESSES["Direct"]}, [])
        self.add_consumers("Bytes", {"Lambda": INGRESSES["Lambda"], "Direct": INGRESSES["Binary"]}, ["*/*"])

    def add_consumers(self, name: str, ingresses: dict[str, Ingress], binary_media_types: list[str]) -> None:
        api = apigateway.RestApi(self, f"{name}Api", binary_media_types=binary_media_types or None)
        api.root.add_resource("health").add_method(
            "GET",
            apigateway.MockIntegration(
                request_templates={"application/json": '{"statusCode": 200}'},
                integration_responses=[apigateway.IntegrationResponse(status_code="200")],
            ),
            method_responses=[apigateway.MethodResponse(status_code="200")],
        )
        for kind, ingress in ingresses.items():
            id = name + kind
            ScalableWebhook(
                self,
                id,
                api=api,
                path=f"/{kind.lower()}/in",
                ingress=ingress,
                consumer=recorder(self, id),
                delivery_id_header="X-Delivery",
                queue=QueueOptions(max_receive_count=1),
            )


class Throttled(Stack):
    """One batch at a time, and messages in groups, behind each ingress; a consumer records their groups."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        for name in ("Lambda", "Direct"):
            ScalableWebhook(self, f"One{name}", ingress=INGRESSES[name], max_concurrency=1, **OPTIONS)
            for kind, queue in {
                "Ordered": QueueOptions(ordered=GroupBy.header("X-Group")),
                "Fair": QueueOptions(fair_by=GroupBy.header("X-Group")),
                "Mounts": QueueOptions(fair_by=GroupBy.mount()),
            }.items():
                ScalableWebhook(
                    self,
                    f"{kind}{name}",
                    path=f"/{kind.lower()}",
                    ingress=INGRESSES[name],
                    consumer=recorder(self, f"{kind}{name}"),
                    queue=queue,
                    max_concurrency=5,
                )


class Layered(Stack):
    """An existing consumer that reads webhooks with the layer."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        table = dynamodb.Table(
            self,
            "Totals",
            partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
            removal_policy=RemovalPolicy.DESTROY,
        )
        reader = lambda_.Function(
            self,
            "Reader",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_inline(READER),
            layers=[RuntimeLayer(self, "Runtime")],
            environment={"TABLE": table.table_name},
            timeout=Duration.seconds(30),
        )
        table.grant_write_data(reader)
        ScalableWebhook(self, "Webhook", consumer=reader)


class Signed(Stack):
    """Each ingress with a source."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        key = secretsmanager.Secret(self, "Key", secret_string_value=SecretValue.unsafe_plain_text("first"))
        for name, ingress in INGRESSES.items():
            retry = Retry(initial=Duration.seconds(4), maximum=Duration.seconds(8))
            ScalableWebhook(self, name, ingress=ingress, source=Source.github(key), retry=retry, **OPTIONS)
        # Addresses that no request comes from.
        for name in ("Lambda", "Direct"):
            key = secretsmanager.Secret(
                self, f"Rotated{name}Key", secret_string_value=SecretValue.unsafe_plain_text("first")
            )
            ScalableWebhook(
                self, f"Rotated{name}", ingress=INGRESSES[name], source=Source.github(key), retry=retry, **OPTIONS
            )


class Fixed(Stack):
    """A source whose secret is wrong at first, behind a direct integration: with a standard queue, and with a FIFO
    queue.
    """

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        dead_letters = sqs.DeadLetterQueue(queue=sqs.Queue(self, "DeadLetters", fifo=True), max_receive_count=5)
        fifo = sqs.Queue(
            self, "Queue", fifo=True, visibility_timeout=Duration.minutes(3), dead_letter_queue=dead_letters
        )
        for name, queue in {"Standard": None, "Fifo": fifo}.items():
            key = secretsmanager.Secret(self, f"{name}Key", secret_string_value=SecretValue.unsafe_plain_text("wrong"))
            ScalableWebhook(
                self,
                name,
                ingress=INGRESSES["Direct"],
                source=Source.stripe(key, tolerance=Duration.seconds(2)),
                queue=queue,
                **OPTIONS,
            )


class Aside(Stack):
    """A standard queue and a FIFO queue, whose dead-letter queues the tests fill."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        ScalableWebhook(self, "Standard", delivery_id_header="Idempotency-Key", large_payloads=True, **OPTIONS)
        ScalableWebhook(self, "Killed", delivery_id_header="Idempotency-Key", **OPTIONS)
        ordered = QueueOptions(ordered=GroupBy.header("X-Group"))
        ScalableWebhook(self, "Ordered", delivery_id_header="Idempotency-Key", queue=ordered, **OPTIONS)


class AccessControl(Stack):
    """Each ingress with access control, and with acknowledgements."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        acknowledgement = Acknowledgement(200, "<Response>$x #if é</Response>", "text/xml; charset=utf-8")
        cors = apigateway.CorsOptions(allow_origins=["https://example.com"], allow_headers=["x-api-key"])
        for name, ingress in INGRESSES.items():
            options: dict[str, Any] = {"ingress": ingress, **OPTIONS}
            ScalableWebhook(self, f"{name}Acknowledged", acknowledgement=acknowledgement, **options)
            ScalableWebhook(self, f"{name}Silent", acknowledgement=Acknowledgement(204), **options)
            keyed = ScalableWebhook(self, f"{name}Keyed", api=ApiOptions(api_key=True), cors=cors, **options)
            CfnOutput(self, f"{name}Key", value=keyed.api_key.key_id if keyed.api_key else "")
        ScalableWebhook(self, "Here", api=ApiOptions(allowed_ip_ranges=["127.0.0.0/8", "::1/128"]), **OPTIONS)
        ScalableWebhook(
            self, "Elsewhere", api=ApiOptions(allowed_ip_ranges=["203.0.113.0/24", "2001:db8::/32"]), **OPTIONS
        )
        for name, base_path in {"Domain": None, "BasePath": "v1"}.items():
            domain = apigateway.DomainNameOptions(
                domain_name=f"{name.lower()}.example.com",
                certificate=acm.Certificate(self, f"{name}Certificate", domain_name=f"{name.lower()}.example.com"),
                base_path=base_path,
            )
            ScalableWebhook(self, name, path="/in", api=ApiOptions(domain_name=domain, web_acl=True), **OPTIONS)
        # An existing API, with all settings that affect an endpoint in it.
        theirs = apigateway.RestApi(
            self,
            "Theirs",
            binary_media_types=["*/*"],
            default_cors_preflight_options=cors,
            disable_execute_api_endpoint=True,
            domain_name=apigateway.DomainNameOptions(
                domain_name="theirs.example.com",
                certificate=acm.Certificate(self, "TheirsCertificate", domain_name="theirs.example.com"),
                base_path="api",
            ),
        )
        theirs.root.add_method("GET", apigateway.MockIntegration())
        for name in ("Lambda", "Binary"):
            ScalableWebhook(
                self, f"{name}Theirs", api=theirs, path=f"/{name.lower()}", ingress=INGRESSES[name], **OPTIONS
            )
        ScalableWebhook(self, "Signed", api=ApiOptions(iam_authorization=True), **OPTIONS).grant_invoke(
            iam.Role(self, "Caller", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        )


class Providers(Stack):
    """An endpoint for every provider: with a function, and without one unless its handshake takes code."""

    ANY_INGRESS = tuple(provider.method for provider in PROVIDERS if not provider.takes_code)
    LAMBDA_INGRESS = tuple(provider.method for provider in PROVIDERS if provider.takes_code)
    # The environment of one consumer has room for so many.
    TOGETHER = 7
    # One with a time, one with an id in a header, one that signs its URL, and one with a handshake that takes code.
    BY_URL = ("stripe", "github", "twilio", "zoom")

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        # The tests put each provider's secret there.
        self.secrets = {
            name: secretsmanager.Secret(self, name)
            for name in (*self.ANY_INGRESS, *self.LAMBDA_INGRESS, "bank", "partner")
        }
        partner = Source.hmac(self.secrets["partner"], header="X-Signature", id_header="X-Id")
        bank = Source.custom(str(Path(__file__).parent / "verify"), "bank.verify", secret=self.secrets["bank"])
        for name, ingress in INGRESSES.items():
            webhook = ScalableWebhook(self, name, ingress=ingress, path="/bank", source=bank, **OPTIONS)
            together = self.ANY_INGRESS[: self.TOGETHER]
            for provider in together if name != "Lambda" else (*self.ANY_INGRESS, *self.LAMBDA_INGRESS):
                webhook.add_source(f"/{provider}", getattr(Source, provider)(self.secrets[provider]))
            webhook.add_source("/partner", partner)
        # Each of them is a function.
        by_url = ScalableWebhook(
            self, "Url", ingress=Ingress.function_url(reserved_concurrency=20), path="/bank", source=bank, **OPTIONS
        )
        for provider in self.BY_URL:
            by_url.add_source(f"/{provider}", getattr(Source, provider)(self.secrets[provider]))
        for start in range(self.TOGETHER, len(self.ANY_INGRESS), self.TOGETHER):
            webhook = ScalableWebhook(
                self, f"Direct{start}", ingress=INGRESSES["Direct"], path="/partner", source=partner, **OPTIONS
            )
            for provider in self.ANY_INGRESS[start : start + self.TOGETHER]:
                webhook.add_source(f"/{provider}", getattr(Source, provider)(self.secrets[provider]))


class Filtered(Stack):
    """Each ingress with filters, and one whose event source mapping drops webhooks.

    Some have a further endpoint that wants other webhooks, and has another acknowledgement.
    """

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        by_body = {"kind": ["order", None], "total": [{"numeric": [">=", 10]}], "by": {"name": [{"prefix": "Zo"}]}}
        by_header = {"headers": {"X-Event": ["push"], "X-Draft": [{"exists": False}]}}
        key = secretsmanager.Secret(self, "Key", secret_string_value=SecretValue.unsafe_plain_text("shared"))
        webhooks = {
            name: ScalableWebhook(
                self,
                name,
                ingress=ingress,
                event_filters=[{"body": by_body}, by_header],
                delivery_id_header="Idempotency-Key",
                **OPTIONS,
            )
            for name, ingress in INGRESSES.items()
        }
        for name in ("Mapping", "Apart"):
            webhooks[name] = ScalableWebhook(
                self,
                name,
                ingress=INGRESSES["Direct"],
                event_filters=[{"body": by_body}],
                delivery_id_header="Idempotency-Key",
                **OPTIONS,
            )
        for name in ("Lambda", "Binary", "Apart"):
            webhooks[name].add_source(
                "/partner",
                Source.hmac(key, header="X-Signature"),
                event_filters=[{"body": {"kind": ["return"]}}],
                delivery_id_header="X-Partner-Id",
                acknowledgement=Acknowledgement(200, "thanks"),
            )


class Fuzzed(Stack):
    """Each ingress, with batches that have time to fill."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        for name, ingress in INGRESSES.items():
            ScalableWebhook(
                self,
                name,
                ingress=ingress,
                delivery_id_header="Idempotency-Key",
                max_concurrency=4,
                batch_size=25,
                max_batching_window=Duration.seconds(1),
                **OPTIONS,
            )


class Large(Stack):
    """Payloads that fit no message, to a sink that stores them and to one that does not."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        more: dict[str, Any] = {"removal_policy": RemovalPolicy.DESTROY, "large_payloads": True}
        more["delivery_id_header"] = "Idempotency-Key"
        # Without binary media types the function gets text as it is, and a third more fits.
        api = apigateway.RestApi(self, "Api")
        ScalableWebhook(self, "Text", api=api, path="/text", **more)
        ScalableWebhook(self, "Bytes", **more)
        ScalableWebhook(self, "Compressed", api=api, path="/compressed", sink=Sink.dynamodb(compress=True), **more)

        table = dynamodb.Table(
            self,
            "Digests",
            partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
            removal_policy=RemovalPolicy.DESTROY,
        )
        handler = Sink.python(
            str(Path(__file__).with_name("digest.py")), "digest.handle", environment={"TABLE": table.table_name}
        )
        retry = Retry(initial=Duration.seconds(1), maximum=Duration.seconds(1))
        webhook = ScalableWebhook(self, "Digest", api=api, path="/digest", sink=handler, retry=retry, **more)
        table.grant_read_write_data(webhook)


app = App()
Ingresses(app, "Ingresses")
Recorders(app, "Recorders")
Throttled(app, "Throttled")
Layered(app, "Layered")
Signed(app, "Signed")
Fixed(app, "Fixed")
Aside(app, "Aside")
AccessControl(app, "AccessControl")
Providers(app, "Providers")
Filtered(app, "Filtered")
Fuzzed(app, "Fuzzed")
Large(app, "Large")
app.synth()
