"""Values for every argument of this library's functions: good ones, and bad ones of the right type.

A value is used as it is, or is a recipe that makes it in the stack of an example: apps must not share constructs.
"""

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, cast

import aws_cdk
import jsii
from aws_cdk import App, CfnParameter, Duration, Environment, Fn, Lazy, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct
from hypothesis import find, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from cdk_scalable_webhook import (
    Acknowledgement,
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
from webhook_runtime.contract.providers import PROVIDERS


@dataclass(frozen=True)
class Made:
    """A value that is made in the stack of an example."""

    name: str
    make: Callable[[Stack], Any] = field(repr=False)


@dataclass(frozen=True)
class Call:
    """A call of a function of this library, with values, recipes and further calls as arguments."""

    function: str
    arguments: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"{self.function}({', '.join(f'{name}={value!r}' for name, value in self.arguments.items())})"


@dataclass(frozen=True)
class Argument:
    """The values of an argument.

    Attributes:
        good: Values that work, at least alone.
        bad: Values of the right type, most of which do not work.
        kinds: The types of junk that are right here.
        element: The same for each element, if it takes a list or a dict.
        required: Whether it must be given.
        limit: The highest value, and one that is just above it, if there is a limit.
    """

    good: SearchStrategy[Any] = field(default_factory=st.nothing)
    bad: SearchStrategy[Any] = field(default_factory=st.nothing)
    kinds: tuple[type, ...] = ()
    element: "Argument | None" = None
    required: bool = False
    limit: tuple[Any, Any] | None = None

    def may_be(self, value: Any) -> bool:
        """Tell whether a value is of the right type, whatever else is wrong with it."""
        match value:
            case bool():
                return bool in self.kinds
            case int() | float():
                return isinstance(value, self.kinds) and abs(value) <= 2**53
            case str():
                return str in self.kinds and value.isprintable()
            case list() | tuple():
                return self.element is not None and dict not in self.kinds and all(map(self.element.may_be, value))
            case dict():
                elements = [*value.keys(), *value.values()]
                return dict in self.kinds and self.element is not None and all(map(self.element.may_be, elements))
        return isinstance(value, self.kinds)


_numbers = count()


REGIONS = ["us-east-1", "eu-central-1"]


def new(_: Stack) -> str:
    """Return an unused id."""
    return f"Existing{next(_numbers)}"


def built(value: Any, stack: Stack) -> Any:
    """Return a value after its recipes and calls have made it."""
    if isinstance(value, Made):
        return value.make(stack)
    if isinstance(value, Call):
        return FUNCTIONS[value.function](**{name: built(each, stack) for name, each in value.arguments.items()})
    if isinstance(value, list):
        return [built(each, stack) for each in value]
    if isinstance(value, dict):
        return {name: built(each, stack) for name, each in value.items()}
    return value


def simplest(argument: Argument) -> Any:
    """Return a good value of an argument, always the same one."""
    return find(argument.good, lambda value: value is not None, settings=settings(database=None))


def simplest_call(function: str) -> Call:
    """Return a call of a function with every argument, each with its simplest value."""
    return Call(function, {name: simplest(argument) for name, argument in ARGUMENTS[function].items()})


def names(value: Any) -> Iterator[str]:
    """Yield every argument that is given, also those of nested calls."""
    if isinstance(value, Call):
        for name, each in value.arguments.items():
            yield name
            yield from names(each)


def made(**recipes: Any) -> SearchStrategy[Made]:
    return st.sampled_from([Made(name, make) for name, make in recipes.items()])


# Tokens of values that only deployment knows: of texts, of numbers, and by Lazy.


@jsii.implements(aws_cdk.IStableStringProducer)
class LazyText:
    def produce(self) -> str:
        return "lazy"


@jsii.implements(aws_cdk.IStableNumberProducer)
class LazyNumber:
    def produce(self) -> float:
        return 200


def parameter(stack: Stack, type: str) -> CfnParameter:
    return CfnParameter(stack, new(stack), type=type)


TEXT_TOKENS = made(
    parameter=lambda stack: parameter(stack, "String").value_as_string,
    joined=lambda stack: f"a-{parameter(stack, 'String').value_as_string}",
    lazy=lambda _: Lazy.string(LazyText()),
    region=lambda stack: stack.region,
)
NUMBER_TOKENS = made(
    parameter=lambda stack: parameter(stack, "Number").value_as_number,
    lazy=lambda _: Lazy.number(LazyNumber()),
)

# Texts that a user may pass one day.
ODD_TEXTS = [
    *(
        "",
        " ",
        "x",
        "0",
        "None",
        "a b",
        "a\nb",
        "a\tb",
        "\0",
        "a\0b",
        "\ud800",
        "é",
        "\u202e",
        "😀",
        "\ufffe",
        "x" * 300,
    ),
    *(
        "'",
        '"',
        "\\",
        "`",
        "$",
        "#",
        "{",
        "}",
        "{}",
        "${X}",
        "${AWS::Region}",
        "$input.body",
        "{{resolve:ssm:x}}",
        "%s",
    ),
    *("a'b", 'a"b', "a;b", "a/b", "/", "//", "..", "../x", "*", "?", "&", "<x>", "-", "_", "a.b.c", "\x7f", "\x1b[31m"),
    *("arn:aws:sqs:us-east-1:111111111111:q", "https://example.com", "None,", "true", "x" * 70_000),
]
odd_texts = st.sampled_from(ODD_TEXTS) | st.text(max_size=40)


def texts(*good: str, tokens: bool = True, required: bool = False) -> Argument:
    fine: SearchStrategy[Any] = st.sampled_from(good)
    return Argument(fine | TEXT_TOKENS if tokens else fine, odd_texts | TEXT_TOKENS, (str,), required=required)


def numbers(low: int, high: int, *more: float, tokens: bool = True, fractions: bool = False) -> Argument:
    fine: SearchStrategy[Any] = st.sampled_from([low, low + 1, high - 1, high, *more]) | st.integers(low, high)
    if tokens:
        fine |= NUMBER_TOKENS
    bad = st.sampled_from([low - 1, high + 1, 0, -1, -(2**31), 2**31, 2**53, 2**53 + 1, 2**63, 10**400, -(10**5000)])
    return Argument(fine, bad | st.integers(), (int, float) if fractions else (int,), limit=(high, high + 1))


def durations(low: int, high: int, *, tokens: bool = True) -> Argument:
    known = [Duration.seconds(low), Duration.seconds(high), Duration.seconds((low + high) // 2), Duration.minutes(1)]
    fine: SearchStrategy[Any] = st.sampled_from([duration for duration in known if low <= _seconds(duration) <= high])
    fine |= st.integers(low, high).map(Duration.seconds)
    unknown = NUMBER_TOKENS.map(
        lambda token: Made(f"Duration.seconds({token.name})", lambda stack: Duration.seconds(token.make(stack)))
    )
    off = [Duration.seconds(low - 1)] if low > 0 else []
    off += [Duration.seconds(high + 1), Duration.millis(500), Duration.millis(low * 1000 + 1), Duration.millis(1500)]
    off += [Duration.seconds(0), Duration.days(400), Duration.days(2**40), Duration.seconds(2.5), Duration.minutes(0.5)]
    limit = (Duration.seconds(high), Duration.seconds(high + 1))
    return Argument(fine | unknown if tokens else fine, st.sampled_from(off) | unknown, (Duration,), limit=limit)


def _seconds(duration: Duration) -> float:
    return duration.to_seconds(integral=False)


def flags() -> Argument:
    return Argument(st.booleans(), kinds=(bool,))


def _or_not(argument: Argument) -> Argument:
    """Return a threshold of an alarm, which may also be its default or none."""
    return replace(argument, good=argument.good | st.booleans(), kinds=(*argument.kinds, bool))


# Existing resources.


def queue(stack: Stack, **properties: Any) -> sqs.Queue:
    return sqs.Queue(stack, new(stack), **properties)


def with_dead_letters(stack: Stack, *, tries: float = 5, dead_fifo: bool = False, **properties: Any) -> sqs.Queue:
    dead_letters = queue(stack, **({"fifo": True} if dead_fifo else {}))
    policy = sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=tries)
    return queue(stack, dead_letter_queue=policy, **properties)


def imported_queue(stack: Stack, arn: str, **attributes: Any) -> sqs.IQueue:
    return sqs.Queue.from_queue_attributes(stack, new(stack), queue_arn=arn, **attributes)


def elsewhere(stack: Stack) -> Stack:
    """Return another stack of the app."""
    other = stack.node.root.node.try_find_child("Elsewhere")
    env = Environment(account=stack.account, region=stack.region) if stack.region in REGIONS else None
    return other if isinstance(other, Stack) else Stack(cast(App, stack.node.root), "Elsewhere", env=env)


LONG = Duration.minutes(6)
ARN = "arn:aws:sqs:us-east-1:111111111111:existing"
QUEUES = {
    "standard": lambda stack: queue(stack, visibility_timeout=LONG),
    "FIFO": lambda stack: queue(stack, visibility_timeout=LONG, fifo=True),
    "with dead-letter queue": lambda stack: with_dead_letters(stack, visibility_timeout=LONG),
    "FIFO with dead-letter queue": lambda stack: with_dead_letters(
        stack, dead_fifo=True, visibility_timeout=LONG, fifo=True
    ),
    "with one try": lambda stack: with_dead_letters(stack, tries=1, visibility_timeout=LONG),
    "with tries that only deployment knows": lambda stack: with_dead_letters(
        stack, tries=parameter(stack, "Number").value_as_number, visibility_timeout=LONG
    ),
    "encrypted": lambda stack: queue(
        stack, visibility_timeout=LONG, encryption_master_key=kms.Key(stack, new(stack), enable_key_rotation=True)
    ),
    "imported": lambda stack: imported_queue(stack, ARN),
    "imported FIFO": lambda stack: imported_queue(stack, f"{ARN}.fifo"),
    "imported by a token": lambda stack: imported_queue(stack, Fn.import_value("queue"), fifo=False),
    "imported with a key": lambda stack: imported_queue(stack, ARN, key_arn="arn:aws:kms:us-east-1:111111111111:key/x"),
    "of another stack": lambda stack: queue(elsewhere(stack), visibility_timeout=LONG),
    "with a timeout that only deployment knows": lambda stack: queue(
        stack, visibility_timeout=Duration.seconds(parameter(stack, "Number").value_as_number)
    ),
}
BAD_QUEUES = {
    "with the default visibility": queue,
    "with short retention": lambda stack: queue(stack, visibility_timeout=LONG, retention_period=Duration.minutes(1)),
    "with no visibility timeout": lambda stack: queue(stack, visibility_timeout=Duration.seconds(0)),
}
DEAD_LETTER_QUEUES = {
    "with retention of 14 days": lambda stack: queue(stack, retention_period=Duration.days(14)),
    "imported": QUEUES["imported"],
    "of another stack": lambda stack: queue(elsewhere(stack), retention_period=Duration.days(14)),
}
UNVERIFIED = {name: QUEUES[name] for name in ("standard", "encrypted", "imported", "imported with a key")}
BAD_UNVERIFIED = {
    "FIFO": QUEUES["FIFO"],
    "imported FIFO": QUEUES["imported FIFO"],
    "with small messages": lambda stack: queue(stack, max_message_size_bytes=65_536),
}
BAD_DEAD_LETTER_QUEUES = {"FIFO": QUEUES["FIFO"], "imported FIFO": QUEUES["imported FIFO"], **BAD_QUEUES}


def table(
    stack: Stack, key: str = "id", type: dynamodb.AttributeType = dynamodb.AttributeType.STRING, **more: Any
) -> Any:
    return dynamodb.Table(stack, new(stack), partition_key=dynamodb.Attribute(name=key, type=type), **more)


TABLES = {
    "own": table,
    "of another stack": lambda stack: table(elsewhere(stack)),
    "with a key": lambda stack: table(
        stack, encryption_key=kms.Key(stack, new(stack)), encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED
    ),
    "imported": lambda stack: dynamodb.Table.from_table_name(stack, new(stack), "existing"),
    "imported by a token": lambda stack: dynamodb.Table.from_table_arn(stack, new(stack), Fn.import_value("table")),
    "global": lambda stack: dynamodb.TableV2(
        stack, new(stack), partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
    ),
    "global, imported": lambda stack: dynamodb.TableV2.from_table_name(stack, new(stack), "existing"),
}
BAD_TABLES = {
    "with another key": lambda stack: table(stack, "pk"),
    "with a number as key": lambda stack: table(stack, type=dynamodb.AttributeType.NUMBER),
    "with a sort key": lambda stack: table(
        stack, sort_key=dynamodb.Attribute(name="at", type=dynamodb.AttributeType.STRING)
    ),
    "global, with another key": lambda stack: dynamodb.TableV2(
        stack, new(stack), partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING)
    ),
}


def rest_api(stack: Stack, *, deploy: bool = True, **properties: Any) -> apigateway.RestApi:
    api = apigateway.RestApi(stack, new(stack), deploy=deploy, **properties)
    api.root.add_resource("taken").add_method("ANY")
    return api


APIS = {
    "binary": lambda stack: rest_api(stack, binary_media_types=["*/*"]),
    "text": rest_api,
    "of images": lambda stack: rest_api(stack, binary_media_types=["image/png"]),
    "not deployed": lambda stack: rest_api(stack, binary_media_types=["*/*"], deploy=False),
    "with CORS": lambda stack: rest_api(
        stack, default_cors_preflight_options=apigateway.CorsOptions(allow_origins=["*"])
    ),
    "with a key for every method": lambda stack: rest_api(
        stack, default_method_options=apigateway.MethodOptions(api_key_required=True)
    ),
}
BAD_APIS = {
    "taken": lambda stack: [api := rest_api(stack, binary_media_types=["*/*"]), api.root.add_proxy()][0],
    "of another stack": lambda stack: rest_api(elsewhere(stack), binary_media_types=["*/*"]),
}


def function(stack: Stack, **properties: Any) -> lambda_.Function:
    return lambda_.Function(
        stack,
        new(stack),
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline("def handler(event, context): return {}"),
        **properties,
    )


CONSUMERS = {
    "own": function,
    "slow": lambda stack: function(stack, timeout=Duration.minutes(1)),
    "of another stack": lambda stack: function(elsewhere(stack)),
    "with a timeout that only deployment knows": lambda stack: function(
        stack, timeout=Duration.seconds(parameter(stack, "Number").value_as_number)
    ),
    "in a VPC": lambda stack: function(stack, vpc=vpc(stack)),
}
BAD_CONSUMERS = {
    "slowest": lambda stack: function(stack, timeout=Duration.minutes(15)),
    "throttled": lambda stack: function(stack, reserved_concurrent_executions=1),
}


def vpc(stack: Stack, **properties: Any) -> ec2.Vpc:
    return ec2.Vpc(stack, new(stack), max_azs=2, **properties)


def isolated(stack: Stack) -> ec2.Vpc:
    subnets = ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
    return vpc(stack, nat_gateways=0, subnet_configuration=[subnets])


def public(stack: Stack) -> ec2.Vpc:
    subnets = ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC)
    return vpc(stack, nat_gateways=0, subnet_configuration=[subnets])


