"""Each argument is checked against its type hint at synth. Another type is rejected, and the right one accepted."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import jsii
import pytest
from aws_cdk import App, Duration, Lazy, RemovalPolicy, Stack, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs

from cdk_scalable_webhook import (
    Acknowledgement,
    ApiOptions,
    ConsumerOptions,
    Ingress,
    QueueOptions,
    Retry,
    ScalableWebhook,
    Sink,
    Source,
)
from cdk_scalable_webhook.checks.types import typed

from .. import strategies
from ..rejections import OMITTED, Row, assert_remedies_work, message_of
from ..strategies import parameter, security_group

ARN = "arn:aws:sqs:us-east-1:111111111111:q"


@pytest.fixture
def stack() -> Stack:
    return Stack(App(), "Stack")


ROWS = [
    Row("number for a duration", "timeout must be a Duration, got 30 (int); for example Duration.seconds(30), or leave timeout out", {"timeout": 30}, {}, [{"timeout": Duration.seconds(30)}, {"timeout": OMITTED}]),
    Row("text for a duration", "timeout must be a Duration, got '30 s' (str); for example Duration.seconds(30)", {"timeout": "30 s"}, {}, [{"timeout": Duration.seconds(30)}, {"timeout": OMITTED}]),
    Row("None for a number", "batch_size must be a whole number, got None (NoneType); write one without quotes and fraction, or leave", {"batch_size": None}, {}, [{"batch_size": 10}, {"batch_size": OMITTED}]),
    Row("text for a number", "max_concurrency must be a whole number, got '5' (str); write one without quotes and fraction", {"max_concurrency": "5"}, {}, [{"max_concurrency": 5}, {"max_concurrency": OMITTED}]),
    Row("boolean for a number", "max_concurrency must be a whole number, got True (bool); write one", {"max_concurrency": True}, {}, [{"max_concurrency": 2}, {"max_concurrency": OMITTED}]),
    Row("fraction for a whole number", "max_concurrency must be a whole number, got 2.0 (float); write one without quotes and fraction", {"max_concurrency": 2.0}, {}, [{"max_concurrency": 2}, {"max_concurrency": OMITTED}]),
    Row("NaN for a number", "throttling_rate_limit must be a number, got nan (float); write one without quotes", {"throttling_rate_limit": math.nan}, {}, [{"throttling_rate_limit": 1.5}, {"throttling_rate_limit": OMITTED}]),
    Row("number above 2^53", "memory_size must be a whole number between -2^53 and 2^53, got an int; write", {"memory_size": 10**5000}, {}, [{"memory_size": 1024}, {"memory_size": OMITTED}]),
    Row("number for a boolean", "iam_authorization must be True or False, got 1 (int); pass True or False, or leave", {"iam_authorization": 1}, {}, [{"iam_authorization": True}, {"iam_authorization": OMITTED}]),
    Row("ARN for a queue", f"queue must be an IQueue or a QueueOptions, got '{ARN}' (str); import an existing one by a method from_…() of its class", {"queue": ARN}, {}, [{"queue": lambda stack: sqs.Queue.from_queue_arn(stack, "Q", ARN)}, {"queue": OMITTED}]),
    Row("text for an ingress", "ingress must be an Ingress, got 'direct' (str); for example Ingress.direct_integration(), or leave ingress out", {"ingress": "direct"}, {}, [{"ingress": Ingress.direct_integration()}, {"ingress": OMITTED}]),
    Row("factory that is not called", "ingress must be an Ingress, got Ingress.direct_integration (function); call it: Ingress.direct_integration(), or leave ingress out", {"ingress": Ingress.direct_integration}, {}, [{"ingress": Ingress.direct_integration()}, {"ingress": OMITTED}]),
    Row("retry as a number", "retry must be a Retry, got 3 (int); for example Retry(initial=Duration.seconds(10)), or leave retry out", {"retry": 3}, {}, [{"retry": Retry(initial=Duration.seconds(10))}, {"retry": OMITTED}]),
    Row("dict for a struct", "domain_name must be a DomainNameOptions, got {'domain_name': 'x'} (dict)", {"domain_name": {"domain_name": "x"}}, {}, [{"domain_name": strategies.DOMAINS["plain"]}, {"domain_name": OMITTED}]),
    Row("dict for options", "api must be a RestApi or an ApiOptions, got {'api_key': True} (dict); write ApiOptions(…), or leave api out", {"api": {"api_key": True}}, {}, [{"api": ApiOptions(api_key=True)}, {"api": OMITTED}]),
    Row("text for an enum", "log_retention must be a RetentionDays, got 'ONE_WEEK' (str); for example RetentionDays.ONE_DAY", {"log_retention": "ONE_WEEK"}, {}, [{"log_retention": logs.RetentionDays.ONE_DAY}, {"log_retention": OMITTED}]),
    Row("another enum", "log_retention must be a RetentionDays, got <RemovalPolicy.RETAIN: 'RETAIN'> (RemovalPolicy)", {"log_retention": RemovalPolicy.RETAIN}, {}, [{"log_retention": logs.RetentionDays.ONE_DAY}, {"log_retention": OMITTED}]),
    Row("text for a bucket", "large_payloads must be True or False or an IBucket, got 'yes' (str); import an existing one", {"large_payloads": "yes"}, {}, [{"large_payloads": lambda stack: s3.Bucket.from_bucket_name(stack, "B", "yes")}, {"large_payloads": OMITTED}]),
    Row("number in a list", "allowed_ip_ranges[1] must be a text, got 10 (int); write it in quotes, or leave allowed_ip_ranges out", {"allowed_ip_ranges": ["10.0.0.0/8", 10]}, {}, [{"allowed_ip_ranges": ["10.0.0.0/8", "10.0.0.0/16"]}, {"allowed_ip_ranges": OMITTED}]),
    Row("set for a list", "allowed_ip_ranges must be a list, each a text, got {'10.0.0.0/8'} (set)", {"allowed_ip_ranges": {"10.0.0.0/8"}}, {}, [{"allowed_ip_ranges": ["10.0.0.0/8"]}, {"allowed_ip_ranges": OMITTED}]),
    Row("text that no template can have", "id must be a text without control characters and lone surrogates, got 'a\\ud800' (str); leave those characters out", {"id": "a\ud800"}, {}, [{"id": "a"}]),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_error_names_the_argument_the_type_the_value_and_remedies_that_work(row: Row) -> None:
    assert message_of(row.rejection()).startswith(row.message)
    assert_remedies_work(row.rejection())


def test_a_construct_of_another_kind_is_rejected(stack: Stack) -> None:
    wrong: Any = s3.Bucket(stack, "Bucket")
    with pytest.raises(
        ValueError, match=r"^queue must be an IQueue or a QueueOptions, got a Bucket; pass a Queue, or leave queue out$"
    ):
        ScalableWebhook(stack, "Webhook", queue=wrong)


def test_a_secret_as_text_is_rejected_and_is_not_in_the_error() -> None:
    wrong: Any = "whsec_1"
    with pytest.raises(ValueError, match=r"^secret must be an ISecret, got a str; for example secretsm") as error:
        Source.stripe(wrong)
    assert wrong not in str(error.value)


def test_the_error_of_an_element_of_a_dict_names_its_key() -> None:
    wrong: Any = {"STAGE": 1}
    with pytest.raises(
        ValueError, match=r"^environment\['STAGE'\] must be a text, got 1 \(int\); write it in quotes, or leave envi"
    ):
        Sink.python("code", "orders.handle", environment=wrong)


def checked(function: Callable[..., Any], argument: str) -> Callable[[Any], Any]:
    """Return a function of one value that checks it like the argument, and returns it."""
    unchecked = FunctionType((lambda value: value).__code__, inspect.unwrap(function).__globals__)
    unchecked.__annotations__ = {"value": function.__annotations__[argument]}
    probe: Any = typed(type("Probe", (), {"check": staticmethod(unchecked)}))
    return probe.check  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Right:
    """Values of the right type for an argument. A recipe creates each in a stack."""

    function: Callable[..., Any]
    argument: str
    recipes: dict[str, Any]


MAKE = vars(ScalableWebhook)["__init__"]
API, QUEUE, CONSUMER = (vars(options)["__init__"] for options in (ApiOptions, QueueOptions, ConsumerOptions))
POSTGRES, AURORA = strategies.POSTGRES, strategies.AURORA_POSTGRES
NUMBERS = {
    "token": lambda stack: Token.as_number({"Ref": "X"}),
    "parameter": lambda stack: parameter(stack, "Number").value_as_number,
    "lazy": lambda stack: Lazy.number(strategies.LazyNumber()),
}
TEXTS = {
    "token": lambda stack: Token.as_string({"Ref": "X"}),
    "lazy": lambda stack: Lazy.string(strategies.LazyText()),
    "characters": lambda stack: "Größe\n😀",
}
RIGHT = [
    Right(MAKE, "scope", {"stack": lambda stack: stack, "app": lambda stack: stack.node.root}),
    Right(MAKE, "queue", {**strategies.QUEUES, **strategies.BAD_QUEUES}),
    Right(QUEUE, "dead_letter_queue", {**strategies.DEAD_LETTER_QUEUES, **strategies.BAD_DEAD_LETTER_QUEUES}),
    Right(QUEUE, "unverified_queue", {**strategies.UNVERIFIED, **strategies.BAD_UNVERIFIED}),
    Right(MAKE, "consumer", strategies.CONSUMERS),
    Right(MAKE, "api", {**strategies.APIS, **strategies.BAD_APIS}),
    Right(MAKE, "large_payloads", strategies.BUCKETS),
    Right(MAKE, "encryption_key", strategies.KEYS),
    Right(API, "api_key", strategies.API_KEYS),
    Right(API, "web_acl", {"own": lambda stack: strategies.web_acl(stack, "REGIONAL")}),
    Right(API, "domain_name", {**strategies.DOMAINS, **strategies.BAD_DOMAINS}),
    Right(MAKE, "max_concurrency", NUMBERS),
    Right(API, "throttling_rate_limit", {**NUMBERS, "int": lambda _: 1, "float": lambda _: 1.5}),
    Right(CONSUMER, "timeout", {"token": lambda stack: Duration.seconds(Token.as_number({"Ref": "X"}))}),
    Right(MAKE, "path", TEXTS),
    Right(API, "allowed_ip_ranges", {"tuple": lambda _: ("x",), "lazy": lambda _: Token.as_list({"Ref": "X"})}),
    Right(MAKE, "removal_policy", {each.name: lambda _, each=each: each for each in RemovalPolicy}),
    Right(MAKE, "log_retention", {each.name: lambda _, each=each: each for each in logs.RetentionDays}),
    Right(MAKE, "ingress", {"own": strategies.own_ingress}),
    Right(ScalableWebhook.grant_invoke, "grantee", strategies.GRANTEES),
    Right(ScalableWebhook.grant_pause, "grantee", strategies.GRANTEES),
    Right(ScalableWebhook.grant_redrive, "grantee", strategies.GRANTEES),
    Right(ScalableWebhook.metric_dropped, "period", {"none": lambda _: None}),
    Right(Source.github, "secret", strategies.SECRETS),
    Right(Sink.dynamodb, "table", {**strategies.TABLES, **strategies.BAD_TABLES}),
    Right(Sink.postgres, "database", {**strategies.databases(POSTGRES, AURORA), **strategies.BAD_DATABASES}),
    Right(Sink.data_api, "cluster", {**strategies.CLUSTERS, **strategies.BAD_CLUSTERS}),
    Right(Sink.http, "vpc", {**strategies.VPCS, **strategies.BAD_VPCS}),
    Right(Sink.http, "security_groups", {"imported": lambda stack: [security_group(stack)]}),
    Right(Sink.http, "vpc_subnets", {str(number): lambda _, each=each: each for number, each in enumerate(strategies.SELECTIONS)}),
]  # fmt: skip


@pytest.mark.parametrize("right", RIGHT, ids=lambda right: right.argument)
def test_a_value_of_the_right_type_is_accepted_unchanged(stack: Stack, right: Right) -> None:
    check = checked(right.function, right.argument)
    for make in right.recipes.values():
        value = make(stack)
        assert check(value) is value


def test_a_custom_class_that_implements_an_interface_is_accepted(stack: Stack) -> None:
    @jsii.implements(iam.IGrantable)
    class Caller:
        @property
        def grant_principal(self) -> iam.IPrincipal:
            return iam.AccountPrincipal("222222222222")

    class Queue(sqs.Queue):
        pass

    webhook = ScalableWebhook(
        stack,
        "Webhook",
        api=ApiOptions(iam_authorization=True),
        queue=QueueOptions(dead_letter_queue=Queue(stack, "DeadLetters")),
    )
    assert webhook.grant_invoke(Caller()).success
    assert webhook.grant_invoke(webhook).success


def test_a_checked_function_keeps_its_signature_and_docstring() -> None:
    parameters = inspect.signature(MAKE).parameters
    assert (parameters["batch_size"].default, parameters["batch_size"].kind) == (
        10,
        inspect.Parameter.KEYWORD_ONLY,
    )
    assert list(inspect.signature(Acknowledgement).parameters) == ["status", "body", "content_type"]
    assert (inspect.getdoc(Sink.http) or "").startswith("Forward each webhook")
    assert Retry.__init__.__qualname__ == "Retry.__init__"
    with pytest.raises(TypeError, match="unexpected keyword argument 'max_concurency'"):
        ScalableWebhook(Stack(App(), "Stack"), "Webhook", max_concurency=5)  # type: ignore[call-arg]
