from typing import Any

import pytest

from webhook_runtime.contract import settings
from webhook_runtime.contract.records import fields_of
from webhook_runtime.contract.settings import (
    ConsumerSettings,
    DataApiSettings,
    DatabaseSettings,
    DynamoDBSettings,
    FilterSettings,
    HttpSettings,
    PaceSettings,
    PublisherSettings,
    PythonSettings,
    SourceSettings,
    UnverifiedSettings,
    from_environment,
    to_environment,
)

QUEUE = "https://sqs/Queue"
EVERY_FIELD: list[tuple[Any, dict[str, str]]] = [
    (SourceSettings({"/": {"kind": "token"}, "/open": None}), {"SOURCES": '{"/":{"kind":"token"},"/open":null}'}),
    (FilterSettings({"/": [{"body": {"a": [1, "é"]}}]}), {"EVENT_FILTERS": '{"/":[{"body":{"a":[1,"\\u00e9"]}}]}'}),
    (
        PublisherSettings(
            QUEUE,
            "x-id",
            {"status": 200, "body": ""},
            {"Vary": "Origin"},
            {"headers": ["a"]},
            "Bucket",
            {"mount": []},
            "/hooks",
        ),
        {
            "QUEUE_URL": QUEUE,
            "DELIVERY_ID_HEADER": "x-id",
            "ACKNOWLEDGEMENT": '{"status": 200, "body": ""}',
            "RESPONSE_HEADERS": '{"Vary": "Origin"}',
            "CREDENTIALS": '{"headers": ["a"]}',
            "PAYLOAD_BUCKET": "Bucket",
            "GROUP_BY": '{"mount": []}',
            "MOUNT": "/hooks",
        },
    ),
    (
        ConsumerSettings(QUEUE, 0.25, 39_600.0, "https://sqs/Dead", 12, "Bucket", 14),
        {
            "QUEUE_URL": QUEUE,
            "RETRY_INITIAL_SECONDS": "0.25",
            "RETRY_MAXIMUM_SECONDS": "39600",
            "DEAD_LETTER_QUEUE_URL": "https://sqs/Dead",
            "MAX_RECEIVE_COUNT": "12",
            "PAYLOAD_BUCKET": "Bucket",
            "PAYLOAD_DAYS": "14",
        },
    ),
    (PaceSettings(0.4, 0.25, 2.5), {"SECONDS_EACH": "0.4", "TARGET_SECONDS": "0.25", "LONGEST_EACH": "2.5"}),
    (UnverifiedSettings("https://sqs/Unverified"), {"UNVERIFIED_QUEUE_URL": "https://sqs/Unverified"}),
    (
        DynamoDBSettings("Table", "Bucket", True),
        {"TABLE_NAME": "Table", "PAYLOAD_BUCKET": "Bucket", "COMPRESS_PAYLOADS": "true"},
    ),
    (
        DatabaseSettings("db", 5432, "orders", True, "webhooks", False, "arn", "me", "ca.pem"),
        {
            "DATABASE_HOST": "db",
            "DATABASE_PORT": "5432",
            "DATABASE_NAME": "orders",
            "DATABASE_TLS": "true",
            "TABLE_NAME": "webhooks",
            "CREATE_TABLE": "false",
            "SECRET_ARN": "arn",
            "DATABASE_USER": "me",
            "CA_CERTIFICATES": "ca.pem",
        },
    ),
    (
        DataApiSettings("cluster", "arn", "mysql", "orders", "webhooks", True),
        {
            "CLUSTER_ARN": "cluster",
            "SECRET_ARN": "arn",
            "DATABASE_ENGINE": "mysql",
            "DATABASE_NAME": "orders",
            "TABLE_NAME": "webhooks",
            "CREATE_TABLE": "true",
        },
    ),
    (
        HttpSettings("https://a.example", 10.0, "arn", "ca.pem", ["x-real-ip", "via"]),
        {
            "URL": "https://a.example",
            "TIMEOUT_SECONDS": "10",
            "SIGNING_SECRET_ARN": "arn",
            "CA_CERTIFICATES": "ca.pem",
            "FORWARD_HEADERS": "x-real-ip via",
        },
    ),
    (PythonSettings("orders.handle", True), {"HANDLER": "orders.handle", "HANDLER_BATCH": "true"}),
]
CLASSES = set(settings.Settings.__subclasses__())
# A value of each type, and the way that it is written. A class without a row above is tried with them.
BY_TYPE: dict[Any, tuple[Any, str]] = {
    **dict.fromkeys((str, str | None), ("text", "text")),
    **dict.fromkeys((settings.Number, settings.Number | None), (7, "7")),
    float: (0.5, "0.5"),
    bool: (True, "true"),
    settings.Texts: (["a", "b"], "a b"),
}
for kind in sorted(CLASSES - {type(told) for told, _ in EVERY_FIELD}, key=str):
    pairs = {name: BY_TYPE[hint] for name, hint in kind.__annotations__.items()}
    told = kind(**{name: value for name, (value, _) in pairs.items()})
    EVERY_FIELD.append((told, {name.upper(): text for name, (_, text) in pairs.items()}))
ids = [type(each).__name__ for each, _ in EVERY_FIELD]


@pytest.mark.parametrize(("told", "variables"), EVERY_FIELD, ids=ids)
def test_a_field_is_the_variable_of_its_name_and_is_read_as_it_was_written(
    told: Any, variables: dict[str, str]
) -> None:
    environment = {f"WEBHOOK_{name}": value for name, value in variables.items()}
    assert to_environment(told) == environment
    assert from_environment(type(told), environment) == told


@pytest.mark.parametrize(("told", "variables"), EVERY_FIELD, ids=ids)
def test_a_default_is_not_written_and_a_required_field_must_be_there(told: Any, variables: dict[str, str]) -> None:
    kind = type(told)
    required = [field for field in fields_of(kind) if not hasattr(kind, field)]
    least = kind(**{field: getattr(told, field) for field in required})
    environment = to_environment(least)
    assert environment.keys() == {f"WEBHOOK_{field.upper()}" for field in required}
    assert from_environment(kind, environment) == least
    for name in environment:
        with pytest.raises(KeyError, match=name):
            from_environment(kind, {key: value for key, value in environment.items() if key != name})


def test_every_class_of_settings_is_tried_with_every_field() -> None:
    assert {type(told) for told, _ in EVERY_FIELD} == CLASSES
    assert [told for told, variables in EVERY_FIELD if len(variables) != len(fields_of(type(told)))] == []


def test_a_number_that_only_deployment_knows_is_written_as_its_token() -> None:
    token = "${Token[TOKEN.42]}"
    assert to_environment(ConsumerSettings(QUEUE, 1, 1, max_receive_count=token))["WEBHOOK_MAX_RECEIVE_COUNT"] == token


@pytest.mark.parametrize(("text", "is_on"), [("true", True), ("false", False), ("1", True), ("", True)])
def test_a_switch_is_off_only_if_its_variable_says_so(text: str, is_on: bool) -> None:
    settings = DatabaseSettings("db", 5432, "orders", True, "webhooks", False)
    environment = to_environment(settings) | {"WEBHOOK_DATABASE_TLS": text}
    assert from_environment(DatabaseSettings, environment).database_tls is is_on


def test_a_dot_at_the_end_of_a_host_is_left_out() -> None:
    assert DatabaseSettings("db.example.", "5432", "orders", True, "webhooks", False).host == "db.example"
