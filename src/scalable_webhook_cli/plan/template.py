"""The deployed webhook, as the template of its stack tells it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.names import named
from webhook_runtime.contract import outputs
from webhook_runtime.contract.settings import PaceSettings, from_environment

# Without a maximum. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
_MOST_AT_A_TIME = 1250
# SQS's default: 4 days.
_RETENTION = 345_600.0
_VISIBILITY = 30.0
# Lambda's defaults.
_TIMEOUT, _MEMORY = 3.0, 128
# The limits of an account in most regions. https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
_ACCOUNT_RATE, _ACCOUNT_BURST = 10_000.0, 5_000
# A function URL accepts ten times as many a second as the executions that it may have, which are those of the account
# if none are reserved. https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-throttling
_TIMES, _ACCOUNT_EXECUTIONS = 10, 1_000

_PUBLISHER = "webhook_runtime.handlers.publisher"
_DYNAMODB = "webhook_runtime.handlers.dynamodb"

Properties = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function: its memory in MiB, and its architecture."""

    memory: int = 256
    architecture: str = "arm64"


@dataclass(frozen=True, kw_only=True)
class Breaker:
    """The circuit breaker: the batches in a row that find the sink down, and the seconds between two probes."""

    failures: int
    initial: float
    maximum: float


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A deployed webhook. ``dataclasses.replace`` changes one.

    Attributes:
        name: The path of its construct.
        max_concurrency: The batches at a time. None: the template does not tell.
        batch_size: The webhooks of a batch. None: the template does not tell.
        window: The seconds for which a batch waits until it is full.
        in_order: Whether the queue has one group, and so one batch at a time.
        retention: The seconds for which the queue keeps a message.
        max_receive_count: The tries of a webhook. None: it is retried for as long as the queue keeps it.
        retry_initial: The longest delay after the first failure, in seconds. None: the consumer is an existing one.
        retry_maximum: The longest delay of all.
        visibility: The seconds for which a message is hidden: the delay of an existing consumer.
        timeout: The seconds that a batch has.
        seconds_each: The seconds that a webhook has in its batch, by ``max_delivery_rate``.
        rate_limit: The requests a second that the endpoint accepts.
        burst_limit: The requests that it accepts at once.
        has_api: Whether its endpoint is in an API, whose requests are billed. If not, it is a function URL.
        consumer: The consumer.
        publisher: The publisher. None: a direct integration.
        breaker: The circuit breaker. None: there is none.
        into_dynamodb: Whether the sink is a table of DynamoDB.
        unread: The fields that the template does not tell.
        notes: The assumptions, a sentence each.
    """

    name: str
    max_concurrency: int | None
    batch_size: int | None
    window: float = 0.0
    in_order: bool = False
    retention: float = _RETENTION
    max_receive_count: int | None = 5
    retry_initial: float | None = 30.0
    retry_maximum: float = 900.0
    visibility: float = 180.0
    timeout: float = 30.0
    seconds_each: float | None = None
    rate_limit: float = _ACCOUNT_RATE
    burst_limit: int = _ACCOUNT_BURST
    has_api: bool = True
    consumer: Function = field(default_factory=Function)
    publisher: Function | None = field(default_factory=Function)
    breaker: Breaker | None = None
    into_dynamodb: bool = False
    unread: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Found:
    """A webhook in a template."""

    name: str
    template: Properties


def of_file(path: Path, name: str | None = None) -> Deployed:
    """Read a synthesised template, or the templates of a folder such as ``cdk.out``.

    Raises:
        CliError: There is no such file, no webhook in it, or several of them and no name.
    """
    if not path.exists():
        raise CliError(f"{path} does not exist; synthesise the app, and pass its cdk.out or a .template.json in it")
    files = sorted(path.rglob("*.template.json")) if path.is_dir() else [path]
    if not files:
        raise CliError(f"{path} has no template; synthesise the app, and pass its cdk.out or a .template.json in it")
    found = [_Found(each, template) for file in files for template in [_json(file)] for each in names(template)]
    none = (
        f"{path} has no ScalableWebhook: no output is described as “{outputs.described(outputs.MAPPING, '…')}”; pass "
        "the template of its stack, synthesised with this version"
    )
    one = named(found, name, none=none)
    return of_template(one.template, one.name)


def only(template: Properties, name: str | None = None) -> Deployed:
    """Read the webhook of this name, or the only one of a template."""
    found = [_Found(each, template) for each in names(template)]
    return of_template(template, named(found, name, none="the template has no ScalableWebhook").name)


def names(template: Properties) -> Iterator[str]:
    """Yield the names of the webhooks in a template."""
    for output in _mapping(template.get("Outputs")).values():
        if name := outputs.name_in(outputs.MAPPING, str(_mapping(output).get("Description", ""))):
            yield name


def of_template(template: Properties, name: str) -> Deployed:
    """Read one webhook of a template."""
    return _Reader(template, name).read()


def _json(file: Path) -> Properties:
    try:
        template = json.loads(file.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise CliError(
            f"{file} is no template in JSON; pass one of cdk.out, or the output of cdk synth --json"
        ) from None
    if not isinstance(template, dict):
        raise CliError(f"{file} is no template, but {type(template).__name__}; pass one of cdk.out")
    return template


class _Reader:
    """Follows the references of one webhook, and notes what it cannot read."""

    def __init__(self, template: Properties, name: str) -> None:
        self._resources = _mapping(template.get("Resources"))
        self._outputs = _mapping(template.get("Outputs"))
        self._name = name
        self._unread: set[str] = set()
        self._notes: list[str] = []

    def read(self) -> Deployed:
        mapping_id = self._referred(outputs.MAPPING)
        mapping = self._properties({"Ref": mapping_id}, "AWS::Lambda::EventSourceMapping")
        if mapping is None:
            raise CliError(
                f"the event source mapping of {self._name} is not in the template; pass that of its own stack"
            )
        consumer = self._properties(mapping.get("FunctionName"), "AWS::Lambda::Function")
        queue = self._properties(mapping.get("EventSourceArn"), "AWS::SQS::Queue")
        variables = _variables(consumer)
        self._notes_of(mapping, queue, variables)
        tries = self._tries(queue, variables)
        rate_limit, burst_limit = self._limits()
        in_order = self._is_in_order(mapping, queue)
        return Deployed(
            name=self._name,
            max_concurrency=1 if in_order else self._concurrency(mapping),
            batch_size=self._whole(mapping.get("BatchSize", 10), "batch_size"),
            window=self._window(mapping),
            in_order=in_order,
            retention=self._of(queue, "MessageRetentionPeriod", _RETENTION, "retention"),
            max_receive_count=tries,
            retry_initial=_float(variables.get("WEBHOOK_RETRY_INITIAL_SECONDS")),
            retry_maximum=_float(variables.get("WEBHOOK_RETRY_MAXIMUM_SECONDS")) or 900.0,
            visibility=self._of(queue, "VisibilityTimeout", _VISIBILITY, "visibility"),
            timeout=self._of(consumer, "Timeout", _TIMEOUT, "timeout"),
            seconds_each=_pace(variables).seconds_each,
            rate_limit=rate_limit,
            burst_limit=burst_limit,
            has_api=self._url_function() is None,
            consumer=_function(consumer),
            publisher=self._publisher(variables),
            breaker=self._breaker(mapping_id, variables),
            into_dynamodb=_mapping(consumer).get("Handler") == _DYNAMODB,
            unread=frozenset(self._unread),
            notes=tuple(self._notes),
        )

    def _notes_of(self, mapping: Properties, queue: Properties | None, variables: Properties) -> None:
        if mapping.get("Enabled") is False:
            self._notes.append("It is deployed with enabled=False. The plan is of the time after it is resumed.")
        if _pace(variables).target_seconds is not None:
            self._notes.append(
                "Its rate follows the sink. The plan has the maximum; a sink that becomes slow gets less."
            )
        if queue is not None and queue.get("FifoQueue") and "ScalingConfig" in mapping:
            self._notes.append("The plan takes each webhook for a group of its own. Fewer groups take longer.")
        if "FilterCriteria" in mapping or "WEBHOOK_EVENT_FILTERS" in variables:
            self._notes.append("It has event_filters. The plan has no webhook that they drop.")

    def _window(self, mapping: Properties) -> float:
        window = _float(mapping.get("MaximumBatchingWindowInSeconds", 0))
        if window is None:
            self._notes.append("The template does not tell max_batching_window. The plan has none.")
        return window or 0.0

    def _concurrency(self, mapping: Properties) -> int | None:
        scaling = mapping.get("ScalingConfig")
        if scaling is None:
            return _MOST_AT_A_TIME
        number = scaling.get("MaximumConcurrency") if isinstance(scaling, Mapping) else None
        return self._whole(number, "max_concurrency")

    def _is_in_order(self, mapping: Properties, queue: Properties | None) -> bool:
        """Whether the queue is a FIFO queue with one group, since its mapping has no maximum."""
        if "ScalingConfig" in mapping:
            return False
        if queue is not None:
            return queue.get("FifoQueue") in (True, "true")
        arn = mapping.get("EventSourceArn")
        # The name of an imported queue may be known only at deployment. The construct leaves the maximum out for 1.
        return not isinstance(arn, str) or arn.endswith(".fifo")

    def _tries(self, queue: Properties | None, variables: Properties) -> int | None:
        """Return the tries of a webhook, as the queue tells them, or the consumer."""
        if queue is None:
            told = variables.get("WEBHOOK_MAX_RECEIVE_COUNT")
            if told is None:
                self._unread.add("max_receive_count")
                return None
            return self._whole(told, "max_receive_count")
        policy = queue.get("RedrivePolicy")
        if policy is None:
            return None
        return self._whole(_mapping(policy).get("maxReceiveCount"), "max_receive_count")

    def _limits(self) -> tuple[float, int]:
        """Return the rate and the burst that the endpoint accepts: those of its stage, of its function URL, or of the
        account."""
        if (function := self._url_function()) is not None:
            return self._executions(function)
        stage = self._stage()
        settings = [_mapping(each) for each in _list(_mapping(stage).get("MethodSettings"))]
        every = [each for each in settings if each.get("ResourcePath") == "/*" and each.get("HttpMethod") == "*"]
        told = every[0] if every else {}
        rate = self._number(told.get("ThrottlingRateLimit", _ACCOUNT_RATE), "rate_limit")
        burst = self._number(told.get("ThrottlingBurstLimit", _ACCOUNT_BURST), "burst_limit")
        if "ThrottlingRateLimit" not in told or rate is None or burst is None:
            self._notes.append(
                f"The template does not tell the rate limit of the endpoint. The plan has the account's, "
                f"{_ACCOUNT_RATE:,.0f} a second."
            )
        return (_ACCOUNT_RATE if rate is None else rate), (_ACCOUNT_BURST if burst is None else round(burst))

    def _executions(self, function: Properties) -> tuple[float, int]:
        reserved = _float(function.get("ReservedConcurrentExecutions"))
        if not reserved:
            self._notes.append(
                f"The template does not tell the reserved concurrency of the function URL. The plan has the account's, "
                f"{_ACCOUNT_EXECUTIONS:,} at a time."
            )
        number = round(reserved or _ACCOUNT_EXECUTIONS)
        return float(_TIMES * number), number

    def _url_function(self) -> Properties | None:
        """Return the function with the URL of the endpoint, or None if it has no function URL."""
        (value,) = self._values(outputs.URL) or [None]
        url = self._properties(value, "AWS::Lambda::Url")
        return None if url is None else self._properties(url.get("TargetFunctionArn"), "AWS::Lambda::Function")

    def _stage(self) -> Properties | None:
        stages = {
            logical_id: each
            for logical_id, each in self._resources.items()
            if _mapping(each).get("Type") == "AWS::ApiGateway::Stage"
        }
        (value,) = self._values(outputs.URL) or [None]
        for logical_id in _references(value):
            if logical_id in stages:
                return self._properties({"Ref": logical_id}, "AWS::ApiGateway::Stage")
        # A URL of a domain names no stage.
        return self._properties({"Ref": next(iter(stages))}, "AWS::ApiGateway::Stage") if len(stages) == 1 else None

    def _publisher(self, variables: Properties) -> Function | None:
        """Return the publisher that sends to the queue of the consumer, if there is one."""
        for each in self._functions():
            own = _variables(each)
            if each.get("Handler") == _PUBLISHER and own.get("WEBHOOK_QUEUE_URL") == variables.get("WEBHOOK_QUEUE_URL"):
                return _function(each)
        return None

    def _breaker(self, mapping_id: str, variables: Properties) -> Breaker | None:
        failures = _float(variables.get("WEBHOOK_BREAKER_FAILURES"))
        for each in self._functions():
            own = _variables(each)
            initial = _float(own.get("WEBHOOK_BREAKER_INITIAL_SECONDS"))
            maximum = _float(own.get("WEBHOOK_BREAKER_MAXIMUM_SECONDS"))
            is_its = own.get("WEBHOOK_EVENT_SOURCE_MAPPING_ID") == {"Ref": mapping_id}
            if is_its and failures and initial and maximum:
                return Breaker(failures=round(failures), initial=initial, maximum=maximum)
        return None

    def _functions(self) -> Iterator[Properties]:
        for each in self._resources.values():
            if _mapping(each).get("Type") == "AWS::Lambda::Function":
                yield _mapping(_mapping(each).get("Properties"))

    def _referred(self, what: str) -> str:
        (value,) = self._values(what)
        return next(_references(value), "")

    def _values(self, what: str) -> list[Any]:
        described = outputs.described(what, self._name)
        values = [
            _mapping(each).get("Value")
            for each in self._outputs.values()
            if _mapping(each).get("Description") == described
        ]
        return values[:1]

    def _properties(self, reference: Any, type: str) -> Properties | None:
        """Return the properties of the resource that is referred to, if it is of this type and in the template."""
        found = [_mapping(self._resources.get(logical_id)) for logical_id in _references(reference)]
        of_type = [each for each in found if each.get("Type") == type]
        # A condition may refer to several, and only deployment knows which.
        return _mapping(of_type[0].get("Properties")) if len(of_type) == 1 else None

    def _of(self, resource: Properties | None, name: str, default: float, field: str) -> float:
        if resource is None:
            self._unread.add(field)
            return default
        number = self._number(resource.get(name, default), field)
        return default if number is None else number

    def _whole(self, value: Any, field: str) -> int | None:
        number = self._number(value, field)
        return None if number is None else max(1, round(number))

    def _number(self, value: Any, field: str) -> float | None:
        """Return a number, or None for a value that only deployment knows."""
        number = _float(value) or None
        if number is None:
            self._unread.add(field)
        return number


def _references(value: Any) -> Iterator[str]:
    """Yield the logical ids that a value refers to, at any depth but without those of AWS itself."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "Ref" and isinstance(inner, str):
                yield inner
            elif key == "Fn::GetAtt":
                yield str(inner[0]) if isinstance(inner, list) and inner else str(inner).partition(".")[0]
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def _variables(function: Properties | None) -> Properties:
    return _mapping(_mapping(_mapping(function).get("Environment")).get("Variables"))


def _pace(variables: Properties) -> PaceSettings:
    """Return the pace, by the contract. A variable that is no number may be a reference, and counts as none."""
    return from_environment(PaceSettings, {name: str(value) for name, value in variables.items() if _float(value)})


def _function(properties: Properties | None) -> Function:
    if properties is None:
        return Function()
    memory = _float(properties.get("MemorySize", _MEMORY))
    architectures = _list(properties.get("Architectures"))
    architecture = architectures[0] if architectures else "x86_64"
    return Function(memory=round(memory or _MEMORY), architecture="arm64" if architecture == "arm64" else "x86_64")


def _float(value: Any) -> float | None:
    """Return a number that is written out, as a number or as a text, and that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number < 1e12 else None


def _mapping(value: Any) -> Properties:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []
