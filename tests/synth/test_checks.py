"""One row for each check: the message names the argument, the limit, the value and the remedies."""

import json
import py_compile
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from aws_cdk import App, Duration, Environment, RemovalPolicy, Stack, Token
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_wafv2 as wafv2
from aws_cdk.assertions import Template
from constructs import Construct

from cdk_scalable_webhook import (
    Acknowledgement,
    AdaptiveRate,
    CircuitBreaker,
    GroupBy,
    Ingress,
    IngressConfig,
    IngressOptions,
    Probe,
    QueueOptions,
    Retry,
    ScalableWebhook,
    Sink,
    Source,
)

from . import test_existing
from .grouped import grouped
from .rejections import OMITTED, Make, Rejection, Row, assert_remedies_work

# The code of functions, which must exist until the tests end.
FOLDER = tempfile.TemporaryDirectory()
seconds, minutes, days = Duration.seconds, Duration.minutes, Duration.days


def queue(**properties: Any) -> Make:
    return lambda stack: sqs.Queue(stack, "Existing", **properties)


def pinged(code: str) -> Make:
    """Return a sink of Sink.python() whose module has this code as well."""

    def make(_: Stack) -> Sink:
        folder = Path(tempfile.mkdtemp(dir=FOLDER.name))
        (folder / "orders.py").write_text(f"def handle(webhook): ...\n{code}\n")
        return Sink.python(folder, "orders.handle")

    return make


def table(name: str, type: dynamodb.AttributeType, sort: str | None = None) -> Make:
    sort_key = dynamodb.Attribute(name=sort, type=dynamodb.AttributeType.STRING) if sort else None
    return lambda stack: Sink.dynamodb(
        dynamodb.Table(stack, "T", partition_key=dynamodb.Attribute(name=name, type=type), sort_key=sort_key)
    )


def function(timeout: Duration | None = None, *, reserved: int | None = None, **properties: Any) -> Make:
    given = {"timeout": timeout, "reserved_concurrent_executions": reserved, **properties}
    return lambda stack: test_existing.function(stack, **given)


def api(**properties: Any) -> Make:
    def make(stack: Stack) -> apigateway.RestApi:
        rest_api = apigateway.RestApi(stack, "Existing", **properties)
        rest_api.root.add_method("ANY")
        rest_api.root.add_resource("taken").add_proxy(any_method=True)
        return rest_api

    return make


def number() -> Any:
    return Token.as_number({"Ref": "Number"})


def vpc(stack: Stack) -> ec2.Vpc:
    return ec2.Vpc(stack, "Vpc")


def other(stack: Stack) -> Stack:
    return Stack(cast(App, stack.node.root), "Other")


def same(stack: Stack) -> sqs.IQueue:
    found = stack.node.try_find_child("Same")
    return found if isinstance(found, sqs.Queue) else sqs.Queue(stack, "Same", retention_period=days(14))


def busy(stack: Stack) -> sqs.IQueue:
    busy = sqs.Queue(stack, "Busy", visibility_timeout=minutes(3))
    ScalableWebhook(stack, "Other", queue=busy)
    return busy


def secret(stack: Stack) -> secretsmanager.Secret:
    return secretsmanager.Secret(stack, "Secret")


def instance(stack: Stack) -> rds.DatabaseInstance:
    engine = rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.VER_8_0)
    return rds.DatabaseInstance(stack, "Mysql", engine=engine, vpc=vpc(stack))


def postgres(stack: Stack) -> rds.DatabaseInstance:
    engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17_6)
    return rds.DatabaseInstance(stack, "Postgres", engine=engine, vpc=vpc(stack))


def imported_instance(stack: Stack, **attributes: Any) -> rds.IDatabaseInstance:
    return rds.DatabaseInstance.from_database_instance_attributes(
        stack,
        "Imported",
        instance_endpoint_address="db",
        instance_identifier="db",
        port=1,
        security_groups=[],
        **attributes,
    )


def aurora(stack: Stack, **properties: Any) -> rds.DatabaseCluster:
    engine = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_16_6)
    writer = rds.ClusterInstance.serverless_v2("Writer")
    return rds.DatabaseCluster(stack, "Aurora", engine=engine, writer=writer, vpc=vpc(stack), **properties)


def cors(*origins: str, **options: Any) -> apigateway.CorsOptions:
    return apigateway.CorsOptions(allow_origins=list(origins), **options)


def domain(name: str) -> Make:
    def make(stack: Stack) -> apigateway.DomainNameOptions:
        certificate = acm.Certificate(stack, "Certificate", domain_name="a.example")
        return apigateway.DomainNameOptions(domain_name=name, certificate=certificate)

    return make


def web_acl(stack: Stack, scope: str) -> wafv2.CfnWebACL:
    visible = wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name="Acl", sampled_requests_enabled=True
    )
    allow = wafv2.CfnWebACL.DefaultActionProperty(allow={})
    return wafv2.CfnWebACL(stack, "Acl", scope=scope, default_action=allow, visibility_config=visible)


def imported_aurora(stack: Stack, **attributes: Any) -> rds.IDatabaseCluster:
    return rds.DatabaseCluster.from_database_cluster_attributes(
        stack, "Imported", cluster_identifier="c", cluster_endpoint_address="c", port=1, **attributes
    )


def on_host(stack: Stack, **arguments: Any) -> Sink:
    return Sink.postgres(**{"host": "h", "database_name": "d", "secret": secret(stack), **arguments})


def code(handler: str, name: str = "orders.py", text: str = "def handle(webhook): ...") -> Make:
    def make(_: Stack) -> Sink:
        folder = Path(tempfile.mkdtemp(dir=FOLDER.name))
        (folder / name).write_text(text)
        return Sink.python(str(folder), handler)

    return make


def fifo_with_dead_letters(**properties: Any) -> Make:
    def make(stack: Stack) -> sqs.Queue:
        dead_letters = sqs.Queue(stack, "DeadLetters", **properties)
        policy = sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=5)
        return sqs.Queue(stack, "Existing", fifo=True, visibility_timeout=minutes(3), dead_letter_queue=policy)

    return make


def kept_for(period: Duration, *, tries: int) -> Make:
    def make(stack: Stack) -> sqs.Queue:
        dead_letter_queue = sqs.DeadLetterQueue(queue=sqs.Queue(stack, "DeadLetters"), max_receive_count=tries)
        return sqs.Queue(
            stack,
            "Existing",
            retention_period=period,
            visibility_timeout=minutes(3),
            dead_letter_queue=dead_letter_queue,
        )

    return make


def with_package(stack: Stack) -> Sink:
    """Return a sink with a package that is installed as pip does it."""
    site = Path(FOLDER.name) / "site"
    about = site / "none_such-1.0.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    (site / "none_such.py").write_text("")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: none-such\nVersion: 1.0\n")
    (about / "RECORD").write_text("none_such.py,,\nnone_such-1.0.dist-info/METADATA,,\n")
    if str(site) not in sys.path:
        sys.path.append(str(site))
    return Sink.python(__file__, "test_checks.number", packages=["none-such"])


def compiled(text: str) -> str:
    """Return the code if it compiles."""
    file = Path(FOLDER.name) / "compiled.py"
    file.write_text(text)
    py_compile.compile(str(file), doraise=True)
    return text


PYTHON: Make = lambda stack: Sink.python(Path(__file__).parent / "test_checks.py", "test_checks.number")  # noqa: E731


class CustomIngress(Ingress):
    def __init__(self, url: str | None = None) -> None:
        self._url = url

    def bind(self, scope: Construct, options: IngressOptions) -> IngressConfig:
        return IngressConfig(url=self._url)


def github(stack: Stack) -> Source:
    return Source.github(secret(stack))


