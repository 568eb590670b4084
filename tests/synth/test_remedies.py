"""Each remedy of an error at synth works. The cases here need more than arguments.

Two tests look for gaps: a ``raise ValueError`` of the library that no table provokes, and a warning that has no row.
"""

import ast
import os
import re
import tempfile
import traceback
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import jsii
import pytest
from aws_cdk import Annotations as CdkAnnotations
from aws_cdk import App, CfnOutput, Duration, Environment, Stack, Token
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template
from constructs import Construct

import cdk_scalable_webhook
from cdk_scalable_webhook import (
    AdaptiveRate,
    AlarmOptions,
    ApiOptions,
    Capacity,
    CircuitBreaker,
    ConsumerOptions,
    GroupBy,
    Ingress,
    Probe,
    QueueOptions,
    Retry,
    RuntimeLayer,
    ScalableWebhook,
    Sink,
    Source,
)
from cdk_scalable_webhook.endpoint.address import _LaterUrl
from cdk_scalable_webhook.route.sinks.dynamodb import DynamoDBSink

from . import strategies, test_checks, test_existing, test_filters
from .checks import test_types
from .grouped import grouped
from .packaging import test_asset
from .rejections import Make, Rejection, assert_remedies_work
from .test_checks import table
from .test_existing import api, cluster, function, queue, vpc

SOURCES = Path(cdk_scalable_webhook.__file__).parent
# Callers of requirements.py catch its errors.
SYNTH = [path for path in SOURCES.rglob("*.py") if path.name != "requirements.py"]
DIRECT, LAMBDA, FUNCTION_URL = Ingress.direct_integration(), Ingress.lambda_integration(), Ingress.function_url()
BODY = [{"body": {"a": ["x"]}}]
HERE = Environment(account="1" * 12, region="us-east-1")


def secret(stack: Stack) -> secretsmanager.ISecret:
    made = stack.node.try_find_child("Secret")
    return made if isinstance(made, secretsmanager.Secret) else secretsmanager.Secret(stack, "Secret")


def webhook(stack: Stack, **arguments: Any) -> ScalableWebhook:
    return ScalableWebhook(stack, "Webhook", **grouped(arguments))


def hmac(**arguments: Any) -> Make:
    return lambda stack: webhook(stack, source=Source.hmac(secret(stack), header="X", **arguments))


def host(**arguments: Any) -> Make:
    """Return a webhook with a sink on a host. None leaves a default argument out."""

    def make(stack: Stack) -> ScalableWebhook:
        given = {"host": "h", "database_name": "d", "secret": secret(stack), **arguments}
        return webhook(stack, sink=Sink.postgres(**{name: value for name, value in given.items() if value is not None}))

    return make


def folder(name: str, **files: str) -> Path:
    made = Path(test_checks.FOLDER.name) / name
    made.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (made / f"{file}.py").write_text(text)
    return made


def custom(**arguments: Any) -> Source:
    return Source.custom(folder("verify", bank="def verify(webhook, secrets): ..."), "bank.verify", **arguments)


def with_runtime() -> Path:
    folder("held/webhook_runtime")
    return folder("held", orders=HANDLE)


def python(module: str, where: Path) -> Sink:
    return Sink.python(where, f"{module}.handle")


HANDLE = "def handle(webhook): ..."


def after_many(last: Ingress) -> Make:
    """Return as many endpoints as fit into the environment of the consumer, and one more."""

    def make(stack: Stack) -> None:
        made = webhook(stack, path="/0", source=Source.stripe(secret(stack)), ingress=DIRECT)
        with pytest.raises(ValueError, match="must fit into the 4,096 bytes"):
            [made.add_source(f"/{number}", Source.stripe(secret(stack))) for number in range(1, 50)]
        made.add_source("/last", Source.stripe(secret(stack)), ingress=last)

    return make


def two_filtered(*, first: Any, second: Any, through: Ingress | None = None) -> Make:
    """Return a webhook with two endpoints with filters, the first a direct integration for bytes."""

    def make(stack: Stack) -> None:
        made = webhook(stack, path="/a", ingress=Ingress.direct_integration(binary=True), event_filters=first)
        made.add_source("/b", Source.github(secret(stack)), event_filters=second, ingress=through)

    return make


def filtered(**arguments: Any) -> Make:
    return lambda stack: webhook(stack, event_filters=BODY, consumer=function(stack), **arguments)


def dropped(stack: Stack, *, before: bool) -> None:
    made = webhook(stack, path="/a", ingress=DIRECT, event_filters=BODY)
    if before:
        made.metric_dropped()
    made.add_source("/b", Source.github(secret(stack)))
    made.metric_dropped()


def url(stack: Stack, *, known: bool) -> None:
    """Output the URL of an API without its default URL: of a domain that it knows, or of one that the app maps."""
    own = api(stack, disable_execute_api_endpoint=True)
    made, options = webhook(stack, api=own, path="/hooks"), test_existing.domain(stack)
    if known:
        own.add_domain_name("Domain", domain_name=options.domain_name, certificate=options.certificate)
        CfnOutput(stack, "Url", value=made.url)
    else:
        domain = apigateway.DomainName(
            stack, "Domain", domain_name=options.domain_name, certificate=options.certificate, mapping=own
        )
        CfnOutput(stack, "Url", value=f"https://{domain.domain_name}/hooks")


def authorized(**options: Any) -> Make:
    """Return a webhook on an API with an authorizer by default."""

    def make(stack: Stack) -> None:
        defaults = apigateway.MethodOptions(authorizer=test_existing.authorizer(stack), **options)
        webhook(stack, api=api(stack, default_method_options=defaults), path="/hooks")

    return make


@jsii.implements(rds.IDatabaseCluster)
class Cluster(Construct):
    """A custom cluster, which cannot grant."""

    def __init__(self, scope: Construct) -> None:
        super().__init__(scope, "Custom")
        within = Stack.of(scope)
        self.vpc, self._cluster = vpc(within), test_existing.imported_cluster(within)

    @property
    def cluster_endpoint(self) -> rds.Endpoint:
        return self._cluster.cluster_endpoint

    @property
    def connections(self) -> ec2.Connections:
        return self._cluster.connections


def period(metric: str) -> Rejection:
    def with_period(period: Duration) -> Make:
        def make(stack: Stack) -> None:
            made = webhook(stack, source=Source.github(secret(stack)), event_filters=BODY, breaker=CircuitBreaker())
            made.add_source("/direct", Source.github(secret(stack)), ingress=Ingress.direct_integration(binary=True))
            getattr(made, metric)(period=period)

        return make

    message = "period must be in whole minutes, got 90 seconds; take Duration.minutes(1): there is one point a minute"
    return Rejection(
        f"period of {metric}", message, with_period(Duration.seconds(90)), [with_period(Duration.minutes(1))]
    )


def too_long(source: Callable[..., Source], argument: str, right: str, most: int = 256, **others: Any) -> Rejection:
    """Return a case with an argument that is too long, and with the right one as the remedy."""

    def given(value: str) -> Make:
        return lambda stack: webhook(stack, source=source(secret(stack), **others, **{argument: value}))

    message = f"{argument} must be 1 to {most} printable characters, got "
    return Rejection(f"{argument} of {source.__name__}", message, given("x" * (most + 1)), [given(right)])


def region(stack: Stack, **arguments: Any) -> ScalableWebhook:
    return webhook(stack, sink=Sink.postgres(test_existing.instance(stack), database_name="d", **arguments))


def without_driver(stack: Stack) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cdk_scalable_webhook.packaging.distributions.is_installed", lambda _: False)
        host()(stack)


def large(**arguments: Any) -> Make:
    return lambda stack: webhook(stack, large_payloads=True, **arguments)