def imported_vpc(stack: Stack, **attributes: Any) -> ec2.IVpc:
    zones = {"availability_zones": ["us-east-1a", "us-east-1b"], "vpc_id": "vpc-0123456789abcdef0"}
    return ec2.Vpc.from_vpc_attributes(stack, new(stack), **{**zones, **attributes})


SUBNETS = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
VPCS = {
    "own": vpc,
    "isolated": isolated,
    "imported": lambda stack: imported_vpc(stack, private_subnet_ids=SUBNETS),
    "imported, isolated": lambda stack: imported_vpc(stack, isolated_subnet_ids=SUBNETS),
}
BAD_VPCS = {"public": public, "imported without subnets": imported_vpc}
SELECTIONS = [
    ec2.SubnetSelection(),
    ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
    ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, one_per_az=True),
]
BAD_SELECTIONS = [
    ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
    ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
    ec2.SubnetSelection(subnet_group_name="nowhere"),
    ec2.SubnetSelection(subnet_group_name="x", subnet_type=ec2.SubnetType.PUBLIC),
    ec2.SubnetSelection(subnets=[]),
    ec2.SubnetSelection(availability_zones=["us-east-1z"]),
]


def security_group(stack: Stack) -> ec2.ISecurityGroup:
    return ec2.SecurityGroup.from_security_group_id(stack, new(stack), "sg-0123456789abcdef0")