ROWS = [
    Row("max_concurrency too low", "max_concurrency must be between 1 and 1,000, got 0; raise it", {"max_concurrency": 0}, remedies=[{"max_concurrency": 1}]),
    Row("one at a time with a standard queue", "max_concurrency must be at least 2 with a standard queue, got 1: only a FIFO queue can have one batch at a time; raise it, or pass a FIFO queue, or leave queue out", {"max_concurrency": 1}, {"queue": queue(visibility_timeout=minutes(3))}, remedies=[{"max_concurrency": 2}, {"queue": queue(fifo=True, visibility_timeout=minutes(3))}, {"queue": OMITTED}]),
    Row("two at a time in one order", "max_concurrency must be 1 with ordered=True, which is one group, got 2; leave it out, or set", {"max_concurrency": 2, "ordered": True}, remedies=[{"max_concurrency": OMITTED}, {"ordered": GroupBy.header("X-Shop")}]),
    Row("later at a time in one order", "max_concurrency must be 1 with ordered=True, which is one group, got a value that only deployment knows", {"max_concurrency": number(), "ordered": True}, remedies=[{"max_concurrency": OMITTED}, {"ordered": GroupBy.header("X-Shop")}]),
    Row("groups one at a time", "max_concurrency must be at least 2 with a GroupBy, got 1: one batch at a time is one group; raise it, or leave out the GroupBy", {"max_concurrency": 1, "ordered": GroupBy.mount()}, remedies=[{"max_concurrency": 2}, {"ordered": True}]),
    Row("fair tenants one at a time", "max_concurrency must be at least 2 with a GroupBy, got 1", {"max_concurrency": 1, "fair_by": GroupBy.mount()}, remedies=[{"max_concurrency": 2}, {"fair_by": OMITTED}]),
    Row("order and fair tenants", "fair_by must not be set together with ordered, got both: each group of a FIFO queue has its own order and share already; leave out fair_by, or leave out ordered", {"ordered": GroupBy.mount(), "fair_by": GroupBy.mount()}, remedies=[{"fair_by": OMITTED}, {"ordered": OMITTED}]),
    Row("order with a batch of more than 10", "batch_size of a FIFO queue must be between 1 and 10, got 11; lower it", {"batch_size": 11, "ordered": True}, remedies=[{"batch_size": 10}]),
    Row("one at a time with a window", "max_batching_window must not be set for a FIFO queue, got 1 second; leave it out", {"max_batching_window": seconds(1), "max_concurrency": 1}, remedies=[{"max_batching_window": OMITTED}]),
    Row("one at a time with a standard dead-letter queue", "dead_letter_queue must be a FIFO queue like the queue that it serves, got a standard queue; pass a FIFO one", {"max_concurrency": 1}, {"dead_letter_queue": queue(retention_period=days(14))}, remedies=[{"dead_letter_queue": queue(fifo=True, retention_period=days(14))}, {"dead_letter_queue": OMITTED}]),
    Row("more than one group takes", "throttling_rate_limit in front of one message group must be between 1 and 300, got 301; lower it", {"max_concurrency": 1, "throttling_rate_limit": 301}, remedies=[{"throttling_rate_limit": 300}]),
    Row("burst of more than one group takes", "throttling_burst_limit in front of one message group must be between 1 and 300, got 301; lower it", {"ordered": GroupBy.mount(), "throttling_burst_limit": 301}, remedies=[{"throttling_burst_limit": 300}]),
    Row("field behind a direct integration", "ingress must be Ingress.lambda_integration() for GroupBy.field(), got Ingress.direct_integration(), which cannot read payloads; take Ingress.lambda_integration(), or GroupBy.header()", {"ordered": GroupBy.field("a"), "ingress": Ingress.direct_integration()}, remedies=[{"ingress": OMITTED}, {"ordered": GroupBy.header("X-Shop")}]),
    Row("rate of nothing", "max_delivery_rate must be between 0.01 and 100,000, got 0; raise it", {"max_delivery_rate": 0}, remedies=[{"max_delivery_rate": 20}]),
    Row("rate that the timeout does not hold", "max_delivery_rate must let a batch end within timeout - 5 seconds, here 25, got batch_size 10 x max_concurrency 2 / 0.5 a second = 40 seconds; set batch_size=6, or set consumer=ConsumerOptions(timeout=Duration.seconds(45))", {"max_delivery_rate": 0.5}, remedies=[{"batch_size": 6}, {"timeout": seconds(45)}]),
    Row("rate that no batch holds", "= 2,000 seconds; raise max_delivery_rate, or lower max_concurrency and batch_size", {"max_delivery_rate": 0.01}, remedies=[{"max_delivery_rate": 20}, {"max_concurrency": 1, "batch_size": 1, "timeout": seconds(200)}]),
    Row("rate of a concurrency that only deployment knows", "max_delivery_rate needs max_concurrency, batch_size and timeout that are known at synth, got one that only deployment knows; write it out", {"max_delivery_rate": 20, "max_concurrency": number()}, remedies=[{"max_concurrency": 2}]),
    Row("rate together with a consumer", "max_delivery_rate must not be set together with consumer", {"max_delivery_rate": 20}, {"consumer": function()}, remedies=[{"max_delivery_rate": OMITTED}, {"consumer": OMITTED}]),
    Row("target latency above the timeout", "target_latency must not be longer than the timeout of the consumer, 30 seconds, got 31 seconds; shorten it", {"max_delivery_rate": AdaptiveRate(maximum=20, target_latency=seconds(31))}, remedies=[{"max_delivery_rate": AdaptiveRate(maximum=20, target_latency=seconds(30))}]),
    Row("breaker together with a consumer", "breaker must not be set together with consumer, got both: an existing function does not tell that its sink is down; leave breaker out, or pass a sink", {"breaker": CircuitBreaker()}, {"consumer": function()}, remedies=[{"breaker": OMITTED}, {"consumer": OMITTED}]),
    Row("breaker of a handler without a ping", "breaker needs a sink that can be pinged, got PythonSink without; add def ping() to the module of its handler, which raises if the sink is down, or leave breaker out", {"breaker": CircuitBreaker()}, {"sink": pinged("")}, remedies=[{"sink": pinged("def ping(): ...")}, {"breaker": OMITTED}]),
    Row("breaker of a ping with an argument", "breaker needs a sink that can be pinged", {"breaker": CircuitBreaker()}, {"sink": pinged("def ping(host): ...")}, remedies=[{"sink": pinged("def ping(host='h', *more, port=1, **others): ...")}, {"breaker": OMITTED}]),
    Row("breaker of an asynchronous ping", "breaker needs a sink that can be pinged", {"breaker": CircuitBreaker()}, {"sink": pinged("async def ping(): ...")}, remedies=[{"sink": pinged("def ping(): ...")}, {"breaker": OMITTED}]),
    Row("failures that the tries do not bear", "failures of CircuitBreaker must be less than max_receive_count (5), got 5: a webhook would use up its tries before the pause; lower failures, or raise max_receive_count", {"breaker": CircuitBreaker(failures=5)}, remedies=[{"breaker": CircuitBreaker(failures=4)}, {"max_receive_count": 6}]),
    Row("failures that one try does not bear", "failures of CircuitBreaker must be less than max_receive_count (1), got 1", {"breaker": CircuitBreaker(failures=1), "max_receive_count": 1}, remedies=[{"max_receive_count": 2}, {"breaker": True}, {"breaker": False}]),
    Row("wait that the queue does not bear", "maximum of CircuitBreaker must be shorter than the retention_period of the queue, 1 hour, got 1 hour: SQS would delete webhooks between two probes; lower it, or raise retention_period", {"breaker": CircuitBreaker(maximum=minutes(60)), "retention_period": minutes(60), "retry": Retry(maximum=minutes(1))}, remedies=[{"breaker": CircuitBreaker(maximum=minutes(59))}, {"retention_period": minutes(61)}]),
    Row("max_concurrency too high", "max_concurrency must be between 1 and 1,000, got 1,001", {"max_concurrency": 1001}, remedies=[{"max_concurrency": 1000}]),
    Row("batch_size too low", "batch_size must be between 1 and 10,000, got 0", {"batch_size": 0}, remedies=[{"batch_size": 1}]),
    Row("batch_size too high", "batch_size must be between 1 and 10,000, got 10,001", {"batch_size": 10_001}, remedies=[{"batch_size": 10}]),
    Row("batch_size without window", "batch_size above 10 needs a max_batching_window of at least 1 second, got batch_size 11 and no window; add", {"batch_size": 11}, remedies=[{"max_batching_window": seconds(1)}]),
    Row("batch_size with window of 0", "needs a max_batching_window of at least 1 second", {"batch_size": 11, "max_batching_window": seconds(0)}, remedies=[{"max_batching_window": seconds(1)}]),
    Row("window too long", "max_batching_window must be between 0 seconds and 5 minutes, got 5 minutes 1 second", {"max_batching_window": seconds(301)}, remedies=[{"max_batching_window": minutes(5)}]),
    Row("FIFO batch", "batch_size of a FIFO queue must be between 1 and 10, got 11; lower it", {"batch_size": 11}, {"queue": queue(fifo=True, visibility_timeout=minutes(3))}, remedies=[{"batch_size": 10}]),
    Row("FIFO window", "max_batching_window must not be set for a FIFO queue, got 1 second; leave it out", {"max_batching_window": seconds(1)}, {"queue": queue(fifo=True, visibility_timeout=minutes(3))}, remedies=[{"max_batching_window": OMITTED}]),
    Row("visibility below timeout", "visibility_timeout must not be shorter than the consumer's timeout of 30 seconds, got 29 seconds; leave it out", {"visibility_timeout": seconds(29)}, remedies=[{"visibility_timeout": OMITTED}]),
    Row("visibility below 6 x timeout", "at least 6 x timeout + max_batching_window, here 125 seconds, got 2 minutes 4 seconds", {"visibility_timeout": seconds(124), "timeout": seconds(20), "max_batching_window": seconds(5)}, remedies=[{"visibility_timeout": OMITTED}, {"timeout": seconds(19)}]),
    Row("visibility too long", "visibility_timeout must be between 0 seconds and 12 hours, got 12 hours 1 second", {"visibility_timeout": seconds(43_201)}, remedies=[{"visibility_timeout": Duration.hours(12)}]),
    Row("visibility below timeout of an existing consumer", "the consumer's timeout of 1 minute, got 59 seconds", {"visibility_timeout": seconds(59)}, {"consumer": function(minutes(1))}, remedies=[{"visibility_timeout": OMITTED}]),
    Row("visibility of an existing queue", "the visibility timeout of queue must be at least 6 x timeout + max_batching_window, here 360 seconds, got 30 seconds; create the queue with visibility_timeout=Duration.seconds(360), or shorten timeout", {"timeout": minutes(1)}, {"queue": queue()}, remedies=[{"queue": queue(visibility_timeout=seconds(360))}, {"timeout": seconds(5)}]),
    Row("max_receive_count too low", "max_receive_count must be between 1 and 1,000, got 0", {"max_receive_count": 0}, remedies=[{"max_receive_count": 1}]),
    Row("max_receive_count too high", "max_receive_count must be between 1 and 1,000, got 1,001", {"max_receive_count": 1001}, remedies=[{"max_receive_count": 300}]),
    Row("reserved below max_concurrency", "reserved_concurrent_executions must be at least max_concurrency (5), got 4; leave it out", {"reserved_concurrent_executions": 4, "max_concurrency": 5}, remedies=[{"reserved_concurrent_executions": OMITTED}]),
    Row("retention too short", "retention_period must be between 1 minute and 14 days, got 59 seconds", {"retention_period": seconds(59)}, remedies=[{"retention_period": minutes(8)}]),
    Row("retention too long", "retention_period must be between 1 minute and 14 days, got 15 days", {"retention_period": days(15)}, remedies=[{"retention_period": days(14)}]),
    Row("path of a health check", "path must not be /ping or /sping, which API Gateway answers by itself under a custom domain, got '/ping'; take", {"path": "/ping"}, remedies=[{"path": "/webhooks"}]),
    Row("header that API Gateway drops", "delivery_id_header must be a header that API Gateway passes on, got 'Content-MD5', which it drops; name", {"delivery_id_header": "Content-MD5"}, remedies=[{"delivery_id_header": "X-Delivery"}]),
    Row("header that API Gateway writes", "delivery_id_header must be a header of the provider, got 'X-Forwarded-Port', which API Gateway writes; name", {"delivery_id_header": "X-Forwarded-Port"}, remedies=[{"delivery_id_header": "X-Delivery"}]),
    Row("smaller messages in the dead-letter queue", "max_message_size_bytes of dead_letter_queue must not be smaller than the queue's 1048576, got 262144; give", {}, {"dead_letter_queue": queue(max_message_size_bytes=262_144)}, remedies=[{"dead_letter_queue": queue(max_message_size_bytes=1_048_576)}]),
    Row("shorter retention in the dead-letter queue", "the retention period of dead_letter_queue must not be shorter than the queue's 432000 seconds, got 345600 seconds; give", {"retention_period": days(5)}, {"dead_letter_queue": queue()}, remedies=[{"dead_letter_queue": queue(retention_period=days(14))}]),
    Row("shorter retention in the dead-letter queue than the default", "shorter than the queue's 345600 seconds, got 60 seconds", {}, {"dead_letter_queue": queue(retention_period=minutes(1))}, remedies=[{"dead_letter_queue": queue(retention_period=days(14))}]),
    Row("FIFO dead-letter queue of a standard queue", "dead_letter_queue must be a standard queue like the queue that it serves, got a FIFO queue; pass a standard one", {}, {"dead_letter_queue": queue(fifo=True)}, remedies=[{"dead_letter_queue": queue()}, {"dead_letter_queue": OMITTED}]),
    Row("standard dead-letter queue of a FIFO queue", "dead_letter_queue must be a FIFO queue like the queue that it serves, got a standard queue", {}, {"queue": fifo_with_dead_letters()}, remedies=[{"queue": fifo_with_dead_letters(fifo=True)}, {"queue": queue(fifo=True, visibility_timeout=minutes(3))}]),
    Row("FIFO unverified queue", "unverified_queue must be a standard queue, got a FIFO queue; pass a standard one", {}, {"unverified_queue": queue(fifo=True)}, remedies=[{"unverified_queue": queue()}, {"unverified_queue": OMITTED}]),
    Row("smaller messages in the unverified queue", "max_message_size_bytes of unverified_queue must not be smaller than the queue's 1048576, got 262144; give", {}, {"unverified_queue": queue(max_message_size_bytes=262_144)}, remedies=[{"unverified_queue": queue(max_message_size_bytes=1_048_576)}]),
    Row("one queue as unverified queue and dead-letter queue", "unverified_queue must be another queue than dead_letter_queue, got Stack/Same for both", {}, {"dead_letter_queue": same, "unverified_queue": same}, remedies=[{"unverified_queue": OMITTED}, {"dead_letter_queue": OMITTED}]),
    Row("unverified queue with a consumer", "unverified_queue must have no consumer, got Stack/Busy, which another ScalableWebhook consumes", {}, {"unverified_queue": busy}, remedies=[{"unverified_queue": OMITTED}, {"unverified_queue": queue()}]),
    Row("timeout too short", "timeout must be between 1 second and 15 minutes, got 0 seconds", {"timeout": seconds(0)}, remedies=[{"timeout": seconds(1)}]),
    Row("timeout too long", "timeout must be between 1 second and 15 minutes, got 16 minutes", {"timeout": minutes(16)}, remedies=[{"timeout": minutes(15)}]),
    Row("memory too small", "memory_size must be between 128 and 10,240, got 64", {"memory_size": 64}, remedies=[{"memory_size": 128}]),
    Row("rate limit of 0", "throttling_rate_limit must be between 1 and 100,000, got 0", {"throttling_rate_limit": 0}, remedies=[{"throttling_rate_limit": 1}]),
    Row("delivery id in the header of the API key", "delivery_id_header must name a header of the webhook, got 'x-api-key', a credential for API Gateway", {"api_key": True, "delivery_id_header": "X-API-Key"}, remedies=[{"delivery_id_header": "X-Id"}]),
    Row("id of a source in the header of the API key", "id_header must name a header of the webhook, got 'x-api-key', a credential for API Gateway", {"api_key": True}, {"source": lambda stack: Source.hmac(secret(stack), header="X-Sig", id_header="X-Api-Key")}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header="X-Sig", id_header="X-Id")}]),
    Row("signed URL with a credential of IAM", "ingress must be Ingress.lambda_integration() for a source that signs a URL with the credential x-amz-credential of API Gateway in it", {"iam_authorization": True, "ingress": Ingress.direct_integration()}, {"source": lambda stack: Source.hmac(secret(stack), header="X-Sig", signed_content="{method}.{url}.{body}")}, remedies=[{"ingress": Ingress.lambda_integration()}, {"source": lambda stack: Source.hmac(secret(stack), header="X-Sig")}]),
    Row("delivery id in a header of IAM", "delivery_id_header must name a header of the webhook, got 'x-amz-security-token'", {"iam_authorization": True, "delivery_id_header": "X-Amz-Security-Token"}, remedies=[{"delivery_id_header": "X-Id"}]),
    Row("filter on the header of the API key", "event_filters must name a header of the webhook, got 'x-api-key'", {"api_key": True, "event_filters": [{"headers": {"$or": [{"X-Api-Key": ["a"]}, {"x-id": ["b"]}]}}]}, remedies=[{"event_filters": [{"headers": {"x-id": ["b"]}}]}]),
    Row("burst limit of 0", "throttling_burst_limit must be between 1 and 100,000, got 0", {"throttling_burst_limit": 0}, remedies=[{"throttling_burst_limit": 1}]),
    Row("header with a colon", "delivery_id_header must be 1 to 128 letters, digits, hyphens or underscores, got 'X: y'", {"delivery_id_header": "X: y"}, remedies=[{"delivery_id_header": "Idempotency-Key"}]),
    Row("empty header", "delivery_id_header must be", {"delivery_id_header": ""}, remedies=[{"delivery_id_header": "Idempotency-Key"}]),
    Row("relative path", "path must be '/' or fixed segments such as '/hooks/github', got 'hooks'", {"path": "hooks"}, remedies=[{"path": "/hooks"}]),
    Row("path with a parameter", "got '/hooks/{id}'; leave {parameters} out", {"path": "/hooks/{id}"}, remedies=[{"path": "/hooks"}]),
    Row("empty path segment", "got '/hooks//github'", {"path": "/hooks//github"}, remedies=[{"path": "/hooks/github"}]),
    Row("unverified queue together with a consumer", "unverified_queue must not be set together with consumer, got unverified_queue; leave it out", {}, {"consumer": function(), "unverified_queue": queue()}, remedies=[{"unverified_queue": OMITTED}]),
    Row("ingress of its own without a URL", "ingress must have the URL of its endpoint, got a CustomIngress whose bind() returns none; return IngressConfig(url=…), or subclass RestApiIngress", {}, {"ingress": lambda stack: CustomIngress()}, remedies=[{"ingress": lambda stack: CustomIngress("https://example.com/")}, {"ingress": Ingress.direct_integration()}]),
    Row("function URL without a source", "source must be set with Ingress.function_url(), got none: everyone can call the URL, and nothing but the source checks a caller; set source=Source.…(), or take Ingress.lambda_integration()", {"ingress": Ingress.function_url()}, remedies=[{"source": github}, {"ingress": Ingress.lambda_integration()}]),
    Row("function URL with options of an API", "api must not be set with an ingress that has no API, got ApiOptions; leave it out, or take Ingress.lambda_integration(): only an API has ranges of addresses, a web ACL, API keys, a domain, CORS, IAM authorization and a throttle by rate", {"ingress": Ingress.function_url(), "web_acl": True}, {"source": github}, remedies=[{"web_acl": OMITTED}, {"ingress": Ingress.lambda_integration()}]),
    Row("function URL in an existing API", "api must not be set with an ingress that has no API, got RestApi", {"ingress": Ingress.function_url(), "path": "/free"}, {"source": github, "api": api(binary_media_types=["*/*"])}, remedies=[{"api": OMITTED}, {"ingress": Ingress.lambda_integration()}]),
    Row("function URL with CORS", "cors must not be set with an ingress that has no API, got CorsOptions", {"ingress": Ingress.function_url(), "cors": apigateway.CorsOptions(allow_origins=["https://example.com"])}, {"source": github}, remedies=[{"cors": OMITTED}, {"ingress": Ingress.lambda_integration()}]),
    Row("sink together with a consumer", "sink must not be set together with consumer", {}, {"consumer": function(), "sink": lambda stack: Sink.dynamodb()}, remedies=[{"sink": OMITTED}, {"consumer": OMITTED}]),
    Row("existing consumer with too little reserved concurrency", "reserved_concurrent_executions of consumer must be at least max_concurrency (2), got 1; raise it, or leave it out", {}, {"consumer": function(reserved=1)}, remedies=[{"consumer": function(reserved=2)}, {"consumer": function()}]),
    Row("root of an existing API that is not free", "path must be free in api, got '/', which has ANY already; take another path", {}, {"api": api(binary_media_types=["*/*"])}, remedies=[{"path": "/free"}]),
    Row("path of an existing API that is not free", "path must be free in api, got '/taken', which has {proxy+} already", {"path": "/taken"}, {"api": api(binary_media_types=["*/*"])}, remedies=[{"path": "/free"}]),
    Row("direct integration for text in a binary API", "ingress must be Ingress.direct_integration(binary=True) for an api with binary_media_types", {"path": "/free", "ingress": Ingress.direct_integration()}, {"api": api(binary_media_types=["*/*"])}, remedies=[{"ingress": Ingress.direct_integration(binary=True)}]),
    Row("direct integration for bytes in a text API", "ingress must be Ingress.direct_integration() for an api without", {"path": "/free", "ingress": Ingress.direct_integration(binary=True)}, {"api": api()}, remedies=[{"ingress": Ingress.direct_integration()}]),
    Row("table with another key", "table must have the string partition key 'id' and no sort key, got pk (STRING); create one with", {}, {"sink": table("pk", dynamodb.AttributeType.STRING)}, remedies=[{"sink": table("id", dynamodb.AttributeType.STRING)}, {"sink": PYTHON}]),
    Row("table with a number as key", "got id (NUMBER)", {}, {"sink": table("id", dynamodb.AttributeType.NUMBER)}, remedies=[{"sink": table("id", dynamodb.AttributeType.STRING)}, {"sink": PYTHON}]),
    Row("table with a sort key", "got id (STRING) and at (STRING)", {}, {"sink": table("id", dynamodb.AttributeType.STRING, "at")}, remedies=[{"sink": table("id", dynamodb.AttributeType.STRING)}, {"sink": PYTHON}]),
    Row("initial retry too short", "retry initial must be between 1 second and 11 hours, got 0 seconds", {}, {"retry": lambda stack: Retry(initial=seconds(0))}, remedies=[{"retry": lambda stack: Retry(initial=seconds(1))}]),
    Row("maximum retry too long", "retry maximum must be between 30 seconds and 11 hours, got 12 hours", {}, {"retry": lambda stack: Retry(maximum=Duration.hours(12))}, remedies=[{"retry": lambda stack: Retry(maximum=Duration.hours(11))}]),
    Row("maximum retry below the initial one", "retry maximum must be between 1 minute and 11 hours, got 30 seconds", {}, {"retry": lambda stack: Retry(initial=minutes(1), maximum=seconds(30))}, remedies=[{"retry": lambda stack: Retry(initial=minutes(1), maximum=minutes(1))}]),
    Row("retry that only deployment knows", "retry initial must be known at synth, got a value that only deployment knows", {}, {"retry": lambda stack: Retry(initial=seconds(number()))}, remedies=[{"retry": lambda stack: Retry(initial=minutes(1))}]),
    Row("retries beyond the retention", "retention_period must be longer than the 7 minutes 30 seconds that max_receive_count (5) and retry may take together, got 5 minutes; raise it", {"retention_period": minutes(5)}, remedies=[{"retention_period": minutes(8)}, {"max_receive_count": 4}, {"retry": lambda stack: Retry(maximum=seconds(30))}]),
    Row("retries beyond the retention of an existing queue", "may take together, got 1 minute; raise it", {}, {"queue": lambda stack: sqs.Queue(stack, "Existing", retention_period=minutes(1), visibility_timeout=minutes(3), dead_letter_queue=sqs.DeadLetterQueue(queue=sqs.Queue(stack, "DeadLetters"), max_receive_count=3))}, remedies=[{"queue": kept_for(minutes(2), tries=3)}, {"queue": kept_for(minutes(1), tries=2)}, {"retry": lambda stack: Retry(initial=seconds(10), maximum=seconds(10))}]),
    Row("retry together with a consumer", "retry must not be set together with consumer", {}, {"consumer": function(), "retry": lambda stack: Retry()}, remedies=[{"retry": OMITTED}, {"consumer": OMITTED}]),
    Row("table with a quote", "table_name must be up to 63 letters, digits and underscores, with or without a schema and a dot in front, got 'a\"b'; for example", {}, {"sink": lambda stack: on_host(stack, table_name='a"b')}, remedies=[{"sink": lambda stack: on_host(stack, table_name="webhooks")}, {"sink": lambda stack: on_host(stack, table_name="orders.webhooks")}]),
    Row("neither database nor host", "one of database and host must be given, got neither; pass database, or host", {}, {"sink": lambda stack: Sink.postgres(database_name="d", secret=secret(stack))}, remedies=[{"sink": lambda stack: Sink.postgres(postgres(stack), database_name="d", secret=secret(stack))}, {"sink": lambda stack: Sink.postgres(host="h", database_name="d", secret=secret(stack))}]),
    Row("both database and host", "one of database and host must be given, got database and host; leave out database, or host", {}, {"sink": lambda stack: Sink.mysql(instance(stack), host="h", database_name="d")}, remedies=[{"sink": lambda stack: Sink.mysql(instance(stack), database_name="d")}, {"sink": lambda stack: Sink.mysql(host="h", database_name="d", secret=secret(stack))}]),
    Row("port together with a database", "port must not be set together with database", {}, {"sink": lambda stack: Sink.mysql(instance(stack), port=1, database_name="d")}, remedies=[{"sink": lambda stack: Sink.mysql(instance(stack), database_name="d")}]),
    Row("port too high", "port must be between 1 and 65,535, got 70,000", {}, {"sink": lambda stack: on_host(stack, port=70_000)}, remedies=[{"sink": lambda stack: on_host(stack, port=65_535)}]),
    Row("database of another engine", "database must be one that Sink.postgres() can talk to, got one of the engine MYSQL; take Sink.mysql(), or Sink.python()", {}, {"sink": lambda stack: Sink.postgres(instance(stack), database_name="d")}, remedies=[{"sink": lambda stack: Sink.mysql(instance(stack), database_name="d")}, {"sink": PYTHON}]),
    Row("database without its VPC", "vpc must be given for a database that does not tell its own, got none; pass", {}, {"sink": lambda stack: Sink.postgres(imported_instance(stack), database_name="d", secret=secret(stack))}, remedies=[{"sink": lambda stack: Sink.postgres(imported_instance(stack), database_name="d", secret=secret(stack), vpc=vpc(stack))}]),
    Row("database without a secret", "one of secret and iam_user must be given, got neither", {}, {"sink": lambda stack: Sink.postgres(imported_instance(stack), database_name="d", vpc=vpc(stack))}, remedies=[{"sink": lambda stack: Sink.postgres(imported_instance(stack), database_name="d", vpc=vpc(stack), secret=secret(stack))}, {"sink": lambda stack: Sink.postgres(imported_instance(stack, instance_resource_id="db-1"), database_name="d", vpc=vpc(stack), iam_user="u")}]),
    Row("both secret and IAM user", "one of secret and iam_user must be given, got secret and iam_user", {}, {"sink": lambda stack: Sink.mysql(instance(stack), database_name="d", secret=secret(stack), iam_user="u")}, remedies=[{"sink": lambda stack: Sink.mysql(instance(stack), database_name="d", iam_user="u")}, {"sink": lambda stack: Sink.mysql(instance(stack), database_name="d", secret=secret(stack))}]),
    Row("IAM user on a host", "iam_user needs a database of RDS, got 'u' with a host", {}, {"sink": lambda stack: Sink.mysql(host="h", database_name="d", iam_user="u")}, remedies=[{"sink": lambda stack: Sink.mysql(instance(stack), database_name="d", iam_user="u")}, {"sink": lambda stack: Sink.mysql(host="h", database_name="d", secret=secret(stack))}]),
    Row("IAM user without TLS", "tls must be True with iam_user, got False", {}, {"sink": lambda stack: Sink.mysql(instance(stack), database_name="d", iam_user="u", tls=False)}, remedies=[{"sink": lambda stack: Sink.mysql(instance(stack), database_name="d", iam_user="u")}]),
    Row("missing file of certificate authorities", "ca_certificates must be a file, got '/none.pem', which is none", {}, {"sink": lambda stack: on_host(stack, ca_certificates="/none.pem")}, remedies=[{"sink": lambda stack: on_host(stack, ca_certificates=Path(__file__).parent / "test_checks.py")}]),
    Row("subnets without a VPC", "vpc_subnets must not be set together with no vpc, got vpc_subnets", {}, {"sink": lambda stack: on_host(stack, vpc_subnets=ec2.SubnetSelection())}, remedies=[{"sink": lambda stack: on_host(stack, vpc=vpc(stack), vpc_subnets=ec2.SubnetSelection())}, {"sink": on_host}]),
    Row("cluster without the Data API", "cluster must have the Data API, got one without; create it with enable_data_api=True", {}, {"sink": lambda stack: Sink.data_api(aurora(stack), database_name="d")}, remedies=[{"sink": lambda stack: Sink.data_api(aurora(stack, enable_data_api=True), database_name="d")}, {"sink": lambda stack: Sink.postgres(aurora(stack), database_name="d")}]),
    Row("Data API of an unknown engine", "cluster must tell that it is Aurora Postgres or Aurora MySQL, got no engine; import it by", {}, {"sink": lambda stack: Sink.data_api(imported_aurora(stack), database_name="d", secret=secret(stack))}, remedies=[{"sink": lambda stack: Sink.data_api(imported_aurora(stack, engine=rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_16_6)), database_name="d", secret=secret(stack))}]),
    Row("Data API without a secret", "secret must be given for a cluster that has none in this app, got none", {}, {"sink": lambda stack: Sink.data_api(imported_aurora(stack, engine=rds.DatabaseClusterEngine.AURORA_POSTGRESQL), database_name="d")}, remedies=[{"sink": lambda stack: Sink.data_api(imported_aurora(stack, engine=rds.DatabaseClusterEngine.AURORA_POSTGRESQL), database_name="d", secret=secret(stack))}]),
    Row("URL with another scheme", "url must be an absolute http or https URL without user and password, got 'ftp://h'; for example", {}, {"sink": lambda stack: Sink.http("ftp://h")}, remedies=[{"sink": lambda stack: Sink.http("https://orders.example.com/webhooks")}]),
    Row("URL with a password", "got 'https://u:p@h/'", {}, {"sink": lambda stack: Sink.http("https://u:p@h/")}, remedies=[{"sink": lambda stack: Sink.http("https://h/")}]),
    Row("timeout of the HTTP sink above the consumer's", "the timeout of Sink.http() must be shorter than the consumer's of 5 seconds, got 10 seconds; shorten it", {"timeout": seconds(5)}, {"sink": lambda stack: Sink.http("https://h")}, remedies=[{"sink": lambda stack: Sink.http("https://h", timeout=seconds(4))}, {"timeout": seconds(11)}]),
    Row("timeout of the HTTP sink too short", "timeout of Sink.http() must be between 1 second and 15 minutes, got 0 seconds", {}, {"sink": lambda stack: Sink.http("https://h", timeout=seconds(0))}, remedies=[{"sink": lambda stack: Sink.http("https://h", timeout=seconds(1))}]),
    Row("code that does not exist", "code must exist, got '/none.py', which does not", {}, {"sink": lambda stack: Sink.python("/none.py", "none.handle")}, remedies=[{"sink": PYTHON}]),
    Row("code that is not a Python file", "code must be a folder or a .py file, got '/etc/hostname'", {}, {"sink": lambda stack: Sink.python("/etc/hostname", "a.b")}, remedies=[{"sink": PYTHON}, {"sink": lambda stack: Sink.python(Path(__file__).parent, "test_checks.number")}]),
    Row("handler without a module", "handler must be 'module.function', got 'handle'", {}, {"sink": code("handle")}, remedies=[{"sink": code("orders.handle")}]),
    Row("handler in another module", "handler must be in code, got 'other.handle', and", {}, {"sink": code("other.handle")}, remedies=[{"sink": code("orders.handle")}, {"sink": code("other.handle", "other.py")}]),
    Row("handler that the code does not define", "handler must name a function of orders.py, got 'other', which it does not define", {}, {"sink": code("orders.other")}, remedies=[{"sink": code("orders.other", text="def other(webhook): ...")}, {"sink": code("orders.handle")}]),
    Row("handler that is async", "handler must be an ordinary function, got 'handle' of orders.py, which is async; call asyncio.run()", {}, {"sink": code("orders.handle", text="async def handle(webhook): ...")}, remedies=[{"sink": code("orders.handle", text="import asyncio\nasync def store(webhook): ...\ndef handle(webhook): asyncio.run(store(webhook))")}]),
    Row("code with a syntax error", "code must be Python, got orders.py with invalid syntax in line 1", {}, {"sink": code("orders.handle", text="def :")}, remedies=[{"sink": code("orders.handle", text=compiled("def handle(webhook): ..."))}]),
    Row("reserved names of environment variables", "environment must have names of 2 or more letters, digits and underscores that neither start with WEBHOOK_ nor are Lambda's own, got 'WEBHOOK_X', 'A', 'AWS_REGION'; rename them", {}, {"sink": lambda stack: Sink.python(__file__, "test_checks.number", environment={"WEBHOOK_X": "1", "A": "1", "AWS_REGION": "x"})}, remedies=[{"sink": lambda stack: Sink.python(__file__, "test_checks.number", environment={"ORDERS_TABLE": "1"})}]),
    Row("package that is not installed", "packages must be installed where the app is synthesised, got 'none-such', which is not; leave it out, or install it there by pip", {}, {"sink": lambda stack: Sink.python(__file__, "test_checks.number", packages=["none-such"])}, remedies=[{"sink": PYTHON}, {"sink": with_package}]),
    Row("delivery id together with a source", "delivery_id_header must not be set for a source that gives each delivery an id of its own, got 'X-Id'; leave it out", {"delivery_id_header": "X-Id"}, {"source": lambda stack: Source.github(secret(stack))}, remedies=[{"delivery_id_header": OMITTED}]),
    Row("source that no function verifies", "source must not be set together with consumer if the ingress does not verify, got both; take Ingress.lambda_integration()", {"ingress": Ingress.direct_integration()}, {"consumer": function(), "source": lambda stack: Source.github(secret(stack))}, remedies=[{"ingress": Ingress.lambda_integration()}, {"source": OMITTED}]),
    Row("signature without a header", "header must be 1 to 128 letters, digits, hyphens or underscores, got ''", {}, {"source": lambda stack: Source.hmac(secret(stack), header="")}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header="Idempotency-Key")}]),
    Row("weak algorithm", "algorithm must be one of sha1, sha256, sha384, sha512, got 'md5'", {}, {"source": lambda stack: Source.hmac(secret(stack), header="X", algorithm="md5")}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header="X", algorithm="sha512")}]),
    Row("unknown encoding", "encoding must be one of hex, base64, base64url, got 'HEX'", {}, {"source": lambda stack: Source.hmac(secret(stack), header="X", encoding="HEX")}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header="X", encoding="hex")}]),
    Row("signed content without the body", "signed_content must have {body} once, and may have {timestamp}, {id}, {url} and {method}, got '{id}'", {}, {"source": lambda stack: Source.hmac(secret(stack), header="X", signed_content="{id}", id_header="I")}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header="X", signed_content="{id}.{body}", id_header="I")}]),
    Row("signed content with an unknown part", "signed_content must have {body} once, and may have {timestamp}, {id}, {url} and {method}, got '{body}{path}'", {}, {"source": lambda stack: Source.hmac(secret(stack), header="X", signed_content="{body}{path}")}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header="X", timestamp_header="T", signed_content="{timestamp}.{body}")}]),
    Row("signed timestamp without a header", "timestamp_header or timestamp_prefix must be given for a signed_content with {timestamp}, got none", {}, {"source": lambda stack: Source.hmac(secret(stack), header="X", signed_content="{timestamp}{body}")}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header="X", signed_content="{timestamp}{body}", timestamp_header="T")}, {"source": lambda stack: Source.hmac(secret(stack), header="X", signed_content="{timestamp}{body}", timestamp_prefix="t=", separator=",")}, {"source": lambda stack: Source.hmac(secret(stack), header="X", signed_content="{body}")}]),
    Row("timestamp that is not signed", "signed_content must have {timestamp} if there is a timestamp_header or a timestamp_prefix, got '{body}'", {}, {"source": lambda stack: Source.hmac(secret(stack), header="X", timestamp_header="T")}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header="X", timestamp_header="T", signed_content="{timestamp}{body}")}, {"source": lambda stack: Source.hmac(secret(stack), header="X")}]),
    Row("tolerance without a timestamp", "tolerance must not be set together with no timestamp_header and no timestamp_prefix", {}, {"source": lambda stack: Source.hmac(secret(stack), header="X", tolerance=minutes(1))}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header="X", tolerance=minutes(1), timestamp_header="T", signed_content="{timestamp}{body}")}, {"source": lambda stack: Source.hmac(secret(stack), header="X")}]),
    Row("one header for id and timestamp", "id_header must be another header than timestamp_header, got 'x-Time' for both", {}, {"source": lambda stack: Source.hmac(secret(stack), header="X", signed_content="{id}.{timestamp}.{body}", timestamp_header="X-Time", id_header="x-Time")}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header="X", signed_content="{id}.{timestamp}.{body}", timestamp_header="X-Time", id_header="X-Id")}, {"source": lambda stack: Source.hmac(secret(stack), header="X", signed_content="{timestamp}{body}", timestamp_header="X-Time")}]),
    Row("header of the signature as id", "id_header must be another header than header, got 'X' for both", {}, {"source": lambda stack: Source.hmac(secret(stack), header=["Y", "X"], id_header="X")}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header=["Y", "X"], id_header="Id")}, {"source": lambda stack: Source.hmac(secret(stack), header=["Y", "X"])}]),
    Row("header of the token as id", "id_header must be another header than header, got 'x' for both", {}, {"source": lambda stack: Source.token(secret(stack), header="X", id_header="x")}, remedies=[{"source": lambda stack: Source.token(secret(stack), header="X", id_header="Id")}, {"source": lambda stack: Source.token(secret(stack), header="X")}]),
    Row("id in both header and field", "id_header and id_field must not be set together, got both", {}, {"source": lambda stack: Source.hmac(secret(stack), header="X", id_header="I", id_field="id")}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header="X", id_field="id")}, {"source": lambda stack: Source.hmac(secret(stack), header="X", id_header="I")}]),
    Row("id of a token in both header and field", "id_header and id_field must not be set together, got both", {}, {"source": lambda stack: Source.token(secret(stack), header="X", id_header="I", id_field="id")}, remedies=[{"source": lambda stack: Source.token(secret(stack), header="X", id_field="id")}, {"source": lambda stack: Source.token(secret(stack), header="X", id_header="I")}]),
    Row("timestamp in both header and prefix", "timestamp_header and timestamp_prefix must not be set together, got both", {}, {"source": lambda stack: Source.hmac(secret(stack), header="X", signed_content="{timestamp}{body}", separator=",", timestamp_header="T", timestamp_prefix="t=")}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header="X", signed_content="{timestamp}{body}", separator=",", timestamp_prefix="t=")}, {"source": lambda stack: Source.hmac(secret(stack), header="X", signed_content="{timestamp}{body}", separator=",", timestamp_header="T")}]),
    Row("parts without a separator", "separator must be given together with timestamp_prefix, got none", {}, {"source": lambda stack: Source.hmac(secret(stack), header="X", signed_content="{timestamp}{body}", timestamp_prefix="t=")}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header="X", signed_content="{timestamp}{body}", separator=",", timestamp_prefix="t=")}]),
    Row("one prefix for signature and timestamp", "timestamp_prefix must not be the prefix of the signature, got 't=' for both", {}, {"source": lambda stack: Source.hmac(secret(stack), header="X", signed_content="{timestamp}{body}", separator=",", prefix="t=", timestamp_prefix="t=")}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header="X", signed_content="{timestamp}{body}", separator=",", prefix="v1=", timestamp_prefix="t=")}]),
    Row("empty separator", "separator must be 1 to 8 printable characters, got ''", {}, {"source": lambda stack: Source.hmac(secret(stack), header="X", separator="")}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header="X", separator=",")}]),
    Row("no header for the signature", "header must be 1 to 5 names of headers, got 0", {}, {"source": lambda stack: Source.hmac(secret(stack), header=[])}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header=["X"])}]),
    Row("invalid header among several", "header must be 1 to 128 letters, digits, hyphens or underscores, got 'X Y'", {}, {"source": lambda stack: Source.hmac(secret(stack), header=["X", "X Y"])}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header=["X", "Idempotency-Key"])}]),
    Row("unknown timestamp format", "timestamp_format must be one of seconds, milliseconds, iso8601, got 'micros'", {}, {"source": lambda stack: Source.hmac(secret(stack), header="X", timestamp_format="micros")}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header="X", timestamp_format="milliseconds", timestamp_header="T", signed_content="{timestamp}{body}")}]),
    Row("timestamp format without a timestamp", "timestamp_format must not be set together with no timestamp_header and no timestamp_prefix", {}, {"source": lambda stack: Source.hmac(secret(stack), header="X", timestamp_format="iso8601")}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header="X", timestamp_format="iso8601", timestamp_header="T", signed_content="{timestamp}{body}")}, {"source": lambda stack: Source.hmac(secret(stack), header="X")}]),
    Row("unknown key encoding", "key_encoding must be one of text, hex, base64, got 'utf8'", {}, {"source": lambda stack: Source.hmac(secret(stack), header="X", key_encoding="utf8")}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header="X", key_encoding="base64")}]),
    Row("unknown key encoding of Standard Webhooks", "key_encoding must be one of base64, text, got 'hex'", {}, {"source": lambda stack: Source.standard_webhooks(secret(stack), key_encoding="hex")}, remedies=[{"source": lambda stack: Source.standard_webhooks(secret(stack), key_encoding="text")}]),
    Row("probe without a parameter", "parameter must be 1 to 256 printable characters, got ''", {}, {"source": lambda stack: Source.hmac(secret(stack), header="X", probe=Probe.echo(""))}, remedies=[{"source": lambda stack: Source.hmac(secret(stack), header="X", probe=Probe.echo("challenge"))}]),
    Row("probe that needs code behind a direct integration", "ingress must be Ingress.lambda_integration() for a source with a handshake or probe that needs code, got Ingress.direct_integration() and 'head'", {"ingress": Ingress.direct_integration()}, {"source": lambda stack: Source.token(secret(stack), header="X", probe=Probe.head())}, remedies=[{"ingress": Ingress.lambda_integration()}]),
    Row("tolerance too long", "tolerance must be between 1 second and 1 day, got 2 days", {}, {"source": lambda stack: Source.slack(secret(stack), tolerance=days(2))}, remedies=[{"source": lambda stack: Source.slack(secret(stack), tolerance=days(1))}]),
    Row("encryption key with an existing queue and consumer", "encryption_key must not be set together with queue and consumer, got encryption_key; set it on", {}, {"queue": queue(visibility_timeout=minutes(3)), "consumer": function(), "encryption_key": lambda stack: kms.Key(stack, "Key")}, remedies=[{"encryption_key": OMITTED, "queue": lambda stack: sqs.Queue(stack, "Existing", visibility_timeout=minutes(3), encryption_master_key=kms.Key(stack, "Key")), "consumer": lambda stack: function(environment_encryption=stack.node.find_child("Key"))(stack)}, {"queue": OMITTED, "consumer": OMITTED}]),
    Row("no IP range", "allowed_ip_ranges must be a list of one CIDR range or more, got []; for example", {"allowed_ip_ranges": []}, remedies=[{"allowed_ip_ranges": ["203.0.113.0/24"]}, {"allowed_ip_ranges": OMITTED}]),
    Row("IP range outside a list", "allowed_ip_ranges must be a list, each a text, got '203.0.113.0/24' (str); put a single one into a list, too, or leave allowed_ip_ranges out", {"allowed_ip_ranges": "203.0.113.0/24"}, remedies=[{"allowed_ip_ranges": ["203.0.113.0/24"]}, {"allowed_ip_ranges": OMITTED}]),
    Row("invalid IP range", "allowed_ip_ranges must hold CIDR ranges of IPv4 or IPv6, got '203.0.113.0/33'", {"allowed_ip_ranges": ["2001:db8::/32", "203.0.113.0/33"]}, remedies=[{"allowed_ip_ranges": ["2001:db8::/32", "203.0.113.0/24"]}]),
    Row("IP range with host bits", "got '203.0.113.7/24': 203.0.113.7/24 has host bits set; for example", {"allowed_ip_ranges": ["203.0.113.7/24"]}, remedies=[{"allowed_ip_ranges": ["203.0.113.0/24"]}]),
    Row("web ACL of CloudFront", "web_acl must have the scope REGIONAL, got CLOUDFRONT; create it with scope='REGIONAL'", {}, {"web_acl": lambda stack: web_acl(stack, "CLOUDFRONT")}, remedies=[{"web_acl": lambda stack: web_acl(stack, "REGIONAL")}, {"web_acl": True}]),
    Row("two origins", "cors must have one origin in allow_origins, got https://a.example, https://b.example; name one, or '*'", {"cors": cors("https://a.example", "https://b.example")}, remedies=[{"cors": cors("https://a.example")}, {"cors": cors("*")}]),
    Row("no origin", "cors must have one origin in allow_origins, got none", {"cors": cors()}, remedies=[{"cors": cors("https://a.example")}, {"cors": cors("*")}]),
    Row("credentials for any origin", "cors must name the origin if allow_credentials is True, got '*'; name it", {"cors": cors("*", allow_credentials=True)}, remedies=[{"cors": cors("https://a.example", allow_credentials=True)}, {"cors": cors("*")}]),
    Row("origin with a quote", "cors must have printable ASCII without quotes and spaces in its origin, methods and headers, got \"https://a'b\"", {"cors": cors("https://a'b")}, remedies=[{"cors": cors("https://example.com")}]),
    Row("CORS header with a space", "cors must have printable ASCII without quotes and spaces in its origin, methods and headers, got 'X A'", {"cors": apigateway.CorsOptions(allow_origins=["*"], allow_headers=["X A"])}, remedies=[{"cors": apigateway.CorsOptions(allow_origins=["*"], allow_headers=["X-A"])}]),
    Row("CORS method that is not Unicode", "in its origin, methods and headers, got '\\ud800'", {"cors": apigateway.CorsOptions(allow_origins=["*"], allow_methods=["\ud800"])}, remedies=[{"cors": apigateway.CorsOptions(allow_origins=["*"], allow_methods=["PUT"])}]),
    Row("status of a redirect", "status of an acknowledgement must be between 200 and 299, got 302; lower it", {}, {"acknowledgement": lambda _: Acknowledgement(302)}, remedies=[{"acknowledgement": Acknowledgement(299)}]),
    Row("body with status 204", "body of an acknowledgement must be empty with status 204, got 'ok'; leave it out", {}, {"acknowledgement": lambda _: Acknowledgement(204, "ok")}, remedies=[{"acknowledgement": Acknowledgement(204)}, {"acknowledgement": Acknowledgement(200, "ok")}]),
    Row("body of an acknowledgement too long", "body of an acknowledgement must be 1,024 bytes at most, got 1,026; shorten it", {}, {"acknowledgement": lambda _: Acknowledgement(body="é" * 513)}, remedies=[{"acknowledgement": Acknowledgement(body="é" * 512)}]),
    Row("content type with a line break", "content_type of an acknowledgement must be a media type, got 'text/plain\\r\\nX: y'", {}, {"acknowledgement": lambda _: Acknowledgement(content_type="text/plain\r\nX: y")}, remedies=[{"acknowledgement": Acknowledgement(content_type="text/plain; charset=utf-8")}]),
    Row("content type with a quote", "content_type of an acknowledgement must be a media type, got \"text/plain'\"", {}, {"acknowledgement": lambda _: Acknowledgement(content_type="text/plain'")}, remedies=[{"acknowledgement": Acknowledgement(content_type="application/json")}]),
    Row("acknowledgement that only deployment knows", "status and body of an acknowledgement must be known at synth, got", {}, {"acknowledgement": lambda _: Acknowledgement(body=Token.as_string({"Ref": "X"}))}, remedies=[{"acknowledgement": Acknowledgement(body="ok")}]),
    Row("duration of less than a second", "timeout must be in whole seconds, got 1.5 seconds; round it", {"timeout": Duration.millis(1500)}, remedies=[{"timeout": seconds(2)}]),
    Row("removal policy with snapshots", "removal_policy must be DESTROY, RETAIN or RETAIN_ON_UPDATE_OR_DELETE, got SNAPSHOT, which neither", {"removal_policy": RemovalPolicy.SNAPSHOT}, remedies=[{"removal_policy": RemovalPolicy.RETAIN}]),
    Row("path that API Gateway does not support", "path must be '/' or fixed segments such as '/hooks/github', got '/~a'", {"path": "/~a"}, remedies=[{"path": "/a"}]),
    Row("empty construct id", "id must be printable and known at synth, got ''; for example 'Webhook'", {"id": ""}, remedies=[{"id": "Webhook"}]),
    Row("construct id of two lines", "id must be printable and known at synth, got 'a\\nb'", {"id": "a\nb"}, remedies=[{"id": "Webhook"}]),
    Row("construct id that only deployment knows", "id must be printable and known at synth, got '${Token[", {"id": Token.as_string({"Ref": "X"})}, remedies=[{"id": "Webhook"}]),
    Row("construct id that exists already", "id must be new in 'Stack', got 'Existing', which exists already; take 'Existing2'", {"id": "Existing"}, {"dead_letter_queue": queue(retention_period=days(14))}, remedies=[{"id": "Existing2"}]),
    Row("construct id that is too long", "id must be 190 letters and digits at most together with the path of scope, got 191; shorten it", {"id": "x" * 186}, remedies=[{"id": "x" * 185}]),
    Row("scope outside a stack", "scope must be a Stack, or a construct in one, got '', which is in none; pass a Stack", {"scope": App()}, remedies=[{"scope": lambda stack: stack}]),
    Row("consumer of another stack", "consumer must be in the stack of the queue, got Other/Function for a queue of Stack; put the ScalableWebhook", {}, {"consumer": lambda stack: function()(other(stack))}, remedies=[lambda stack: ScalableWebhook(there := other(stack), "Webhook", consumer=function()(there)), {"queue": lambda stack: sqs.Queue(stack.node.root.node.find_child("Other"), "Queue", visibility_timeout=minutes(3))}]),
    Row("API of another stack", "api must be in the stack of the ScalableWebhook, got Other/Existing for Stack/Webhook; put", {"path": "/free"}, {"api": lambda stack: api(binary_media_types=["*/*"])(other(stack))}, remedies=[lambda stack: ScalableWebhook(there := other(stack), "Webhook", path="/free", api=api(binary_media_types=["*/*"])(there), queue=queue(visibility_timeout=minutes(3))(stack))]),
    Row("domain in capitals", "domain_name must be accepted by the CDK, got one of which it says: ", {}, {"domain_name": domain("A.example")}, remedies=[{"domain_name": domain("a.example")}]),
    Row("empty domain name", "domain_name must have a domain's name without scheme and path, got ''; for example", {}, {"domain_name": domain("")}, remedies=[{"domain_name": domain("hooks.example.com")}]),
    Row("domain that is a URL", "got 'https://hooks.example.com/a'; for example", {}, {"domain_name": domain("https://hooks.example.com/a")}, remedies=[{"domain_name": domain("hooks.example.com")}]),
    Row("domain of one label", "got 'hooks'; for example", {}, {"domain_name": domain("hooks")}, remedies=[{"domain_name": domain("hooks.example.com")}]),
    Row("preflight with both max_age and disable_cache", "cors must be accepted by the CDK, got one of which it says: ", {"cors": cors("*", max_age=days(1), disable_cache=True)}, remedies=[{"cors": cors("*", max_age=days(1))}, {"cors": cors("*", disable_cache=True)}]),
    Row("public subnets", "vpc_subnets must have private or isolated subnets, got public ones, from which a function reaches nothing", {}, {"sink": lambda stack: Sink.http("https://h", vpc=vpc(stack), vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC))}, remedies=[{"sink": lambda stack: Sink.http("https://h", vpc=vpc(stack))}]),
    Row("subnets that do not exist", "vpc_subnets must be accepted by the CDK, got one of which it says: ", {}, {"sink": lambda stack: Sink.http("https://h", vpc=vpc(stack), vpc_subnets=ec2.SubnetSelection(subnet_group_name="nowhere"))}, remedies=[{"sink": lambda stack: Sink.http("https://h", vpc=vpc(stack), vpc_subnets=ec2.SubnetSelection(subnet_group_name="Private"))}]),
    Row("cluster without an address", "database must be accepted by the CDK, got one of which it says: ", {}, {"sink": lambda stack: Sink.postgres(rds.DatabaseCluster.from_database_cluster_attributes(stack, "Imported", cluster_identifier="c"), database_name="d", vpc=vpc(stack), secret=secret(stack))}, remedies=[{"sink": lambda stack: Sink.postgres(imported_aurora(stack), database_name="d", vpc=vpc(stack), secret=secret(stack))}]),
    Row("IAM user on an instance that cannot grant", "database must be accepted by the CDK, got one of which it says: ", {}, {"sink": lambda stack: Sink.mysql(imported_instance(stack), database_name="d", vpc=vpc(stack), iam_user="u")}, remedies=[{"sink": lambda stack: Sink.mysql(imported_instance(stack, instance_resource_id="db-1"), database_name="d", vpc=vpc(stack), iam_user="u")}]),
    Row("empty database name", "database_name must be 1 to 64 printable characters, got ''", {}, {"sink": lambda stack: on_host(stack, database_name="")}, remedies=[{"sink": lambda stack: on_host(stack, database_name="orders")}]),
    Row("forwarded header that is forwarded by default", "forward_headers must name headers that are left out by default, got 'X-GitHub-Event', which is forwarded anyway; leave it out", {}, {"sink": lambda stack: Sink.http("https://h", forward_headers=["Proxy", "X-GitHub-Event"])}, remedies=[{"sink": lambda stack: Sink.http("https://h", forward_headers=["Proxy"])}]),
    Row("invalid forwarded header", "forward_headers must be 1 to 128 letters, digits, hyphens or underscores, got 'X-Real-IP, Proxy'", {}, {"sink": lambda stack: Sink.http("https://h", forward_headers=["X-Real-IP, Proxy"])}, remedies=[{"sink": lambda stack: Sink.http("https://h", forward_headers=["X-Real-IP", "Proxy"])}]),
    Row("forwarded header of the connection", "forward_headers must name headers of a provider, got 'HTTP2-Settings', which is the connection's; leave it out", {}, {"sink": lambda stack: Sink.http("https://h", forward_headers=["HTTP2-Settings"])}, remedies=[{"sink": lambda stack: Sink.http("https://h")}]),
    Row("forwarded header of the sink itself", "forward_headers must name headers of a provider, got 'X_Original_URI', which is the sink's own", {}, {"sink": lambda stack: Sink.http("https://h", forward_headers=["X_Original_URI"])}, remedies=[{"sink": lambda stack: Sink.http("https://h")}]),
    Row("invalid URL", "url must be an absolute http or https URL without user and password, got 'http://['", {}, {"sink": lambda stack: Sink.http("http://[")}, remedies=[{"sink": lambda stack: Sink.http("https://orders.example.com/webhooks")}]),
    Row("URL with an invalid port", "got 'http://h:99999'", {}, {"sink": lambda stack: Sink.http("http://h:99999")}, remedies=[{"sink": lambda stack: Sink.http("http://h:9999")}]),
    Row("URL with a character outside ASCII", "got 'https://h/é'; for example", {}, {"sink": lambda stack: Sink.http("https://h/é")}, remedies=[{"sink": lambda stack: Sink.http("https://h/%C3%A9")}]),
    Row("code with a NUL character", "code must be Python, got orders.py with ", {}, {"sink": code("orders.handle", text="def handle(webhook): ...\n\0")}, remedies=[{"sink": code("orders.handle", text=compiled("def handle(webhook): ...\n"))}]),
    Row("code with a name that no file can have", "code must exist, got 'xxx", {}, {"sink": lambda stack: Sink.python("x" * 5000, "a.b")}, remedies=[{"sink": PYTHON}]),
    Row("empty package name", "packages must be names of Python packages, got ''; for example", {}, {"sink": lambda stack: Sink.python(__file__, "test_checks.number", packages=[""])}, remedies=[{"sink": PYTHON}]),
    Row("empty secret field", "secret_field must be 1 to 256 printable characters, got ''", {}, {"source": lambda stack: Source.github(secret(stack), secret_field="")}, remedies=[{"source": lambda stack: Source.github(secret(stack), secret_field="signing_secret")}]),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_wrong_arguments_are_rejected_in_the_constructor_and_each_remedy_works(row: Row) -> None:
    assert_remedies_work(row.rejection())


