"""Any arguments make a template that passes cfn-lint, or raise a ValueError that names one of them.

An example takes the CDK 0.1 s and cfn-lint 0.5 s, so the same few hundred run each time. ``FUZZ_EXAMPLES=5000`` draws
as many others of each kind, and prints how to repeat a failure.
"""

import inspect
import json
import math
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnOutput, Duration, Environment, RemovalPolicy, Size, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

import cdk_scalable_webhook
from cdk_scalable_webhook import Acknowledgement, Ingress, Retry, ScalableWebhook, Sink, Source
from cdk_scalable_webhook.sources.providers import Providers

from ..apps import INIT_FLAGS
from .linting import lint
from .strategies import (
    ARGUMENTS,
    AURORA_POSTGRES,
    FOLDER,
    FUNCTIONS,
    METHODS,
    REGIONS,
    Call,
    Made,
    built,
    calls,
    cluster,
    function,
    names,
    one_bad,
    one_bad_call,
    one_call,
    secret,
    simplest,
)

OPTIONS = ("ApiOptions", "QueueOptions", "ConsumerOptions")
MORE = int(os.environ.get("FUZZ_EXAMPLES", "0"))


def examples(number: int) -> settings:
    """Return settings for so many examples, the same each time, or for ``MORE``, and others each time."""
    return settings(
        max_examples=MORE or number,
        derandomize=not MORE,
        print_blob=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )


# Types for authors of sinks and ingresses.
OF_AUTHORS = {
    "CommonOptions",
    "IngressConfig",
    "IngressOptions",
    "RestApiIngress",
    "RestApiIngressConfig",
    "SinkConfig",
    "SinkNetwork",
    "SinkOptions",
}
# Types that Sink.…() returns.
OF_FACTORIES = {
    name
    for name in cdk_scalable_webhook.__all__
    if isinstance(kind := getattr(cdk_scalable_webhook, name), type) and issubclass(kind, Sink) and kind is not Sink
}


def public() -> dict[str, Any]:
    """Return the constructors, factories and methods by which a user makes or changes a webhook, by name."""
    found = {}
    for name in set(cdk_scalable_webhook.__all__) - OF_AUTHORS - OF_FACTORIES:
        kind = getattr(cdk_scalable_webhook, name)
        members = {**vars(Providers), **vars(kind)} if kind is Source else vars(kind)
        factories = {
            member: function
            for member, function in members.items()
            if isinstance(function, staticmethod | classmethod)
            or (kind is ScalableWebhook and inspect.isfunction(function))
        }
        if not any(isinstance(function, staticmethod) for function in factories.values()):
            found[name] = kind
        found |= {f"{name}.{member}": getattr(kind, member) for member in factories if not member.startswith("_")}
    return found


def parameters(call: Any) -> dict[str, inspect.Parameter]:
    signature = inspect.signature(vars(call)["__init__"] if isinstance(call, type) else call)
    return {name: parameter for name, parameter in signature.parameters.items() if name != "self"}


def test_every_argument_is_drawn() -> None:
    """Otherwise a new argument would get no values."""
    assert {name: sorted(each) for name, each in ARGUMENTS.items()} == {
        name: sorted(parameters(call)) for name, call in public().items()
    }


def test_an_argument_is_required_where_the_signature_says_so() -> None:
    said = {
        name: {argument for argument, each in parameters(call).items() if each.default is each.empty}
        for name, call in public().items()
    }
    assert said == {
        name: {argument for argument, each in arguments.items() if each.required}
        for name, arguments in ARGUMENTS.items()
    }


class Number(IntEnum):
    TWO = 2


class Text(StrEnum):
    DIRECT = "direct"


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def junk(stack: Stack) -> Iterator[Any]:
    """Yield values of types that look right, and of some that do not."""
    yield from ["", "x", "30", "true", "direct", "arn:aws:sqs:us-east-1:111111111111:q", Text.DIRECT, b"x"]
    yield from [0, 1, 2, -1, 30, 10**400, 10**5000, Number.TWO, True, False]
    yield from [2.0, 2.5, math.nan, math.inf, -math.inf, 1e308, 1j, Decimal(2)]
    yield from [[], ["x"], [None], [[]], ["\ud800"], (), (1,), {"x"}, {}, {"a": 1}, {1: "a"}, {"a": "\0"}, iter(["x"])]
    yield from [None, object(), lambda: None, ..., timedelta(seconds=30), Path("x"), Unprintable(), json]
    yield from [
        Duration,
        Duration.seconds,
        Duration.seconds(30),
        Size.kibibytes(1),
        Ingress,
        Sink.dynamodb,
        Source.github,
    ]
    yield from [Ingress.direct_integration(), Sink.dynamodb(), Retry(), Acknowledgement()]
    yield from [RemovalPolicy.DESTROY, logs.RetentionDays.ONE_DAY, stack, stack.node, App()]
    yield sqs.Queue.from_queue_arn(stack, "Imported", "arn:aws:sqs:us-east-1:111111111111:q")
    queue = sqs.Queue(stack, "Queue")
    yield from [queue, queue.node.default_child, sqs.DeadLetterQueue(queue=queue, max_receive_count=1)]
    yield from [s3.Bucket(stack, "Bucket"), kms.Key(stack, "Key"), CfnOutput(stack, "Output", value="x")]


def fresh(*, with_flags: bool = False, region: str | None = None) -> Stack:
    env = Environment(account="111111111111", region=region) if region else None
    return Stack(App(context=INIT_FLAGS if with_flags else {}), "Stack", env=env)


