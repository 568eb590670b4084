"""An app with every argument of ScalableWebhook in use, in as many stacks as their exclusions need.

Like the app of a user, it has public names only. `make release` keeps a copy, and every later version has to make the
same of it (tests/released).
"""

from pathlib import Path

from aws_cdk import App, ArnFormat, Duration, RemovalPolicy, Stack
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

from cdk_scalable_webhook import (
    Acknowledgement,
    AdaptiveRate,
    AlarmOptions,
    ApiOptions,
    CircuitBreaker,
    ConsumerOptions,
    GroupBy,
    Ingress,
    QueueOptions,
    Retry,
    RuntimeLayer,
    ScalableWebhook,
    Sink,
    Source,
)
from webhook_runtime.contract.providers import BY_METHOD

# Findings of the CDK's own validator are errors.
app = App(
    context={
        "@aws-cdk/core:validateAgainstDefaultRules": True,
        "@aws-cdk/core:strictCfnValidateErrors": True,
    }
)

created = Stack(app, "Created")
ScalableWebhook(
    created,
    "Webhook",
    ingress=Ingress.direct_integration(binary=True),
    event_filters=[{"headers": {"X-Event": ["push"]}, "body": {"ref": [{"prefix": "refs/"}]}}, {"body": {"a": [None]}}],
    sink=Sink.dynamodb(compress=True),
    path="/hooks/all",
    delivery_id_header="Idempotency-Key",
    queue=QueueOptions(
        dead_letter_queue=sqs.Queue(created, "Letters", retention_period=Duration.days(14), enforce_ssl=True),
        max_receive_count=1000,
        retention_period=Duration.days(14),
        visibility_timeout=Duration.hours(12),
    ),
    max_concurrency=1000,
    batch_size=10_000,
    max_batching_window=Duration.minutes(5),
    retry=Retry(initial=Duration.seconds(1), maximum=Duration.minutes(20)),
    consumer=ConsumerOptions(
        timeout=Duration.minutes(15),
        memory_size=10_240,
        reserved_concurrent_executions=1000,
    ),
    api=ApiOptions(throttling_rate_limit=1.5, throttling_burst_limit=1),
    encryption_key=kms.Key(created, "Key", enable_key_rotation=True),
    log_retention=logs.RetentionDays.TEN_YEARS,
    removal_policy=RemovalPolicy.RETAIN,
    tracing=lambda_.Tracing.ACTIVE,
)

existing = Stack(app, "Brought")
dead_letter_queue = sqs.Queue(existing, "Letters", fifo=True, enforce_ssl=True)
api = apigateway.RestApi(existing, "Api", binary_media_types=["*/*"], cloud_watch_role=True)
bucket = s3.Bucket(existing, "Bucket", enforce_ssl=True, block_public_access=s3.BlockPublicAccess.BLOCK_ALL)
table = dynamodb.Table(
    existing,
    "Table",
    partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
    point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True),
)
ScalableWebhook(
    existing,
    "Webhook",
    api=api,
    path="/fifo",
    queue=sqs.Queue(
        existing,
        "Queue",
        fifo=True,
        enforce_ssl=True,
        visibility_timeout=Duration.minutes(3),
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letter_queue, max_receive_count=5),
    ),
    large_payloads=bucket,
    sink=Sink.dynamodb(table),
)

own = Stack(app, "Own")
consumer = lambda_.Function(
    own,
    "Consumer",
    runtime=lambda_.Runtime.PYTHON_3_14,
    handler="index.handler",
    layers=[RuntimeLayer(own, "Runtime")],
    code=lambda_.Code.from_inline("def handler(event, context):\n    return {'batchItemFailures': []}\n"),
    timeout=Duration.seconds(10),
)
ScalableWebhook(
    own,
    "Webhook",
    event_filters=[{"headers": {"X-Event": ["push"]}}],
    ingress=Ingress.lambda_integration(),
    consumer=consumer,
)

