"""``large_payloads``: the bucket, the permissions on it, and the rejected arguments."""

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
    """Return the actions of S3 and KMS that a role may call, each with its resource."""
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
def test_without_large_payloads_there_is_no_bucket_and_no_permission(stack: Stack, off: dict[str, Any]) -> None:
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


def test_the_bucket_denies_requests_without_tls_1_2(synth: Synth) -> None:
    template = synth(large_payloads=True)
    for condition in ({"Bool": {"aws:SecureTransport": "false"}}, {"NumericLessThan": {"s3:TlsVersion": 1.2}}):
        denied = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:*", "Condition": condition}
        template.has_resource_properties(
            "AWS::S3::BucketPolicy",
            {"PolicyDocument": {"Statement": Match.array_with([Match.object_like(denied)])}},
        )


def test_only_queued_payloads_expire(synth: Synth) -> None:
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
def test_a_queued_payload_expires_after_every_message_that_can_name_it(
    synth: Synth, retention: Duration, expected: int
) -> None:
    # A queue must keep a message longer than its retries take.
    more: dict[str, Any] = {"max_receive_count": 1} if retention.to_minutes() < 60 else {}
    assert days(synth(large_payloads=True, retention_period=retention, **more)) == expected


def test_the_retention_of_existing_queues_counts(stack: Stack, synth: Synth) -> None:
    dead_letters = sqs.Queue(stack, "DeadLetters", retention_period=Duration.days(7))
    queue = sqs.Queue(
        stack,
        "Queue",
        visibility_timeout=Duration.minutes(3),
        retention_period=Duration.days(2),
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=5),
    )
    assert days(synth(large_payloads=True, queue=queue)) == 2 + 7 + 2 + 1


def test_an_imported_queue_counts_with_the_longest_retention(stack: Stack, synth: Synth) -> None:
    queue = sqs.Queue.from_queue_arn(stack, "Queue", "arn:aws:sqs:us-east-1:123456789012:orders")
    assert days(synth(large_payloads=True, queue=queue)) == 43


def test_both_functions_know_the_bucket_and_the_consumer_knows_its_expiry(synth: Synth) -> None:
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


def test_the_publisher_may_only_put_queued_payloads(synth: Synth) -> None:
    ((actions, resource),) = statements(synth(large_payloads=True), "PublisherRole")
    assert actions == ["s3:PutObject"]
    assert "/queued/*" in resource


def test_the_consumer_may_get_and_delete_queued_payloads_and_list_the_bucket(synth: Synth) -> None:
    objects, listing = statements(synth(large_payloads=True, sink=Sink.http("https://example.com")), "ConsumerRole")
    assert sorted(objects[0]) == ["s3:DeleteObject", "s3:GetObject"]
    assert "/queued/*" in objects[1]
    # The right to list turns the 403 for a missing object into a 404.
    assert listing[0] == ["s3:ListBucket"]
    assert "/" not in listing[1]


def test_the_permission_to_list_has_no_condition(synth: Synth) -> None:
    # GetObject has no prefix: a condition on one never holds.
    policies = synth(large_payloads=True).find_resources("AWS::IAM::Policy")
    found = [each for policy in policies.values() for each in policy["Properties"]["PolicyDocument"]["Statement"]]
    (listing,) = [each for each in found if each["Action"] == "s3:ListBucket"]
    assert "Condition" not in listing


def test_a_dynamodb_sink_may_put_stored_payloads(synth: Synth) -> None:
    (_, _, stored) = sorted(statements(synth(large_payloads=True), "ConsumerRole"), key=lambda each: each[0][0])
    assert stored[0] == ["s3:PutObject"]
    assert "/stored/*" in stored[1]


def test_an_existing_key_encrypts_the_bucket(stack: Stack, synth: Synth) -> None:
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


def test_both_functions_may_use_the_key_of_the_bucket(stack: Stack, synth: Synth) -> None:
    """Besides the key's use for the queue, which is an existing one here and has none."""
    dead_letters = sqs.DeadLetterQueue(queue=sqs.Queue(stack, "DeadLetters"), max_receive_count=4)
    queue = sqs.Queue(stack, "Existing", visibility_timeout=Duration.minutes(3), dead_letter_queue=dead_letters)
    template = synth(
        large_payloads=True,
        encryption_key=kms.Key(stack, "Key"),
        queue=queue,
        sink=Sink.http("https://example.com"),
    )
    for role, needed in {"PublisherRole": "kms:GenerateDataKey", "ConsumerRole": "kms:Decrypt"}.items():
        actions = {action for actions, _ in statements(template, role) for action in actions}
        assert {action for action in actions if action.startswith("kms:")} == {needed}


@pytest.mark.parametrize(("policy", "kept"), [(None, "Retain"), (RemovalPolicy.DESTROY, "Delete")])
def test_the_bucket_has_the_removal_policy(synth: Synth, policy: RemovalPolicy | None, kept: str) -> None:
    template = synth(large_payloads=True, removal_policy=policy)
    template.has_resource("AWS::S3::Bucket", {"DeletionPolicy": kept})
    # To empty it, the CDK adds a function that may delete every object.
    template.resource_count_is("Custom::S3AutoDeleteObjects", 0)


def test_an_existing_bucket_is_used_unchanged(stack: Stack, synth: Synth) -> None:
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
def test_a_direct_integration_is_rejected(synth: Synth, binary: bool) -> None:
    with pytest.raises(ValueError, match=r"large_payloads must not .* Ingress.lambda_integration"):
        synth(large_payloads=True, ingress=Ingress.direct_integration(binary=binary))


def test_an_existing_consumer_is_rejected(stack: Stack, synth: Synth) -> None:
    consumer = lambda_.Function(
        stack,
        "Existing",
        runtime=lambda_.Runtime.PYTHON_3_14,
        handler="index.handler",
        code=lambda_.Code.from_inline("def handler(event, context): ..."),
        timeout=Duration.seconds(5),
    )
    with pytest.raises(ValueError, match=r"large_payloads must not be set together with consumer.* take Sink.python"):
        synth(large_payloads=True, consumer=consumer)