@contextmanager
def installed(*distributions: Mapping[str, Any], egg: bool = False) -> Iterator[Path]:
    """Yield a folder of code, with each package installed in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for number, each in enumerate(distributions):
            site = Path(folder, f"site{number}")
            test_asset.install(site, **{"files": {"companylib/__init__.py": ""}, **each})
            patch.syspath_prepend(str(site))
        if egg:
            archive = Path(folder, "companylib-1.0-py3.11.egg")
            with zipfile.ZipFile(archive, "w") as made:
                made.writestr("EGG-INFO/PKG-INFO", "Metadata-Version: 2.1\nName: companylib\nVersion: 1.0\n")
            patch.syspath_prepend(str(archive))
        yield test_asset.write(Path(folder, "code"), {"orders.py": HANDLE})


def packing(
    *distributions: Mapping[str, Any],
    packages: Sequence[str] = ("companylib",),
    own: Mapping[str, str] | None = None,
    egg: bool = False,
    pipe: bool = False,
) -> Make:
    """Return a webhook with a Python sink: its code, other files of its folder, and packages."""

    def make(stack: Stack) -> None:
        with installed(*distributions, egg=egg) as code:
            test_asset.write(code, own or {})
            if pipe:
                os.mkfifo(code / "pipe")
            webhook(stack, sink=Sink.python(code, "orders.handle", packages=packages))

    return make


def with_authorities(name: str) -> Make:
    """Return a webhook with a verifier, and with a file of certificate authorities in the folder of its code."""

    def make(stack: Stack) -> None:
        with installed() as code:
            test_asset.write(code, {name: "own", "bank.py": "def verify(webhook, secrets): ...\n"})
            sink = Sink.http("https://orders.example.com", ca_certificates=code / name)
            webhook(stack, source=Source.custom(code, "bank.verify"), sink=sink, ingress=DIRECT)

    return make


def next_to_verifier(code: Path) -> Make:
    """Return a webhook whose consumer has the code of a sink and that of a verifier."""
    return lambda stack: webhook(stack, source=custom(), sink=python("bank", code), ingress=DIRECT)


def layer(id: str) -> Make:
    return lambda stack: RuntimeLayer(stack, id)


def tokens(stack: Stack) -> list[str]:
    return Token.as_list({"Ref": "Origins"})


def of_origins(origins: Callable[[Stack], list[str]]) -> Make:
    return lambda stack: webhook(stack, cors=apigateway.CorsOptions(allow_origins=origins(stack)))


def at_second_endpoint(**arguments: Any) -> Make:
    """Return a webhook with a second endpoint of these arguments."""

    def make(stack: Stack) -> None:
        given = {"path": "/b", "source": Source.github(secret(stack)), **arguments}
        webhook(stack, path="/a", ingress=DIRECT).add_source(**given)

    return make


def with_dead_letter_queue(where: Environment | None) -> Make:
    def make(stack: Stack) -> None:
        arn = f"arn:aws:sqs:us-east-1:{where.account}:dead-letters" if where else ""
        dead_letter_queue = sqs.Queue.from_queue_arn(stack, "DeadLetters", arn) if where else None
        webhook(stack, queue=QueueOptions(dead_letter_queue=dead_letter_queue))

    return make


def sized(number: int) -> Make:
    return lambda stack: webhook(
        stack,
        sink=Sink.python(folder("orders", orders=HANDLE), "orders.handle", environment={"TABLES": "x" * number}),
    )


def long_filters(filters: Any) -> Make:
    return lambda stack: webhook(stack, ingress=DIRECT, event_filters=filters)


def mismatched(stack: Stack, source: Source | None, counted: Source | None = None, *, count: bool = True) -> None:
    made = webhook(stack, source=source)
    if count:
        made.metric_mismatched(counted)


def dead_letters_metric(*, queue_of: Make, call: bool) -> Make:
    def make(stack: Stack) -> None:
        made = webhook(stack, queue=queue_of(stack))
        if call:
            made.metric_dead_letters()
        else:
            sqs.Queue(stack, "Mine").metric_approximate_number_of_messages_visible()

    return make


def redriven(*, queue_of: Make, call: bool) -> Make:
    def make(stack: Stack) -> None:
        made, operator = webhook(stack, queue=queue_of(stack)), iam.User(stack, "Operator")
        if call:
            made.grant_redrive(operator)
        else:
            sqs.Queue(stack, "Mine").grant(operator, "sqs:StartMessageMoveTask")

    return make


def invoked(stack: Stack, *, signed: bool) -> None:
    webhook(stack, api=ApiOptions(iam_authorization=signed)).grant_invoke(
        iam.Role(stack, "R", assumed_by=iam.AccountRootPrincipal())
    )


def tables(stack: Stack, first: Sink, second: Sink) -> None:
    ScalableWebhook(stack, "One", sink=first)
    ScalableWebhook(stack, "Two", sink=second)


def table_of(stack: Stack, *, passed: bool) -> None:
    sink = Sink.dynamodb()
    if passed:
        webhook(stack, sink=sink)
    assert isinstance(sink, DynamoDBSink)
    CfnOutput(stack, "Name", value=sink.table.table_name)


def shared(stack: Stack) -> None:
    own = table("id", dynamodb.AttributeType.STRING)(stack)
    tables(stack, own, own)


def one_sink(stack: Stack) -> None:
    sink = Sink.dynamodb()
    tables(stack, sink, sink)


def produced(stack: Stack) -> None:
    """Produce the URL as the CDK does. Through jsii, the class of the error is lost."""
    own = api(stack, disable_execute_api_endpoint=True)
    _LaterUrl(own, "/hooks").produce(cast(Any, None))


def data_api(**arguments: Any) -> Make:
    def make(stack: Stack) -> None:
        on = cluster(stack, enable_data_api=True)
        webhook(stack, sink=Sink.data_api(on, **{"database_name": "d", **arguments}))

    return make


def http(**arguments: Any) -> Make:
    return lambda stack: webhook(stack, sink=Sink.http("https://example.com", **arguments))


def unverified_by_function(stack: Stack, ingress: Ingress) -> None:
    made = webhook(stack, consumer=test_checks.function()(stack))
    made.add_source("/b", Source.github(secret(stack)), ingress=ingress)


def verified_in_the_function(stack: Stack) -> None:
    webhook(stack, consumer=test_checks.function()(stack), path="/b", ingress=DIRECT)


def sourced(make: Callable[[Stack], Source]) -> Make:
    return lambda stack: webhook(stack, source=make(stack))


def given(arguments: Callable[[Stack], Mapping[str, Any]], *, elsewhere: bool = False) -> Make:
    """Return a webhook with arguments that are created in its stack, or in a stack of another region."""

    def make(stack: Stack) -> None:
        there = Environment(account="1" * 12, region="eu-west-1")
        other = Stack(cast(App, stack.node.root), "Other", env=there) if elsewhere else stack
        webhook(stack, **arguments(other))

    return make


def there(make: Make) -> Make:
    """Return the same in a stack of another region."""
    env = Environment(account="1" * 12, region="eu-west-1")
    return lambda stack: make(Stack(cast(App, stack.node.root), "There", env=env))


def later() -> Any:
    return Token.as_number({"Ref": "Number"})


def certified(region: str) -> Make:
    def make(stack: Stack) -> None:
        arn = f"arn:aws:acm:{region}:111111111111:certificate/00000000-0000-0000-0000-000000000000"
        certificate = acm.Certificate.from_certificate_arn(stack, "Certificate", arn)
        name = apigateway.DomainNameOptions(domain_name="hooks.example.com", certificate=certificate)
        webhook(stack, api=ApiOptions(domain_name=name))

    return make


def with_queue_and_dead_letters(region: str, account: str = "1" * 12) -> Make:
    def make(stack: Stack) -> None:
        dead_letters = sqs.Queue.from_queue_arn(stack, "DeadLetters", f"arn:aws:sqs:{region}:{account}:dead-letters")
        policy = sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=5)
        webhook(stack, queue=queue(stack, dead_letter_queue=policy))

    return make


def with_role(origin: str) -> Make:
    def make(stack: Stack) -> None:
        own = stack if origin == "Stack" else Stack(cast(App, stack.node.root), "Other", env=HERE)
        role: iam.IRole = iam.Role(own, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        if origin == "imported":
            role = iam.Role.from_role_arn(stack, "Imported", "arn:aws:iam::111111111111:role/consumer")
        webhook(stack, consumer=function(stack, role=role))

    return make


def cached(**options: Any) -> Make:
    def make(stack: Stack) -> None:
        made = api(stack, deploy_options=apigateway.StageOptions(**options))
        made.root.add_resource("other").add_method("GET", apigateway.MockIntegration())
        webhook(stack, api=made, path="/hooks")

    return make


def connecting(number: int, *, first: int = 0, **parameters: str) -> Make:
    """Return a webhook with so many batches at a time on a database with these parameters, behind another one."""

    def make(stack: Stack) -> None:
        sink = test_existing.postgres(test_existing.instance(stack, parameters=parameters), stack)["sink"]
        if first:
            ScalableWebhook(stack, "First", sink=sink, max_concurrency=first)
        webhook(stack, sink=sink, max_concurrency=number)

    return make


def indexed(name: str, type: dynamodb.AttributeType) -> Make:
    def make(stack: Stack) -> None:
        id = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
        made = dynamodb.Table(stack, "Indexed", partition_key=id)
        key = dynamodb.Attribute(name=name, type=type)
        made.add_global_secondary_index(index_name="by-it", partition_key=key)
        webhook(stack, sink=Sink.dynamodb(made))

    return make


def alarmed(arguments: Mapping[str, Any] | Make | None = None, **options: Any) -> Make:
    """Return a webhook with alarms of these options."""

    def make(stack: Stack) -> None:
        made = webhook(stack, **(arguments(stack) if callable(arguments) else arguments or {}))
        made.add_alarms(sns.Topic(stack, "Topic"), AlarmOptions(**options))

    return make


def paged(topic: Callable[[Stack], Any]) -> Make:
    return lambda stack: webhook(stack).add_alarms(topic(stack))


def alarmed_twice(stack: Stack, *, by_calls: bool) -> None:
    made, topics = webhook(stack), [sns.Topic(stack, name) for name in ("One", "Two")]
    alarms = made.add_alarms(topics[0])
    if by_calls:
        made.add_alarms(topics[1])
    for alarm in alarms.values():
        alarm.add_alarm_action(actions.SnsAction(topics[1]))


def shown(name: str | None = None, *, twice: bool = False) -> Make:
    def make(stack: Stack) -> None:
        made = webhook(stack)
        dashboard = made.add_dashboard(name)
        if twice:
            made.add_dashboard()
        else:
            dashboard.add_widgets(cloudwatch.TextWidget(markdown="mine"))

    return make


def shown_before_source(stack: Stack, *, before: bool) -> None:
    made = webhook(stack, path="/a")
    if before:
        made.add_dashboard()
    made.add_source("/b", Source.github(secret(stack)))
    if not before:
        made.add_dashboard()


def by_url(stack: Stack, ingress: Ingress = FUNCTION_URL) -> ScalableWebhook:
    return webhook(stack, source=Source.github(secret(stack)), ingress=ingress)


def with_second(first: Ingress, second: Ingress | None, path: str = "/b") -> Make:
    return lambda stack: by_url(stack, first).add_source(path, Source.github(secret(stack)), ingress=second)


def alarmed_before_source(stack: Stack, *, before: bool) -> None:
    made = by_url(stack)
    if before:
        made.add_alarms()
    made.add_source("/b", Source.github(secret(stack)))
    if not before:
        made.add_alarms()


def alarmed_and_shown(stack: Stack, *, in_order: bool) -> None:
    made = webhook(stack)
    for add in [made.add_alarms, made.add_dashboard] if in_order else [made.add_dashboard, made.add_alarms]:
        cast(Any, add)()


def of_unknown_queue(stack: Stack) -> Mapping[str, Any]:
    return {"queue": sqs.Queue.from_queue_arn(stack, "Q", "arn:aws:sqs:us-east-1:111111111111:existing")}


def of_known_queue(stack: Stack) -> Mapping[str, Any]:
    letters = sqs.DeadLetterQueue(
        queue=sqs.Queue(stack, "Letters", retention_period=Duration.days(14)), max_receive_count=5
    )
    return {"queue": sqs.Queue(stack, "Q", visibility_timeout=Duration.minutes(3), dead_letter_queue=letters)}


LATER = Duration.seconds(Token.as_number({"Ref": "X"}))
MANY = [{"body": {"a": ["x" * 1000] * 5}}]
HALVES = [{"body": {"a": ["x" * 1000, "y"] * 2}}, {"body": {"a": ["x" * 1000] * 3}}]

REJECTIONS = [
    Rejection("visibility timeout that depends on an unknown timeout", "visibility_timeout must be given if", lambda stack: webhook(stack, consumer=ConsumerOptions(timeout=LATER)), [lambda stack: webhook(stack, consumer=ConsumerOptions(timeout=LATER), queue=QueueOptions(visibility_timeout=Duration.minutes(30)))]),
    Rejection("dead-letter queue of another account", "dead_letter_queue must be in the account of", with_dead_letter_queue(Environment(account="2" * 12)), [with_dead_letter_queue(HERE), with_dead_letter_queue(None)], HERE),
    Rejection("disabled encryption key", "encryption_key must be enabled, got Stack/Key, which is not; leave enabled out", lambda stack: webhook(stack, encryption_key=kms.Key(stack, "Key", enabled=False)), [lambda stack: webhook(stack, encryption_key=kms.Key(stack, "Key"))]),
    Rejection("large payloads behind a direct integration", "large_payloads must not be set for an ingress without code", large(ingress=DIRECT), [large(ingress=LAMBDA)]),
    Rejection("large payloads with an existing consumer", "large_payloads must not be set together with consumer", lambda stack: large(consumer=function(stack))(stack), [large(sink=python("orders", folder("orders", orders=HANDLE)))]),
    Rejection("origins that only deployment knows", "cors must have lists of allow_origins and expose_headers that are known", of_origins(tokens), [of_origins(lambda stack: [Token.as_string({"Ref": "Origin"})])]),
    Rejection("cluster that cannot grant", "iam_user needs a database with logins by IAM, got a Cluster; leave", lambda stack: webhook(stack, sink=Sink.postgres(cast(Any, Cluster(stack)), database_name="d", iam_user="u")), [lambda stack: webhook(stack, sink=Sink.postgres(cast(Any, Cluster(stack)), database_name="d", secret=secret(stack)))]),
    Rejection("host without a secret", "secret must be given for a host, got none; pass secret=", host(secret=None), [host()]),
    Rejection("host that is too long", "host must be 1 to 253 printable characters", host(host="h" * 254), [host(host="db.example.com")]),
    Rejection("user that is too long", "iam_user must be 1 to 63 printable characters", lambda stack: region(stack, iam_user="u" * 64), [lambda stack: region(stack, iam_user="webhooks")]),
    Rejection("region without certificate authorities", "ca_certificates must be given for a database in mx-central-1, got none; download", region, [lambda stack: region(stack, ca_certificates=__file__)], Environment(account="1" * 12, region="mx-central-1")),
    Rejection("driver that is not installed", "Sink.postgres() needs pg8000 where the app is synthesised", without_driver, [host()]),
    Rejection("engine without a sink", "got one of the engine ORACLE-SE2; take Sink.python() with your own driver", lambda stack: webhook(stack, sink=Sink.postgres(strategies.instance(stack, strategies.ORACLE), database_name="d")), [lambda stack: webhook(stack, sink=python("orders", folder("orders", orders=HANDLE)))]),
    Rejection("certificate of another region", "the certificate of domain_name must be of the region of the ScalableWebhook, us-east-1, got Stack/Certificate of eu-west-1; put", certified("eu-west-1"), [there(certified("eu-west-1")), certified("us-east-1")], HERE),
    Rejection("web ACL of another region", "web_acl must be of the account and the region of the ScalableWebhook, 111111111111/us-east-1, got Other/Acl", given(lambda stack: {"web_acl": test_checks.web_acl(stack, "REGIONAL")}, elsewhere=True), [given(lambda stack: {"web_acl": test_checks.web_acl(stack, "REGIONAL")})], HERE),
    Rejection("dead-letter queue of an existing queue, in another region", "dead_letter_queue must be of the region of the ScalableWebhook, us-east-1, got Stack/DeadLetters of eu-west-1; put", with_queue_and_dead_letters("eu-west-1"), [there(with_queue_and_dead_letters("eu-west-1")), with_queue_and_dead_letters("us-east-1")], HERE),
    Rejection("dead-letter queue of an existing queue, in another account", "dead_letter_queue must be in the account of the ScalableWebhook, 111111111111, got Stack/DeadLetters of 222222222222; pass", with_queue_and_dead_letters("us-east-1", "2" * 12), [with_queue_and_dead_letters("us-east-1"), lambda stack: webhook(stack, queue=queue(stack))], HERE),
    Rejection("role of another stack", "consumer must have a role of the stack of the queue, got Other/Role for a queue of Stack; give", with_role("Other"), [with_role("Stack"), with_role("imported")], HERE),
    Rejection("stage with a cache", "api must not answer an endpoint from a cache, got a stage with caching_enabled for /*, and with it for /hooks; leave it out", cached(caching_enabled=True), [cached(), cached(method_options={"/other/GET": apigateway.MethodDeploymentOptions(caching_enabled=True)})]),
    Rejection("index on a field of another type", "table must have indices that every item of a webhook fits, got one on received_at (NUMBER); index", indexed("received_at", dynamodb.AttributeType.NUMBER), [indexed("received_at", dynamodb.AttributeType.STRING), lambda stack: webhook(stack, sink=python("orders", folder("index", orders=HANDLE)))]),
    Rejection("index on a field that may be empty", "got one on query (STRING); index one of id,", indexed("query", dynamodb.AttributeType.STRING), [indexed("path", dynamodb.AttributeType.STRING), lambda stack: webhook(stack, sink=python("orders", folder("index", orders=HANDLE)))]),
    Rejection("IP range with a mask", "got '10.0.0.0/255.0.0.0': it is not written as a CIDR range; for example", lambda stack: webhook(stack, api=ApiOptions(allowed_ip_ranges=["10.0.0.0/255.0.0.0"])), [lambda stack: webhook(stack, api=ApiOptions(allowed_ip_ranges=["10.0.0.0/8"]))]),
    Rejection("minutes that only deployment knows", "timeout must be in seconds if only deployment knows it, got another unit; take Duration.seconds(…)", lambda stack: webhook(stack, consumer=ConsumerOptions(timeout=Duration.minutes(later())), queue=QueueOptions(visibility_timeout=Duration.hours(2))), [lambda stack: webhook(stack, consumer=ConsumerOptions(timeout=Duration.seconds(later())), queue=QueueOptions(visibility_timeout=Duration.hours(2)))]),
    Rejection("origin that no browser writes", "cors must have its origin as browsers write it, got 'https://Shop.example.com/'; write", lambda stack: webhook(stack, cors=test_checks.cors("https://Shop.example.com/")), [lambda stack: webhook(stack, cors=test_checks.cors("https://shop.example.com"))]),
    Rejection("alias of a key that cannot encrypt", "encryption_key must be symmetric and for encryption, got RSA_2048; create", lambda stack: webhook(stack, encryption_key=kms.Key(stack, "Rsa", key_spec=kms.KeySpec.RSA_2048).add_alias("x")), [lambda stack: webhook(stack, encryption_key=kms.Key(stack, "Key").add_alias("x"))]),
    Rejection("filters that only deployment knows", "event_filters must be known at synth, got a value that only deployment knows; write", lambda stack: webhook(stack, event_filters=[{"body": {"a": Token.as_list({"Ref": "List"})}}]), [lambda stack: webhook(stack, event_filters=BODY)]),
    Rejection("code with a file of certificate authorities", "code must not have ca-certificates.pem, got one, which is packed with your modules; rename it", with_authorities("ca-certificates.pem"), [with_authorities("bank.pem")]),
    Rejection("code with the name of a package", "packages must have names of their own, got companylib of companylib and companylib in another part of the function; rename your own", packing({}, own={"companylib/more.py": ""}), [packing({}, own={"more.py": ""}), packing({}, own={"companylib/more.py": ""}, packages=[])]),
    Rejection("packages with one file of different content", "packages must have names of their own, got tests/__init__.py of two, which another one has with other content; leave one out", packing({"name": "one", "files": {"tests/__init__.py": "1"}}, {"name": "two", "files": {"tests/__init__.py": "2"}}, packages=["one", "two"]), [packing({"name": "one", "files": {"tests/__init__.py": "1"}}, {"name": "two", "files": {"tests/__init__.py": "2"}}, packages=["one"])]),
    Rejection("extra that the package does not have", "packages must have the extras that are named, got fast of companylib, which has slow; name one of these", packing({"extras": ["slow"]}, packages=["companylib[fast]"]), [packing({"extras": ["slow"]}, packages=["companylib[slow]"])]),
    Rejection("package in an archive", "packages must be installed as files, got companylib, which is in the archive companylib-1.0-py3.11.egg; install it with pip", packing(egg=True), [packing({})]),
    Rejection("package without its source", "packages must have their source, got companylib, which has the bytecode companylib/a.pyc alone", packing({"files": {"companylib/a.pyc": ""}}), [packing({"files": {"companylib/a.py": ""}})]),
    Rejection("package with a malformed requirement", "packages must have requirements in the standard form, got", packing({"requires": ["other; python_version"]}), [packing({"requires": ["pg8000 ~= 1.31"]})]),
    Rejection("requirement of a package that is not installed", "got 'gone', which companylib requires and which is not; install it there by pip", packing({"requires": ["gone"]}), [packing({"requires": ["gone"]}, {"name": "gone", "files": {"gone.py": ""}})]),
    Rejection("code with a file name that is not Unicode", "code must have files with Unicode names, got '\\udcff.txt'; rename it", packing({}, own={"\udcff.txt": ""}), [packing({}, own={"ÿ.txt": ""})]),
    Rejection("code with a pipe in it", "code must have files and folders only, got pipe, which is a socket, pipe or device; move it elsewhere", packing({}, pipe=True), [packing({})]),
    Rejection("code with a webhook_runtime", "code must not have a webhook_runtime, got one; remove it", lambda stack: webhook(stack, sink=python("orders", with_runtime())), [lambda stack: webhook(stack, sink=python("orders", folder("free", orders=HANDLE)))]),
    Rejection("code that nests too deep", "code must be Python, got orders.py with", lambda stack: webhook(stack, sink=python("orders", folder("deep", orders="x = a" + ".a" * 200_000))), [lambda stack: webhook(stack, sink=python("orders", folder("flat", orders=HANDLE)))]),
    Rejection("environment that is too large", "must fit into the 4,096 bytes of a function's environment together, got", sized(4000), [sized(1000)]),
    Rejection("more sources than fit into the consumer's environment", "got about 4,", after_many(DIRECT), [after_many(LAMBDA), at_second_endpoint()]),
    Rejection("filters longer than a mapping accepts", "event_filters[0] must be at most 4,096 characters as JSON, got 5,", long_filters(MANY), [long_filters(HALVES)]),
    Rejection("filters on bytes with an existing consumer", "event_filters of / must be on payloads that are text", filtered(ingress=Ingress.direct_integration(binary=True)), [filtered(ingress=LAMBDA), lambda stack: webhook(stack, consumer=function(stack), ingress=Ingress.direct_integration(binary=True))]),
    Rejection("long filters of two endpoints", "event_filters of /a and /b together must be at most 3,000", two_filtered(first=[{"body": {"a": ["x" * 2000]}}], second=[{"body": {"a": ["x" * 1500]}}]), [two_filtered(first=[{"body": {"a": ["x" * 900]}}], second=BODY), two_filtered(first=[{"body": {"a": [{"prefix": "x"}]}}], second=BODY), two_filtered(first=[{"body": {"a": ["x" * 2000]}}], second=[{"body": {"a": ["x" * 1500]}}], through=LAMBDA)]),
    Rejection("further direct endpoint with an existing consumer", "endpoint /b: source must not be set together with consumer if the ingress does not verify, got both; take Ingress.lambda_integration()", lambda stack: unverified_by_function(stack, DIRECT), [lambda stack: unverified_by_function(stack, LAMBDA), verified_in_the_function]),
    Rejection("metric_dropped before the last source", "endpoint /b: metric_dropped() must be called after add_source()", lambda stack: dropped(stack, before=True), [lambda stack: dropped(stack, before=False)]),
    Rejection("metric_dropped without filters", "metric_dropped needs event_filters, got none", lambda stack: webhook(stack).metric_dropped(), [lambda stack: webhook(stack, event_filters=BODY).metric_dropped(), webhook]),
    *(period(f"metric_{name}") for name in ("backlog_age", "dead_letters", "dropped", "mismatched", "paused", "sink_down", "unverified", "webhook_age")),
    Rejection("metric_webhook_age of a consumer", "metric_webhook_age needs a sink, got an existing consumer, which does not tell the age of its webhooks; pass a sink instead of consumer, or take", lambda stack: webhook(stack, consumer=function(stack)).metric_webhook_age(), [lambda stack: webhook(stack).metric_webhook_age(), lambda stack: webhook(stack, consumer=function(stack)).metric_backlog_age()]),
    Rejection("alarm for seconds", "paused of AlarmOptions must be in whole minutes, got 5 minutes 30 seconds; round it", alarmed({"breaker": CircuitBreaker()}, paused=Duration.seconds(330)), [alarmed({"breaker": CircuitBreaker()}, paused=Duration.minutes(6))]),
    Rejection("alarm at a time that only deployment knows", "behind of AlarmOptions must be known at synth, got a value that only deployment knows; write", lambda stack: alarmed(behind=LATER)(stack), [alarmed(behind=Duration.minutes(1))]),
    Rejection("alarm for a pause without a breaker", "paused of AlarmOptions needs a circuit breaker, got none; set breaker=CircuitBreaker(), or leave paused out", alarmed(paused=Duration.hours(1)), [alarmed({"breaker": CircuitBreaker()}, paused=Duration.hours(1)), alarmed()]),
    Rejection("alarm for a concurrency that only deployment knows", "saturated of AlarmOptions needs a max_concurrency that is known at synth, got none; write it out, or leave saturated out", lambda stack: alarmed({"max_concurrency": later()}, saturated=Duration.hours(1))(stack), [alarmed({"max_concurrency": 9}, saturated=Duration.hours(1)), lambda stack: alarmed({"max_concurrency": later()})(stack)]),
    Rejection("alarm for unknown dead letters", "dead_letters of AlarmOptions needs a dead-letter queue that is known, got none; create the queue in this app with dead_letter_queue=, or leave dead_letters out", alarmed(of_unknown_queue, dead_letters=10), [alarmed(of_known_queue, dead_letters=10), alarmed(of_unknown_queue)]),
    Rejection("alarm at an age that no webhook reaches", "webhooks_expiring of AlarmOptions must be shorter than the 4 days for which the queue keeps a webhook, got 4 days; lower it", alarmed(webhooks_expiring=Duration.days(4)), [alarmed(webhooks_expiring=Duration.days(3))]),
    Rejection("FIFO topic for alarms", "topic must be a standard topic, got a FIFO topic, to which CloudWatch cannot publish; pass a standard one", paged(lambda stack: sns.Topic(stack, "T", fifo=True)), [paged(lambda stack: sns.Topic(stack, "T"))]),
    Rejection("topic of another region for alarms", "topic must be of the region of the ScalableWebhook, us-east-1, got Stack/T of eu-west-1; put", paged(lambda stack: sns.Topic.from_topic_arn(stack, "T", "arn:aws:sns:eu-west-1:111111111111:t")), [paged(lambda stack: sns.Topic.from_topic_arn(stack, "T", "arn:aws:sns:us-east-1:111111111111:t")), there(paged(lambda stack: sns.Topic.from_topic_arn(stack, "T", "arn:aws:sns:eu-west-1:111111111111:t")))], HERE),
    Rejection("alarms twice", "topic must be given to one add_alarms() of a webhook, got a second call; add further actions to the alarms that the first returns", partial(alarmed_twice, by_calls=True), [partial(alarmed_twice, by_calls=False)]),
    Rejection("alarms behind the dashboard", "topic must be given to add_alarms() before add_dashboard(), got it behind, so the dashboard would not show the alarms; move", partial(alarmed_and_shown, in_order=False), [partial(alarmed_and_shown, in_order=True)]),
    Rejection("dashboard twice", "name must be given to one add_dashboard() of a webhook, got a second call; add your own widgets", shown(twice=True), [shown()]),
    Rejection("dashboard with a blank in its name", "name must be 1 to 255 letters, digits, hyphens or underscores, got 'My orders'; for example 'Orders'", shown("My orders"), [shown("Orders")]),
    Rejection("source behind the dashboard", "endpoint /b: source must be added before add_dashboard(), got it behind, so the dashboard would not show it; move", lambda stack: shown_before_source(stack, before=True), [lambda stack: shown_before_source(stack, before=False)]),
    Rejection("concurrency of a function URL", "reserved_concurrency must be between 1 and 10,000, got 0; raise it", lambda stack: Ingress.function_url(reserved_concurrency=0), [lambda stack: Ingress.function_url(reserved_concurrency=1), lambda stack: Ingress.function_url(reserved_concurrency=False)]),
    Rejection("API of a function URL", "webhook.api needs an ingress in an API, got one with an address of its own; take webhook.url, webhook.publisher, or Ingress.lambda_integration()", lambda stack: by_url(stack).api, [lambda stack: by_url(stack).url, lambda stack: by_url(stack).publisher, lambda stack: by_url(stack, LAMBDA).api]),
    Rejection("integration behind a function URL", "endpoint /b: ingress must have an address of its own, as that of the webhook itself, got a LambdaIntegration, which needs an API; take Ingress.function_url(), or give", with_second(FUNCTION_URL, LAMBDA), [with_second(FUNCTION_URL, None), with_second(LAMBDA, LAMBDA)]),
    Rejection("function URL behind an integration", "endpoint /b: ingress must be in an API, as that of the webhook itself, got a FunctionUrl, which has an address of its own; take", with_second(LAMBDA, FUNCTION_URL), [with_second(LAMBDA, Ingress.direct_integration(binary=True)), with_second(FUNCTION_URL, FUNCTION_URL)]),
    Rejection("two function URLs at one path", "endpoint /: path must be free, got '/', which the webhook itself has; take another path", with_second(FUNCTION_URL, None, "/"), [with_second(FUNCTION_URL, None, "/c")]),
    Rejection("alarm for requests that nobody counts", "not_accepted of AlarmOptions needs an ingress whose requests AWS counts, got none; take another, or leave not_accepted out", alarmed({"ingress": test_checks.CustomIngress("https://example.com/")}, not_accepted=1), [alarmed({"ingress": LAMBDA}, not_accepted=1), alarmed({"ingress": test_checks.CustomIngress("https://example.com/")})]),
    Rejection("function URL behind the alarms", "endpoint /b: source must be added before add_alarms(), got it behind, so no alarm would watch its URL; move", lambda stack: alarmed_before_source(stack, before=True), [lambda stack: alarmed_before_source(stack, before=False)]),
    Rejection("breaker without a failure", "failures of CircuitBreaker must be between 1 and 100, got 0; raise it", lambda stack: CircuitBreaker(failures=0), [lambda stack: CircuitBreaker(failures=1)]),
    Rejection("breaker with too many successes", "successes of CircuitBreaker must be between 1 and 10, got 11; lower it", lambda stack: CircuitBreaker(successes=11), [lambda stack: CircuitBreaker(successes=10)]),
    Rejection("breaker of a number that only deployment knows", "failures of CircuitBreaker must be known at synth, got a token; write it out", lambda stack: CircuitBreaker(failures=test_checks.number()), [lambda stack: CircuitBreaker(failures=3)]),
    Rejection("breaker of a wait that only deployment knows", "initial of CircuitBreaker must", lambda stack: CircuitBreaker(initial=Duration.minutes(test_checks.number())), [lambda stack: CircuitBreaker(initial=Duration.minutes(2))]),
    Rejection("breaker of a longest wait that only deployment knows", "maximum of CircuitBreaker must", lambda stack: CircuitBreaker(maximum=Duration.minutes(test_checks.number())), [lambda stack: CircuitBreaker(maximum=Duration.minutes(2))]),
    Rejection("breaker with a wait of seconds", "initial of CircuitBreaker must be between 1 minute and 12 hours, got 59 seconds; raise it", lambda stack: CircuitBreaker(initial=Duration.seconds(59)), [lambda stack: CircuitBreaker(initial=Duration.seconds(60))]),
    Rejection("breaker that waits longer at first", "maximum of CircuitBreaker must be between 2 minutes and 12 hours, got 1 minute; raise it", lambda stack: CircuitBreaker(initial=Duration.minutes(2), maximum=Duration.minutes(1)), [lambda stack: CircuitBreaker(initial=Duration.minutes(2), maximum=Duration.minutes(2))]),
    Rejection("metric_paused without a breaker", "metric_paused needs a circuit breaker, got none; set breaker=CircuitBreaker(), or leave the metric out", lambda stack: webhook(stack).metric_paused(), [lambda stack: webhook(stack, breaker=CircuitBreaker()).metric_paused(), webhook]),
    Rejection("metric_sink_down of a consumer", "metric_sink_down needs a sink, got an existing consumer, which does not tell that its sink is down; pass a sink instead of consumer, or leave", lambda stack: webhook(stack, consumer=function(stack)).metric_sink_down(), [lambda stack: webhook(stack).metric_sink_down(), lambda stack: webhook(stack, consumer=function(stack))]),
    Rejection("metric_unverified without a direct integration", "metric_unverified needs a source behind an ingress that does not verify, got none, so the endpoint itself rejects unsigned requests; take", lambda stack: webhook(stack).metric_unverified(), [lambda stack: webhook(stack).api.metric_client_error(), lambda stack: webhook(stack)]),
    Rejection("metric_mismatched without a secret", "metric_mismatched needs a source with a secret, got none; pass", lambda stack: mismatched(stack, None), [lambda stack: mismatched(stack, own := Source.github(secret(stack)), own), lambda stack: mismatched(stack, None, count=False)]),
    Rejection("metric_dead_letters without a known dead-letter queue", "metric_dead_letters needs a dead-letter queue, got a queue of which none is known", dead_letters_metric(queue_of=queue, call=True), [dead_letters_metric(queue_of=lambda stack: queue(stack, dead_letter_queue=test_existing.redrive_policy(stack)), call=True), dead_letters_metric(queue_of=queue, call=False)]),
    Rejection("grant_redrive without a known dead-letter queue", "grant_redrive needs a dead-letter queue, got a queue of which none is known", redriven(queue_of=queue, call=True), [redriven(queue_of=lambda stack: queue(stack, dead_letter_queue=test_existing.redrive_policy(stack)), call=True), redriven(queue_of=queue, call=False)]),
    Rejection("grant_invoke without IAM authorization", "grant_invoke needs iam_authorization=True", lambda stack: invoked(stack, signed=False), [lambda stack: invoked(stack, signed=True), lambda stack: CfnOutput(stack, "Url", value=webhook(stack).url)]),
    Rejection("verifier at a further direct endpoint", "endpoint /b: source must not be Source.custom() at a further endpoint", at_second_endpoint(source=custom()), [at_second_endpoint(source=custom(), ingress=LAMBDA), lambda stack: webhook(stack, path="/a", ingress=DIRECT, source=custom())]),
    Rejection("further path with a variable", "path must be '/' or fixed segments", at_second_endpoint(path="/{tenant}"), [at_second_endpoint(path="/tenants")]),
    Rejection("path that another source has", "endpoint /a: path must be free in api, got '/a', which has {proxy+} already; take", at_second_endpoint(path="/a"), [at_second_endpoint(path="/b")]),
    Rejection("URL of an API without a known domain", "url needs a domain that api knows", produced, [lambda stack: url(stack, known=True), lambda stack: url(stack, known=False)]),
    Rejection("LambdaRestApi with its proxy", "which has {proxy+} already; create the LambdaRestApi with proxy=False", lambda stack: webhook(stack, api=apigateway.LambdaRestApi(stack, "Api", handler=function(stack))), [lambda stack: webhook(stack, api=apigateway.LambdaRestApi(stack, "Api", handler=function(stack), proxy=False))]),
    Rejection("authorization type that contradicts the authorizer", "api must be accepted by the CDK, got one of which it says: ", authorized(authorization_type=apigateway.AuthorizationType.IAM), [authorized()]),
    Rejection("table that is not created yet", "the sink has no table yet, got None; pass the sink", lambda stack: table_of(stack, passed=False), [lambda stack: table_of(stack, passed=True)]),
    Rejection("one sink of two webhooks", "sink must serve one ScalableWebhook, got one that serves Stack/One; use one", one_sink, [lambda stack: tables(stack, Sink.dynamodb(), Sink.dynamodb()), shared]),
    Rejection("layer with an empty id", "id must be printable and known at synth, got ''", layer(""), [layer("Webhook")]),
    Rejection("two modules of one name", "code must have names of its own, got bank.py", next_to_verifier(folder("two", bank=HANDLE)), [lambda stack: webhook(stack, source=custom(), sink=python("orders", folder("renamed", orders=HANDLE)), ingress=DIRECT), lambda stack: webhook(stack, source=Source.custom(folder("both", bank="def verify(webhook, secrets): ...\n" + HANDLE), "bank.verify"), sink=python("bank", folder("both")), ingress=DIRECT)]),
    Rejection("package with native code", "packages must be pure Python, got psutil, which has the native", lambda stack: webhook(stack, sink=Sink.python(folder("orders", orders=HANDLE), "orders.handle", packages=["psutil"])), [lambda stack: webhook(stack, consumer=function(stack))]),
    Rejection("empty database name of the Data API", "database_name must be 1 to 64 printable characters", data_api(database_name=""), [data_api(database_name="orders")]),
    Rejection("table of the Data API with a quote", "table_name must be up to 63 letters, digits", data_api(table_name='"'), [data_api(table_name="webhooks"), data_api(table_name="orders.webhooks")]),
    Rejection("more batches than connections", "max_concurrency must be at most 42, the connections that Stack/Instance has for applications (max_connections = 50 in the parameter group; 8 of them are reserved), got 43; lower it", connecting(43, max_connections="50"), [connecting(42, max_connections="50"), connecting(43, max_connections="200")]),
    Rejection("more batches of two webhooks than connections", "max_concurrency must be at most 42 for all webhooks together, the connections that Stack/Instance has for applications (max_connections = 50 in the parameter group; 8 of them are reserved), got 30 with 20 of Stack/First; lower it", connecting(30, first=20, max_connections="50"), [connecting(22, first=20, max_connections="50"), connecting(30, first=20, max_connections="200")]),
    Rejection("share of no connections", "share must be above 0 and at most 1, got 0; for example 0.25", lambda stack: Capacity.of(test_existing.instance(stack)).recommended_concurrency(0), [lambda stack: webhook(stack, max_concurrency=Capacity.of(test_existing.instance(stack)).recommended_concurrency(0.25))]),
    Rejection("target latency of nothing", "target_latency must be at least 1 millisecond, got", lambda stack: AdaptiveRate(maximum=1, target_latency=Duration.millis(0)), [lambda stack: AdaptiveRate(maximum=1, target_latency=Duration.millis(200))]),
    Rejection("target latency that only deployment knows", "target_latency must be known at synth", lambda stack: AdaptiveRate(maximum=1, target_latency=LATER), [lambda stack: AdaptiveRate(maximum=1, target_latency=Duration.minutes(1))]),
    Rejection("maximum of an adaptive rate", "maximum of AdaptiveRate must be between 0.01 and 100,000, got 0; raise it", lambda stack: AdaptiveRate(maximum=0, target_latency=Duration.seconds(1)), [lambda stack: AdaptiveRate(maximum=1, target_latency=Duration.seconds(1))]),
    Rejection("field without a name", "path of GroupBy.field() must be 1 to 256 printable characters, with a name on each side of a dot, got 'data.'; for example 'data.account'", lambda stack: GroupBy.field("data."), [lambda stack: GroupBy.field("data.account")]),
    Rejection("field that only deployment knows", "path of GroupBy.field() must be known at synth, got", lambda stack: GroupBy.field(test_existing.parameter(stack)), [lambda stack: GroupBy.field("data.account")]),
    Rejection("group by a header of API Gateway", "name of GroupBy.header() must be a header of the provider, got 'X-Amzn-Trace-Id', which API Gateway writes; name another header", lambda stack: GroupBy.header("X-Amzn-Trace-Id"), [lambda stack: GroupBy.header("X-Shop")]),
    Rejection("group by a header that does not arrive", "name of GroupBy.header() must be a header that API Gateway passes on, got 'TE', which it drops; name another header", lambda stack: GroupBy.header("TE"), [lambda stack: GroupBy.header("X-Shop")]),
    Rejection("group by a credential", "GroupBy.header() must name a header of the webhook, got 'x-api-key', a credential for API Gateway", lambda stack: webhook(stack, api=ApiOptions(api_key=True), queue=QueueOptions(fair_by=GroupBy.header("X-API-Key"))), [lambda stack: webhook(stack, api=ApiOptions(api_key=True), queue=QueueOptions(fair_by=GroupBy.header("X-Shop")))]),
    Rejection("group by a secret", "GroupBy.header() must name a header of the webhook, got 'x-gitlab-token', which has the secret of the source; name another header", lambda stack: webhook(stack, source=Source.token(secret(stack), header="X-GitLab-Token"), queue=QueueOptions(ordered=GroupBy.header("X-GitLab-Token"))), [lambda stack: webhook(stack, source=Source.token(secret(stack), header="X-GitLab-Token"), queue=QueueOptions(ordered=GroupBy.header("X-Shop")))]),
    Rejection("replica with the Data API", "database must be one that can be written to, got Stack/Cluster", lambda stack: webhook(stack, sink=Sink.data_api(cluster(stack, enable_data_api=True, replication_source_identifier="arn:aws:rds:eu-west-1:1:cluster:a"), database_name="d")), [data_api()]),
    Rejection("missing file of a service's certificate authorities", "ca_certificates must be a file", http(ca_certificates="/none.pem"), [http(ca_certificates=Path(__file__).parent / "test_remedies.py")]),
    Rejection("timeout of the HTTP sink that only deployment knows", "timeout of Sink.http() must be known at synth", http(timeout=LATER), [http(timeout=Duration.seconds(10))]),
    Rejection("maximum retry that only deployment knows", "retry maximum must be known at synth", lambda stack: webhook(stack, retry=Retry(maximum=LATER)), [lambda stack: webhook(stack, retry=Retry(maximum=Duration.minutes(1)))]),
    Rejection("tolerance that only deployment knows", "tolerance must be known at synth", sourced(lambda stack: Source.slack(secret(stack), tolerance=LATER)), [sourced(lambda stack: Source.slack(secret(stack), tolerance=Duration.minutes(1)))]),
    Rejection("form probe without a field", "field must be 1 to 256 printable characters, got ''", lambda stack: hmac(probe=Probe.form(""))(stack), [hmac(probe=Probe.form("webhook_id"))]),
    Rejection("signed id without a header", "id_header must be given for a signed_content with {id}, got none; pass id_header", hmac(signed_content="{id}.{body}"), [hmac(signed_content="{id}.{body}", id_header="I"), hmac()]),
    Rejection("signed id without a text behind it", "signed_content must have a text between {id} and the next part towards {body}, or one signature fits several ids, got '{id}{timestamp}{body}'; write", hmac(signed_content="{id}{timestamp}{body}", id_header="I", timestamp_header="T"), [hmac(signed_content="{id}.{timestamp}.{body}", id_header="I", timestamp_header="T")]),
    Rejection("signed id right behind the payload", "signed_content must have a text between {id}", hmac(signed_content="{body}{id}", id_header="I"), [hmac(signed_content="{body}.{id}", id_header="I")]),
    Rejection("signed URL before another part", "signed_content must have {url} next to {body}, or a character that no URL has", hmac(signed_content="{url}.{timestamp}.{body}", timestamp_header="T"), [hmac(signed_content="{url}|{timestamp}|{body}", timestamp_header="T"), hmac(signed_content="{timestamp}{url}{body}", timestamp_header="T")]),
    Rejection("signed URL behind another part", "signed_content must have {url} next to {body}", hmac(signed_content="{body}.{id}{url}", id_header="I"), [hmac(signed_content="{body}{url}.{id}", id_header="I")]),
    too_long(Source.hmac, "prefix", "sha256=", header="X"),
    too_long(Source.hmac, "timestamp_prefix", "t=", header="X", separator=",", signed_content="{timestamp}.{body}"),
    too_long(Source.hmac, "signed_content", "{timestamp}.{body}", header="X", timestamp_header="T"),
    too_long(Source.hmac, "id_field", "id", header="X"),
    too_long(Source.token, "prefix", "Bearer ", header="X"),
    too_long(Source.token, "id_field", "id", header="X"),
    too_long(Source.meta, "verify_token_field", "verify_token"),
    Rejection("token in a header that API Gateway writes", "header must be a header of the provider", sourced(lambda stack: Source.okta(secret(stack), header="X-Forwarded-Port")), [sourced(lambda stack: Source.okta(secret(stack), header="X-Okta"))]),
    Rejection("verifier that the code does not define", "handler must name a function of bank.py", sourced(lambda stack: Source.custom(folder("verify", bank="def verify(webhook, secrets): ..."), "bank.other")), [sourced(lambda stack: Source.custom(folder("defined", bank="def other(webhook, secrets): ..."), "bank.other")), sourced(lambda stack: custom())]),
    Rejection("package of a verifier that is not installed", "packages must be installed", sourced(lambda stack: custom(packages=["no-such-package"])), [sourced(lambda stack: custom()), sourced(lambda stack: custom(packages=["scramp"]))]),
    Rejection("secret field without a secret", "secret_field must not be set together with no secret, got secret_field; pass secret", sourced(lambda stack: custom(secret_field="key")), [sourced(lambda stack: custom(secret_field="key", secret=secret(stack))), sourced(lambda stack: custom())]),
]  # fmt: skip


@pytest.mark.parametrize("rejection", REJECTIONS, ids=lambda rejection: rejection.name)
def test_each_remedy_of_an_error_works(rejection: Rejection) -> None:
    assert_remedies_work(rejection)


# The limits of strategies.py are a table too.
LIMITS = [
    (kind, name, *argument.limit)
    for kind in ("ApiOptions", "QueueOptions", "ConsumerOptions", "AlarmOptions")
    for name, argument in strategies.ARGUMENTS[kind].items()
    if argument.limit is not None
]


@pytest.mark.parametrize(
    ("kind", "name", "highest", "above"), LIMITS, ids=[f"{kind}.{name}" for kind, name, *_ in LIMITS]
)
def test_an_option_above_its_limit_is_rejected_by_its_name(kind: str, name: str, highest: Any, above: Any) -> None:
    strategies.FUNCTIONS[kind](**{name: highest})
    with pytest.raises(ValueError, match=rf"^{name}( of {kind})? must be .+, got .+; "):
        strategies.FUNCTIONS[kind](**{name: above})


def of_all_tables() -> Iterator[tuple[Make, Environment | None]]:
    """Yield each case of each table that follows the remedies."""
    for kind, name, _, above in LIMITS:
        yield partial(strategies.built, strategies.Call(kind, {name: above})), None
    for row in [*test_checks.ROWS, *test_types.ROWS, *test_filters.ROWS]:
        yield row.rejection().make, None
    for rejection in REJECTIONS:
        yield rejection.make, rejection.env
    for *_, case in test_existing.CASES:
        if isinstance(case, test_existing.Rejected):
            yield test_existing.in_a_stack(case.make), test_existing.ENV
    for existing in test_checks.EXISTING.values():
        yield given(existing, elsewhere=True), test_checks.HERE
    for imported in test_checks.IMPORTED.values():
        yield given(imported), test_checks.HERE


Line = tuple[Path, int]


def lines_of(error: BaseException | None) -> Iterator[Line]:
    """Yield the lines through which an error was raised, and those of the errors in its context."""
    while error is not None:
        for frame in traceback.extract_tb(error.__traceback__):
            yield Path(frame.filename), frame.lineno or 0
        error = error.__context__


def rejecting_lines() -> Iterator[tuple[str, set[Line]]]:
    """Yield each statement that rejects, and each call of a check, with its lines."""
    trees = {path: ast.parse(path.read_text()) for path in SYNTH}
    functions = (node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    checks = (each for each in functions if each.name.removeprefix("_").startswith("require"))
    rejecting = {each.name for each in checks if any(isinstance(node, ast.Raise) for node in ast.walk(each))}
    for path, tree in trees.items():
        for node in ast.walk(tree):
            rejects = isinstance(node, ast.Raise) and "ValueError" in ast.unparse(node)
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if rejects or called == "_reject" or called.rpartition(".")[2] in rejecting:
                assert isinstance(node, ast.Raise | ast.Call)
                lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                yield f"{path.name}:{node.lineno}: {ast.unparse(node)[:90]}", {(path, line) for line in lines}


@pytest.mark.slow(30)
def test_each_error_has_a_row_in_a_table() -> None:
    """If it fails, an error is new, and no row of a table provokes it: add one, with its remedies."""
    provoked: set[Line] = set()
    for make, env in of_all_tables():
        try:
            make(Stack(App(), "Stack", env=env))
        except ValueError as error:
            provoked.update(lines_of(error))
    rejecting = dict(rejecting_lines())
    assert len(rejecting) > 150
    missing = [statement for statement, lines in rejecting.items() if lines.isdisjoint(provoked)]
    assert missing == [], "\n".join(missing)


@dataclass
class Warned:
    """A case with a warning of this id, and each remedy that the warning names."""

    id: str
    make: Make
    remedies: Sequence[Make]


def acknowledged(id: str, make: Make) -> Make:
    def quiet(stack: Stack) -> None:
        CdkAnnotations.of(make(stack)).acknowledge_warning(f"cdk-scalable-webhook:{id}")

    return quiet


def on_existing(make: Callable[..., sqs.IQueue], **properties: Any) -> Make:
    return lambda stack: webhook(stack, queue=make(stack, **properties))


def of_parameter(stack: Stack, **properties: Any) -> sqs.IQueue:
    arn = test_existing.parameter(stack)
    return sqs.Queue.from_queue_attributes(stack, "Q", queue_arn=arn, **properties)


def isolated(stack: Stack) -> ScalableWebhook:
    subnets = ec2.SubnetConfiguration(name="data", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
    own = ec2.Vpc(stack, "Vpc", subnet_configuration=[subnets], nat_gateways=0)
    return webhook(stack, sink=Sink.http("https://example.com", vpc=own))


def with_endpoints(stack: Stack) -> ScalableWebhook:
    made, own = isolated(stack), stack.node.find_child("Vpc")
    assert isinstance(own, ec2.Vpc)
    for service in ("SQS", "SECRETS_MANAGER"):
        own.add_interface_endpoint(service, service=getattr(ec2.InterfaceVpcEndpointAwsService, service))
    return made


def preflighted(**arguments: Any) -> Make:
    options = test_existing.cors(test_existing.SHOP, "https://b.example.com")
    return lambda stack: webhook(
        stack, path="/hooks", api=api(stack, default_cors_preflight_options=options), **arguments
    )


def on_api(*types: str) -> Make:
    return lambda stack: webhook(stack, path="/hooks", api=api(stack, binary_media_types=list(types)))


def proxied(number: int) -> Make:
    def make(stack: Stack) -> None:
        through = test_existing.proxy(stack, parameters={"max_connections": "50"})
        webhook(
            stack, max_concurrency=number, **test_existing.postgres(through, stack, vpc=test_existing.vpc_of(stack))
        )

    return make


def adaptive(maximum: float, **arguments: Any) -> Make:
    rate = AdaptiveRate(maximum=maximum, target_latency=Duration.millis(100))
    given = {"max_concurrency": 20, "batch_size": 10, **arguments}
    return lambda stack: webhook(stack, max_delivery_rate=rate, **given)


SHORT = Retry(initial=Duration.seconds(1), maximum=Duration.seconds(1))
WARNINGS = [
    Warned("queueKind", on_existing(of_parameter), [on_existing(of_parameter, fifo=True), acknowledged("queueKind", on_existing(of_parameter))]),
    Warned("maxMessageSize", on_existing(queue, max_message_size_bytes=65_536), [on_existing(queue, max_message_size_bytes=1_048_576)]),
    Warned("noDeadLetterQueue", on_existing(queue), [lambda stack: webhook(stack, queue=queue(stack, dead_letter_queue=test_existing.redrive_policy(stack))), acknowledged("noDeadLetterQueue", lambda stack: webhook(stack, queue=sqs.Queue.from_queue_arn(stack, "Q", test_existing.QUEUE)))]),
    Warned("maxReceiveCount", lambda stack: webhook(stack, queue=QueueOptions(max_receive_count=4)), [lambda stack: webhook(stack, queue=QueueOptions(max_receive_count=5))]),
    Warned("outage", lambda stack: webhook(stack, retry=SHORT), [lambda stack: webhook(stack, retry=SHORT, queue=QueueOptions(max_receive_count=200)), lambda stack: webhook(stack, retry=Retry(initial=Duration.seconds(30)))]),
    Warned("missingSource", webhook, [lambda stack: webhook(stack, source=Source.github(secret(stack))), acknowledged("missingSource", webhook)]),
    Warned("plainHttp", lambda stack: webhook(stack, sink=Sink.http("http://example.com")), [lambda stack: webhook(stack, sink=Sink.http("https://example.com"))]),
    Warned("databaseTimeout", lambda stack: webhook(stack, consumer=ConsumerOptions(timeout=Duration.seconds(24)), sink=Sink.postgres(host="h", database_name="d", secret=secret(stack))), [lambda stack: webhook(stack, consumer=ConsumerOptions(timeout=Duration.seconds(25)), sink=Sink.postgres(host="h", database_name="d", secret=secret(stack)))]),
    Warned("isolatedSubnets", isolated, [acknowledged("isolatedSubnets", with_endpoints)]),
    Warned("corsOrigins", preflighted(), [preflighted(cors=test_existing.cors(test_existing.SHOP))]),
    Warned("binaryMediaTypes", on_api(), [on_api("*/*")]),
    Warned("fairQueue", lambda stack: webhook(stack, queue=QueueOptions(fair_by=GroupBy.mount())), [lambda stack: webhook(stack, queue=QueueOptions(fair_by=GroupBy.mount()), max_concurrency=6), lambda stack: webhook(stack, queue=QueueOptions(fair_by=GroupBy.mount()), batch_size=30, max_batching_window=Duration.seconds(1)), acknowledged("fairQueue", lambda stack: webhook(stack, queue=QueueOptions(fair_by=GroupBy.mount())))]),
    Warned("slowestRate", adaptive(50), [adaptive(50, batch_size=1), adaptive(50, max_concurrency=10), adaptive(50, consumer=ConsumerOptions(timeout=Duration.minutes(5)))]),
    Warned("firstSecond", lambda stack: webhook(stack, max_delivery_rate=50), [lambda stack: webhook(stack, max_delivery_rate=50, batch_size=5), lambda stack: webhook(stack, max_delivery_rate=100), acknowledged("firstSecond", lambda stack: webhook(stack, max_delivery_rate=50))]),
    Warned("connections", connecting(22, max_connections="50"), [connecting(21, max_connections="50"), connecting(22, max_connections="52"), proxied(22)]),
]  # fmt: skip


def warned_of(make: Make) -> list[str]:
    stack = Stack(App(), "Stack", env=test_existing.ENV)
    make(stack)
    Template.from_stack(stack)
    found = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("cdk-scalable-webhook:"))
    return [id for each in found for id in re.findall(r"cdk-scalable-webhook:(\w+)\]", str(each.entry.data))]


@pytest.mark.parametrize("warned", WARNINGS, ids=lambda warned: warned.id)
def test_a_warning_disappears_with_its_remedy(warned: Warned) -> None:
    assert warned.id in warned_of(warned.make)
    for remedy in warned.remedies:
        assert warned.id not in warned_of(remedy)


def test_each_warning_has_a_row_in_the_table() -> None:
    ids = {id for path in SYNTH for id in re.findall(r'"cdk-scalable-webhook:(\w+)"', path.read_text())}
    assert ids == {warned.id for warned in WARNINGS}
