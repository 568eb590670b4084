"""Each role has the permissions that the run time needs, for resources of any origin, and no other policy changes."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aws_cdk import App, CfnParameter, Duration, Environment, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs

from cdk_scalable_webhook import Ingress, ScalableWebhook, Sink, Source

from .grouped import grouped
from .policies import listed, of_role
from .test_existing import cluster

ENV = Environment(account="1" * 12, region="eu-west-1")
KEY = "arn:aws:kms:eu-west-1:111111111111:key/00000000-0000-0000-0000-000000000000"
SECRET = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:stripe"
VIA = {"StringLike": {"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com*"}}

# A key by its origin, from the stack of the webhook and another one.
KEYS: dict[str, Callable[[Stack, Stack], kms.IKey | None]] = {
    "AWS managed": lambda here, there: None,
    "created here": lambda here, there: kms.Key(here, "Key"),
    "created elsewhere": lambda here, there: kms.Key(there, "Key"),
    "imported": lambda here, there: kms.Key.from_key_arn(here, "Key", KEY),
    "an alias created here": lambda here, there: kms.Key(here, "Key").add_alias("alias/orders"),
    "an alias created elsewhere": lambda here, there: kms.Key(there, "Key").add_alias("alias/orders"),
    "an alias from elsewhere": lambda here, there: kms.Alias.from_alias_name(here, "Key", "alias/orders"),
    "an alias known at deployment": lambda here, there: kms.Alias.from_alias_name(
        here, "Key", CfnParameter(here, "Alias").value_as_string
    ),
}

SECRETS: dict[str, Callable[[Stack, Stack, kms.IKey | None], secretsmanager.ISecret]] = {
    "created here": lambda here, there, key: secretsmanager.Secret(here, "Secret", encryption_key=key),
    "created elsewhere": lambda here, there, key: secretsmanager.Secret(there, "Secret", encryption_key=key),
    "imported": lambda here, there, key: secretsmanager.Secret.from_secret_attributes(
        here, "Secret", secret_complete_arn=f"{SECRET}-AbCdEf", encryption_key=key
    ),
    "imported by a part of its ARN": lambda here, there, key: secretsmanager.Secret.from_secret_attributes(
        here, "Secret", secret_partial_arn=SECRET, encryption_key=key
    ),
    "imported by name": lambda here, there, key: secretsmanager.Secret.from_secret_name_v2(here, "Secret", "stripe"),
}


def host(secret: secretsmanager.ISecret) -> dict[str, Any]:
    return {"sink": Sink.postgres(host="h", database_name="d", secret=secret)}


# A reader of a secret: its role, and the arguments that let it read the secret.
READERS: dict[str, tuple[str, Callable[[Stack, secretsmanager.ISecret], dict[str, Any]]]] = {
    "a publisher": ("Publisher", lambda stack, secret: {"source": Source.stripe(secret)}),
    "a consumer that verifies": (
        "Consumer",
        lambda stack, secret: {"source": Source.stripe(secret), "ingress": Ingress.direct_integration()},
    ),
    "a consumer that signs": (
        "Consumer",
        lambda stack, secret: {"sink": Sink.http("https://example.com", signing_secret=secret)},
    ),
    "a consumer that logs in": ("Consumer", lambda stack, secret: host(secret)),
    "a consumer at the Data API": (
        "Consumer",
        lambda stack, secret: {
            "sink": Sink.data_api(cluster(stack, enable_data_api=True), database_name="d", secret=secret)
        },
    ),
}


def stacks() -> tuple[Stack, Stack]:
    app = App()
    return Stack(app, "Here", env=ENV), Stack(app, "There", env=ENV)


def templates(stack: Stack) -> dict[str, Any]:
    app = stack.node.root
    assert isinstance(app, App)
    return {each.stack_name: each.template for each in app.synth().stacks}


def allowed(template: dict[str, Any], role: str) -> Iterator[tuple[str, str, Any]]:
    """Yield each permission of a role of the webhook: its action, resource and condition."""
    resources = template["Resources"]
    (id,) = [each for each in resources if each.startswith(f"Webhook{role}Role") and "Policy" not in each]
    for statement in of_role(resources, id):
        for action in listed(statement["Action"]):
            for resource in listed(statement["Resource"]):
                yield action, json.dumps(resource), statement.get("Condition")


def key_in_policy(key: kms.IKey, stack: Stack) -> tuple[str, dict[str, Any]]:
    """Return the ARN of a key in a policy of this stack, and the condition if only its alias is known."""
    alias = getattr(key, "alias_name", None)
    if alias is None:
        return json.dumps(stack.resolve(key.key_arn)), {}
    try:
        return json.dumps(stack.resolve(key.alias_target_key.key_arn)), {}  # type: ignore[attr-defined]
    except RuntimeError:
        any_key = stack.resolve(stack.format_arn(service="kms", resource="key", resource_name="*"))
        return json.dumps(any_key), {"ForAnyValue:StringEquals": {"kms:ResourceAliases": stack.resolve(alias)}}


def assert_no_resource_policy_names_a_role(templates: dict[str, Any]) -> None:
    """Assert that no policy of a key, a secret or a bucket names a role."""
    for template in templates.values():
        for id, resource in template.get("Resources", {}).items():
            if resource["Type"] in ("AWS::KMS::Key", "AWS::SecretsManager::ResourcePolicy", "AWS::S3::BucketPolicy"):
                assert "Role" not in json.dumps(resource), id


def is_a_cycle(elsewhere: bool, key_from: str) -> bool:
    """Tell whether the two stacks would depend on each other."""
    return elsewhere and (key_from.endswith(" here") or "deployment" in key_from)


@pytest.mark.parametrize(
    ("secret_from", "key_from"),
    [(each, key) for each in SECRETS for key in KEYS if not is_a_cycle(each == "created elsewhere", key)],
)
@pytest.mark.parametrize("reader", READERS)
def test_a_reader_of_a_secret_may_read_it_and_use_its_key(reader: str, secret_from: str, key_from: str) -> None:
    here, there = stacks()
    key = KEYS[key_from](here, there)
    secret = SECRETS[secret_from](here, there, key)
    role, arguments = READERS[reader]
    ScalableWebhook(here, "Webhook", **grouped(arguments(here, secret)))

    synthesised = templates(here)
    may = list(allowed(synthesised["Here"], role))
    arn = secret.secret_full_arn or f"{secret.secret_arn}-??????"
    assert ("secretsmanager:GetSecretValue", json.dumps(here.resolve(arn)), None) in may
    decrypting = [(resource, condition) for action, resource, condition in may if action == "kms:Decrypt"]
    if secret.encryption_key is None:
        assert decrypting == []
    else:
        named, condition = key_in_policy(secret.encryption_key, here)
        assert decrypting == [(named, {**VIA, **condition})]
    assert_no_resource_policy_names_a_role(synthesised)


def queue(stack: Stack, key: kms.IKey | None) -> sqs.Queue:
    policy = sqs.DeadLetterQueue(queue=dead_letter_queue(stack, key), max_receive_count=5)
    visible = Duration.minutes(3)
    return sqs.Queue(stack, "Queue", encryption_master_key=key, dead_letter_queue=policy, visibility_timeout=visible)


def dead_letter_queue(stack: Stack, key: kms.IKey | None) -> sqs.Queue:
    return sqs.Queue(stack, "DeadLetterQueue", encryption_master_key=key, retention_period=Duration.days(14))


def table(stack: Stack, key: kms.IKey | None) -> dynamodb.Table:
    id = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
    return dynamodb.Table(stack, "Table", partition_key=id, encryption_key=key)


def table_v2(stack: Stack, key: kms.IKey | None) -> dynamodb.TableV2:
    id = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
    encryption = dynamodb.TableEncryptionV2.customer_managed_key(key) if key else None
    return dynamodb.TableV2(stack, "Table", partition_key=id, encryption=encryption)


def bucket(stack: Stack, key: kms.IKey | None) -> s3.Bucket:
    return s3.Bucket(stack, "Bucket", encryption_key=key)


def verified_by_the_consumer(stack: Stack) -> dict[str, Any]:
    secret = secretsmanager.Secret.from_secret_name_v2(stack, "Github", "github")
    return {"ingress": Ingress.direct_integration(), "source": Source.github(secret)}


SEND, RECEIVE = {"kms:Decrypt", "kms:GenerateDataKey"}, {"kms:Decrypt"}
WRITE = {
    *("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"),
    *("kms:ReEncryptFrom", "kms:ReEncryptTo"),
}

# An encrypted resource: the arguments, and the actions on its key that each role needs.
ENCRYPTED: dict[str, tuple[Callable[[Stack, kms.IKey | None], dict[str, Any]], dict[str, set[str]]]] = {
    "a queue": (lambda stack, key: {"queue": queue(stack, key)}, {"Publisher": SEND, "Consumer": {*SEND, *RECEIVE}}),
    "a queue without a publisher": (
        lambda stack, key: {"queue": queue(stack, key), "ingress": Ingress.direct_integration()},
        {"Ingress": SEND},
    ),
    "a dead-letter queue": (
        lambda stack, key: {"dead_letter_queue": dead_letter_queue(stack, key)},
        {"Publisher": set(), "Consumer": SEND},
    ),
    "an unverified queue": (
        lambda stack, key: {
            "unverified_queue": sqs.Queue(stack, "Unverified", encryption_master_key=key),
            **verified_by_the_consumer(stack),
        },
        {"Consumer": SEND},
    ),
    "a table": (lambda stack, key: {"sink": Sink.dynamodb(table(stack, key))}, {"Publisher": set(), "Consumer": WRITE}),
    "a TableV2": (
        lambda stack, key: {"sink": Sink.dynamodb(table_v2(stack, key))},
        {"Publisher": set(), "Consumer": WRITE},
    ),
    "a bucket": (
        lambda stack, key: {"large_payloads": bucket(stack, key)},
        {"Publisher": {"kms:GenerateDataKey"}, "Consumer": {"kms:Decrypt", "kms:GenerateDataKey"}},
    ),
    "each created resource": (
        lambda stack, key: {"encryption_key": key, "large_payloads": True},
        {"Publisher": SEND, "Consumer": WRITE},
    ),
}


@pytest.mark.parametrize(
    ("encrypted", "elsewhere", "key_from"),
    [
        pytest.param(encrypted, elsewhere, key, id=f"{encrypted} created {'elsewhere' if elsewhere else 'here'}, {key}")
        for encrypted in ENCRYPTED
        for elsewhere in (False, True)
        for key in KEYS
        if not is_a_cycle(elsewhere, key) and not (elsewhere and encrypted == "each created resource")
    ],
)
def test_a_role_that_uses_an_encrypted_resource_may_use_its_key(encrypted: str, key_from: str, elsewhere: bool) -> None:
    here, there = stacks()
    key = KEYS[key_from](here, there)
    if elsewhere and key_from == "an alias from elsewhere":
        key = KEYS[key_from](there, here)
    make, needs = ENCRYPTED[encrypted]
    ScalableWebhook(here, "Webhook", **grouped(make(there if elsewhere else here, key)))

    synthesised = templates(here)
    for role, actions in needs.items():
        may = [each for each in allowed(synthesised["Here"], role) if each[0].startswith("kms:")]
        if key is None:
            assert may == []
            continue
        named, condition = key_in_policy(key, here)
        assert {action for action, *_ in may} == actions
        assert {resource for _, resource, _ in may} <= {named}
        assert all((found or {}) == condition for *_, found in may)
    assert_no_resource_policy_names_a_role(synthesised)


QUEUE = "arn:aws:sqs:eu-west-1:111111111111:orders"
ID = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)

# A resource by its kind and origin: created in the stack of the webhook or in another one, or imported.
ORIGINS: dict[str, dict[str, Callable[[Stack, Stack], Any]]] = {
    "queue": {
        "created here": lambda here, there: queue(here, None),
        "created elsewhere": lambda here, there: queue(there, None),
        "imported": lambda here, there: sqs.Queue.from_queue_arn(here, "Queue", QUEUE),
        "imported, known at deployment": lambda here, there: sqs.Queue.from_queue_arn(
            here, "Queue", CfnParameter(here, "Arn").value_as_string
        ),
    },
    "dead_letter_queue": {
        "created here": lambda here, there: dead_letter_queue(here, None),
        "created elsewhere": lambda here, there: dead_letter_queue(there, None),
        "imported": lambda here, there: sqs.Queue.from_queue_arn(here, "DeadLetterQueue", f"{QUEUE}-dlq"),
    },
    "unverified_queue": {
        "created here": lambda here, there: sqs.Queue(here, "Unverified"),
        "created elsewhere": lambda here, there: sqs.Queue(there, "Unverified"),
        "imported": lambda here, there: sqs.Queue.from_queue_arn(here, "Unverified", f"{QUEUE}-unverified"),
    },
    "table": {
        "created here": lambda here, there: table(here, None),
        "created elsewhere": lambda here, there: table(there, None),
        "TableV2 created here": lambda here, there: table_v2(here, None),
        "TableV2 created elsewhere": lambda here, there: table_v2(there, None),
        "imported": lambda here, there: dynamodb.Table.from_table_name(here, "Table", "orders"),
        "TableV2 imported": lambda here, there: dynamodb.TableV2.from_table_name(here, "Table", "orders"),
    },
    "bucket": {
        "created here": lambda here, there: bucket(here, None),
        "created elsewhere": lambda here, there: bucket(there, None),
        "imported": lambda here, there: s3.Bucket.from_bucket_name(here, "Bucket", "payloads"),
    },
}
POLLS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility")
# Each kind of resource: its argument, and the actions and ARNs that each role needs.
NEEDS: dict[str, tuple[Callable[[Any], dict[str, Any]], Callable[[Any], dict[str, list[tuple[str, str]]]]]] = {
    "queue": (
        lambda resource: {"queue": resource},
        lambda resource: {
            "Publisher": [("sqs:SendMessage", resource.queue_arn)],
            "Consumer": [(action, resource.queue_arn) for action in POLLS],
        },
    ),
    "dead_letter_queue": (
        lambda resource: {"dead_letter_queue": resource},
        lambda resource: {"Consumer": [("sqs:SendMessage", resource.queue_arn)]},
    ),
    "unverified_queue": (
        lambda resource: {"unverified_queue": resource, **verified_by_the_consumer(Stack.of(resource))},
        lambda resource: {"Consumer": [("sqs:SendMessage", resource.queue_arn)]},
    ),
    "table": (
        lambda resource: {"sink": Sink.dynamodb(resource)},
        lambda resource: {"Consumer": [("dynamodb:PartiQLInsert", resource.table_arn)]},
    ),
    "bucket": (
        lambda resource: {"large_payloads": resource},
        lambda resource: {
            "Publisher": [("s3:PutObject", resource.arn_for_objects("queued/*"))],
            "Consumer": [
                ("s3:GetObject", resource.arn_for_objects("queued/*")),
                ("s3:DeleteObject", resource.arn_for_objects("queued/*")),
                ("s3:ListBucket", resource.bucket_arn),
                ("s3:PutObject", resource.arn_for_objects("stored/*")),
            ],
        },
    ),
}


@pytest.mark.parametrize(("kind", "origin"), [(kind, origin) for kind in ORIGINS for origin in ORIGINS[kind]])
def test_a_role_may_do_all_that_the_run_time_does_with_a_resource(kind: str, origin: str) -> None:
    here, there = stacks()
    resource = ORIGINS[kind][origin](here, there)
    arguments, needs = NEEDS[kind]
    ScalableWebhook(here, "Webhook", **grouped(arguments(resource)))
    synthesised = templates(here)
    for role, permissions in needs(resource).items():
        may = {(action, resource) for action, resource, _ in allowed(synthesised["Here"], role)}
        for action, arn in permissions:
            assert (action, json.dumps(here.resolve(arn))) in may
    assert_no_resource_policy_names_a_role(synthesised)


@pytest.mark.parametrize("key_from", KEYS)
@pytest.mark.parametrize(
    "ingress", [Ingress.lambda_integration(), Ingress.direct_integration()], ids=["Lambda", "direct"]
)
def test_an_operator_may_redrive_from_the_queues_of_the_webhook_alone(ingress: Ingress, key_from: str) -> None:
    here, there = stacks()
    key = KEYS[key_from](here, there)
    source = Source.stripe(secretsmanager.Secret(here, "Secret"))
    webhook = ScalableWebhook(here, "Webhook", source=source, ingress=ingress, encryption_key=key)
    operator = iam.Role(here, "WebhookOperatorRole", assumed_by=iam.AccountRootPrincipal())
    webhook.grant_redrive(operator).assert_success()

    synthesised = templates(here)
    may = {(action, resource) for action, resource, _ in allowed(synthesised["Here"], "Operator")}
    look = {"GetQueueAttributes", "ReceiveMessage", "ChangeMessageVisibility", "DeleteMessage"}
    by_sqs = {"ListDeadLetterSourceQueues", "StartMessageMoveTask", "ListMessageMoveTasks", "CancelMessageMoveTask"}
    assert webhook.dead_letter_queue
    expected = {
        webhook.queue.queue_arn: {"GetQueueAttributes", "GetQueueUrl", "SendMessage"},
        webhook.dead_letter_queue.queue_arn: look | by_sqs,
    }
    if webhook.unverified_queue:
        expected[webhook.unverified_queue.queue_arn] = look
    assert bool(webhook.unverified_queue) == (webhook.publisher is None)
    assert {each for each in may if each[0].startswith("sqs:")} == {
        (f"sqs:{action}", json.dumps(here.resolve(arn))) for arn, actions in expected.items() for action in actions
    }
    assert {each for each in may if each[0].startswith("lambda:")} == {
        ("lambda:GetFunctionConfiguration", json.dumps(here.resolve(webhook.consumer.function_arn))),
        (
            "lambda:GetEventSourceMapping",
            json.dumps(here.resolve(webhook.event_source_mapping.event_source_mapping_arn)),
        ),
    }
    keys = {key_in_policy(key, here)[0]} if key else set()
    assert {each for each in may if each[0].startswith("kms:")} == {
        (f"kms:{action}", each) for each in keys for action in ("Decrypt", "GenerateDataKey")
    }
    assert_no_resource_policy_names_a_role(synthesised)