TOKENS: dict[str, Callable[[], Any]] = {
    "max_concurrency": number,
    "batch_size": number,
    "max_receive_count": number,
    "memory_size": number,
    "reserved_concurrent_executions": number,
    "throttling_rate_limit": number,
    "throttling_burst_limit": number,
    "retention_period": lambda: seconds(number()),
    "visibility_timeout": lambda: seconds(number()),
}


@pytest.mark.parametrize("argument", TOKENS)
def test_a_value_that_only_deployment_knows_is_accepted(argument: str) -> None:
    stack = Stack(App(), "Stack")
    ScalableWebhook(stack, "Webhook", **grouped({argument: TOKENS[argument]()}))
    assert '{"Ref": "Number"}' in json.dumps(Template.from_stack(stack).to_json())


@pytest.mark.parametrize("argument", ["timeout", "max_batching_window"])
def test_a_duration_that_only_deployment_knows_needs_a_visibility_timeout(argument: str) -> None:
    durations: dict[str, Any] = {argument: seconds(number())}
    with pytest.raises(ValueError, match="visibility_timeout must be given if the consumer's timeout"):
        ScalableWebhook(Stack(App(), "Rejected"), "Webhook", **grouped(durations))

    stack = Stack(App(), "Stack")
    ScalableWebhook(stack, "Webhook", **grouped({**durations, "visibility_timeout": minutes(30)}))
    assert '{"Ref": "Number"}' in json.dumps(Template.from_stack(stack).to_json())