def secret(stack: Stack) -> secretsmanager.Secret:
    return secretsmanager.Secret(stack, new(stack))


SECRETS = {
    "own": secret,
    "with a key": lambda stack: secretsmanager.Secret(stack, new(stack), encryption_key=kms.Key(stack, new(stack))),
    "of another stack": lambda stack: secret(elsewhere(stack)),
    "imported by name": lambda stack: secretsmanager.Secret.from_secret_name_v2(stack, new(stack), "existing"),
    "imported by ARN": lambda stack: secretsmanager.Secret.from_secret_complete_arn(
        stack, new(stack), "arn:aws:secretsmanager:us-east-1:111111111111:secret:existing-AbCdEf"
    ),
    "imported by a token": lambda stack: secretsmanager.Secret.from_secret_complete_arn(
        stack, new(stack), Fn.import_value("secret")
    ),
    "of a database": lambda stack: rds.DatabaseSecret(stack, new(stack), username="webhooks"),
}
POSTGRES = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17_6)
MYSQL = rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.of("8.0.42", "8.0"))
MARIADB = rds.DatabaseInstanceEngine.maria_db(version=rds.MariaDbEngineVersion.VER_10_11)
ORACLE = rds.DatabaseInstanceEngine.oracle_se2(version=rds.OracleEngineVersion.VER_19)
AURORA_POSTGRES = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_16_8)
AURORA_MYSQL = rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_08_0)


def instance(stack: Stack, engine: rds.IInstanceEngine, **properties: Any) -> rds.DatabaseInstance:
    return rds.DatabaseInstance(stack, new(stack), engine=engine, vpc=vpc(stack), **properties)


def cluster(stack: Stack, engine: rds.IClusterEngine, **properties: Any) -> rds.DatabaseCluster:
    writer = rds.ClusterInstance.serverless_v2("Writer")
    return rds.DatabaseCluster(stack, new(stack), engine=engine, writer=writer, vpc=vpc(stack), **properties)


def proxy(stack: Stack, engine: rds.IInstanceEngine) -> rds.DatabaseProxy:
    database = instance(stack, engine)
    assert database.secret
    return database.add_proxy(new(stack), secrets=[database.secret], vpc=database.vpc, iam_auth=True)


def imported_instance(stack: Stack, **attributes: Any) -> rds.IDatabaseInstance:
    return rds.DatabaseInstance.from_database_instance_attributes(
        stack,
        new(stack),
        instance_endpoint_address="db.example.com",
        instance_identifier="db",
        port=3307,
        security_groups=[],
        **attributes,
    )


def imported_cluster(stack: Stack, **attributes: Any) -> rds.IDatabaseCluster:
    return rds.DatabaseCluster.from_database_cluster_attributes(
        stack, new(stack), cluster_identifier="existing", **attributes
    )


def imported_proxy(stack: Stack) -> rds.IDatabaseProxy:
    return rds.DatabaseProxy.from_database_proxy_attributes(
        stack,
        new(stack),
        db_proxy_arn="arn:aws:rds:us-east-1:111111111111:db-proxy:prx-0123456789abcdef0",
        db_proxy_name="existing",
        endpoint="proxy.example.com",
        security_groups=[],
    )