def needed(function: str, stack: Stack) -> dict[str, Any]:
    """Return good values for the required arguments."""
    arguments = {name: each for name, each in ARGUMENTS[function].items() if each.required}
    return {name: built(SAMPLES.get(name) or simplest(each), stack) for name, each in arguments.items()}


SAMPLES: dict[str, Any] = {
    "scope": Made("stack", lambda stack: stack),
    "id": "Webhook",
    "secret": Made("secret", secret),
    "header": "X-Signature",
    "parameter": "challenge",
    "field": "webhook_id",
    "database_name": "orders",
    "cluster": Made("cluster", lambda stack: cluster(stack, AURORA_POSTGRES, enable_data_api=True)),
    "url": "https://orders.example.com",
    "code": FOLDER.name,
    "handler": "orders.handle",
    "path": "/second",
    "source": Call("Source.github", {"secret": Made("secret", secret)}),
    "grantee": Made("function", function),
    "database": Made("cluster", lambda stack: cluster(stack, AURORA_POSTGRES)),
    "maximum": 20,
    "target_latency": Duration.millis(200),
    "name": "X-Shop",
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_value_of_another_type_is_rejected_with_the_name_of_its_argument(name: str) -> None:
    stack = fresh()
    call = getattr(ScalableWebhook(stack, "There"), name.partition(".")[2]) if name in METHODS else FUNCTIONS[name]
    others, values = needed(name, stack), list(junk(stack))
    for argument, meant in ARGUMENTS[name].items():
        may_be_left_out = parameters(call)[argument].default is None
        for value in values:
            if meant.may_be(value) or (value is None and may_be_left_out):
                continue
            with pytest.raises(ValueError, match=rf"^{argument}\b.* must be .*, got .*") as error:
                call(**{**others, argument: value})
            assert "\n" not in str(error.value)
            assert len(str(error.value)) < 500


@st.composite
def webhooks(draw: DrawFn) -> list[Call]:
    """Draw a webhook, and calls of its methods."""
    made = draw(calls("ScalableWebhook", rich=2))
    return [made, *(draw(calls(name)) for name in draw(st.lists(st.sampled_from(list(METHODS)), max_size=2)))]


def made(steps: list[Call], stack: Stack) -> Any:
    """Return the result of the first call, after the other calls on it."""
    first, *later = steps
    thing = built(first, stack)
    for each in later:
        arguments = {name: built(value, stack) for name, value in each.arguments.items()}
        getattr(thing, each.function.partition(".")[2])(**arguments)
    return thing


def assert_named(error: ValueError, steps: list[Call]) -> None:
    """Assert that an error names an argument that was given or is required, in one line of ours."""
    message = str(error)
    words = set(re.findall(r"\w+", message.partition(", got ")[0]))
    given = {name for each in steps for name in names(each)}
    is_missed = "must be given" in message or " needs " in message
    assert words & given or (is_missed and words & set(every(steps))), message
    assert ", got " in message
    assert "\n" not in message
    assert "jsii" not in message


def every(steps: list[Any]) -> Iterator[str]:
    """Yield the names of all arguments of these calls, given or not."""
    for each in steps:
        if isinstance(each, Call):
            yield from ARGUMENTS[each.function]
            if each.function == "ScalableWebhook":
                yield from (name for options in OPTIONS for name in ARGUMENTS[options])
            yield from every(list(each.arguments.values()))


def findings(stack: Stack) -> list[str]:
    # The CDK's own Function writes a superfluous DependsOn for an existing role (W3005). Its Vpc names a zone if the
    # region is known (W3010). The user chooses the engine, even one that is too old (W369). The constructor cannot
    # compare a timeout that only deployment knows (E3505). A source that only names a metric uses none of the
    # parameters that it was given (W2001).
    ignored = ["W3005", "W3010", "W369", "E3505", "W2001"]
    return [str(finding) for finding in lint(Template.from_stack(stack).to_json(), ignored)]


def assert_clean_or_rejected(steps: list[Call], stack: Stack) -> None:
    try:
        webhook = made(steps, stack)
    except ValueError as error:
        event("rejected")
        assert_named(error, steps)
        return
    event("synthesised")
    assert findings(Stack.of(webhook)) == []


flags_and_regions = {"with_flags": st.booleans(), "region": st.sampled_from([None, *REGIONS])}


@examples(150)
@given(steps=webhooks(), **flags_and_regions)
@pytest.mark.slow(50)
def test_any_arguments_make_a_clean_template_or_are_rejected(
    steps: list[Call], with_flags: bool, region: str | None
) -> None:
    assert_clean_or_rejected(steps, fresh(with_flags=with_flags, region=region))


@examples(120)
@given(call=one_bad("ScalableWebhook"), **flags_and_regions)
@pytest.mark.slow(20)
@pytest.mark.smoke
def test_one_odd_argument_makes_a_clean_template_or_is_rejected(
    call: Call, with_flags: bool, region: str | None
) -> None:
    assert_clean_or_rejected([call], fresh(with_flags=with_flags, region=region))


PARTS = ("Sink.", "Source.", "Probe.", "Retry", "Acknowledgement", "AlarmOptions", *OPTIONS)


@examples(500)
@given(call=one_call(*PARTS) | one_bad_call(*PARTS))
def test_any_arguments_make_a_part_of_a_webhook_or_are_rejected(call: Call) -> None:
    try:
        built(call, fresh())
    except ValueError as error:
        event("rejected")
        assert_named(error, [call])