@pytest.mark.parametrize("metric", ["backlog_age", "dead_letters", "dropped", "mismatched", "unverified"])
def test_the_period_of_a_metric_must_be_in_whole_minutes(metric: str) -> None:
    stack = Stack(App(), "Stack")
    source = Source.github(secretsmanager.Secret(stack, "Secret"))
    webhook = ScalableWebhook(stack, "Webhook", event_filters=[{"body": {"a": [1]}}], source=source)
    webhook.add_source("/direct", source, ingress=Ingress.direct_integration(binary=True))
    assert getattr(webhook, f"metric_{metric}")(period=minutes(2)).period.to_seconds() == 120
    for wrong in (seconds(30), seconds(90), seconds(0), Duration.millis(500)):
        with pytest.raises(ValueError, match="period must be in whole minutes, got "):
            getattr(webhook, f"metric_{metric}")(period=wrong)


HERE, THERE = Environment(account="1" * 12, region="us-east-1"), Environment(account="1" * 12, region="eu-west-1")
EXISTING: dict[str, Callable[[Stack], dict[str, Any]]] = {
    "queue": lambda stack: {"queue": sqs.Queue(stack, "Existing", visibility_timeout=minutes(3))},
    "dead_letter_queue": lambda stack: {"dead_letter_queue": sqs.Queue(stack, "Existing", retention_period=days(14))},
    "unverified_queue": lambda stack: {"unverified_queue": sqs.Queue(stack, "Existing")},
    "encryption_key": lambda stack: {"encryption_key": kms.Key(stack, "Existing")},
    "large_payloads": lambda stack: {"large_payloads": s3.Bucket(stack, "Existing")},
    "table": lambda stack: {
        "sink": Sink.dynamodb(
            dynamodb.Table(
                stack, "Existing", partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
            )
        )
    },
    "database": lambda stack: {
        "sink": Sink.postgres(
            rds.DatabaseInstance(
                stack,
                "Existing",
                engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17_6),
                vpc=ec2.Vpc(stack, "Vpc"),
            ),
            database_name="orders",
        )
    },
    "cluster": lambda stack: {
        "sink": Sink.data_api(
            rds.DatabaseCluster(
                stack,
                "Existing",
                engine=rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_08_0),
                writer=rds.ClusterInstance.serverless_v2("Writer"),
                vpc=ec2.Vpc(stack, "Vpc"),
                enable_data_api=True,
            ),
            database_name="orders",
        )
    },
    "vpc": lambda stack: {"sink": Sink.python(__file__, "test_checks.queue", vpc=ec2.Vpc(stack, "Existing"))},
    "signing_secret": lambda stack: {
        "sink": Sink.http("https://example.com", signing_secret=secretsmanager.Secret(stack, "Existing"))
    },
    "secret": lambda stack: {"source": Source.github(secretsmanager.Secret(stack, "Existing"))},
}


