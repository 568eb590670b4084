"""The rules for created resources hold for existing ones too: a table of rules, by the origin of the resource.

The construct makes a *created* resource from its arguments. The app makes an *existing* one next to the construct. A
method ``from_…()`` names an *imported* one. Another resource, such as an RDS proxy or an alias, leads to a *proxied*
one. Each cell has a case, or the reason why there is none.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnParameter, Duration, Environment, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template

from cdk_scalable_webhook import Ingress, ScalableWebhook, Sink, Source

from .grouped import grouped
from .rejections import Rejection, assert_remedies_work

ENV = Environment(account="1" * 12, region="eu-west-1")
QUEUE = "arn:aws:sqs:eu-west-1:111111111111:orders"
Make = Callable[[Stack], Mapping[str, Any]]
days, minutes, seconds = Duration.days, Duration.minutes, Duration.seconds


@dataclass
class Rejected:
    """Arguments that are rejected, a part of the message, and arguments that follow each remedy of the message."""

    message: str
    make: Make
    remedy: Make
    or_else: Make | None = None


@dataclass
class Warned:
    """Arguments that cause the warning with this id, and arguments that do not."""

    id: str
    make: Make
    remedy: Make


@dataclass
class Accepted:
    """Arguments that are accepted, and the properties of a resource type that the template then has."""

    make: Make
    type: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)


Cell = Rejected | Warned | Accepted | str


def queue(stack: Stack, id: str = "Existing", **properties: Any) -> sqs.Queue:
    return sqs.Queue(stack, id, **{"visibility_timeout": minutes(3), **properties})


def dead_letter_queue(stack: Stack, **properties: Any) -> sqs.Queue:
    return sqs.Queue(stack, "DeadLetterQueue", **{"retention_period": days(14), **properties})


def redrive_policy(stack: Stack, tries: int = 5, **properties: Any) -> sqs.DeadLetterQueue:
    return sqs.DeadLetterQueue(queue=dead_letter_queue(stack, **properties), max_receive_count=tries)


def allow_policy(**properties: Any) -> sqs.RedriveAllowPolicy:
    """Return a redrive-allow policy, by default one that allows no queue."""
    return sqs.RedriveAllowPolicy(**{"redrive_permission": sqs.RedrivePermission.DENY_ALL, **properties})


def allow_only(other: sqs.IQueue) -> sqs.RedriveAllowPolicy:
    return allow_policy(redrive_permission=sqs.RedrivePermission.BY_QUEUE, source_queues=[other])


def key(name: str = "id", type: dynamodb.AttributeType = dynamodb.AttributeType.STRING) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=type)


def api(stack: Stack, **properties: Any) -> apigateway.RestApi:
    return apigateway.RestApi(stack, "Existing", **{"binary_media_types": ["*/*"], **properties})


def with_child(stack: Stack, child: str, method: str | None = "GET") -> apigateway.RestApi:
    made = api(stack)
    below = made.root.add_resource("hooks").add_resource(child)
    if method:
        below.add_method(method, apigateway.MockIntegration())
    return made


def with_method(stack: Stack, method: str) -> apigateway.RestApi:
    made = api(stack)
    made.root.add_resource("hooks").add_method(method, apigateway.MockIntegration())
    return made


def with_preflight(stack: Stack) -> apigateway.RestApi:
    made = api(stack)
    made.root.add_resource("hooks").add_cors_preflight(allow_origins=[SHOP])
    return made


def okta(stack: Stack) -> Mapping[str, Any]:
    source = Source.okta(secretsmanager.Secret.from_secret_name_v2(stack, "Okta", "okta"))
    return {"source": source, "ingress": Ingress.direct_integration(binary=True)}


def function(stack: Stack, id: str = "Function", **properties: Any) -> lambda_.Function:
    return lambda_.Function(
        stack,
        id,
        **{
            "runtime": lambda_.Runtime.PYTHON_3_14,
            "handler": "index.handler",
            "code": lambda_.Code.from_inline("def handler(event, context): return {}"),
            **properties,
        },
    )


def authorizer(stack: Stack) -> apigateway.TokenAuthorizer:
    return apigateway.TokenAuthorizer(stack, "Authorizer", handler=function(stack, "Authorize"))


def vpc(stack: Stack) -> ec2.Vpc:
    return ec2.Vpc(stack, "Vpc", nat_gateways=1)


POSTGRES = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17_6)
MYSQL = rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.VER_8_0)
AURORA = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_16_6)
AURORA_MYSQL = rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_08_0)


def instance(stack: Stack, engine: Any = POSTGRES, **properties: Any) -> rds.DatabaseInstance:
    return rds.DatabaseInstance(stack, "Instance", engine=engine, vpc=vpc(stack), **properties)


def cluster(stack: Stack, engine: Any = AURORA, **properties: Any) -> rds.DatabaseCluster:
    writer = rds.ClusterInstance.serverless_v2("Writer")
    return rds.DatabaseCluster(stack, "Cluster", engine=engine, writer=writer, vpc=vpc(stack), **properties)


def proxy(stack: Stack, engine: Any = POSTGRES, parameters: Any = None, **properties: Any) -> rds.DatabaseProxy:
    database = instance(stack, engine, parameters=parameters)
    assert database.secret
    return database.add_proxy("Proxy", secrets=[database.secret], vpc=database.vpc, **properties)


def replica(stack: Stack) -> rds.DatabaseInstanceReadReplica:
    source = instance(stack)
    size = ec2.InstanceType("t4g.micro")
    return rds.DatabaseInstanceReadReplica(
        stack, "Replica", source_database_instance=source, instance_type=size, vpc=source.vpc
    )


def imported_cluster(stack: Stack, **attributes: Any) -> rds.IDatabaseCluster:
    return rds.DatabaseCluster.from_database_cluster_attributes(
        stack,
        "Imported",
        cluster_identifier="c",
        cluster_endpoint_address="c.example.com",
        port=5432,
        cluster_resource_identifier="cluster-ABC",
        **attributes,
    )


def postgres(database: Any, stack: Stack, **arguments: Any) -> Mapping[str, Any]:
    """Return a sink with its own secret, unless it logs in by IAM."""
    login = {} if "iam_user" in arguments else {"secret": secretsmanager.Secret(stack, "Login")}
    return {"sink": Sink.postgres(database, database_name="d", **{**login, **arguments})}


def public_vpc(stack: Stack) -> ec2.Vpc:
    public = ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC)
    return ec2.Vpc(stack, "Vpc", nat_gateways=0, subnet_configuration=[public])


def http(stack: Stack, network: Any, **arguments: Any) -> Mapping[str, Any]:
    return {"sink": Sink.http("https://example.com", vpc=network, **arguments)}


def imported_vpc(stack: Stack, **ids: Any) -> ec2.IVpc:
    return ec2.Vpc.from_vpc_attributes(stack, "Vpc", vpc_id="vpc-1", availability_zones=["a"], **ids)


def cors(*origins: str) -> apigateway.CorsOptions:
    return apigateway.CorsOptions(allow_origins=list(origins))


def parameter(stack: Stack) -> str:
    return CfnParameter(stack, "QueueArn").value_as_string


def consume_first(stack: Stack, first: sqs.IQueue, second: sqs.IQueue) -> sqs.IQueue:
    """Give the first queue a consumer, and return the second."""
    ScalableWebhook(stack, "First", queue=first)
    return second


def add_two(stack: Stack, *paths: str) -> Mapping[str, Any]:
    webhook = ScalableWebhook(stack, "Two")
    for number, path in enumerate(paths):
        webhook.add_source(path, Source.stripe(secretsmanager.Secret.from_secret_name_v2(webhook, f"{number}", "s")))
    return {}


def domain(stack: Stack, **options: Any) -> apigateway.DomainNameOptions:
    certificate = acm.Certificate(stack, "Certificate", domain_name="a.example.com")
    return apigateway.DomainNameOptions(domain_name="a.example.com", certificate=certificate, **options)


def with_iam_authorization(stack: Stack) -> apigateway.RestApi:
    made = api(stack)
    made.root.add_resource(
        "hooks",
        default_method_options=apigateway.MethodOptions(authorization_type=apigateway.AuthorizationType.IAM),
    )
    return made


def of_every_stage() -> Any:
    parts = Match.array_with([Match.string_like_regexp(r"^/\*/\*/\*$")])
    return {"Fn::Join": ["", parts]}


def vpc_of(stack: Stack) -> ec2.IVpc:
    found = stack.node.find_child("Vpc")
    assert isinstance(found, ec2.Vpc)
    return found


def secret(stack: Stack, region: str) -> secretsmanager.ISecret:
    arn = f"arn:aws:secretsmanager:{region}:111111111111:secret:stripe-AbCdEf"
    return secretsmanager.Secret.from_secret_complete_arn(stack, "Secret", arn)


def in_region(stack: Stack, region: str) -> Mapping[str, Any]:
    """Return the arguments of a webhook in a stack of another region."""
    own = Stack(stack, "There", env=Environment(account="1" * 12, region=region))
    return {"scope": own, "source": Source.stripe(secret(own, region))}


def python() -> Sink:
    return Sink.python(Path(__file__).parent / "rejections.py", "rejections.message_of")


CELLS = ("created", "existing", "imported", "proxied")
SHOP = "https://shop.example.com"
ANSWERS = {"Environment": {"Variables": {"WEBHOOK_RESPONSE_HEADERS": Match.string_like_regexp(re.escape(SHOP))}}}
UNKNOWN = "nothing is known of it at synth; AWS rejects it at deployment or at run time, if at all"
NO_PROXY = "there is none: a queue, a table and a bucket have no proxy"
NOT_CREATED = "the construct creates none"
BY_DESIGN = "the construct creates it by this rule, for any arguments"

TABLE: dict[str, dict[str, Cell]] = {
    "a queue hides a message while the consumer handles it": {
        "created": Rejected(
            "visibility_timeout must be at least 6 x timeout",
            lambda stack: {"visibility_timeout": minutes(2)},
            lambda stack: {"visibility_timeout": minutes(2), "timeout": seconds(20)},
            lambda stack: {},
        ),
        "existing": Rejected(
            "the visibility timeout of queue must be at least 6 x timeout + max_batching_window, here 180 seconds, got "
            "30 seconds; create the queue with visibility_timeout=Duration.seconds(180), or shorten timeout",
            lambda stack: {"queue": sqs.Queue(stack, "Q")},
            lambda stack: {"queue": sqs.Queue(stack, "Q", visibility_timeout=seconds(180))},
            lambda stack: {"queue": sqs.Queue(stack, "Q"), "timeout": seconds(5)},
        ),
        "imported": UNKNOWN,
        "proxied": NO_PROXY,
    },
    "a queue has a dead-letter queue": {
        "created": Accepted(lambda stack: {}, "AWS::SQS::Queue", {"RedrivePolicy": Match.any_value()}),
        "existing": Warned(
            "noDeadLetterQueue",
            lambda stack: {"queue": queue(stack)},
            lambda stack: {"queue": queue(stack, dead_letter_queue=redrive_policy(stack))},
        ),
        "imported": Warned(
            "noDeadLetterQueue",
            lambda stack: {"queue": sqs.Queue.from_queue_arn(stack, "Q", QUEUE)},
            lambda stack: {},
        ),
        "proxied": NO_PROXY,
    },
    "a message has at least five tries": {
        "created": Warned(
            "maxReceiveCount",
            lambda stack: {"max_receive_count": 4},
            lambda stack: {"max_receive_count": 5},
        ),
        "existing": Warned(
            "maxReceiveCount",
            lambda stack: {"queue": queue(stack, dead_letter_queue=redrive_policy(stack, 4))},
            lambda stack: {"queue": queue(stack, dead_letter_queue=redrive_policy(stack, 5))},
        ),
        "imported": UNKNOWN,
        "proxied": NO_PROXY,
    },
    "the queue keeps a message until its last retry": {
        "created": Rejected(
            "retention_period must be longer than",
            lambda stack: {"retention_period": minutes(5)},
            lambda stack: {"retention_period": minutes(8)},
            lambda stack: {"retention_period": minutes(5), "max_receive_count": 4},
        ),
        "existing": Rejected(
            "retention_period must be longer than",
            lambda stack: {"queue": queue(stack, retention_period=minutes(5), dead_letter_queue=redrive_policy(stack))},
            lambda stack: {"queue": queue(stack, retention_period=minutes(8), dead_letter_queue=redrive_policy(stack))},
            lambda stack: {
                "queue": queue(stack, retention_period=minutes(5), dead_letter_queue=redrive_policy(stack, 4))
            },
        ),
        "imported": UNKNOWN,
        "proxied": NO_PROXY,
    },
    "the dead-letter queue keeps a message for as long as the queue": {
        "created": BY_DESIGN,
        "existing": Rejected(
            "the retention period of dead_letter_queue must not be shorter than the queue's 345600 seconds, got 86400",
            lambda stack: {"dead_letter_queue": dead_letter_queue(stack, retention_period=days(1))},
            lambda stack: {"dead_letter_queue": dead_letter_queue(stack, retention_period=days(14))},
        ),
        "imported": UNKNOWN,
        "proxied": Rejected(  # the dead-letter queue of an existing queue
            "the retention period of dead_letter_queue must not be shorter than the queue's 345600 seconds, got 86400",
            lambda stack: {"queue": queue(stack, dead_letter_queue=redrive_policy(stack, retention_period=days(1)))},
            lambda stack: {"queue": queue(stack, dead_letter_queue=redrive_policy(stack, retention_period=days(14)))},
        ),
    },
    "the dead-letter queue allows the queue": {
        "created": BY_DESIGN,
        "existing": Rejected(
            "the redrive-allow policy of dead_letter_queue must allow the queue, got one that allows no queue; create",
            lambda stack: {"dead_letter_queue": dead_letter_queue(stack, redrive_allow_policy=allow_policy())},
            lambda stack: {
                "dead_letter_queue": dead_letter_queue(
                    stack, redrive_allow_policy=allow_policy(redrive_permission=sqs.RedrivePermission.ALLOW_ALL)
                )
            },
            lambda stack: {"dead_letter_queue": dead_letter_queue(stack)},
        ),
        "imported": UNKNOWN,
        "proxied": Rejected(
            "the redrive-allow policy of dead_letter_queue must allow the queue, got one that allows 1 others",
            lambda stack: {
                "queue": queue(
                    stack,
                    dead_letter_queue=redrive_policy(stack, redrive_allow_policy=allow_only(sqs.Queue(stack, "Other"))),
                )
            },
            lambda stack: {"queue": queue(stack, dead_letter_queue=redrive_policy(stack))},
            lambda stack: {
                "queue": queue(
                    stack,
                    dead_letter_queue=redrive_policy(
                        stack, redrive_allow_policy=allow_policy(redrive_permission=sqs.RedrivePermission.ALLOW_ALL)
                    ),
                )
            },
        ),
    },
    "the dead-letter queue accepts messages as large as the queue does": {
        "created": BY_DESIGN,
        "existing": Rejected(
            "max_message_size_bytes of dead_letter_queue must not be smaller than the queue's 1048576, got 65536",
            lambda stack: {"dead_letter_queue": dead_letter_queue(stack, max_message_size_bytes=65_536)},
            lambda stack: {"dead_letter_queue": dead_letter_queue(stack, max_message_size_bytes=1_048_576)},
        ),
        "imported": UNKNOWN,
        "proxied": Rejected(
            "max_message_size_bytes of dead_letter_queue must not be smaller than the queue's 262144, got 65536",
            lambda stack: {
                "queue": queue(
                    stack,
                    max_message_size_bytes=262_144,
                    dead_letter_queue=redrive_policy(stack, max_message_size_bytes=65_536),
                )
            },
            lambda stack: {
                "queue": queue(
                    stack,
                    max_message_size_bytes=262_144,
                    dead_letter_queue=redrive_policy(stack, max_message_size_bytes=262_144),
                )
            },
        ),
    },
    "a queue accepts a webhook of any size": {
        "created": Accepted(lambda stack: {}, "AWS::SQS::Queue", {"MaximumMessageSize": 1_048_576}),
        "existing": Warned(
            "maxMessageSize",
            lambda stack: {"queue": queue(stack, max_message_size_bytes=65_536)},
            lambda stack: {"queue": queue(stack, max_message_size_bytes=1_048_576)},
        ),
        "imported": "nothing is known of it at synth; the publisher answers 413 or uses S3, as SQS responds",
        "proxied": NO_PROXY,
    },
    "a queue is known to be FIFO or standard": {
        "created": "it is a standard queue",
        "existing": Accepted(
            lambda stack: {"queue": queue(stack, fifo=True), "ingress": Ingress.direct_integration()},
            "AWS::ApiGateway::Method",
            {"HttpMethod": "ANY", "Integration": {"RequestTemplates": Match.any_value()}},
        ),
        "imported": Warned(
            "queueKind",
            lambda stack: {"queue": sqs.Queue.from_queue_arn(stack, "Q", parameter(stack))},
            lambda stack: {"queue": sqs.Queue.from_queue_attributes(stack, "Q", queue_arn=parameter(stack), fifo=True)},
        ),
        "proxied": NO_PROXY,
    },
    "a queue has one consumer": {
        "created": Rejected(
            "queue must have one consumer, got Stack/Other/Default/Queue, which another ScalableWebhook has already",
            lambda stack: {"queue": ScalableWebhook(stack, "Other").queue},
            lambda stack: {},
        ),
        "existing": Rejected(
            "queue must have one consumer, got Stack/Imported",
            lambda stack: {
                "queue": consume_first(
                    stack, queue(stack, queue_name="orders"), sqs.Queue.from_queue_arn(stack, "Imported", QUEUE)
                )
            },
            lambda stack: {"queue": queue(stack, queue_name="orders")},
        ),
        "imported": Rejected(
            "queue must have one consumer, got Stack/B",
            lambda stack: {
                "queue": consume_first(
                    stack,
                    sqs.Queue.from_queue_arn(stack, "A", QUEUE),
                    sqs.Queue.from_queue_attributes(
                        stack, "B", queue_arn=stack.format_arn(service="sqs", resource="orders")
                    ),
                )
            },
            lambda stack: {
                "queue": consume_first(
                    stack,
                    sqs.Queue.from_queue_arn(stack, "A", QUEUE),
                    sqs.Queue.from_queue_arn(stack, "B", QUEUE + "2"),
                )
            },
        ),
        "proxied": NO_PROXY,
    },
    "an API passes a payload on byte for byte": {
        "created": Accepted(lambda stack: {}, "AWS::ApiGateway::RestApi", {"BinaryMediaTypes": ["*/*"]}),
        "existing": Rejected(
            "ingress must be Ingress.lambda_integration() for an api with multipart/form-data as its",
            lambda stack: {
                "api": api(stack, binary_media_types=["multipart/form-data"]),
                "ingress": Ingress.direct_integration(),
            },
            lambda stack: {"api": api(stack, binary_media_types=["multipart/form-data"])},
            lambda stack: {"api": api(stack, binary_media_types=[]), "ingress": Ingress.direct_integration()},
        ),
        "imported": "an imported API is rejected",
        "proxied": Rejected(  # another spelling of */*
            "ingress must be Ingress.direct_integration(binary=True) for an api with binary_media_types",
            lambda stack: {"api": api(stack, binary_media_types=["*~1*"]), "ingress": Ingress.direct_integration()},
            lambda stack: {
                "api": api(stack, binary_media_types=["*~1*"]),
                "ingress": Ingress.direct_integration(binary=True),
            },
        ),
    },
    "an endpoint includes every path below it": {
        "created": Rejected(
            "endpoint /hooks: path must be free in api, got '/hooks', which another source has already",
            lambda stack: add_two(stack, "/hooks", "/hooks"),
            lambda stack: add_two(stack, "/hooks", "/other"),
        ),
        "existing": Rejected(
            "path must have no variable below it in api, got '/hooks', which has /hooks/{tenant}; take another path",
            lambda stack: {"api": with_child(stack, "{tenant}"), "path": "/hooks"},
            lambda stack: {"api": with_child(stack, "{tenant}"), "path": "/webhooks"},
        ),
        "imported": "an imported API is rejected",
        "proxied": Rejected(
            "path must be free in api, got '/', which has {proxy+} already",
            lambda stack: {"api": apigateway.LambdaRestApi(stack, "Existing", handler=function(stack)), "path": "/"},
            lambda stack: {
                "api": apigateway.LambdaRestApi(stack, "Existing", handler=function(stack), proxy=False),
                "path": "/hooks",
            },
        ),
    },
    "an endpoint receives each POST request": {
        "created": BY_DESIGN,
        "existing": Rejected(
            "path must be free in api, got '/hooks', which has POST already; take another path",
            lambda stack: {"api": with_method(stack, "POST"), "path": "/hooks"},
            lambda stack: {"api": with_method(stack, "GET"), "path": "/hooks"},
        ),
        "imported": "an imported API is rejected",
        "proxied": Rejected(
            "api must be accepted by the CDK, got one of which it says: ",
            lambda stack: {
                "api": apigateway.LambdaRestApi(stack, "Existing", handler=function(stack)),
                "path": "/hooks",
            },
            lambda stack: {
                "api": apigateway.LambdaRestApi(stack, "Existing", handler=function(stack), proxy=False),
                "path": "/hooks",
            },
        ),
    },
    "an endpoint receives the GET requests of a provider and the OPTIONS requests of a page": {
        "created": BY_DESIGN,
        "existing": Rejected(
            "path must be free in api, got '/hooks', which has GET already; take another path",
            lambda stack: {"api": with_method(stack, "GET"), "path": "/hooks", **okta(stack)},
            lambda stack: {"api": with_method(stack, "GET"), "path": "/webhooks", **okta(stack)},
        ),
        "imported": "an imported API is rejected",
        "proxied": Rejected(  # by the resource's own preflight
            "path must be free in api, got '/hooks', which has OPTIONS already; take another path",
            lambda stack: {"api": with_preflight(stack), "path": "/hooks", "cors": cors(SHOP)},
            lambda stack: {"api": with_preflight(stack), "path": "/webhooks", "cors": cors(SHOP)},
        ),
    },
    "the URL is one that clients can call": {
        "created": Accepted(lambda stack: {"domain_name": domain(stack)}, "AWS::ApiGateway::DomainName", {}),
        "existing": Accepted(
            lambda stack: {
                "api": api(stack, domain_name=domain(stack, base_path="in"), disable_execute_api_endpoint=True)
            },
            "URL",
            {"Fn::Join": ["", ["https://", {"Ref": Match.string_like_regexp("^Existing.*Domain")}, "/in/hooks"]]},
        ),
        "imported": "an imported API is rejected",
        "proxied": Accepted(  # another resource maps a base path of several segments
            lambda stack: {"api": api(stack, domain_name=domain(stack, base_path="a/b"))},
            "URL",
            {"Fn::Join": ["", ["https://", {"Ref": Match.string_like_regexp("^Existing.*Domain")}, "/a/b/hooks"]]},
        ),
    },
    "an endpoint that any client can call causes a warning": {
        "created": Warned(
            "missingSource",
            lambda stack: {},
            lambda stack: {"iam_authorization": True},
        ),
        "existing": Warned(
            "missingSource",
            lambda stack: {"api": api(stack)},
            lambda stack: {
                "api": api(stack, default_method_options=apigateway.MethodOptions(authorizer=authorizer(stack)))
            },
        ),
        "imported": "an imported API is rejected",
        "proxied": Warned(  # by the parent resource
            "missingSource",
            lambda stack: {"api": api(stack), "path": "/hooks"},
            lambda stack: {"api": with_iam_authorization(stack), "path": "/hooks"},
        ),
    },
    "every stage may call the publisher": {
        "created": Accepted(lambda stack: {}, "AWS::Lambda::Permission", {"SourceArn": of_every_stage()}),
        "existing": Accepted(
            lambda stack: {"api": api(stack)}, "AWS::Lambda::Permission", {"SourceArn": of_every_stage()}
        ),
        "imported": "an imported API is rejected",
        "proxied": "a stage always belongs to an API",
    },
    "a page can read the response to a request that it may send": {
        "created": Accepted(lambda stack: {"cors": cors(SHOP)}, "AWS::Lambda::Function", ANSWERS),
        "existing": Accepted(
            lambda stack: {"api": api(stack), "cors": cors(SHOP), "path": "/hooks"}, "AWS::Lambda::Function", ANSWERS
        ),
        "imported": "an imported API is rejected",
        "proxied": Accepted(  # by the API's own default
            lambda stack: {"api": api(stack, default_cors_preflight_options=cors(SHOP)), "path": "/hooks"},
            "AWS::Lambda::Function",
            ANSWERS,
        ),
    },
    "the preflight allows the origin that the response names": {
        "created": BY_DESIGN,
        "existing": Rejected(
            "cors must name an origin that the preflight of api allows, got https://shop.example.com, and it allows "
            "https://other.example.com; name",
            lambda stack: {
                "api": api(stack, default_cors_preflight_options=cors("https://other.example.com")),
                "cors": cors(SHOP),
            },
            lambda stack: {"api": api(stack, default_cors_preflight_options=cors(SHOP)), "cors": cors(SHOP)},
            lambda stack: {"api": api(stack), "cors": cors(SHOP)},
        ),
        "imported": "an imported API is rejected",
        "proxied": Warned(
            "corsOrigins",
            lambda stack: {"api": api(stack, default_cors_preflight_options=cors(SHOP, "https://b.example.com"))},
            lambda stack: {
                "api": api(stack, default_cors_preflight_options=cors(SHOP, "https://b.example.com")),
                "cors": cors(SHOP),
            },
        ),
    },
    "a table has the id as its key": {
        "created": Accepted(
            lambda stack: {},
            "AWS::DynamoDB::Table",
            {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]},
        ),
        "existing": Rejected(
            "table must have the string partition key 'id' and no sort key, got pk (STRING); create one with",
            lambda stack: {"sink": Sink.dynamodb(dynamodb.Table(stack, "T", partition_key=key("pk")))},
            lambda stack: {"sink": Sink.dynamodb(dynamodb.Table(stack, "T", partition_key=key()))},
            lambda stack: {"sink": python()},
        ),
        "imported": UNKNOWN,
        "proxied": Rejected(  # a TableV2, which is another resource
            "table must have the string partition key 'id' and no sort key, got pk (BINARY) and at (STRING); create",
            lambda stack: {
                "sink": Sink.dynamodb(
                    dynamodb.TableV2(
                        stack, "T", partition_key=key("pk", dynamodb.AttributeType.BINARY), sort_key=key("at")
                    )
                )
            },
            lambda stack: {"sink": Sink.dynamodb(dynamodb.TableV2(stack, "T", partition_key=key()))},
            lambda stack: {"sink": python()},
        ),
    },
    "a database has an engine that its sink supports": {
        "created": NOT_CREATED,
        "existing": Rejected(
            "database must be one that Sink.postgres() can talk to, got one of the engine MYSQL",
            lambda stack: postgres(instance(stack, MYSQL), stack),
            lambda stack: postgres(instance(stack), stack),
            lambda stack: {"sink": Sink.mysql(instance(stack, MYSQL), database_name="d")},
        ),
        "imported": Rejected(
            "database must be one that Sink.postgres() can talk to, got one of the engine MYSQL",
            lambda stack: postgres(imported_cluster(stack, engine=AURORA_MYSQL), stack, vpc=vpc(stack)),
            lambda stack: postgres(imported_cluster(stack, engine=AURORA), stack, vpc=vpc(stack)),
            lambda stack: {
                "sink": Sink.mysql(
                    imported_cluster(stack, engine=AURORA_MYSQL),
                    database_name="d",
                    vpc=vpc(stack),
                    secret=secret(stack, "eu-west-1"),
                )
            },
        ),
        "proxied": Rejected(
            "database must be one that Sink.postgres() can talk to, got one of the engine MYSQL",
            lambda stack: postgres(proxy(stack, MYSQL), stack, vpc=vpc_of(stack)),
            lambda stack: postgres(proxy(stack), stack, vpc=vpc_of(stack)),
            lambda stack: {
                "sink": Sink.mysql(
                    proxy(stack, MYSQL), database_name="d", vpc=vpc_of(stack), secret=secret(stack, "eu-west-1")
                )
            },
        ),
    },
    "a database accepts rows": {
        "created": NOT_CREATED,
        "existing": Rejected(
            "database must be one that can be written to, got Stack/Replica, which is a replica of another; pass",
            lambda stack: postgres(replica(stack), stack),
            lambda stack: postgres(instance(stack), stack),
        ),
        "imported": UNKNOWN,
        "proxied": Rejected(
            "database must be one that can be written to, got Stack/Cluster, which is a replica of another; pass",
            lambda stack: postgres(
                cluster(stack, replication_source_identifier="arn:aws:rds:eu-west-1:1:cluster:a"), stack
            ),
            lambda stack: postgres(cluster(stack), stack),
        ),
    },
    "a database accepts IAM tokens": {
        "created": NOT_CREATED,
        "existing": Rejected(
            "iam_user needs a database that accepts tokens of IAM, got Stack/Cluster, where that is off; "
            "create it with iam_authentication=True, or pass secret=",
            lambda stack: postgres(cluster(stack, iam_authentication=False), stack, iam_user="app"),
            lambda stack: postgres(cluster(stack, iam_authentication=True), stack, iam_user="app"),
            lambda stack: postgres(cluster(stack, iam_authentication=False), stack),
        ),
        "imported": UNKNOWN,
        "proxied": Rejected(
            "iam_user needs a database that accepts tokens of IAM, got Stack/Instance/Proxy, where that is off; create "
            "it with iam_auth=True, or pass secret=",
            lambda stack: postgres(proxy(stack), stack, vpc=vpc_of(stack), iam_user="app"),
            lambda stack: postgres(proxy(stack, iam_auth=True), stack, vpc=vpc_of(stack), iam_user="app"),
            lambda stack: postgres(proxy(stack), stack, vpc=vpc_of(stack)),
        ),
    },
    "IAM authentication is turned on unless the app turns it off": {
        "created": NOT_CREATED,
        "existing": Accepted(
            lambda stack: postgres(cluster(stack), stack, iam_user="app"),
            "AWS::RDS::DBCluster",
            {"EnableIAMDatabaseAuthentication": True},
        ),
        "imported": UNKNOWN,
        "proxied": "a proxy is always on or off: its default is off, which is rejected",
    },
    "a database accepts a password": {
        "created": NOT_CREATED,
        "existing": "each does, except for an IAM user",
        "imported": UNKNOWN,
        "proxied": Rejected(
            "iam_user must be given for a proxy that accepts tokens of IAM only, got Stack/Instance/Proxy and a secret",
            lambda stack: postgres(proxy(stack, iam_auth=True), stack, vpc=vpc_of(stack)),
            lambda stack: postgres(proxy(stack, iam_auth=True), stack, vpc=vpc_of(stack), iam_user="app"),
            lambda stack: postgres(proxy(stack, iam_auth=False), stack, vpc=vpc_of(stack)),
        ),
    },
    "a sink uses TLS if its database requires it": {
        "created": NOT_CREATED,
        "existing": "its parameter group requires it, under many names; a login without TLS is retried and reported",
        "imported": UNKNOWN,
        "proxied": Rejected(
            "tls must be True for a proxy that requires it, got False for Stack/Instance/Proxy; leave tls out",
            lambda stack: postgres(proxy(stack), stack, vpc=vpc_of(stack), tls=False),
            lambda stack: postgres(proxy(stack), stack, vpc=vpc_of(stack)),
            lambda stack: postgres(proxy(stack, require_tls=False), stack, vpc=vpc_of(stack), tls=False),
        ),
    },
    "the event source mapping throttles the consumer": {
        "created": Rejected(
            "reserved_concurrent_executions must be at least max_concurrency (5), got 4; leave it out",
            lambda stack: {"max_concurrency": 5, "reserved_concurrent_executions": 4},
            lambda stack: {"max_concurrency": 5},
        ),
        "existing": Rejected(
            "reserved_concurrent_executions of consumer must be at least max_concurrency (5), got 4; raise it",
            lambda stack: {"max_concurrency": 5, "consumer": function(stack, reserved_concurrent_executions=4)},
            lambda stack: {"max_concurrency": 5, "consumer": function(stack, reserved_concurrent_executions=5)},
            lambda stack: {"max_concurrency": 5, "consumer": function(stack)},
        ),
        "imported": Rejected(
            "consumer must be a Function or a ConsumerOptions, got an imported Function; pass one that this app makes",
            lambda stack: {"consumer": lambda_.Function.from_function_name(stack, "F", "orders")},
            lambda stack: {"consumer": function(stack)},
            lambda stack: {},
        ),
        "proxied": Rejected(
            "consumer must be a Function or a ConsumerOptions, got an Alias; pass one that this app makes",
            lambda stack: {"consumer": function(stack).add_alias("live")},
            lambda stack: {"consumer": function(stack)},
            lambda stack: {},
        ),
    },
    "a key can encrypt": {
        "created": NOT_CREATED,
        "existing": Rejected(
            "encryption_key must be symmetric and for encryption, got RSA_2048; create it without key_spec",
            lambda stack: {"encryption_key": kms.Key(stack, "Key", key_spec=kms.KeySpec.RSA_2048)},
            lambda stack: {"encryption_key": kms.Key(stack, "Key")},
        ),
        "imported": UNKNOWN,
        "proxied": Rejected(
            "encryption_key must be your own key, got alias/aws/sqs, which AWS manages for one of its services",
            lambda stack: {"encryption_key": kms.Alias.from_alias_name(stack, "Key", "alias/aws/sqs")},
            lambda stack: {"encryption_key": kms.Alias.from_alias_name(stack, "Key", "alias/orders")},
            lambda stack: {},
        ),
    },
    "a bucket keeps a payload for as long as its message may need it": {
        "created": Accepted(
            lambda stack: {"large_payloads": True},
            "AWS::S3::Bucket",
            {
                "LifecycleConfiguration": {
                    "Rules": Match.array_with([Match.object_like({"Prefix": "queued/", "ExpirationInDays": 23})])
                }
            },
        ),
        "existing": "the CDK does not show the rules of a bucket; docs/large-payloads.md has the requirements",
        "imported": "nothing is known of it at synth; docs/large-payloads.md has the requirements",
        "proxied": NO_PROXY,
    },
    "a secret is in the region of the webhook": {
        "created": NOT_CREATED,
        "existing": "a secret in another region is in another environment, which test_checks covers",
        "imported": Rejected(
            "secret must be of the region of the ScalableWebhook, eu-west-1, got Stack/Secret of us-east-1; put",
            lambda stack: {"source": Source.stripe(secret(stack, "us-east-1"))},
            lambda stack: {"source": Source.stripe(secret(stack, "eu-west-1"))},
            lambda stack: in_region(stack, "us-east-1"),
        ),
        "proxied": "the replica of a secret is imported by its own ARN",
    },
    "a function is in a subnet from which it can reach its sink": {
        "created": NOT_CREATED,
        "existing": Rejected(
            "vpc must have private or isolated subnets, got public ones, from which a function reaches nothing; pass",
            lambda stack: http(stack, public_vpc(stack)),
            lambda stack: http(stack, vpc(stack)),
        ),
        "imported": Rejected(
            "vpc_subnets must have private or isolated subnets, got public ones, from which a function reaches nothing",
            lambda stack: http(
                stack,
                imported_vpc(stack, public_subnet_ids=["subnet-1"]),
                vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
            ),
            lambda stack: http(stack, imported_vpc(stack, private_subnet_ids=["subnet-1"])),
        ),
        "proxied": Accepted(  # a dummy until the CDK has looked it up
            lambda stack: http(
                stack,
                ec2.Vpc.from_lookup(stack, "Vpc", vpc_name="shared"),
                vpc_subnets=ec2.SubnetSelection(subnet_group_name="App"),
            ),
            "AWS::Lambda::Function",
            {"VpcConfig": Match.any_value()},
        ),
    },
}


def in_a_stack(make: Make) -> Callable[[Stack], ScalableWebhook]:
    """Return a function that creates a webhook with these arguments in a stack."""

    def webhook(stack: Stack) -> ScalableWebhook:
        arguments = make(stack)
        path: dict[str, Any] = {"path": "/hooks"} if "api" in arguments and "path" not in arguments else {}
        return ScalableWebhook(**grouped({"scope": stack, "id": "Webhook", **path, **arguments}))

    return webhook


def build(make: Make) -> tuple[Stack, ScalableWebhook]:
    stack = Stack(App(), "Stack", env=ENV)
    return stack, in_a_stack(make)(stack)


def has_warning(stack: Stack, id: str) -> bool:
    found = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp(f"cdk-scalable-webhook:{id}\\b"))
    return bool(found)


CASES = [
    (rule, cell, case) for rule, cells in TABLE.items() for cell, case in cells.items() if not isinstance(case, str)
]


@pytest.mark.parametrize(("case"), [case for *_, case in CASES], ids=[f"{rule}: {cell}" for rule, cell, _ in CASES])
def test_a_resource_is_checked_by_the_rule(case: Cell) -> None:
    match case:
        case Rejected():
            remedies = [in_a_stack(each) for each in (case.remedy, case.or_else) if each is not None]
            assert_remedies_work(Rejection(case.message, case.message, in_a_stack(case.make), remedies, ENV))
        case Warned():
            assert has_warning(build(case.make)[0], case.id)
            assert not has_warning(build(case.remedy)[0], case.id)
        case Accepted(type="URL"):
            stack, webhook = build(case.make)
            pattern = Match.object_like({"Value": case.properties})
            Template.from_stack(stack).has_output("*", pattern)
            assert Template.from_stack(stack)
            assert webhook.url
        case Accepted():
            stack, _ = build(case.make)
            template = Template.from_stack(stack)
            if case.type:
                template.has_resource_properties(case.type, case.properties)


def test_every_cell_has_a_case_or_a_reason() -> None:
    assert all(tuple(cells) == CELLS for cells in TABLE.values())
    assert all(case for cells in TABLE.values() for case in cells.values())