GITHUB = "arn:aws:secretsmanager:us-east-1:123456789012:secret:github-AbCdEf"
throttled = Stack(app, "Throttled")
ScalableWebhook(throttled, "One", max_concurrency=1, batch_size=1, max_delivery_rate=1.5)
ScalableWebhook(throttled, "Ordered", queue=QueueOptions(ordered=True))
ScalableWebhook(throttled, "Groups", queue=QueueOptions(ordered=GroupBy.field("data.account")), max_concurrency=50)
ScalableWebhook(
    throttled,
    "Fair",
    queue=QueueOptions(fair_by=GroupBy.header("X-Shop")),
    ingress=Ingress.direct_integration(binary=True),
    max_concurrency=6,
    max_delivery_rate=AdaptiveRate(maximum=500, target_latency=Duration.millis(200)),
    breaker=CircuitBreaker(failures=2, initial=Duration.minutes(2), maximum=Duration.minutes(30), successes=1),
    enabled=False,
).add_source(
    "/hooks/github",
    Source.github(secretsmanager.Secret.from_secret_complete_arn(throttled, "GitHub", GITHUB)),
    ingress=Ingress.lambda_integration(),
)
ScalableWebhook(
    throttled,
    "Shares",
    path="/shares",
    queue=QueueOptions(fair_by=GroupBy.mount()),
    ingress=Ingress.direct_integration(binary=True),
    batch_size=30,
    max_batching_window=Duration.seconds(1),
)

mapped = Stack(app, "Mapped")
ScalableWebhook(
    mapped,
    "Webhook",
    ingress=Ingress.direct_integration(),
    event_filters=[{"body": {"type": [{"prefix": type}]}} for type in ("order", "refund", "shop", "stock", "user")],
    encryption_key=kms.Key(mapped, "Key", enable_key_rotation=True),
).metric_dropped().create_alarm(mapped, "Dropped", threshold=1, evaluation_periods=1)

databases = Stack(app, "Databases")
vpc = ec2.Vpc(databases, "Vpc", max_azs=2)
postgres = rds.DatabaseInstance(
    databases,
    "Postgres",
    engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17_6),
    vpc=vpc,
    storage_encrypted=True,
    iam_authentication=True,
)
aurora = rds.DatabaseCluster(
    databases,
    "Aurora",
    engine=rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_08_0),
    writer=rds.ClusterInstance.serverless_v2("Writer"),
    vpc=vpc,
    storage_encrypted=True,
    enable_data_api=True,
)
secret = secretsmanager.Secret(databases, "Secret")
for name, sink in {
    "Instance": Sink.postgres(postgres, database_name="postgres", table_name="public.hooks", create_table=True),
    "Iam": Sink.postgres(postgres, database_name="postgres", iam_user="webhook"),
    "Cluster": Sink.mysql(aurora, database_name="orders"),
    "DataApi": Sink.data_api(aurora, database_name="orders", create_table=True),
    "OnPrem": Sink.mysql(host="mainframe.internal", port=3307, database_name="orders", secret=secret, vpc=vpc),
    "Http": Sink.http("https://orders.internal/in", signing_secret=secret, vpc=vpc),
    "Code": Sink.python(
        __file__, f"{Path(__file__).stem}.created", packages=["PyMySQL"], environment={"LEVEL": "1"}, vpc=vpc
    ),
}.items():
    ScalableWebhook(databases, name, sink=sink)

edge = Stack(app, "Edge")
truststore = s3.Bucket(
    edge, "Truststore", versioned=True, enforce_ssl=True, block_public_access=s3.BlockPublicAccess.BLOCK_ALL
)
certificate = acm.Certificate(
    edge, "Certificate", domain_name="lambda.example.com", subject_alternative_names=["direct.example.com"]
)
for name, ingress in {"Lambda": Ingress.lambda_integration(), "Direct": Ingress.direct_integration()}.items():
    ScalableWebhook(
        edge,
        name,
        ingress=ingress,
        path="/hooks",
        api=ApiOptions(
            throttling_rate_limit=10,
            throttling_burst_limit=20,
            api_key=True,
            allowed_ip_ranges=["203.0.113.0/24", "2001:db8::/32"],
            iam_authorization=True,
            web_acl=True,
            domain_name=apigateway.DomainNameOptions(
                domain_name=f"{name.lower()}.example.com",
                certificate=certificate,
                base_path="v1",
                mtls=apigateway.MTLSConfig(bucket=truststore, key="authorities.pem"),
            ),
        ),
        acknowledgement=Acknowledgement(200, '{"ok": true}', "application/json"),
        cors=apigateway.CorsOptions(allow_origins=["https://example.com"], allow_credentials=True),
    )

large = Stack(app, "Large")
key = kms.Key(large, "Key", enable_key_rotation=True)
ScalableWebhook(large, "Owned", large_payloads=True)
ScalableWebhook(large, "Keyed", large_payloads=True, encryption_key=key, removal_policy=RemovalPolicy.DESTROY)