@pytest.mark.parametrize("argument", EXISTING)
@pytest.mark.parametrize("env", [THERE, Environment(account="2" * 12, region="us-east-1"), None])
def test_the_error_of_a_resource_in_another_account_or_region_names_the_argument(
    argument: str, env: Environment | None
) -> None:
    app = App()
    other, own = Stack(app, "Other", env=env), Stack(app, "Own", env=HERE)
    with pytest.raises(ValueError, match=f"^{argument} must be of the account and the region") as error:
        ScalableWebhook(own, "Webhook", **grouped(EXISTING[argument](other)))
    assert "111111111111/us-east-1, got Other/Existing of " in str(error.value)
    # The import is no remedy for another region, or for a dead-letter queue of another account.
    importable = env is not THERE and argument != "dead_letter_queue"
    assert ("import it by a method from_…()" in str(error.value)) == importable


def resource(service: str, name: str) -> str:
    return f"arn:aws:{service}:us-east-1:{'2' * 12}:{name}"


def secret_of_another_account(stack: Stack) -> secretsmanager.ISecret:
    arn = resource("secretsmanager", "secret:its-AbCdEf")
    return secretsmanager.Secret.from_secret_complete_arn(stack, "ImportedSecret", arn)


IMPORTED_INSTEAD: dict[str, Callable[[Stack], dict[str, Any]]] = {
    "queue": lambda stack: {"queue": sqs.Queue.from_queue_arn(stack, "Imported", resource("sqs", "orders"))},
    "unverified_queue": lambda stack: {
        "unverified_queue": sqs.Queue.from_queue_arn(stack, "Imported", resource("sqs", "unverified"))
    },
    "encryption_key": lambda stack: {
        "encryption_key": kms.Key.from_key_arn(stack, "Imported", resource("kms", "key/1"))
    },
    "large_payloads": lambda stack: {"large_payloads": s3.Bucket.from_bucket_name(stack, "Imported", "payloads")},
    "table": lambda stack: {
        "sink": Sink.dynamodb(dynamodb.Table.from_table_arn(stack, "Imported", resource("dynamodb", "table/webhooks")))
    },
    "database": lambda stack: {
        "sink": Sink.postgres(
            imported_instance(stack), database_name="d", vpc=vpc(stack), secret=secret_of_another_account(stack)
        )
    },
    "cluster": lambda stack: {
        "sink": Sink.data_api(
            imported_aurora(stack, engine=rds.DatabaseClusterEngine.AURORA_POSTGRESQL),
            database_name="d",
            secret=secret_of_another_account(stack),
        )
    },
    "vpc": lambda stack: {
        "sink": Sink.http(
            "https://example.com",
            vpc=ec2.Vpc.from_vpc_attributes(
                stack, "Imported", vpc_id="vpc-1", availability_zones=["a"], private_subnet_ids=["subnet-1"]
            ),
        )
    },
    "signing_secret": lambda stack: {
        "sink": Sink.http("https://example.com", signing_secret=secret_of_another_account(stack))
    },
    "secret": lambda stack: {"source": Source.github(secret_of_another_account(stack))},
}