ADDRESS = {"cluster_endpoint_address": "cluster.example.com", "port": 5432}


def databases(instance_engine: rds.IInstanceEngine, cluster_engine: rds.IClusterEngine) -> dict[str, Any]:
    return {
        "instance": lambda stack: instance(stack, instance_engine),
        "instance with IAM": lambda stack: instance(stack, instance_engine, iam_authentication=True),
        "cluster": lambda stack: cluster(stack, cluster_engine),
        "cluster with IAM": lambda stack: cluster(stack, cluster_engine, iam_authentication=True),
        "proxy": lambda stack: proxy(stack, instance_engine),
        "instance of another stack": lambda stack: instance(elsewhere(stack), instance_engine),
        "instance with another port": lambda stack: instance(stack, instance_engine, port=4444),
    }


BAD_DATABASES: dict[str, Any] = {
    "imported instance": imported_instance,
    "imported instance of MariaDB": lambda stack: imported_instance(stack, engine=MARIADB),
    "imported cluster": lambda stack: imported_cluster(stack, **ADDRESS),
    "imported cluster without an address": imported_cluster,
    "imported proxy": imported_proxy,
    "Oracle": lambda stack: instance(stack, ORACLE),
    "Postgres": lambda stack: instance(stack, POSTGRES),
    "MySQL": lambda stack: instance(stack, MYSQL),
    "instance without a password": lambda stack: instance(
        stack, POSTGRES, credentials=rds.Credentials.from_password("u", aws_cdk.SecretValue.ssm_secure("p", "1"))
    ),
}
CLUSTERS: dict[str, Any] = {
    "Aurora Postgres": lambda stack: cluster(stack, AURORA_POSTGRES, enable_data_api=True),
    "Aurora MySQL": lambda stack: cluster(stack, AURORA_MYSQL, enable_data_api=True),
    "of another stack": lambda stack: cluster(elsewhere(stack), AURORA_POSTGRES, enable_data_api=True),
    "imported": lambda stack: imported_cluster(
        stack, engine=AURORA_POSTGRES, secret=secret(stack), cluster_resource_identifier="cluster-X"
    ),
}
BAD_CLUSTERS: dict[str, Any] = {
    "without the Data API": lambda stack: cluster(stack, AURORA_POSTGRES),
    "imported without an engine": lambda stack: imported_cluster(stack, secret=secret(stack)),
    "imported without a secret": lambda stack: imported_cluster(stack, engine=AURORA_MYSQL),
}


def key(stack: Stack) -> kms.Key:
    return kms.Key(stack, new(stack), enable_key_rotation=True)


KEYS = {
    "own": key,
    "of another stack": lambda stack: key(elsewhere(stack)),
    "imported": lambda stack: kms.Key.from_key_arn(stack, new(stack), "arn:aws:kms:us-east-1:111111111111:key/x"),
    "alias": lambda stack: kms.Alias(stack, new(stack), alias_name="alias/existing", target_key=key(stack)),
    "alias by name": lambda stack: kms.Alias.from_alias_name(stack, new(stack), "alias/existing"),
}
BUCKETS = {
    "own": lambda stack: s3.Bucket(stack, new(stack)),
    "with a key": lambda stack: s3.Bucket(stack, new(stack), encryption=s3.BucketEncryption.KMS),
    "of another stack": lambda stack: s3.Bucket(elsewhere(stack), new(stack)),
    "imported": lambda stack: s3.Bucket.from_bucket_name(stack, new(stack), "existing"),
    "imported by a token": lambda stack: s3.Bucket.from_bucket_arn(stack, new(stack), Fn.import_value("bucket")),
}


API_KEYS: dict[str, Any] = {
    "own": lambda stack: apigateway.ApiKey(stack, new(stack)),
    "imported": lambda stack: apigateway.ApiKey.from_api_key_id(stack, new(stack), "existing"),
}
GRANTEES: dict[str, Any] = {
    "role": lambda stack: iam.Role(stack, new(stack), assumed_by=iam.AccountRootPrincipal()),
    "user": lambda stack: iam.User(stack, new(stack)),
    "function": function,
    "imported": lambda stack: iam.Role.from_role_arn(stack, new(stack), "arn:aws:iam::222222222222:role/existing"),
    "account": lambda _: iam.AccountPrincipal("222222222222"),
    "any principal": lambda _: iam.AnyPrincipal(),
}


def web_acl(stack: Stack, scope: str) -> wafv2.CfnWebACL:
    visible = wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name="Acl", sampled_requests_enabled=True
    )
    allow = wafv2.CfnWebACL.DefaultActionProperty(allow={})
    return wafv2.CfnWebACL(stack, new(stack), scope=scope, default_action=allow, visibility_config=visible)


def domain(stack: Stack, name: str = "hooks.example.com", **options: Any) -> apigateway.DomainNameOptions:
    certificate = acm.Certificate.from_certificate_arn(
        stack, new(stack), "arn:aws:acm:us-east-1:111111111111:certificate/00000000-0000-0000-0000-000000000000"
    )
    return apigateway.DomainNameOptions(domain_name=name, certificate=certificate, **options)


def mtls(stack: Stack) -> apigateway.MTLSConfig:
    return apigateway.MTLSConfig(bucket=s3.Bucket(stack, new(stack), versioned=True), key="authorities.pem")


