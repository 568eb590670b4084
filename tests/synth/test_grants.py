"""Every role has what the run time asks for of what it uses, wherever that is from; and no other policy is changed."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aws_cdk import App, CfnParameter, Duration, Environment, Stack
from aws_cdk import aws_dynamodb as dynamodb
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

# Where a key is from: what it is, made by the webhook's stack and another one.
KEYS: dict[str, Callable[[Stack, Stack], kms.IKey | None]] = {
    "AWS's": lambda here, there: None,
    "made here": lambda here, there: kms.Key(here, "Key"),
    "made elsewhere": lambda here, there: kms.Key(there, "Key"),
    "imported": lambda here, there: kms.Key.from_key_arn(here, "Key", KEY),
    "an alias made here": lambda here, there: kms.Key(here, "Key").add_alias("alias/orders"),
    "an alias made elsewhere": lambda here, there: kms.Key(there, "Key").add_alias("alias/orders"),
    "an alias from elsewhere": lambda here, there: kms.Alias.from_alias_name(here, "Key", "alias/orders"),
    "an alias that deployment knows": lambda here, there: kms.Alias.from_alias_name(
        here, "Key", CfnParameter(here, "Alias").value_as_string
    ),
}

SECRETS: dict[str, Callable[[Stack, Stack, kms.IKey | None], secretsmanager.ISecret]] = {
    "made here": lambda here, there, key: secretsmanager.Secret(here, "Secret", encryption_key=key),
    "made elsewhere": lambda here, there, key: secretsmanager.Secret(there, "Secret", encryption_key=key),
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


# Who reads a secret: the role, and the arguments by which it does.
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
    """What a role of the webhook may do, to what, and when."""
    resources = template["Resources"]
    (id,) = [each for each in resources if each.startswith(f"Webhook{role}Role") and "Policy" not in each]
    for statement in of_role(resources, id):
        for action in listed(statement["Action"]):
            for resource in listed(statement["Resource"]):
                yield action, json.dumps(resource), statement.get("Condition")


def key_as_iam_knows_it(key: kms.IKey, stack: Stack) -> tuple[str, dict[str, Any]]:
    """The ARN of a key in a policy of this stack, and the condition where only its alias is known."""
    alias = getattr(key, "alias_name", None)
    if alias is None:
        return json.dumps(stack.resolve(key.key_arn)), {}
    try:
        return json.dumps(stack.resolve(key.alias_target_key.key_arn)), {}  # type: ignore[attr-defined]
    except RuntimeError:
        any_key = stack.resolve(stack.format_arn(service="kms", resource="key", resource_name="*"))
        return json.dumps(any_key), {"ForAnyValue:StringEquals": {"kms:ResourceAliases": stack.resolve(alias)}}


def only_their_own(templates: dict[str, Any]) -> None:
    """No policy of a key, a secret, a table or a bucket names a role."""
    for template in templates.values():
        for id, resource in template.get("Resources", {}).items():
            if resource["Type"] in ("AWS::KMS::Key", "AWS::SecretsManager::ResourcePolicy", "AWS::S3::BucketPolicy"):
                assert "Role" not in json.dumps(resource), id


# The other stack would depend on this one, and this on it.
def is_a_cycle(elsewhere: bool, whose: str) -> bool:
    return elsewhere and ("here" in whose or "deployment" in whose)


@pytest.mark.parametrize(
    ("secret_from", "whose"),
    [(each, key) for each in SECRETS for key in KEYS if not is_a_cycle(each == "made elsewhere", key)],
)
@pytest.mark.parametrize("reader", READERS)
def test_who_reads_a_secret_may_read_it_and_use_its_key(reader: str, secret_from: str, whose: str) -> None:
    here, there = stacks()
    key = KEYS[whose](here, there)
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
        named, condition = key_as_iam_knows_it(secret.encryption_key, here)
        assert decrypting == [(named, {**VIA, **condition})]
    only_their_own(synthesised)


def queue(stack: Stack, key: kms.IKey | None) -> sqs.Queue:
    letters = sqs.DeadLetterQueue(queue=dead_letter_queue(stack, key), max_receive_count=5)
    visible = Duration.minutes(3)
    return sqs.Queue(stack, "Queue", encryption_master_key=key, dead_letter_queue=letters, visibility_timeout=visible)


def dead_letter_queue(stack: Stack, key: kms.IKey | None) -> sqs.Queue:
    return sqs.Queue(stack, "Letters", encryption_master_key=key, retention_period=Duration.days(14))


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

# What is encrypted by a key: the arguments, and what each role needs of the key.
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
    "a queue for what is unverified": (
        lambda stack, key: {
            "unverified_queue": sqs.Queue(stack, "Unverified", encryption_master_key=key),
            **verified_by_the_consumer(stack),
        },
        {"Consumer": SEND},
    ),
    "a table": (lambda stack, key: {"sink": Sink.dynamodb(table(stack, key))}, {"Publisher": set(), "Consumer": WRITE}),
    "a table of the second kind": (
        lambda stack, key: {"sink": Sink.dynamodb(table_v2(stack, key))},
        {"Publisher": set(), "Consumer": WRITE},
    ),
    "a bucket": (
        lambda stack, key: {"large_payloads": bucket(stack, key)},
        {"Publisher": {"kms:GenerateDataKey"}, "Consumer": {"kms:Decrypt", "kms:GenerateDataKey"}},
    ),
    "all that is made": (
        lambda stack, key: {"encryption_key": key, "large_payloads": True},
        {"Publisher": SEND, "Consumer": WRITE},
    ),
}


@pytest.mark.parametrize(
    ("what", "elsewhere", "whose"),
    [
        pytest.param(what, elsewhere, key, id=f"{what} made {'elsewhere' if elsewhere else 'here'}, {key}")
        for what in ENCRYPTED
        for elsewhere in (False, True)
        for key in KEYS
        if not is_a_cycle(elsewhere, key) and not (elsewhere and what == "all that is made")
    ],
)
def test_who_uses_what_is_encrypted_may_use_its_key(what: str, whose: str, elsewhere: bool) -> None:
    here, there = stacks()
    key = KEYS[whose](here, there)
    if elsewhere and whose == "an alias from elsewhere":
        key = KEYS[whose](there, here)
    make, needs = ENCRYPTED[what]
    ScalableWebhook(here, "Webhook", **grouped(make(there if elsewhere else here, key)))

    synthesised = templates(here)
    for role, actions in needs.items():
        may = [each for each in allowed(synthesised["Here"], role) if each[0].startswith("kms:")]
        if key is None:
            assert may == []
            continue
        named, condition = key_as_iam_knows_it(key, here)
        assert {action for action, *_ in may} == actions
        assert {resource for _, resource, _ in may} <= {named}
        assert all((found or {}) == condition for *_, found in may)
    only_their_own(synthesised)


QUEUE = "arn:aws:sqs:eu-west-1:111111111111:orders"
ID = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)

# Where something is from, and what it is then: what the webhook's stack makes, another one, or an import.
FROM: dict[str, dict[str, Callable[[Stack, Stack], Any]]] = {
    "queue": {
        "made here": lambda here, there: queue(here, None),
        "made elsewhere": lambda here, there: queue(there, None),
        "imported": lambda here, there: sqs.Queue.from_queue_arn(here, "Queue", QUEUE),
        "imported, as deployment knows": lambda here, there: sqs.Queue.from_queue_arn(
            here, "Queue", CfnParameter(here, "Arn").value_as_string
        ),
    },
    "dead_letter_queue": {
        "made here": lambda here, there: dead_letter_queue(here, None),
        "made elsewhere": lambda here, there: dead_letter_queue(there, None),
        "imported": lambda here, there: sqs.Queue.from_queue_arn(here, "Letters", f"{QUEUE}-letters"),
    },
    "unverified_queue": {
        "made here": lambda here, there: sqs.Queue(here, "Unverified"),
        "made elsewhere": lambda here, there: sqs.Queue(there, "Unverified"),
        "imported": lambda here, there: sqs.Queue.from_queue_arn(here, "Unverified", f"{QUEUE}-unverified"),
    },
    "table": {
        "made here": lambda here, there: table(here, None),
        "made elsewhere": lambda here, there: table(there, None),
        "of the second kind": lambda here, there: table_v2(here, None),
        "of the second kind, elsewhere": lambda here, there: table_v2(there, None),
        "imported": lambda here, there: dynamodb.Table.from_table_name(here, "Table", "orders"),
        "imported, of the second kind": lambda here, there: dynamodb.TableV2.from_table_name(here, "Table", "orders"),
    },
    "bucket": {
        "made here": lambda here, there: bucket(here, None),
        "made elsewhere": lambda here, there: bucket(there, None),
        "imported": lambda here, there: s3.Bucket.from_bucket_name(here, "Bucket", "payloads"),
    },
}
POLLS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility")
# By what is brought: its argument, and for each role the actions and of what, by the thing itself.
NEEDS: dict[str, tuple[Callable[[Any], dict[str, Any]], Callable[[Any], dict[str, list[tuple[str, str]]]]]] = {
    "queue": (
        lambda thing: {"queue": thing},
        lambda thing: {
            "Publisher": [("sqs:SendMessage", thing.queue_arn)],
            "Consumer": [(action, thing.queue_arn) for action in POLLS],
        },
    ),
    "dead_letter_queue": (
        lambda thing: {"dead_letter_queue": thing},
        lambda thing: {"Consumer": [("sqs:SendMessage", thing.queue_arn)]},
    ),
    "unverified_queue": (
        lambda thing: {"unverified_queue": thing, **verified_by_the_consumer(Stack.of(thing))},
        lambda thing: {"Consumer": [("sqs:SendMessage", thing.queue_arn)]},
    ),
    "table": (
        lambda thing: {"sink": Sink.dynamodb(thing)},
        lambda thing: {"Consumer": [("dynamodb:PartiQLInsert", thing.table_arn)]},
    ),
    "bucket": (
        lambda thing: {"large_payloads": thing},
        lambda thing: {
            "Publisher": [("s3:PutObject", thing.arn_for_objects("queued/*"))],
            "Consumer": [
                ("s3:GetObject", thing.arn_for_objects("queued/*")),
                ("s3:DeleteObject", thing.arn_for_objects("queued/*")),
                ("s3:ListBucket", thing.bucket_arn),
                ("s3:PutObject", thing.arn_for_objects("stored/*")),
            ],
        },
    ),
}


@pytest.mark.parametrize(("what", "origin"), [(what, origin) for what in FROM for origin in FROM[what]])
def test_who_uses_something_may_do_what_the_run_time_does(what: str, origin: str) -> None:
    here, there = stacks()
    thing = FROM[what][origin](here, there)
    brought, needs = NEEDS[what]
    ScalableWebhook(here, "Webhook", **grouped(brought(thing)))
    synthesised = templates(here)
    for role, permissions in needs(thing).items():
        may = {(action, resource) for action, resource, _ in allowed(synthesised["Here"], role)}
        for action, arn in permissions:
            assert (action, json.dumps(here.resolve(arn))) in may
    only_their_own(synthesised)