@pytest.mark.parametrize("argument", EXISTING)
def test_a_resource_of_another_account_works_with_the_same_env_or_by_import(argument: str) -> None:
    def existing(account: str) -> Make:
        def make(stack: Stack) -> None:
            other = Stack(cast(App, stack.node.root), "Other", env=Environment(account=account, region="us-east-1"))
            ScalableWebhook(stack, "Webhook", **grouped(EXISTING[argument](other)))

        return make

    remedies = [existing("1" * 12)]
    if argument in IMPORTED_INSTEAD:
        remedies.append(lambda stack: ScalableWebhook(stack, "Webhook", **grouped(IMPORTED_INSTEAD[argument](stack))))
    message = f"{argument} must be of the account and the region"
    assert_remedies_work(Rejection(argument, message, existing("2" * 12), remedies, HERE))


@pytest.mark.parametrize("argument", EXISTING)
def test_a_resource_of_another_stack_in_the_same_account_and_region_is_accepted(argument: str) -> None:
    app = App()
    other, own = Stack(app, "Other", env=HERE), Stack(app, "Own", env=HERE)
    ScalableWebhook(own, "Webhook", **grouped(EXISTING[argument](other)))
    app.synth()


def test_a_queue_that_a_stack_of_another_region_imports_is_accepted() -> None:
    app = App()
    other, own = Stack(app, "Other", env=THERE), Stack(app, "Own", env=HERE)
    imported = sqs.Queue.from_queue_arn(other, "Queue", f"arn:aws:sqs:us-east-1:{'1' * 12}:orders")
    ScalableWebhook(own, "Webhook", queue=imported)
    app.synth()