DOMAINS: dict[str, Any] = {
    "plain": domain,
    "with a base path": lambda stack: domain(stack, base_path="v1"),
    "with mutual TLS": lambda stack: domain(stack, mtls=mtls(stack)),
    "regional": lambda stack: domain(stack, endpoint_type=apigateway.EndpointType.REGIONAL),
    "of TLS 1.2": lambda stack: domain(stack, security_policy=apigateway.SecurityPolicy.TLS_1_2),
    "name that only deployment knows": lambda stack: domain(stack, parameter(stack, "String").value_as_string),
    "wildcard": lambda stack: domain(stack, "*.example.com"),
}
BAD_DOMAINS: dict[str, Any] = {
    "edge": lambda stack: domain(stack, endpoint_type=apigateway.EndpointType.EDGE),
    "private": lambda stack: domain(stack, endpoint_type=apigateway.EndpointType.PRIVATE),
    "in capitals": lambda stack: domain(stack, "Hooks.Example.com"),
    "empty": lambda stack: domain(stack, ""),
    "odd base path": lambda stack: domain(stack, base_path="a b?"),
    "deep base path": lambda stack: domain(stack, base_path="a/b/c"),
    "slashed base path": lambda stack: domain(stack, base_path="/v1/"),
    "empty base path": lambda stack: domain(stack, base_path=""),
    "mutual TLS at the edge": lambda stack: domain(stack, endpoint_type=apigateway.EndpointType.EDGE, mtls=mtls(stack)),
}
ORIGINS = [["*"], ["https://example.com"], ["http://localhost:3000"], ["null"]]
CORS = st.builds(
    apigateway.CorsOptions,
    allow_origins=st.sampled_from(ORIGINS),
    allow_methods=st.none() | st.sampled_from([["POST"], ["GET", "PUT"], ["ANY"]]),
    allow_headers=st.none() | st.sampled_from([["X-A"], ["*"]]),
    expose_headers=st.none() | st.sampled_from([["X-A"], ["*"], []]),
    status_code=st.none() | st.sampled_from([200, 204]),
)
BAD_CORS = st.builds(
    apigateway.CorsOptions,
    allow_origins=st.sampled_from(ORIGINS) | st.lists(odd_texts, max_size=2),
    allow_credentials=st.none() | st.booleans(),
    allow_methods=st.none() | st.lists(odd_texts | st.sampled_from(["ANY", "POST", "post"]), max_size=2),
    allow_headers=st.none() | st.lists(odd_texts, max_size=2),
    expose_headers=st.none() | st.lists(odd_texts, max_size=2),
    disable_cache=st.none() | st.booleans(),
    max_age=st.none() | st.sampled_from([Duration.days(1), Duration.millis(5), Duration.seconds(0)]),
    status_code=st.none() | st.sampled_from([0, 204, 299, 404, 99_999, 204.5]),
)


def own_ingress(_: Stack) -> Ingress:
    return OwnIngress()


class OwnIngress(type(Ingress.lambda_integration())):  # type: ignore[misc]
    """An ingress of the user's own."""


# The user's code.


def handle(webhook: object) -> None:
    """A handler."""


FOLDER = tempfile.TemporaryDirectory()
_FILES: dict[str, bytes] = {
    "orders.py": b"def handle(webhook): ...\n",
    "package/__init__.py": b"from package.inner import handle\n",
    "package/inner.py": b"handle = print\n",
    "broken.py": b"def :",
    "nul.py": b"def handle(webhook): ...\n\0",
    "latin.py": b"# \xe9\ndef handle(webhook): ...\n",
    "deep.py": b"(" * 5000 + b")" * 5000,
    "late.py": b"async def handle(webhook): ...\n",
    "authorities.pem": b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
}
for _name, _content in _FILES.items():
    _path = Path(FOLDER.name, _name)
    _path.parent.mkdir(exist_ok=True)
    _path.write_bytes(_content)
CODE = Argument(
    st.sampled_from([FOLDER.name, Path(FOLDER.name)]),
    st.sampled_from([f"{FOLDER.name}/{name}" for name in _FILES]) | odd_texts,
    (str, Path),
    required=True,
)
HANDLER = Argument(
    st.sampled_from(["orders.handle", "package.handle", "package.inner.handle"]),
    st.sampled_from([f"{name.partition('.')[0]}.handle" for name in _FILES]) | odd_texts,
    (str,),
    required=True,
)
PACKAGES = Argument(
    st.sampled_from([[], ["PyMySQL"], ["pg8000"]]),
    st.lists(odd_texts | st.sampled_from(["boto3", "cffi", "none-such", "PyMySQL", "../x"]), max_size=2),
    element=Argument(kinds=(str,)),
)
AUTHORITIES = Argument(
    st.sampled_from([f"{FOLDER.name}/authorities.pem", Path(FOLDER.name, "authorities.pem")]),
    odd_texts | st.sampled_from([FOLDER.name, "/dev/null"]),
    (str, Path),
)
VARIABLES = Argument(
    st.dictionaries(st.sampled_from(["STAGE", "LOG_LEVEL", "A1"]), st.sampled_from(["x", "", "é"]) | TEXT_TOKENS),
    st.dictionaries(odd_texts | st.sampled_from(["WEBHOOK_X", "AWS_REGION", "PATH", "_X"]), odd_texts, max_size=2),
    kinds=(dict,),
    element=Argument(kinds=(str,)),
)

# Event filters, of any shape.
_rules = st.sampled_from(["x", 1, None, True, {"prefix": "x"}, {"exists": False}, {"numeric": [">", 1, "<=", 9]}])
_fields = st.dictionaries(st.sampled_from(["a", "b c", "é"]), st.lists(_rules, min_size=1, max_size=2), min_size=1)
_headers = st.dictionaries(st.sampled_from(["X-A", "X-B"]), st.just(["x", {"suffix": "y"}]), min_size=1)
_filter = st.fixed_dictionaries({"body": _fields}) | st.fixed_dictionaries({"headers": _headers, "body": _fields})
_operators = ["prefix", "suffix", "equals-ignore-case", "anything-but", "numeric", "exists", "$or", "body", "headers"]
_json: SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, True, 1, -(2**63), 10**30, 1.5, math.nan, math.inf, b"x", (), set(), Duration, "x" * 5000])
    | odd_texts
    | TEXT_TOKENS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(_operators) | odd_texts, inner, max_size=3)
        | st.dictionaries(st.sampled_from(_operators), inner, min_size=1, max_size=1)
    ),
    max_leaves=6,
)
FILTERS = Argument(
    st.lists(_filter, min_size=1, max_size=2, unique_by=repr),
    st.lists(st.fixed_dictionaries({"body": _json}) | st.fixed_dictionaries({"headers": _json}) | _json, max_size=6),
    element=Argument(kinds=(dict,)),
)

TOLERANCE = durations(1, 86_400, tokens=False)
FIELD = texts("key", "signing_secret")
RATES = st.sampled_from([0.5, 1, 5, 7.5, 50, 500, 100_000])
HEADER = texts("X-Signature", "x-a", tokens=False)
SECRET = Argument(made(**SECRETS), kinds=(secretsmanager.Secret,), required=True)
OPTIONAL_SECRET = Argument(made(**SECRETS), kinds=(secretsmanager.Secret,))
VPC = Argument(made(**VPCS), made(**BAD_VPCS), (ec2.Vpc,))
SELECTION = Argument(st.sampled_from(SELECTIONS), st.sampled_from(BAD_SELECTIONS), (ec2.SubnetSelection,))
GROUPS = Argument(
    st.just([Made("security group", security_group)]), st.just([]), element=Argument(kinds=(ec2.SecurityGroup,))
)
SIGNED = {"secret": SECRET, "secret_field": FIELD}
DATABASE = {
    "database_name": texts("orders", required=True),
    "table_name": texts("webhooks", "orders.webhooks", "w" * 63, tokens=False),
    "create_table": flags(),
    "host": texts("db.example.com", "10.0.0.1"),
    "port": numbers(1, 65_535),
    "secret": OPTIONAL_SECRET,
    "iam_user": texts("webhooks"),
    "vpc": VPC,
    "vpc_subnets": SELECTION,
    "security_groups": GROUPS,
    "tls": flags(),
    "ca_certificates": AUTHORITIES,
}

