"""A user's app that uses everything public, and for each interface in a type hint the classes that have it."""

from collections.abc import Mapping

from aws_cdk import App, Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudwatch as cloudwatch
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

from cdk_scalable_webhook import (
    Acknowledgement,
    AdaptiveRate,
    AlarmOptions,
    ApiOptions,
    Capacity,
    CircuitBreaker,
    ConsumerOptions,
    DatabaseSink,
    GroupBy,
    Ingress,
    QueueOptions,
    Retry,
    RuntimeLayer,
    ScalableWebhook,
    Sink,
    Source,
)


class Shortest(Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        webhook = ScalableWebhook(self, "Webhook")
        url: str = webhook.url
        self.export_value(url)


class Settings(Stack):
    """Every argument that is a number, a text or a setting."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        webhook = ScalableWebhook(
            self,
            "Webhook",
            ingress=Ingress.direct_integration(binary=True),
            event_filters=[
                {"headers": {"X-Event": ["push"]}, "body": {"draft": [False], "n": [{"numeric": [">", 1]}]}}
            ],
            path="/hooks",
            delivery_id_header="Idempotency-Key",
            max_concurrency=5,
            enabled=False,
            batch_size=100,
            max_batching_window=Duration.seconds(1),
            queue=QueueOptions(
                max_receive_count=8,
                retention_period=Duration.days(7),
                visibility_timeout=Duration.minutes(10),
            ),
            retry=Retry(initial=Duration.seconds(10), maximum=Duration.minutes(5)),
            consumer=ConsumerOptions(
                timeout=Duration.seconds(20),
                memory_size=512,
                reserved_concurrent_executions=10,
            ),
            api=ApiOptions(
                throttling_rate_limit=99.5,
                throttling_burst_limit=200,
                api_key=True,
                allowed_ip_ranges=["203.0.113.0/24", "2001:db8::/32"],
                iam_authorization=True,
                web_acl=True,
                domain_name=apigateway.DomainNameOptions(
                    domain_name="hooks.example.com",
                    certificate=acm.Certificate(self, "Certificate", domain_name="hooks.example.com"),
                    mtls=apigateway.MTLSConfig(
                        bucket=s3.Bucket(self, "Truststore", versioned=True), key="authorities.pem"
                    ),
                ),
            ),
            acknowledgement=Acknowledgement(200, "<Response/>", content_type="text/xml"),
            cors=apigateway.CorsOptions(allow_origins=["https://example.com"]),
            log_retention=logs.RetentionDays.ONE_WEEK,
            removal_policy=RemovalPolicy.DESTROY,
            tracing=lambda_.Tracing.ACTIVE,
        )
        client = iam.User(self, "Client")
        webhook.grant_invoke(iam.AccountPrincipal("123456789012"))
        grant: iam.Grant = webhook.grant_invoke(client)
        grant.assert_success()
        mapping: lambda_.EventSourceMapping = webhook.event_source_mapping
        paused: iam.Grant = webhook.grant_pause(client)
        redriven: iam.Grant = webhook.grant_redrive(client)
        print(mapping.event_source_mapping_id, paused, redriven)
        metrics: list[cloudwatch.Metric] = [
            webhook.metric_backlog_age(),
            webhook.metric_dead_letters(period=Duration.minutes(1)),
            webhook.metric_dropped(),
            webhook.metric_mismatched(),
        ]
        metrics[0].create_alarm(self, "Behind", threshold=600, evaluation_periods=3)
        tolerance = webhook.outage_tolerance
        if tolerance is not None:
            print(tolerance.to_human_string())
        if webhook.usage_plan is not None:
            webhook.usage_plan.add_api_key(apigateway.ApiKey(self, "Another"))
        webhook.api.root.add_resource("status")
        acl: wafv2.CfnWebACL | None = webhook.web_acl
        print(acl and acl.attr_arn)


class Own(Stack):
    """Every existing resource that an argument accepts, from the same app, and the members that work with it."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        queue = sqs.Queue(self, "Queue", visibility_timeout=Duration.minutes(3))
        consumer = lambda_.Function(
            self,
            "Consumer",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_inline("def handler(event, context): return {'batchItemFailures': []}"),
            layers=[RuntimeLayer(self, "Runtime")],
        )
        webhook = ScalableWebhook(
            self,
            "Webhook",
            ingress=Ingress.lambda_integration(),
            queue=queue,
            consumer=consumer,
            api=apigateway.RestApi(self, "Api", binary_media_types=["*/*"]),
        )
        table = dynamodb.Table(self, "Table", partition_key=key())
        table.grant_read_data(webhook)
        bucket = s3.Bucket(self, "Bucket")
        bucket.grant_read(webhook)
        webhook.queue.grant_consume_messages(iam.User(self, "Operator"))
        function: lambda_.Function = webhook.consumer
        function.add_environment("TABLE", table.table_name)
        ScalableWebhook(
            self,
            "Other",
            queue=QueueOptions(
                dead_letter_queue=sqs.Queue(self, "DeadLetters"),
                unverified_queue=sqs.Queue(self, "Unverified"),
            ),
            encryption_key=kms.Key(self, "Key"),
            large_payloads=bucket,
            api=ApiOptions(
                api_key=apigateway.ApiKey(self, "ApiKey"),
                web_acl=wafv2.CfnWebACL(
                    self,
                    "Acl",
                    scope="REGIONAL",
                    default_action=wafv2.CfnWebACL.DefaultActionProperty(allow=wafv2.CfnWebACL.AllowActionProperty()),
                    visibility_config=wafv2.CfnWebACL.VisibilityConfigProperty(
                        cloud_watch_metrics_enabled=True, metric_name="acl", sampled_requests_enabled=True
                    ),
                ),
            ),
            sink=Sink.dynamodb(table),
        )


class Imported(Stack):
    """Every existing resource that an argument accepts, imported."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        arn = "arn:aws:sqs:us-east-1:123456789012:Orders"
        ScalableWebhook(
            self,
            "Webhook",
            queue=sqs.Queue.from_queue_arn(self, "Queue", arn),
            sink=Sink.dynamodb(dynamodb.Table.from_table_name(self, "Table", "orders")),
            large_payloads=s3.Bucket.from_bucket_name(self, "Bucket", "payloads"),
            api=ApiOptions(api_key=apigateway.ApiKey.from_api_key_id(self, "ApiKey", "id")),
        )
        ScalableWebhook(
            self,
            "Other",
            encryption_key=kms.Key.from_lookup(self, "Key", alias_name="alias/orders"),
            source=Source.github(secretsmanager.Secret.from_secret_name_v2(self, "Secret", "github")),
            sink=Sink.dynamodb(dynamodb.TableV2(self, "Global", partition_key=key()), compress=True),
        )


class Providers(Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        secret = secretsmanager.Secret(self, "Secret")
        webhook = ScalableWebhook(self, "Webhook", path="/github", source=Source.github(secret))
        for path, source in {
            "/stripe": Source.stripe(secret, tolerance=Duration.minutes(5)),
            "/slack": Source.slack(secret),
            "/shopify": Source.shopify(secret, secret_field="key"),
            "/standard": Source.standard_webhooks(secret),
            "/twilio": Source.twilio(secret),
            "/meta": Source.meta(secret),
            "/graph": Source.microsoft_graph(secret),
            "/okta": Source.okta(secret, header="X-Okta"),
            "/zoom": Source.zoom(secret),
            "/x": Source.x(secret),
            "/hmac": Source.hmac(secret, header="X-Signature"),
            "/bank": Source.custom("verify", "bank.verify", secret=secret, packages=["certifi"]),
        }.items():
            url: str = webhook.add_source(path, source)
            print(url)
        webhook.add_source(
            "/direct",
            Source.hmac(secret, header="X-Signature"),
            ingress=Ingress.direct_integration(),
            event_filters=[{"body": {"draft": [False]}}],
            delivery_id_header="Idempotency-Key",
            acknowledgement=Acknowledgement(204),
        )


class Sinks(Stack):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        vpc = ec2.Vpc(self, "Vpc")
        secret = rds.DatabaseSecret(self, "Secret", username="webhooks")
        instance = rds.DatabaseInstance(self, "Instance", engine=rds.DatabaseInstanceEngine.POSTGRES, vpc=vpc)
        cluster = rds.DatabaseCluster(
            self,
            "Cluster",
            engine=rds.DatabaseClusterEngine.AURORA_MYSQL,
            writer=rds.ClusterInstance.serverless_v2("Writer"),
            vpc=vpc,
            enable_data_api=True,
        )
        assert instance.secret
        proxy = instance.add_proxy("Proxy", secrets=[instance.secret], vpc=vpc)
        security_groups = [ec2.SecurityGroup(self, "Group", vpc=vpc)]
        subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)
        postgres: DatabaseSink = Sink.postgres(
            instance,
            database_name="orders",
            table_name="orders",
            create_table=True,
            secret=secret,
            vpc=vpc,
            vpc_subnets=subnets,
            security_groups=security_groups,
        )
        print(postgres.create_table_statement)
        for n, sink in enumerate(
            [
                postgres,
                Sink.postgres(proxy, database_name="orders", iam_user="webhooks"),
                Sink.postgres(host="db.example.com", port=5433, database_name="o", secret=secret, tls=False, vpc=vpc),
                Sink.mysql(cluster, database_name="orders", ca_certificates="authorities.pem"),
                Sink.data_api(cluster, database_name="orders", secret=secret),
                Sink.http("https://example.com", timeout=Duration.seconds(3), signing_secret=secret),
                Sink.python("handler", "orders.handle", batch=True, packages=["requests"], environment={"A": "b"}),
                Sink.dynamodb(),
            ]
        ):
            ScalableWebhook(self, f"Webhook{n}", sink=sink)


class Throttle(Stack):
    """Every kind of throttle and of order, and the capacity of every kind of database."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        vpc = ec2.Vpc(self, "Vpc")
        engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17_6)
        instance = rds.DatabaseInstance(self, "Instance", engine=engine, vpc=vpc)
        cluster = rds.DatabaseCluster(
            self,
            "Cluster",
            engine=rds.DatabaseClusterEngine.AURORA_MYSQL,
            writer=rds.ClusterInstance.provisioned("Writer"),
            vpc=vpc,
        )
        assert instance.secret
        proxy = instance.add_proxy("Proxy", secrets=[instance.secret], vpc=vpc)
        for database in (instance, cluster, proxy):
            capacity = Capacity.of(database)
            print(capacity.source, capacity.max_connections, capacity.usable, capacity.usable_at_most)
        concurrency: int | None = Capacity.of(instance).recommended_concurrency(share=0.5)
        ScalableWebhook(self, "Fixed", max_concurrency=concurrency, max_delivery_rate=20)
        rate = AdaptiveRate(maximum=200, target_latency=Duration.millis(150))
        ScalableWebhook(self, "Adaptive", max_delivery_rate=rate, breaker=False)
        breaker = CircuitBreaker(failures=2, initial=Duration.minutes(2), maximum=Duration.hours(1), successes=1)
        guarded = ScalableWebhook(self, "Guarded", breaker=breaker)
        found: lambda_.Function | None = guarded.breaker
        assert found
        guarded.metric_paused().create_alarm(self, "Paused", threshold=1, evaluation_periods=1)
        guarded.metric_sink_down().create_alarm(self, "Down", threshold=1, evaluation_periods=1)
        guarded.metric_webhook_age().create_alarm(self, "Old", threshold=3600, evaluation_periods=1)
        topic = sns.Topic(self, "Topic")
        alarms = guarded.add_alarms(topic, AlarmOptions(rejected=False, behind=Duration.hours(1), dead_letters=10))
        alarms["DeadLetters"].add_alarm_action()
        dashboard: cloudwatch.Dashboard = guarded.add_dashboard("Guarded")
        dashboard.add_widgets(cloudwatch.TextWidget(markdown="mine"))
        imported = sns.Topic.from_topic_arn(self, "Imported", "arn:aws:sns:us-east-1:123456789012:topic")
        watched: Mapping[str, cloudwatch.Alarm] = ScalableWebhook(self, "Watched").add_alarms(imported)
        print(watched, ScalableWebhook(self, "Other").add_alarms(options=AlarmOptions(silence=True)))
        ScalableWebhook(self, "One", max_concurrency=1, queue=QueueOptions(ordered=True), max_delivery_rate=2.5)
        for n, group in enumerate([GroupBy.header("X-Shop"), GroupBy.field("data.account"), GroupBy.mount()]):
            ScalableWebhook(self, f"Ordered{n}", queue=QueueOptions(ordered=group))
            ScalableWebhook(self, f"Fair{n}", queue=QueueOptions(fair_by=group), max_concurrency=10)


def key() -> dynamodb.Attribute:
    return dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)


app = App()
for kind in (Shortest, Settings, Own, Imported, Providers, Sinks, Throttle):
    kind(app, kind.__name__)
app.synth()