ELSEWHERE = f"eu-west-1:{'1' * 12}"
IMPORTED: dict[str, Callable[..., dict[str, Any]]] = {
    "queue": lambda stack, where=ELSEWHERE: {
        "queue": sqs.Queue.from_queue_arn(stack, "Imported", f"arn:aws:sqs:{where}:orders")
    },
    "dead_letter_queue": lambda stack, where=ELSEWHERE: {
        "dead_letter_queue": sqs.Queue.from_queue_arn(stack, "Imported", f"arn:aws:sqs:{where}:dead-letters")
    },
    "unverified_queue": lambda stack, where=ELSEWHERE: {
        "unverified_queue": sqs.Queue.from_queue_arn(stack, "Imported", f"arn:aws:sqs:{where}:unverified")
    },
    "encryption_key": lambda stack, where=ELSEWHERE: {
        "encryption_key": kms.Key.from_key_arn(stack, "Imported", f"arn:aws:kms:{where}:key/1234")
    },
    "secret": lambda stack, where=ELSEWHERE: {
        "source": Source.github(
            secretsmanager.Secret.from_secret_complete_arn(
                stack, "Imported", f"arn:aws:secretsmanager:{where}:secret:github-AbCdEf"
            )
        )
    },
}


@pytest.mark.parametrize("argument", IMPORTED)
def test_both_remedies_for_a_resource_of_another_region_work(argument: str) -> None:
    def there(stack: Stack) -> None:
        own = Stack(cast(App, stack.node.root), "There", env=THERE)
        ScalableWebhook(own, "Webhook", **grouped(IMPORTED[argument](own)))

    def here(where: str) -> Make:
        return lambda stack: ScalableWebhook(stack, "Webhook", **grouped(IMPORTED[argument](stack, where)))

    message = f"{argument} must be of the region of the ScalableWebhook, us-east-1, got "
    own_region = f"us-east-1:{'1' * 12}"
    assert_remedies_work(Rejection(argument, message, here(ELSEWHERE), [there, here(own_region)], HERE))


