"""``large_payloads``: the bucket, who may do what with it, and what is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Match, Template

from cdk_scalable_webhook import Ingress, ScalableWebhook, Sink

Synth = Callable[..., Template]


def statements(template: Template, role: str) -> list[tuple[list[str], str]]:
    """Actions and resources of what a role may do with S3 and KMS."""
    policies = template.find_resources(
        "AWS::IAM::Policy", {"Properties": {"Roles": [{"Ref": Match.string_like_regexp(role)}]}}
    )
    found = [each for policy in policies.values() for each in policy["Properties"]["PolicyDocument"]["Statement"]]
    allowed = [(_list(each["Action"]), str(each["Resource"])) for each in found if each["Effect"] == "Allow"]
    return sorted((a, r) for a, r in allowed if a[0].startswith(("s3:", "kms:")))


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def days(template: Template) -> int:
    (bucket,) = template.find_resources("AWS::S3::Bucket").values()
    return int(bucket["Properties"]["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"])


def environment(template: Template, handler: str) -> dict[str, Any]:
    (function,) = template.find_resources(
        "AWS::Lambda::Function", {"Properties": {"Handler": f"webhook_runtime.handlers.{handler}"}}
    ).values()
    variables = function["Properties"]["Environment"]["Variables"]
    return {name: value for name, value in variables.items() if "PAYLOAD" in name}


@pytest.mark.parametrize("off", [{}, {"large_payloads": False}])
def test_without_it_there_is_no_bucket_and_no_right(stack: Stack, off: dict[str, Any]) -> None:
    webhook = ScalableWebhook(stack, "Webhook", **off)
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::S3::Bucket", 0)
    assert webhook.payload_bucket is None
    assert "s3:" not in str(template.find_resources("AWS::IAM::Policy"))
    assert environment(template, "publisher") == environment(template, "dynamodb") == {}


def test_the_bucket_is_encrypted_private_and_owned_by_the_account(synth: Synth) -> None:
    everything = {"BlockPublicAcls": True, "BlockPublicPolicy": True, "IgnorePublicAcls": True}
    synth(large_payloads=True).has_resource_properties(
        "AWS::S3::Bucket",
        {
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
            "PublicAccessBlockConfiguration": everything | {"RestrictPublicBuckets": True},
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        },
    )


def test_the_bucket_is_for_tls_1_2_only(synth: Synth) -> None:
    template = synth(large_payloads=True)
    for condition in ({"Bool": {"aws:SecureTransport": "false"}}, {"NumericLessThan": {"s3:TlsVersion": 1.2}}):
        denied = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:*", "Condition": condition}
        template.has_resource_properties(
            "AWS::S3::BucketPolicy",
            {"PolicyDocument": {"Statement": Match.array_with([Match.object_like(denied)])}},
        )


def test_only_what_is_on_its_way_expires(synth: Synth) -> None:
    synth(large_payloads=True).has_resource_properties(
        "AWS::S3::Bucket",
        {
            "LifecycleConfiguration": {
                "Rules": [
                    {"Prefix": "queued/", "ExpirationInDays": 23, "Status": "Enabled"},
                    {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}, "Status": "Enabled"},
                ]
            }
        },
    )


@pytest.mark.parametrize(
    ("retention", "expected"),
    [(Duration.minutes(1), 16), (Duration.hours(36), 18), (Duration.days(4), 23), (Duration.days(14), 43)],
)
def test_it_expires_when_no_message_can_ask_for_it_any_more(synth: Synth, retention: Duration, expected: int) -> None:
    # Long enough for the retries.
    more: dict[str, Any] = {"max_receive_count": 1} if retention.to_minutes() < 60 else {}
    assert days(synth(large_payloads=True, retention_period=retention, **more)) == expected


def test_queues_that_were_brought_count(stack: Stack, synth: Synth) -> None:
    letters = sqs.Queue(stack, "Letters", retention_period=Duration.days(7))
    queue = sqs.Queue(
        stack,
        "Queue",
        visibility_timeout=Duration.minutes(3),
        retention_period=Duration.days(2),
        dead_letter_queue=sqs.DeadLetterQueue(queue=letters, max_receive_count=5),
    )
    assert days(synth(large_payloads=True, queue=queue)) == 2 + 7 + 2 + 1


def test_of_a_queue_that_is_not_known_the_longest_is_assumed(stack: Stack, synth: Synth) -> None:
    queue = sqs.Queue.from_queue_arn(stack, "Queue", "arn:aws:sqs:us-east-1:123456789012:orders")
    assert days(synth(large_payloads=True, queue=queue)) == 43


def test_the_functions_know_the_bucket_and_the_consumer_how_long_it_keeps(synth: Synth) -> None:
    template = synth(large_payloads=True)
    bucket = {"Ref": Match.string_like_regexp("WebhookPayloads")}
    known = environment(template, "publisher")
    assert list(known) == ["WEBHOOK_PAYLOAD_BUCKET"]
    template.has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Environment": {
                "Variables": Match.object_like({"WEBHOOK_PAYLOAD_BUCKET": bucket, "WEBHOOK_PAYLOAD_DAYS": "23"})
            }
        },
    )


def test_the_publisher_may_put_and_nothing_else(synth: Synth) -> None:
    ((actions, resource),) = statements(synth(large_payloads=True), "PublisherRole")
    assert actions == ["s3:PutObject"]
    assert "/queued/*" in resource


def test_the_consumer_may_fetch_and_delete_what_is_on_its_way_and_see_what_is_missing(synth: Synth) -> None:
    take, see = statements(synth(large_payloads=True, sink=Sink.http("https://example.com")), "ConsumerRole")
    assert sorted(take[0]) == ["s3:DeleteObject", "s3:GetObject"]
    assert "/queued/*" in take[1]
    # Without a condition: GetObject has no prefix, and 403 would be the answer again.
    assert see[0] == ["s3:ListBucket"]
    assert "/" not in see[1]


def test_listing_has_no_condition(synth: Synth) -> None:
    policies = synth(large_payloads=True).find_resources("AWS::IAM::Policy")
    found = [each for policy in policies.values() for each in policy["Properties"]["PolicyDocument"]["Statement"]]
    (listing,) = [each for each in found if each["Action"] == "s3:ListBucket"]
    assert "Condition" not in listing


def test_a_dynamodb_sink_may_keep_what_no_item_holds(synth: Synth) -> None:
    (_, _, keep) = sorted(statements(synth(large_payloads=True), "ConsumerRole"), key=lambda each: each[0][0])
    assert keep[0] == ["s3:PutObject"]
    assert "/stored/*" in keep[1]


def test_a_key_of_ones_own_encrypts_the_bucket_and_each_may_do_its_part(stack: Stack, synth: Synth) -> None:
    template = synth(large_payloads=True, encryption_key=kms.Key(stack, "Key"), sink=Sink.http("https://example.com"))
    template.has_resource_properties(
        "AWS::S3::Bucket",
        {
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [
                    {"BucketKeyEnabled": True, "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
                ]
            }
        },
    )
    publisher = {action for actions, _ in statements(template, "PublisherRole") for action in actions}
    consumer = {action for actions, _ in statements(template, "ConsumerRole") for action in actions}
    of_queue = {"kms:Decrypt", "kms:GenerateDataKey"}
    assert {action for action in publisher if action.startswith("kms:")} == of_queue
    assert {action for action in consumer if action.startswith("kms:")} == of_queue


@pytest.mark.parametrize(("policy", "kept"), [(None, "Retain"), (RemovalPolicy.DESTROY, "Delete")])
def test_what_becomes_of_the_bucket_with_the_stack(synth: Synth, policy: RemovalPolicy | None, kept: str) -> None:
    template = synth(large_payloads=True, removal_policy=policy)
    template.has_resource("AWS::S3::Bucket", {"DeletionPolicy": kept})
    # Emptying it would bring a function of the CDK's that may delete anything in it.
    template.resource_count_is("Custom::S3AutoDeleteObjects", 0)


def test_a_bucket_of_ones_own_is_used_as_it_is(stack: Stack, synth: Synth) -> None:
    bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "orders-payloads")
    webhook = ScalableWebhook(stack, "Webhook", large_payloads=bucket)
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::S3::Bucket", 0)
    template.resource_count_is("AWS::S3::BucketPolicy", 0)
    assert webhook.payload_bucket is bucket
    assert environment(template, "dynamodb") == {
        "WEBHOOK_PAYLOAD_BUCKET": "orders-payloads",
        "WEBHOOK_PAYLOAD_DAYS": "23",
    }
    ((_, resource),) = statements(template, "PublisherRole")
    assert resource.endswith(":s3:::orders-payloads/queued/*']]}")


@pytest.mark.parametrize("binary", [False, True])
def test_a_door_without_code_is_refused(synth: Synth, binary: bool) -> None:
    with pytest.raises(ValueError, match=r"large_payloads must not .* Ingress.lambda_integration"):
        synth(large_payloads=True, ingress=Ingress.direct_integration(binary=binary))


def test_a_consumer_of_ones_own_is_refused(stack: Stack, synth: Synth) -> None:
    consumer = lambda_.Function(
        stack,
        "Own",
        runtime=lambda_.Runtime.PYTHON_3_14,
        handler="index.handler",
        code=lambda_.Code.from_inline("def handler(event, context): ..."),
        timeout=Duration.seconds(5),
    )
    with pytest.raises(ValueError, match=r"large_payloads must not be set together with consumer.* take Sink.python"):
        synth(large_payloads=True, consumer=consumer)