# Every argument of every function that makes or changes a webhook. test_fuzz.py compares them with the signatures.
ARGUMENTS: dict[str, dict[str, Argument]] = {
    "Ingress.lambda_integration": {},
    "Ingress.direct_integration": {"binary": flags()},
    "Ingress.function_url": {"reserved_concurrency": _or_not(numbers(1, 10_000))},
    "Sink.dynamodb": {
        "table": Argument(made(**TABLES), made(**BAD_TABLES), (dynamodb.Table,)),
        "compress": flags(),
    },
    "Sink.postgres": {
        "database": Argument(
            made(**databases(POSTGRES, AURORA_POSTGRES)), made(**BAD_DATABASES), (rds.DatabaseInstance,)
        ),
        **DATABASE,
    },
    "Sink.mysql": {
        "database": Argument(made(**databases(MYSQL, AURORA_MYSQL)), made(**BAD_DATABASES), (rds.DatabaseInstance,)),
        **DATABASE,
    },
    "Sink.data_api": {
        "cluster": Argument(made(**CLUSTERS), made(**BAD_CLUSTERS), required=True),
        **{name: DATABASE[name] for name in ("database_name", "table_name", "create_table", "secret")},
    },
    "Sink.http": {
        "url": Argument(
            st.sampled_from(["https://orders.example.com/webhooks", "http://10.0.0.1:8080/x?y=z"]) | TEXT_TOKENS,
            st.sampled_from(["http://[", "http://h:99999", "http://h:x", "https://", "http:///x", "HTTP://H", "//h"])
            | odd_texts,
            (str,),
            required=True,
        ),
        "timeout": durations(1, 900, tokens=False),
        "signing_secret": OPTIONAL_SECRET,
        **{name: DATABASE[name] for name in ("vpc", "vpc_subnets", "security_groups", "ca_certificates")},
        "forward_headers": Argument(
            st.lists(st.sampled_from(["X-Forwarded-Host", "x_remote_user", "Proxy", "Forwarded"]), max_size=4),
            st.lists(st.sampled_from(["Host", "X-GitHub-Event", "Idempotency-Key", "a b", ""]), min_size=1),
            element=Argument(kinds=(str,)),
        ),
    },
    "Sink.python": {
        "code": CODE,
        "handler": HANDLER,
        "batch": flags(),
        "packages": PACKAGES,
        "environment": VARIABLES,
        **{name: DATABASE[name] for name in ("vpc", "vpc_subnets", "security_groups")},
    },
    **{
        f"Source.{provider.method}": SIGNED | ({"tolerance": TOLERANCE} if provider.signs_time else {})
        for provider in PROVIDERS
        if not provider.takes_more
    },
    "Source.standard_webhooks": {
        **SIGNED,
        "key_encoding": texts("base64", "text", tokens=False),
        "tolerance": TOLERANCE,
    },
    "Source.hmac": {
        **SIGNED,
        "header": Argument(
            HEADER.good | st.lists(HEADER.good, min_size=1, max_size=5),
            HEADER.bad | st.lists(HEADER.good, min_size=6) | st.just([]),
            (str,),
            Argument(kinds=(str,)),
            required=True,
        ),
        "algorithm": texts("sha1", "sha256", "sha384", "sha512", tokens=False),
        "encoding": texts("hex", "base64", "base64url", tokens=False),
        "prefix": texts("", "sha256=", "v1="),
        "separator": texts(",", "; "),
        "signed_content": texts(
            "{body}", "{timestamp}.{body}", "{id}.{body}", "{method}{url}{body}", "{id}{body}", tokens=False
        ),
        "key_encoding": texts("text", "hex", "base64", tokens=False),
        "timestamp_header": HEADER,
        "timestamp_prefix": texts("t=", "v1="),
        "timestamp_format": texts("seconds", "milliseconds", "iso8601", tokens=False),
        "tolerance": TOLERANCE,
        "id_header": HEADER,
        "id_field": FIELD,
    },
    "Source.token": {
        **SIGNED,
        "header": Argument(HEADER.good, HEADER.bad, (str,), required=True),
        "prefix": texts("", "Bearer "),
        "id_header": HEADER,
        "id_field": FIELD,
    },
    "Probe.head": {},
    "Probe.echo": {"parameter": Argument(FIELD.good, FIELD.bad, (str,), required=True)},
    "Probe.form": {"field": Argument(FIELD.good, FIELD.bad, (str,), required=True)},
    "Source.meta": {**SIGNED, "verify_token_field": FIELD},
    "Source.okta": {**SIGNED, "header": HEADER},
    "Source.custom": {
        "code": CODE,
        "handler": HANDLER,
        "secret": OPTIONAL_SECRET,
        "secret_field": FIELD,
        "packages": PACKAGES,
    },
    "Capacity.of": {
        "database": Argument(
            made(**databases(POSTGRES, AURORA_POSTGRES)), made(**BAD_DATABASES), (rds.DatabaseInstance,), required=True
        )
    },
    "AdaptiveRate": {
        "maximum": Argument(RATES, st.sampled_from([0, -1, 0.001, 10**9]), (int, float), required=True),
        "target_latency": Argument(
            st.integers(1, 10_000).map(Duration.millis),
            st.sampled_from([Duration.millis(0), Duration.hours(1)]),
            (Duration,),
            required=True,
        ),
    },
    "CircuitBreaker": {
        "failures": numbers(1, 100, 1, 3, tokens=False),
        "initial": durations(60, 43_200, tokens=False),
        "maximum": durations(60, 43_200, tokens=False),
        "successes": numbers(1, 10, tokens=False),
    },
    "GroupBy.header": {"name": Argument(HEADER.good, HEADER.bad, (str,), required=True)},
    "GroupBy.field": {
        "path": Argument(
            st.sampled_from(["account", "data.account", "a b.é", "x" * 256]),
            st.sampled_from(["", ".", "a.", ".a", "a..b", "x" * 257, "a\nb"]),
            (str,),
            required=True,
        )
    },
    "GroupBy.mount": {},
    "Retry": {"initial": durations(1, 39_600, tokens=False), "maximum": durations(1, 39_600, tokens=False)},
    "Acknowledgement": {
        "status": numbers(200, 299, tokens=False),
        "body": texts("", "ok", "<Response/>", "é" * 512, "$input.body #end", '"', tokens=False),
        "content_type": texts("text/plain", "application/json", "text/plain; charset=utf-8", tokens=False),
    },
}