@pytest.mark.parametrize("argument", IMPORTED)
def test_the_error_of_an_imported_resource_of_another_region_names_the_argument(argument: str) -> None:
    stack = Stack(App(), "Own", env=HERE)
    with pytest.raises(
        ValueError, match=f"^{argument} must be of the region of the ScalableWebhook, us-east-1, got "
    ) as error:
        ScalableWebhook(stack, "Webhook", **grouped(IMPORTED[argument](stack)))
    assert "Own/Imported of eu-west-1" in str(error.value)


@pytest.mark.parametrize("argument", IMPORTED)
def test_an_imported_resource_is_accepted_in_a_stack_without_a_region(argument: str) -> None:
    app = App()
    stack = Stack(app, "Own")
    ScalableWebhook(stack, "Webhook", **grouped(IMPORTED[argument](stack)))
    app.synth()


def test_a_queue_of_another_account_is_accepted_and_a_dead_letter_queue_is_rejected() -> None:
    stack = Stack(App(), "Own", env=HERE)
    theirs = sqs.Queue.from_queue_arn(stack, "Imported", f"arn:aws:sqs:us-east-1:{'2' * 12}:orders")
    ScalableWebhook(stack, "Webhook", queue=theirs)
    with pytest.raises(ValueError, match=r"^dead_letter_queue must be in the account of the ScalableWebhook, 1"):
        ScalableWebhook(stack, "Another", queue=QueueOptions(dead_letter_queue=theirs))
