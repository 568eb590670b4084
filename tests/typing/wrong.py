# fmt: off
"""Mistakes that a type checker finds before the synth. Next to each call is the name of the finding in mypy and pyright.
This file is never run. No checker finds a mistake without such a name.
"""

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs

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
    QueueOptions,
    Retry,
    ScalableWebhook,
    Sink,
    Source,
)
from webhook_runtime import Permanent, RetryAfter, Webhook, read
from webhook_runtime.testing import webhook


def construct(stack: Stack, queue: sqs.Queue, secret: secretsmanager.Secret, bucket: s3.Bucket) -> None:
    ScalableWebhook(stack)  # mypy: call-arg; pyright: reportCallIssue
    ScalableWebhook(stack, "W", Ingress.direct_integration())  # mypy: call-arg, arg-type; pyright: reportCallIssue
    ScalableWebhook(stack, "W", concurrency=5)  # mypy: call-arg; pyright: reportCallIssue
    ScalableWebhook(stack, "W", ingress="direct")  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", source="github")  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", source=secret)  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", sink="dynamodb")  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", queue="arn:aws:sqs:us-east-1:1:q")  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", queue=bucket)  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", queue=QueueOptions(dead_letter_queue=True))  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", consumer=handler)  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", api="https://example.com")  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", encryption_key=secret)  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", large_payloads="bucket")  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", event_filters={"headers": {}})  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", max_concurrency="5")  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", breaker=3)  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", breaker=None)  # mypy: arg-type; pyright: reportArgumentType
    CircuitBreaker(initial=60)  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", max_delivery_rate="5")  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", max_delivery_rate=Duration.seconds(1))  # mypy: arg-type; pyright: reportArgumentType
    AdaptiveRate(maximum=5)  # mypy: call-arg; pyright: reportCallIssue
    AdaptiveRate(maximum=5, target_latency=150)  # mypy: arg-type; pyright: reportArgumentType
    QueueOptions(ordered="data.account")  # mypy: arg-type; pyright: reportArgumentType
    QueueOptions(fair_by=True)  # mypy: arg-type; pyright: reportArgumentType
    GroupBy.body("data.account")  # mypy: attr-defined; pyright: reportAttributeAccessIssue
    Capacity.of("orders")  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", enabled="no")  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", batch_size=1.5)  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", consumer=ConsumerOptions(timeout=30))  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", queue=QueueOptions(visibility_timeout="1 minute"))  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", retry=3)  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", api=ApiOptions(api_key="secret"))  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", api=ApiOptions(web_acl="arn:aws:wafv2:…"))  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", api=ApiOptions(domain_name="hooks.example.com"))  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", acknowledgement=200)  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", log_retention=30)  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", removal_policy="destroy")  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", tracing=True)  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W").add_alarms("arn:aws:sns:…")  # mypy: arg-type; pyright: reportArgumentType
    AlarmOptions(behind=600)  # mypy: arg-type; pyright: reportArgumentType
    AlarmOptions(silence=None)  # mypy: arg-type; pyright: reportArgumentType
    ScalableWebhook(stack, "W", api=ApiOptions(allowed_ip_ranges=[24]))  # mypy: list-item; pyright: reportArgumentType
    ScalableWebhook(stack, "W", max_concurrency=True)
    ScalableWebhook(stack, "W", api=ApiOptions(allowed_ip_ranges="203.0.113.0/24"))
    ScalableWebhook(stack, "W", max_concurrency=0)


def kinds(secret: secretsmanager.Secret, table: dynamodb.Table, instance: rds.DatabaseInstance) -> None:
    Ingress()  # mypy: abstract; pyright: reportAbstractUsage
    Ingress.direct()  # mypy: attr-defined; pyright: reportAttributeAccessIssue
    Ingress.direct_integration(True)  # mypy: call-arg; pyright: reportCallIssue
    Source.github("s3cr3t")  # mypy: arg-type; pyright: reportArgumentType
    Source.stripe(secret, tolerance=300)  # mypy: arg-type; pyright: reportArgumentType
    Source.hmac(secret)  # mypy: call-arg; pyright: reportCallIssue
    Sink.dynamodb("orders")  # mypy: arg-type; pyright: reportArgumentType
    Sink.postgres(instance)  # mypy: call-arg; pyright: reportCallIssue
    Sink.postgres(table, database_name="orders")  # mypy: arg-type; pyright: reportArgumentType
    Sink.postgres(instance, database_name="orders", security_groups="sg-1")  # mypy: arg-type; pyright: reportArgumentType
    Sink.data_api(instance, database_name="orders")  # mypy: arg-type; pyright: reportArgumentType
    Sink.http("https://example.com", timeout=10)  # mypy: arg-type; pyright: reportArgumentType
    Sink.python("handler", handler)  # mypy: arg-type; pyright: reportArgumentType
    Retry(initial=10)  # mypy: arg-type; pyright: reportArgumentType
    Retry(Duration.seconds(10))  # mypy: call-arg; pyright: reportCallIssue
    Acknowledgement("200")  # mypy: arg-type; pyright: reportArgumentType


def results(webhook: ScalableWebhook, stack: Stack, secret: secretsmanager.Secret) -> None:
    webhook.outage_tolerance.to_seconds()  # mypy: union-attr; pyright: reportOptionalMemberAccess
    webhook.dead_letter_queue.queue_arn  # mypy: union-attr; pyright: reportOptionalMemberAccess
    webhook.url = "https://example.com"  # mypy: misc; pyright: reportAttributeAccessIssue
    webhook.add_source(Source.github(secret))  # mypy: call-arg, arg-type; pyright: reportCallIssue
    webhook.add_source("/a", Source.github(secret), "direct")  # mypy: call-arg, arg-type; pyright: reportCallIssue
    webhook.add_source("/a", Source.github(secret), event_filters={"body": {}})  # mypy: arg-type; pyright: reportArgumentType
    webhook.add_source("/a", Source.meta(secret), delivery_id_header=1)  # mypy: arg-type; pyright: reportArgumentType
    webhook.add_source("/a", Source.meta(secret), acknowledgement=204)  # mypy: arg-type; pyright: reportArgumentType
    webhook.add_source("/a", Source.github(secret), delivery_id_header="X-Id")
    webhook.grant_invoke("arn:aws:iam::1:user/client")  # mypy: arg-type; pyright: reportArgumentType
    webhook.grant_pause("operator")  # mypy: arg-type; pyright: reportArgumentType
    webhook.grant_redrive("operator")  # mypy: arg-type; pyright: reportArgumentType
    webhook.metric_backlog_age(period=60)  # mypy: arg-type; pyright: reportArgumentType
    api: apigateway.HttpIntegration = webhook.api  # mypy: assignment; pyright: reportAssignmentType
    function: lambda_.Alias = webhook.consumer  # mypy: assignment; pyright: reportAssignmentType
    print(stack, api, function)


def handler(received: Webhook) -> None:
    received.payload  # mypy: attr-defined; pyright: reportAttributeAccessIssue
    print(received.body + "text")  # mypy: operator; pyright: reportOperatorIssue
    received.id = "another"  # mypy: misc; pyright: reportAttributeAccessIssue
    received.json  # without a call, which no checker requires
    webhook(json={}, attempt="2")  # mypy: arg-type; pyright: reportArgumentType
    read("body")  # mypy: arg-type; pyright: reportArgumentType
    if received.attempt > 5:
        raise Permanent()  # mypy: call-arg; pyright: reportCallIssue
    raise RetryAfter("soon")  # mypy: arg-type; pyright: reportArgumentType
