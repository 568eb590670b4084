"""Event filters at synth: the rejected ones, the part that drops, and the count of dropped webhooks."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import App, Stack, Token
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Match, Template

from cdk_scalable_webhook import Ingress, ScalableWebhook, Source
from cdk_scalable_webhook.endpoints import Dropping, Endpoint, dropping
from cdk_scalable_webhook.filters import EventFilters, filter_environment
from webhook_runtime.filters import EventFilters as Matcher
from webhook_runtime.testing import webhook

from .rejections import OMITTED, Row, assert_remedies_work, message_of

Synth = Callable[..., Template]

ENDLESS: dict[str, Any] = {}
ENDLESS["a"] = ENDLESS
BODY = [{"body": {"ref": [{"prefix": "refs/heads/"}]}}]
HEADERS: list[dict[str, Any]] = [{"headers": {"X-GitHub-Event": ["push"]}}, *BODY]
LAMBDA, TEXT, BINARY = (
    Ingress.lambda_integration(),
    Ingress.direct_integration(),
    Ingress.direct_integration(binary=True),
)
VARIABLE = "WEBHOOK_EVENT_FILTERS"


def existing_function(stack: Stack) -> lambda_.Function:
    code = lambda_.Code.from_inline("def handler(event, context): return {}")
    return lambda_.Function(stack, "Existing", runtime=lambda_.Runtime.PYTHON_3_13, handler="index.handler", code=code)


def dropping_parts(template: Template) -> set[str]:
    """Return the names of the functions and event source mappings with filters, from their ids."""
    functions = {
        id
        for id, function in template.find_resources("AWS::Lambda::Function").items()
        if VARIABLE in function["Properties"].get("Environment", {}).get("Variables", {})
    }
    mappings = template.find_resources("AWS::Lambda::EventSourceMapping", {"Properties": {"FilterCriteria": {}}})
    return {id.removeprefix("Webhook").rstrip("0123456789ABCDEF") for id in functions | set(mappings)}


@pytest.mark.parametrize(
    ("ingress", "filters", "part"),
    [
        (LAMBDA, BODY, "Publisher"),
        (LAMBDA, HEADERS, "Publisher"),
        (TEXT, BODY, "EventSourceMapping"),
        (TEXT, HEADERS, "Consumer"),
        (BINARY, BODY, "Consumer"),
        (BINARY, HEADERS, "Consumer"),
    ],
)
def test_the_first_part_that_can_apply_the_filters_drops(
    synth: Synth, ingress: Ingress, filters: Any, part: str
) -> None:
    assert dropping_parts(synth(ingress=ingress, event_filters=filters)) == {part}


@pytest.mark.parametrize(
    ("ingress", "filters", "part"), [(LAMBDA, HEADERS, "Publisher"), (TEXT, BODY, "EventSourceMapping")]
)
def test_another_part_drops_for_an_existing_consumer(
    synth: Synth, stack: Stack, ingress: Ingress, filters: Any, part: str
) -> None:
    assert dropping_parts(synth(ingress=ingress, event_filters=filters, consumer=existing_function(stack))) == {part}


@pytest.mark.parametrize(
    ("ingress", "filters", "got"),
    [(TEXT, HEADERS, "headers"), (BINARY, HEADERS, "headers"), (BINARY, BODY, "a binary")],
)
def test_filters_that_no_part_would_apply_are_rejected(stack: Stack, ingress: Ingress, filters: Any, got: str) -> None:
    with pytest.raises(ValueError, match=f"event_filters of / must .*, got {got}.*; take Ingress.lambda_integration"):
        ScalableWebhook(stack, "Webhook", ingress=ingress, event_filters=filters, consumer=existing_function(stack))


def test_without_filters_no_part_drops_and_nothing_is_counted(synth: Synth) -> None:
    template = synth()
    assert dropping_parts(template) == set()
    template.resource_count_is("AWS::Logs::MetricFilter", 0)
    template.has_resource_properties("AWS::Lambda::EventSourceMapping", {"MetricsConfig": Match.absent()})


def test_a_dot_in_the_name_of_a_field_means_a_field_below(synth: Synth) -> None:
    filters = [{"body": {"data.object.type": ["x"], "data": {"b": [1]}}, "headers": {"X.Y": ["z"]}}]
    with pytest.raises(ValueError, match="got data twice"):
        EventFilters(filters)
    filters = [{"body": {"data": {"b": [1]}, "data.object.type": ["x"]}}]
    (mapping,) = synth(ingress=TEXT, event_filters=filters).find_resources("AWS::Lambda::EventSourceMapping").values()
    (written,) = mapping["Properties"]["FilterCriteria"]["Filters"]
    assert json.loads(written["Pattern"]) == {"body": {"data": {"b": [1], "object": {"type": ["x"]}}}}


def test_the_mapping_has_each_filter_unchanged_and_counts(synth: Synth) -> None:
    fields = {"type": ["a", None, True, 3, {"numeric": [">", 1.5, "<=", 9]}], "who": {"name": [{"exists": False}]}}
    template = synth(ingress=TEXT, event_filters=[{"body": fields}, *BODY])
    (mapping,) = template.find_resources("AWS::Lambda::EventSourceMapping").values()
    filters = mapping["Properties"]["FilterCriteria"]["Filters"]
    assert [json.loads(each["Pattern"]) for each in filters] == [{"body": fields}, *BODY]
    assert mapping["Properties"]["MetricsConfig"] == {"Metrics": ["EventCount"]}


@pytest.mark.parametrize(("ingress", "function"), [(LAMBDA, "Publisher"), (TEXT, "Consumer")])
def test_the_log_lines_of_a_function_that_drops_are_counted(
    synth: Synth, stack: Stack, ingress: Ingress, function: str
) -> None:
    template = synth(ingress=ingress, event_filters=HEADERS)
    ((_, counter),) = template.find_resources("AWS::Logs::MetricFilter").items()
    properties = counter["Properties"]
    assert properties["FilterPattern"] == '{ $.message = "dropped" }'
    assert properties["LogGroupName"]["Ref"].startswith(f"Webhook{function}Logs")
    (metric,) = properties["MetricTransformations"]
    assert (metric["MetricValue"], metric["DefaultValue"], metric["MetricNamespace"]) == ("1", 0, "ScalableWebhook")


def test_the_metric_is_the_count_of_the_part_that_drops() -> None:
    stack = Stack(App(), "Stack")
    for name, ingress in {"Log": LAMBDA, "Mapping": TEXT}.items():
        webhook = ScalableWebhook(stack, name, ingress=ingress, event_filters=BODY)
        webhook.metric_dropped().create_alarm(stack, f"{name}Alarm", threshold=1, evaluation_periods=1)
    template = Template.from_stack(stack)
    (counter,) = template.find_resources("AWS::Logs::MetricFilter").values()
    (transformation,) = counter["Properties"]["MetricTransformations"]
    template.has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {"Namespace": "ScalableWebhook", "MetricName": transformation["MetricName"], "Statistic": "Sum"},
    )
    (mapping,) = template.find_resources("AWS::Lambda::EventSourceMapping", {"Properties": {"FilterCriteria": {}}})
    template.has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {
            "Namespace": "AWS/Lambda",
            "MetricName": "FilteredOutEventCount",
            "Dimensions": [{"Name": "EventSourceMappingUUID", "Value": {"Ref": mapping}}],
            "Statistic": "Sum",
        },
    )


def test_two_webhooks_never_share_a_metric() -> None:
    names = []
    # The last two are one app that is deployed twice: the same ids in stacks of different names.
    for stack in (Stack(App(), "One"), Stack(App(), "Two", stack_name="Prod"), Stack(App(), "Two", stack_name="Test")):
        for id in ("A", "B"):
            ScalableWebhook(stack, id, event_filters=BODY)
        counters = Template.from_stack(stack).find_resources("AWS::Logs::MetricFilter").values()
        names += [counter["Properties"]["MetricTransformations"][0]["MetricName"] for counter in counters]
    assert len(set(names)) == len(names) == 6


def test_a_metric_without_filters_is_rejected(stack: Stack) -> None:
    with pytest.raises(ValueError, match=r"metric_dropped needs event_filters, got none.*; set event_filters"):
        ScalableWebhook(stack, "Webhook").metric_dropped()


def test_the_run_time_matches_the_filters_of_synth() -> None:
    filters = EventFilters(
        [
            {"headers": {"X-Event": ["push"], "$or": [{"X-A": ["1"]}, {"x-b": [{"prefix": "2"}]}]}},
            {"body": {"a": ("x", {"anything-but": "yes"}), "$or": [{"n": [{"numeric": ["=", 1]}]}, {"m": [None]}]}},
        ]
    )
    matcher = Matcher(json.loads(filter_environment({"/": filters})[VARIABLE]))
    assert matcher.want(webhook(headers={"x-eVent": "push", "X-B": "22"}))
    assert matcher.want(webhook(json={"a": "y", "m": None}))
    assert not matcher.want(webhook(json={"a": "yes", "m": None}, headers={"X-Event": "push"}))


class TestEndpoints:
    """Each endpoint has its own filters, which drop no webhook of another endpoint."""

    OTHER = ({"body": {"ref": ["refs/tags/v1"]}},)

    @pytest.fixture
    def stack(self) -> Stack:
        return Stack(App(), "Stack")

    @pytest.fixture
    def source(self, stack: Stack) -> Source:
        return Source.github(secretsmanager.Secret(stack, "Secret"))

    def applied(self, stack: Stack) -> dict[str, Any]:
        """Return the filters of each function by path, and those of the mapping."""
        template = Template.from_stack(stack)
        found = {}
        for id, function in template.find_resources("AWS::Lambda::Function").items():
            if text := function["Properties"].get("Environment", {}).get("Variables", {}).get(VARIABLE):
                found[id.removeprefix("Webhook").rstrip("0123456789ABCDEF")] = json.loads(text)
        (mapping,) = template.find_resources("AWS::Lambda::EventSourceMapping").values()
        if criteria := mapping["Properties"].get("FilterCriteria"):
            found["mapping"] = [json.loads(each["Pattern"]) for each in criteria["Filters"]]
            assert mapping["Properties"]["MetricsConfig"] == {"Metrics": ["EventCount"]}
        else:
            assert "MetricsConfig" not in mapping["Properties"]
        return found

    def in_lower_case(self, filters: Any) -> Any:
        """Return the filters with the names of headers in lower case, as the run time matches them."""
        return [
            {
                key: {n.lower(): v for n, v in fields.items()} if key == "headers" else fields
                for key, fields in f.items()
            }
            for f in filters
        ]

    def test_each_publisher_drops_by_the_filters_of_its_endpoint(self, stack: Stack, source: Source) -> None:
        webhook = ScalableWebhook(stack, "Webhook", path="/a", event_filters=BODY)
        webhook.add_source("/b", source, event_filters=HEADERS)
        webhook.add_source("/c", source)
        assert self.applied(stack) == {
            "Publisher": {"/a": BODY},
            "SourcebPublisher": {"/b": self.in_lower_case(HEADERS)},
        }

    def test_the_mapping_drops_if_all_endpoints_have_the_same_filters(self, stack: Stack, source: Source) -> None:
        webhook = ScalableWebhook(stack, "Webhook", path="/a", ingress=TEXT, event_filters=[*BODY, *self.OTHER])
        webhook.add_source("/b", source, event_filters=[*self.OTHER, *BODY])
        assert self.applied(stack) == {"mapping": [*BODY, *self.OTHER]}

    @pytest.mark.parametrize(
        ("first", "ingress", "second"),
        [
            (BODY, TEXT, None),
            (None, TEXT, BODY),
            (BODY, TEXT, OTHER),
            (BODY, TEXT, [*BODY, *OTHER]),
            (BODY, TEXT, HEADERS),
            (HEADERS, TEXT, HEADERS),
            # Equal in Python, but different filters.
            ([{"body": {"n": [1]}}], TEXT, [{"body": {"n": [True]}}]),
        ],
    )
    def test_the_consumer_drops_by_endpoint_if_the_filters_differ(
        self, first: Any, ingress: Ingress, second: Any, stack: Stack, source: Source
    ) -> None:
        webhook = ScalableWebhook(stack, "Webhook", path="/a", ingress=ingress, event_filters=first)
        webhook.add_source("/b", source, event_filters=second)
        wanted = {"/a": first and self.in_lower_case(first), "/b": second and self.in_lower_case(second)}
        assert self.applied(stack) == {"Consumer": {mount: each for mount, each in wanted.items() if each}}

    @pytest.mark.parametrize("second", [None, BODY])
    def test_the_mapping_never_drops_messages_of_a_publisher(self, second: Any, stack: Stack, source: Source) -> None:
        """It cannot read all of them: bytes are base64, and a large payload is in S3."""
        webhook = ScalableWebhook(stack, "Webhook", path="/a", ingress=TEXT, event_filters=BODY)
        webhook.add_source("/b", source, ingress=LAMBDA, event_filters=second)
        publisher = {"SourcebPublisher": {"/b": second}} if second else {}
        assert self.applied(stack) == {"Consumer": {"/a": BODY}, **publisher}

    def test_the_mapping_never_drops_messages_of_an_ingress_that_filters(self) -> None:
        filters = EventFilters(BODY)
        mapped = Endpoint(None, filters, ingress_filters=False, as_text=True)
        assert dropping({"/a": mapped, "/b": mapped}, own_consumer=False).mapping is filters
        filtering = Endpoint(None, filters, ingress_filters=True, as_text=True)
        assert dropping({"/a": mapped, "/b": filtering}, own_consumer=False) == Dropping(consumer={"/a": filters})

    def test_an_endpoint_with_other_filters_opens_after_the_mapping_stops_dropping(
        self, stack: Stack, source: Source
    ) -> None:
        webhook = ScalableWebhook(stack, "Webhook", path="/a", ingress=TEXT, event_filters=BODY)
        webhook.add_source("/same", source, event_filters=BODY)
        webhook.add_source("/b", source)
        webhook.add_source("/c", source)
        template = Template.from_stack(stack)
        (mapping,) = template.find_resources("AWS::Lambda::EventSourceMapping")
        waiting = {
            id
            for id, method in template.find_resources("AWS::ApiGateway::Method").items()
            if mapping in method.get("DependsOn", [])
        }
        assert len(waiting) == 2
        assert all(id.startswith("WebhookApib") for id in waiting)

    @pytest.mark.parametrize("ingress", [LAMBDA, TEXT])
    @pytest.mark.parametrize("first", [None, BODY])
    def test_one_metric_counts_the_webhooks_that_all_functions_drop(
        self, first: Any, ingress: Ingress, stack: Stack, source: Source
    ) -> None:
        webhook = ScalableWebhook(stack, "Webhook", path="/a", ingress=ingress, event_filters=first)
        webhook.add_source("/b", source, ingress=LAMBDA, event_filters=BODY)
        webhook.add_source("/c", source, ingress=BINARY if ingress is LAMBDA else TEXT, event_filters=self.OTHER)
        webhook.metric_dropped().create_alarm(stack, "Alarm", threshold=1, evaluation_periods=1)
        template = Template.from_stack(stack)
        all_of_them = [each["Properties"] for each in template.find_resources("AWS::Logs::MetricFilter").values()]
        counters = [each for each in all_of_them if "dropped" in each["FilterPattern"]]
        groups = {each["LogGroupName"]["Ref"].rstrip("0123456789ABCDEF") for each in counters}
        at_first = {"WebhookPublisherLogs"} if ingress is LAMBDA and first else set()
        assert groups == {"WebhookSourcebPublisherLogs", "WebhookConsumerLogs"} | at_first
        assert len(counters) == len(groups)
        (name,) = {each["MetricTransformations"][0]["MetricName"] for each in counters}
        template.has_resource_properties(
            "AWS::CloudWatch::Alarm", {"Namespace": "ScalableWebhook", "MetricName": name, "Statistic": "Sum"}
        )

    def test_a_source_that_would_stop_the_count_of_a_metric_is_rejected(self, stack: Stack, source: Source) -> None:
        webhook = ScalableWebhook(stack, "Webhook", path="/a", ingress=TEXT, event_filters=BODY)
        metric = webhook.metric_dropped()
        webhook.add_source("/same", source, event_filters=BODY)
        assert webhook.metric_dropped().metric_name == metric.metric_name == "FilteredOutEventCount"
        with pytest.raises(ValueError, match=r"endpoint /b: metric_dropped\(\) must be called after add_source\(\)"):
            webhook.add_source("/b", source)
        assert self.applied(stack) == {"mapping": BODY}

    def test_filters_that_no_part_would_apply_are_rejected(self, stack: Stack, source: Source) -> None:
        existing = existing_function(stack)
        webhook = ScalableWebhook(stack, "Webhook", path="/a", ingress=TEXT, event_filters=BODY, consumer=existing)
        with pytest.raises(ValueError, match=r"endpoint /b: event_filters of /a must .*, got /b as well; take Ingress"):
            webhook.add_source("/b", source, ingress=LAMBDA, event_filters=BODY)
        other = ScalableWebhook(stack, "Other", path="/a", event_filters=BODY, consumer=existing)
        other.add_source("/b", source, event_filters=HEADERS)

    def test_the_error_of_a_wrong_filter_names_its_endpoint(self, stack: Stack, source: Source) -> None:
        webhook = ScalableWebhook(stack, "Webhook", path="/a")
        with pytest.raises(ValueError, match=r"^endpoint /b: event_filters must be a list of 1 to 5 filters, got 0"):
            webhook.add_source("/b", source, event_filters=[])

    def test_filters_that_do_not_fit_into_the_consumers_environment_are_rejected(
        self, stack: Stack, source: Source
    ) -> None:
        long = [{"body": {"a": ["x" * 1500]}}]
        webhook = ScalableWebhook(stack, "Webhook", path="/a", ingress=BINARY, event_filters=long)
        with pytest.raises(ValueError, match=r"event_filters of /a and /b together must be at most 3,000 .* got 3,0"):
            webhook.add_source("/b", source, event_filters=long)
        assert self.applied(stack) == {"Consumer": {"/a": long}}


field = "event_filters[0]['body']['a']"
REJECTED: dict[str, tuple[Any, str, list[Any]]] = {
    "no filter": ([], "event_filters must be a list of 1 to 5 filters, got 0; name one, or leave it out", [BODY, OMITTED]),
    "too many": ([{"body": {"a": [number]}} for number in range(6)], "event_filters must be a list of 1 to 5 filters, got 6; join some by $or", [[{"body": {"$or": [{"a": [0]}, {"a": [1]}]}}], OMITTED]),
    "filter outside a list": (BODY[0], "event_filters must be a list, each a dict, got {'body': {'ref': [{'prefix': 'refs/heads/'}]}} (dict); put a single one into a list, too", [BODY, OMITTED]),
    "text for a filter": (["push"], "event_filters[0] must be a dict, got 'push' (str); write one with braces, {…: …}, or leave event_filters out", [BODY, OMITTED]),
    "empty filter": ([{}], "event_filters[0] must be a dict with the keys body, headers or both, got nothing", [BODY]),
    "another key": ([*BODY, {"path": ["/"]}], "event_filters[1] must be a dict with the keys body, headers or both, got path", [[*BODY, {"body": {"path": ["/"]}}]]),
    "no fields": ([{"body": {}}], "event_filters[0]['body'] must be a dict with one field or more, got {}; for example", [[{"body": {"type": ["order.paid"]}}]]),
    "fields in a list": ([{"body": ["x"]}], "event_filters[0]['body'] must be a dict with one field or more, got ['x']", [[{"body": {"type": ["order.paid"]}}]]),
    "field name that is not a text": ([{"body": {1: ["x"]}}], "must be a dict with one field or more, got {1: ['x']}", [[{"body": {"1": ["x"]}}]]),
    "value without a list": ([{"body": {"a": "x"}}], f"{field} must be a list of one value or more, got 'x'; put a single value", [[{"body": {"a": ["x"]}}]]),
    "no values": ([{"body": {"a": []}}], f"{field} must be a list of one value or more, got []; name a value in it", [[{"body": {"a": ["x"]}}]]),
    "list in a list": ([{"body": {"a": [["x"]]}}], f"{field} must have texts, numbers, booleans and None, got ['x']", [[{"body": {"a": ["x"]}}]]),
    "fraction": ([{"body": {"a": [1.5]}}], f"{field} must have numbers with a fraction below numeric, since AWS compares others as they are written, got 1.5; write {{'numeric': ['=', 1.5]}}", [[{"body": {"a": [{"numeric": ["=", 1.5]}]}}]]),
    "unknown operator": ([{"body": {"a": [{"regex": "x"}]}}], f"{field} must have one operator a dict, of prefix, suffix, equals-ignore-case, anything-but, numeric, exists, got regex; take one of these in each dict", [[{"body": {"a": [{"prefix": "x"}]}}]]),
    "two operators": ([{"body": {"a": [{"prefix": "x", "suffix": "y"}]}}], "got prefix, suffix", [[{"body": {"a": [{"prefix": "x"}, {"suffix": "y"}]}}]]),
    "no operator": ([{"body": {"a": [{}]}}], "must have one operator a dict, of prefix, suffix, equals-ignore-case, anything-but, numeric, exists, got none", [[{"body": {"a": [{"prefix": "x"}]}}]]),
    "prefix of a number": ([{"body": {"a": [{"prefix": 1}]}}], f"{field} must have a text for prefix, got 1; write a dict with prefix for each text", [[{"body": {"a": [{"prefix": "1"}]}}]]),
    "exists with a text": ([{"body": {"a": [{"exists": "true"}]}}], f"{field} must have True or False for exists, got 'true'; write", [[{"body": {"a": [{"exists": True}]}}]]),
    "anything-but with no value": ([{"body": {"a": [{"anything-but": []}]}}], f"{field} must have texts alone or whole numbers alone for anything-but, got []", [[{"body": {"a": [{"anything-but": ["x"]}]}}]]),
    "anything-but with a text and a number": ([{"body": {"a": [{"anything-but": ["x", 1]}]}}], "for anything-but, got ['x', 1]", [[{"body": {"a": [{"anything-but": ["x", "1"]}]}}]]),
    "anything-but with null": ([{"body": {"a": [{"anything-but": None}]}}], "for anything-but, got None", [[{"body": {"a": [{"anything-but": "x"}]}}]]),
    "anything-but with a boolean": ([{"body": {"a": [{"anything-but": [True]}]}}], "for anything-but, got [True]", [[{"body": {"a": [{"anything-but": [1]}]}}]]),
    "anything-but with a prefix": ([{"body": {"a": [{"anything-but": {"prefix": "x"}}]}}], "for anything-but, got {'prefix': 'x'}; list texts alone", [[{"body": {"a": [{"anything-but": ["x"]}]}}]]),
    "unknown comparison": ([{"body": {"a": [{"numeric": ["!=", 1]}]}}], f"{field} must have ['=', 1], ['>', 1] or a range such as ['>', 1, '<=', 9] for numeric, got ['!=', 1]", [[{"body": {"a": [{"numeric": ["=", 1]}]}}]]),
    "comparison with a text": ([{"body": {"a": [{"numeric": [">", "1"]}]}}], "got ['>', '1']; write one of these, its numbers without quotes", [[{"body": {"a": [{"numeric": [">", 1]}]}}]]),
    "comparison with True": ([{"body": {"a": [{"numeric": [">", True]}]}}], "got ['>', True]", [[{"body": {"a": [{"numeric": [">", 1]}]}}]]),
    "comparison with nothing": ([{"body": {"a": [{"numeric": [">", 1, "<"]}]}}], "got ['>', 1, '<']", [[{"body": {"a": [{"numeric": [">", 1, "<=", 9]}]}}]]),
    "comparison without a list": ([{"body": {"a": [{"numeric": 1}]}}], "for numeric, got 1", [[{"body": {"a": [{"numeric": ["=", 1]}]}}]]),
    "range from above": ([{"body": {"a": [{"numeric": ["<", 9, ">", 1]}]}}], "got ['<', 9, '>', 1]", [[{"body": {"a": [{"numeric": [">", 1, "<", 9]}]}}]]),
    "range of nothing": ([{"body": {"a": [{"numeric": [">", 9, "<", 1]}]}}], f"{field} must have the lower limit of a range first, got ['>', 9, '<', 1]; swap them", [[{"body": {"a": [{"numeric": [">", 1, "<", 9]}]}}]]),
    "comparison beyond the limit of AWS": ([{"body": {"a": [{"numeric": [">", 6e9]}]}}], f"a number below numeric of {field} must be between -5,000,000,000 and 5,000,000,000, got 6,000,000,000.0", [[{"body": {"a": [{"numeric": [">", 5e9]}]}}]]),
    "comparison with NaN": ([{"body": {"a": [{"numeric": ["=", float("nan")]}]}}], "for numeric, got ['=', nan]", [[{"body": {"a": [{"numeric": ["=", 1]}]}}]]),
    "comparison with infinity": ([{"body": {"a": [{"numeric": ["<", float("inf")]}]}}], "for numeric, got ['<', inf]", [[{"body": {"a": [{"numeric": ["<", 9]}]}}]]),
    "one filter twice": ([{"headers": {"X-A": ["x"]}}, {"headers": {"x-a": ["x"]}}], "event_filters must be different filters, got one of them twice; leave it out", [[{"headers": {"X-A": ["x"]}}]]),
    "one alternative": ([{"body": {"$or": [{"a": ["x"]}]}}], "event_filters[0]['body']['$or'] must be a list of two dicts or more, got [{'a': ['x']}]", [[{"body": {"$or": [{"a": [1]}, {"b": [2]}]}}]]),
    "alternatives that are values": ([{"body": {"$or": ["x", "y"]}}], "event_filters[0]['body']['$or'][0] must be a dict with one field or more, got 'x'", [[{"body": {"$or": [{"type": ["order.paid"]}, {"b": [2]}]}}]]),
    "alternatives that are operators": ([{"body": {"$or": [{"a": [1]}, {"prefix": ["x"]}]}}], "event_filters[0]['body']['$or'] must have no operator for the name of a field, got prefix; put", [[{"body": {"$or": [{"a": [1]}, {"b": [{"prefix": "x"}]}]}}]]),
    "invalid header name": ([{"headers": {"X: y": ["x"]}}], "a header of event_filters[0]['headers'] must be 1 to 128 letters, digits, hyphens or underscores, got 'X: y'", [[{"headers": {"Idempotency-Key": ["x"]}}]]),
    "field twice by a dot": ([{"body": {"a.b": ["x"], "a": {"b": ["y"]}}}], "event_filters[0]['body'] must name each field once, got a twice; put all its values into one list", [[{"body": {"a": {"b": ["x", "y"]}}}]]),
    "field with values and with fields below": ([{"body": {"a": ["x"], "a.b": ["y"]}}], "event_filters[0]['body'] must name each field once, got a.b twice; put all its values into one list", [[{"body": {"a.b": ["x", "y"]}}]]),
    "header twice": ([{"headers": {"X-A": ["x"], "x-a": ["y"]}}], "event_filters[0]['headers'] must name each header once, got x-a twice; put all its values into one list", [[{"headers": {"X-A": ["x", "y"]}}]]),
    "header with fields": ([{"headers": {"X-A": {"b": ["x"]}}}], "event_filters[0]['headers']['X-A'] must be a list of one value or more, got {'b': ['x']}", [[{"headers": {"X-A": ["x"]}}]]),
    "header with a number": ([{"headers": {"X-A": [1]}}], "event_filters[0]['headers']['X-A'] must have texts and operators, since a header is text, got 1; write a text", [[{"headers": {"X-A": ["1"]}}]]),
    "header with null": ([{"headers": {"X-A": [None]}}], "since a header is text, got None", [[{"headers": {"X-A": ["null"]}}]]),
    "header with a comparison": ([{"headers": {"X-A": [{"numeric": [">", 1]}]}}], "must have no numeric, since a header is text, got ['>', 1]", [[{"headers": {"X-A": ["1"]}}]]),
    "header with anything-but a number": ([{"headers": {"X-A": [{"anything-but": [1]}]}}], "must have texts for anything-but, got [1]", [[{"headers": {"X-A": [{"anything-but": ["1"]}]}}]]),
    "token": ([{"body": {"a": [Token.as_string({"Ref": "X"})]}}], "event_filters must be known at synth, got a value that only deployment knows; write the value itself", [[{"body": {"a": ["x"]}}]]),
    "text that no template can have": ([{"body": {"a": ["\ud800"]}}], f"{field} must have texts, numbers, booleans and None, got '\\ud800'", [[{"body": {"a": ["\n"]}}]]),
    "field name that no template can have": ([{"body": {"\0": ["x"]}}], "event_filters[0]['body'] must be a dict with one field or more, got {'\\x00': ['x']}", [[{"body": {"type": ["order.paid"]}}]]),
    "number of 5,001 digits": ([{"body": {"a": [10**5000]}}], f"{field} must have texts, numbers, booleans and None, got an int", [[{"body": {"a": [10**15]}}]]),
    "comparison with a number of 5,001 digits": ([{"body": {"a": [{"numeric": [">", 10**5000]}]}}], "for numeric, got a list; write", [[{"body": {"a": [{"numeric": [">", 9]}]}}]]),
    "filter that contains itself": ([{"body": ENDLESS}], "event_filters must be less deep, got one without end; write out", [[{"body": {"a": {"a": ["x"]}}}]]),
    "too long for an environment": ([{"body": {"a": ["x" * 1000] * 3}}], "event_filters must be at most 3,000 characters as JSON, since a function has them in its environment, got 3,0", [[{"body": {"a": ["x" * 1000]}}], [{"body": {"a": [{"prefix": "x"}]}}]]),
}  # fmt: skip


ROWS = [
    Row(name, message, {"event_filters": filters}, {}, [{"event_filters": each} for each in remedies])
    for name, (filters, message, remedies) in REJECTED.items()
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_wrong_filter_is_rejected_in_the_constructor_and_each_remedy_works(row: Row) -> None:
    assert_remedies_work(row.rejection())
    assert ", got " in message_of(row.rejection())


def test_a_mapping_accepts_longer_filters_than_an_environment_up_to_its_limit(synth: Synth) -> None:
    long = {"body": {"a": ["x" * 1000] * 4}}
    synth(ingress=TEXT, event_filters=[long, *BODY])
    with pytest.raises(ValueError, match=r"event_filters\[1\] must be at most 4,096 characters as JSON, got 5,0"):
        EventFilters([long, {"body": {"a": ["x" * 1000] * 5}}]).criteria()