signed = Stack(app, "Signed")
secret_of_provider = secretsmanager.Secret(
    signed, "Sender", encryption_key=kms.Key(signed, "Key", enable_key_rotation=True)
)
webhook = ScalableWebhook(
    signed, "Webhook", path="/github", source=Source.github(secret_of_provider), tracing=lambda_.Tracing.ACTIVE
)
webhook.add_source(
    "/okta",
    Source.okta(secret_of_provider),
    ingress=Ingress.direct_integration(binary=True),
    event_filters=[{"body": {"eventType": ["com.okta.event_hook"]}}],
    acknowledgement=Acknowledgement(204),
)
webhook.add_source(
    "/meta",
    Source.meta(secret_of_provider),
    event_filters=[{"headers": {"X-Event": ["push"]}}],
    delivery_id_header="X-Delivery",
    acknowledgement=Acknowledgement(200, "ok"),
)
webhook.metric_dropped().create_alarm(signed, "Dropped", threshold=1, evaluation_periods=1)
ScalableWebhook(
    signed,
    "Alias",
    sink=Sink.http(
        "https://orders.example.com/in",
        signing_secret=secretsmanager.Secret.from_secret_attributes(
            signed,
            "Theirs",
            secret_partial_arn=signed.format_arn(
                service="secretsmanager",
                resource="secret",
                resource_name="theirs",
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            ),
            encryption_key=kms.Alias.from_alias_name(signed, "Alias of theirs", "alias/theirs"),
        ),
    ),
)
ScalableWebhook(
    signed,
    "Aside",
    ingress=Ingress.direct_integration(),
    source=Source.github(secret_of_provider),
    queue=QueueOptions(unverified_queue=sqs.Queue(signed, "Unverified", enforce_ssl=True)),
).metric_unverified().create_alarm(signed, "Unsigned", threshold=100, evaluation_periods=1)
ScalableWebhook(
    signed,
    "Certified",
    api=ApiOptions(
        allowed_ip_ranges=["203.0.113.0/24"],
        domain_name=apigateway.DomainNameOptions(
            domain_name="certified.example.com",
            certificate=acm.Certificate(signed, "Certificate", domain_name="certified.example.com"),
            mtls=apigateway.MTLSConfig(
                bucket=s3.Bucket.from_bucket_name(signed, "Truststore", "truststore"), key="authorities.pem"
            ),
        ),
    ),
)

by_url = Stack(app, "ByUrl")
webhook = ScalableWebhook(
    by_url,
    "Webhook",
    path="/github",
    ingress=Ingress.function_url(reserved_concurrency=50),
    source=Source.github(secretsmanager.Secret.from_secret_complete_arn(by_url, "GitHub", GITHUB)),
    large_payloads=True,
    event_filters=[{"body": {"action": ["opened"]}}],
)
webhook.add_source(
    "/stripe",
    Source.stripe(secretsmanager.Secret.from_secret_complete_arn(by_url, "Stripe", GITHUB)),
    ingress=Ingress.function_url(reserved_concurrency=False),
)
webhook.add_alarms()
webhook.add_dashboard()

watched = Stack(app, "Watched")
topic_key = kms.Key(watched, "Key", enable_key_rotation=True)
topic_key.grant(iam.ServicePrincipal("cloudwatch.amazonaws.com"), "kms:Decrypt", "kms:GenerateDataKey*")
topic = sns.Topic(watched, "Paged", enforce_ssl=True, master_key=topic_key)
webhook = ScalableWebhook(
    watched,
    "Webhook",
    sink=Sink.http("https://orders.example.com/in"),
    event_filters=[{"body": {"type": ["paid"]}}],
)
webhook.add_alarms(
    topic,
    AlarmOptions(
        not_accepted=10,
        rejected=False,
        silence=True,
        behind=Duration.hours(1),
        webhooks_expiring=Duration.days(3),
        paused=Duration.hours(1),
        saturated=Duration.hours(2),
        consumer_errors=2,
        consumer_throttled=2,
        dead_letters=10,
        dead_letters_expiring=Duration.days(6),
    ),
)
webhook.add_dashboard("Orders")
webhook = ScalableWebhook(watched, "Defaults")
webhook.add_alarms()
webhook.add_dashboard()
webhook.metric_webhook_age()

providers = Stack(app, "Senders")
secret_of_each = secretsmanager.Secret(
    providers, "Secret", encryption_key=kms.Key(providers, "Key", enable_key_rotation=True)
)
webhook = ScalableWebhook(providers, "Webhook", path="/own", source=Source.hmac(secret_of_each, header="X-Signature"))
for method in BY_METHOD:
    webhook.add_source(f"/{method}", getattr(Source, method)(secret_of_each))
ScalableWebhook(providers, "Custom", source=Source.custom(__file__, f"{Path(__file__).stem}.created"))