# Arguments that an existing resource excludes. They are mostly left out: otherwise most calls would test only that.
_SERVER = {"database": ("host", "port", "iam_user"), "host": ("iam_user",)}
APART: dict[str, Mapping[str, Sequence[str]]] = {
    "ScalableWebhook": {
        "consumer": ("sink", "retry", "large_payloads", "max_delivery_rate", "breaker"),
        "queue": ("max_batching_window",),
        "api": ("cors",),
        "source": ("delivery_id_header",),
    },
    "ScalableWebhook.add_source": {"source": ("delivery_id_header",)},
    "QueueOptions": {"ordered": ("fair_by",)},
    "Sink.postgres": _SERVER,
    "Sink.mysql": _SERVER,
}


def _together(function: str, given: list[str]) -> list[str]:
    """Return the arguments that may be given together, with those that a server requires."""
    if function in ("Sink.postgres", "Sink.mysql") and "database" not in given:
        given = [*dict.fromkeys([*given, "host", "secret"])]
    if "vpc" not in given:
        given = [name for name in given if name not in ("vpc_subnets", "security_groups")]
    return given


def _apart(function: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments without those that an existing resource among them excludes."""
    for existing, others in APART.get(function, {}).items():
        value = values.get(existing)
        if value is not None and not (isinstance(value, Call) and value.function.endswith("Options")):
            values = {name: each for name, each in values.items() if name not in others}
    return values


@st.composite
def calls(draw: DrawFn, function: str, *, bad: bool = True, rich: int = 4) -> Call:
    """Draw a call with some of its arguments, of which at most one is bad. Of ten optional ones, ``rich`` are given."""
    arguments = ARGUMENTS[function]
    given = [name for name, each in arguments.items() if each.required or draw(st.integers(0, 9)) >= 10 - rich]
    sensible = draw(st.integers(0, 9)) < 9
    if sensible:
        given = _together(function, given)
    wrong = draw(st.sampled_from(given)) if bad and given and draw(st.integers(0, 3)) == 3 else ""
    values = {name: draw(_value(arguments[name], bad=name == wrong)) for name in given}
    return Call(function, _apart(function, values) if sensible else values)


@st.composite
def one_bad(draw: DrawFn, function: str) -> Call:
    """Draw a call with the required arguments, and one argument that is bad."""
    arguments = ARGUMENTS[function]
    wrong = draw(st.sampled_from([name for name, each in arguments.items() if not each.bad.is_empty]))
    given = [name for name, each in arguments.items() if each.required or name == wrong]
    return Call(function, {name: draw(_value(arguments[name], bad=name == wrong)) for name in given})


def _value(argument: Argument, *, bad: bool) -> SearchStrategy[Any]:
    return argument.good if not bad or argument.bad.is_empty else argument.bad


def one_call(*prefixes: str) -> SearchStrategy[Call]:
    """Draw a call of a function whose name starts with one of these prefixes."""
    return st.sampled_from([name for name in ARGUMENTS if name.startswith(prefixes)]).flatmap(
        lambda name: calls(name, rich=3)
    )


for _name in ("Source.hmac", "Source.token"):
    ARGUMENTS[_name]["probe"] = Argument(one_call("Probe."), kinds=(Probe,))


def one_bad_call(*prefixes: str) -> SearchStrategy[Call]:
    """Draw such a call with the required arguments only, and one argument that is bad."""
    may_be_bad = [
        name for name, each in ARGUMENTS.items() if not all(argument.bad.is_empty for argument in each.values())
    ]
    return st.sampled_from([name for name in may_be_bad if name.startswith(prefixes)]).flatmap(one_bad)


_MINUTES = durations(300, 86_400, tokens=False)
_MINUTES = replace(_MINUTES, good=st.integers(5, 1440).map(Duration.minutes))
ARGUMENTS["AlarmOptions"] = {
    **{
        name: _or_not(numbers(1, 1_000_000))
        for name in ("not_accepted", "rejected", "consumer_errors", "consumer_throttled", "dead_letters")
    },
    **{
        name: _or_not(durations(60, 1_209_600, tokens=False))
        for name in ("behind", "webhooks_expiring", "dead_letters_expiring")
    },
    **{name: _or_not(_MINUTES) for name in ("silence", "paused", "saturated")},
}


def topic(stack: Stack, **properties: Any) -> sns.Topic:
    return sns.Topic(stack, new(stack), **properties)


ids = st.sampled_from(["Webhook", "W", "Größe", "a b", "a/b", "Default", "Resource", "x" * 160, "-", "${X}", "'", "%"])
paths = st.sampled_from(["/", "/hooks", "/hooks/github/", "/a.b/c:d", "/v1/hooks"])
ARGUMENTS["ApiOptions"] = {
    "throttling_rate_limit": numbers(1, 100_000, 1.5, 99_999.9, fractions=True),
    "throttling_burst_limit": numbers(1, 100_000),
    "api_key": Argument(
        st.booleans() | made(**API_KEYS),
        kinds=(bool,),
    ),
    "allowed_ip_ranges": Argument(
        st.sampled_from([["203.0.113.0/24"], ["2001:db8::/32", "10.0.0.1"], ["0.0.0.0/0"]])
        | TEXT_TOKENS.map(lambda token: [token]),
        st.lists(odd_texts | st.sampled_from(["10.0.0.0/33", "::/0", "1.2.3.4/8", "10.0.0.0/255.0.0.0"]), max_size=3),
        element=Argument(kinds=(str,)),
    ),
    "iam_authorization": flags(),
    "web_acl": Argument(
        st.booleans() | made(own=lambda stack: web_acl(stack, "REGIONAL")),
        made(
            edge=lambda stack: web_acl(stack, "CLOUDFRONT"),
            parameter=lambda stack: web_acl(stack, parameter(stack, "String").value_as_string),
        ),
        (bool,),
    ),
    "domain_name": Argument(made(**DOMAINS), made(**BAD_DOMAINS)),
}
ARGUMENTS["QueueOptions"] = {
    "dead_letter_queue": Argument(made(**DEAD_LETTER_QUEUES), made(**BAD_DEAD_LETTER_QUEUES), (sqs.QueueBase,)),
    "unverified_queue": Argument(made(**UNVERIFIED), made(**BAD_UNVERIFIED), (sqs.QueueBase,)),
    "max_receive_count": numbers(1, 1000, 5, 8),
    "retention_period": durations(60, 1_209_600),
    "visibility_timeout": durations(180, 43_200),
    "ordered": Argument(st.booleans() | one_call("GroupBy."), kinds=(bool, GroupBy)),
    "fair_by": Argument(one_call("GroupBy."), kinds=(GroupBy,)),
}
ARGUMENTS["ConsumerOptions"] = {
    "timeout": durations(1, 900),
    "memory_size": numbers(128, 10_240),
    # AWS knows the limit of the account.
    "reserved_concurrent_executions": replace(numbers(2, 1000), limit=None),
}
ARGUMENTS["ScalableWebhook"] = {
    "scope": Argument(
        made(
            stack=lambda stack: stack,
            construct=lambda stack: Construct(stack, new(stack)),
            nested=lambda stack: aws_cdk.NestedStack(stack, new(stack)),
        ),
        made(app=lambda stack: stack.node.root),
        (Stack, Construct),
        required=True,
    ),
    "id": Argument(ids, odd_texts, (str,), required=True),
    "ingress": Argument(one_call("Ingress.") | made(own=own_ingress), kinds=(Ingress,)),
    "source": Argument(one_call("Source."), kinds=(Source,)),
    "event_filters": FILTERS,
    "sink": Argument(one_call("Sink."), kinds=(Sink,)),
    "consumer": Argument(calls("ConsumerOptions") | made(**CONSUMERS), made(**BAD_CONSUMERS), kinds=(ConsumerOptions,)),
    "api": Argument(calls("ApiOptions") | made(**APIS), made(**BAD_APIS), kinds=(ApiOptions,)),
    "path": Argument(paths, odd_texts | TEXT_TOKENS | st.sampled_from(["/taken", "/" + "x" * 300, "/.."]), (str,)),
    "delivery_id_header": HEADER,
    "queue": Argument(calls("QueueOptions") | made(**QUEUES), made(**BAD_QUEUES), (sqs.QueueBase, QueueOptions)),
    "large_payloads": Argument(st.booleans() | made(**BUCKETS), kinds=(bool, s3.Bucket)),
    "max_concurrency": numbers(1, 1000, 2, 10),
    "batch_size": numbers(1, 10),
    "max_batching_window": durations(0, 300),
    "max_delivery_rate": Argument(
        RATES | calls("AdaptiveRate"),
        st.sampled_from([0, -1, 0.001, 10**9]) | NUMBER_TOKENS,
        (int, float, AdaptiveRate),
    ),
    "breaker": Argument(st.booleans() | calls("CircuitBreaker"), kinds=(bool, CircuitBreaker)),
    "enabled": flags(),
    "retry": Argument(calls("Retry"), kinds=(Retry,)),
    "acknowledgement": Argument(calls("Acknowledgement"), kinds=(Acknowledgement,)),
    "cors": Argument(CORS, BAD_CORS),
    "encryption_key": Argument(made(**KEYS), kinds=(kms.Key,)),
    "log_retention": Argument(st.sampled_from(list(logs.RetentionDays)), kinds=(logs.RetentionDays,)),
    "removal_policy": Argument(
        st.sampled_from([RemovalPolicy.DESTROY, RemovalPolicy.RETAIN, RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE]),
        st.just(RemovalPolicy.SNAPSHOT),
        (RemovalPolicy,),
    ),
    "tracing": Argument(st.sampled_from(list(lambda_.Tracing))),
}
ARGUMENTS["RuntimeLayer"] = {name: ARGUMENTS["ScalableWebhook"][name] for name in ("scope", "id")}

# Methods of a webhook.
_period = Argument(
    st.sampled_from([Duration.minutes(1), Duration.hours(1), Duration.days(1)]),
    st.sampled_from([Duration.seconds(0), Duration.millis(5), Duration.seconds(7), Duration.days(400)]),
    (Duration,),
)
METHODS: dict[str, dict[str, Argument]] = {
    "ScalableWebhook.add_source": {
        "path": Argument(
            st.sampled_from(["/second", "/second/", "/hooks/second"]), odd_texts | paths, (str,), required=True
        ),
        "source": Argument(one_call("Source."), kinds=(Source,), required=True),
        **{
            name: ARGUMENTS["ScalableWebhook"][name]
            for name in ("ingress", "event_filters", "delivery_id_header", "acknowledgement")
        },
    },
    "ScalableWebhook.add_alarms": {
        "topic": Argument(
            made(
                topic=topic,
                imported=lambda stack: sns.Topic.from_topic_arn(stack, new(stack), ARN.replace("sqs", "sns")),
            ),
            made(FIFO=lambda stack: topic(stack, fifo=True)),
            (sns.TopicBase,),
        ),
        "options": Argument(calls("AlarmOptions"), kinds=(AlarmOptions,)),
    },
    "ScalableWebhook.add_dashboard": {"name": texts("Orders", "a-b_1")},
    "ScalableWebhook.grant_invoke": {
        "grantee": Argument(
            made(**GRANTEES),
            required=True,
        )
    },
    "ScalableWebhook.grant_pause": {
        "grantee": Argument(
            made(**GRANTEES),
            required=True,
        )
    },
    "ScalableWebhook.grant_redrive": {
        "grantee": Argument(
            made(**GRANTEES),
            required=True,
        )
    },
    **{
        f"ScalableWebhook.metric_{name}": {"period": _period}
        for name in ("backlog_age", "dead_letters", "dropped", "paused", "sink_down", "unverified", "webhook_age")
    },
    "ScalableWebhook.metric_mismatched": {
        "source": Argument(one_call("Source."), kinds=(Source,)),
        "period": _period,
    },
}
ARGUMENTS.update(METHODS)
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "ScalableWebhook": ScalableWebhook,
    "RuntimeLayer": RuntimeLayer,
    "ApiOptions": ApiOptions,
    "QueueOptions": QueueOptions,
    "ConsumerOptions": ConsumerOptions,
    "AdaptiveRate": AdaptiveRate,
    "AlarmOptions": AlarmOptions,
    "CircuitBreaker": CircuitBreaker,
    "Retry": Retry,
    "Acknowledgement": Acknowledgement,
    **{
        name: getattr(
            {
                "Capacity": Capacity,
                "GroupBy": GroupBy,
                "Ingress": Ingress,
                "Probe": Probe,
                "Sink": Sink,
                "Source": Source,
            }[kind],
            factory,
        )
        for name in ARGUMENTS
        for kind, _, factory in [name.partition(".")]
        if kind in ("Capacity", "GroupBy", "Ingress", "Probe", "Sink", "Source")
    },
}
