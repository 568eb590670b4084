"""Each operator matches as AWS documents it, and no payload does any harm."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_runtime.contract.settings import FilterSettings, from_environment, to_environment
from webhook_runtime.filters import EventFilters
from webhook_runtime.testing import webhook

# The comparisons of https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html#filtering-syntax, each
# with payloads that match and payloads that do not.
CASES: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "null": ({"UserID": [None]}, [{"UserID": None}], [{}, {"UserID": ""}, {"UserID": 0}, {"UserID": False}]),
    "empty": ({"LastName": [""]}, [{"LastName": ""}], [{}, {"LastName": None}, {"LastName": " "}]),
    "equals": ({"Name": ["Alice"]}, [{"Name": "Alice", "Age": 1}], [{"Name": "alice"}, {"name": "Alice"}, {}]),
    "equals (ignore case)": (
        {"Name": [{"equals-ignore-case": "alice"}]},
        [{"Name": "Alice"}, {"Name": "aLICE"}],
        [{"Name": "Alic"}, {"Name": None}, {}],
    ),
    "and": (
        {"Location": ["New York"], "Day": ["Monday"]},
        [{"Location": "New York", "Day": "Monday"}],
        [{"Location": "New York"}, {"Location": "New York", "Day": "Friday"}],
    ),
    "or": ({"Type": ["Credit", "Debit"]}, [{"Type": "Credit"}, {"Type": "Debit"}], [{"Type": "Cash"}]),
    "or (multiple fields)": (
        {"$or": [{"Location": ["New York"]}, {"Day": ["Monday"]}]},
        [{"Location": "New York", "Day": "Friday"}, {"Day": "Monday"}],
        [{"Location": "Rome", "Day": "Friday"}, {}],
    ),
    "or with an and next to it and in it": (
        {"a": [1], "$or": [{"b": [1]}, {"c": [1], "d": {"e": [1]}}]},
        [{"a": 1, "b": 1}, {"a": 1, "c": 1, "d": {"e": 1}}],
        [{"b": 1}, {"a": 1}, {"a": 1, "c": 1}],
    ),
    "not": (
        {"Weather": [{"anything-but": ["Raining"]}]},
        [{"Weather": "Sunny"}, {"Weather": None}, {"Weather": 1}, {"Weather": True}],
        [{"Weather": "Raining"}, {}],
    ),
    "not (numbers)": ({"n": [{"anything-but": [0, 1]}]}, [{"n": 2}, {"n": True}, {"n": "1"}], [{"n": 0}, {"n": 1}]),
    "numeric (equals)": (
        {"Price": [{"numeric": ["=", 100]}]},
        [{"Price": 100}, {"Price": 100.0}, {"Price": 1e2}],
        [{"Price": "100"}, {"Price": 101}, {"Price": None}],
    ),
    "numeric (range)": (
        {"Price": [{"numeric": [">", 10, "<=", 20]}]},
        [{"Price": 10.1}, {"Price": 20}],
        [{"Price": 10}, {"Price": 20.1}, {"Price": True}, {}],
    ),
    "numeric (one limit)": (
        {"a": [{"numeric": [">=", 1]}], "b": [{"numeric": ["<", 1]}]},
        [{"a": 1, "b": -1e300}],
        [{"a": 0, "b": 0}, {"a": 1, "b": 1}, {"a": True, "b": False}],
    ),
    "exists": (
        {"ProductName": [{"exists": True}]},
        [{"ProductName": ""}, {"ProductName": None}, {"ProductName": 0}],
        [{}, {"Other": 1}],
    ),
    "does not exist": ({"ProductName": [{"exists": False}]}, [{}, {"Other": 1}], [{"ProductName": None}]),
    "exists is for leaves": ({"person": {"address": [{"exists": True}]}}, [], [{"person": {"address": {"city": "X"}}}]),
    "does not exist is for leaves": (
        {"person": {"address": [{"exists": False}]}},
        [{"person": {"address": {"city": "X"}}}, {"person": {}}, {"person": "Zoë"}, {}],
        [{"person": {"address": "X"}}],
    ),
    "begins with": ({"Region": [{"prefix": "us-"}]}, [{"Region": "us-east-1"}], [{"Region": "eu-us-"}, {"Region": 1}]),
    "ends with": ({"FileName": [{"suffix": ".png"}]}, [{"FileName": "a.png"}], [{"FileName": "a.PNG"}, {}]),
    "booleans": ({"a": [True]}, [{"a": True}], [{"a": 1}, {"a": "true"}, {"a": False}]),
    "numbers by their value": (
        {"a": [300, {"anything-but": [1]}]},
        [{"a": 300}, {"a": 300.0}, {"a": 3.0e2}],
        [{"a": 1.0}],
    ),
    "a number is neither a text nor true": ({"a": [1]}, [{"a": 1.0}], [{"a": "1"}, {"a": True}, {"a": 1.5}]),
    # A dot in a name is a step: recorded from AWS.
    "a dot in the payload": (
        {"detail": {"state": {"status": ["x"]}}},
        [{"detail": {"state.status": "x"}}, {"detail.state.status": "x"}, {"detail.state": {"status": "x"}}],
        [{"detail": {"state.status": {"status": "x"}}}, {"detail.state": "x"}, {"detail": {"state.": "x"}}],
    ),
    "dots next to steps": (
        {"a": {"b": ["x"], "c": ["y"]}},
        [{"a": {"b": "x"}, "a.c": "y"}, {"a.b": "x", "a.c": "y"}, {"a.b": "z", "a": {"b": "x", "c": "y"}}],
        [{"a.b": "x", "c": "y"}, {"a": {"b": "x"}, "a.b.c": "y"}],
    ),
    "several rules for a field": ({"a": ["x", {"prefix": "y"}, 1]}, [{"a": "x"}, {"a": "yy"}, {"a": 1}], [{"a": "z"}]),
    "nested": ({"a": {"b": {"c": ["x"]}}}, [{"a": {"b": {"c": "x"}}}], [{"a": {"b": "x"}}, {"a": "x"}, {"c": "x"}]),
    "an array in the payload": (
        {"labels": ["bug"]},
        [{"labels": ["help", "bug"]}, {"labels": [["bug"]]}],
        [{"labels": []}, {"labels": ["bugs"]}, {"labels": [{"bug": 1}]}],
    ),
    "anything but, in an array": ({"a": [{"anything-but": ["x"]}]}, [{"a": ["x", "y"]}], [{"a": ["x"]}, {"a": []}]),
    "an empty array has no leaf": ({"a": [{"exists": False}]}, [{"a": []}, {"a": {}}], [{"a": [0]}]),
    "objects in an array, each by itself": (
        {"pets": {"kind": ["cat"], "name": ["Tom"]}},
        [{"pets": [{"kind": "dog"}, {"kind": "cat", "name": "Tom"}]}],
        [{"pets": [{"kind": "cat", "name": "Kit"}, {"kind": "dog", "name": "Tom"}]}],
    ),
    "an array of events": ({"a": [1]}, [[{"a": 2}, {"a": 1}]], [[{"a": 2}], []]),
}  # fmt: skip


def wants(patterns: list[Any], body: Any = b"", headers: Any = ()) -> bool:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    # Through the environment, as deployed.
    written = to_environment(FilterSettings({"/": patterns}))
    by_mount = from_environment(FilterSettings, written).event_filters
    assert by_mount
    return EventFilters(by_mount).want(webhook(payload, headers=headers))


@pytest.mark.parametrize("case", CASES)
def test_a_comparison_matches_what_aws_documents(case: str) -> None:
    fields, matching, others = CASES[case]
    assert [payload for payload in matching if not wants([{"body": fields}], payload)] == []
    assert [payload for payload in others if wants([{"body": fields}], payload)] == []


def test_filters_are_of_their_endpoint_alone_and_an_endpoint_without_any_wants_everything() -> None:
    filters = EventFilters({"/a": [{"body": {"n": [1]}}], "/b": [{"headers": {"x-event": ["push"]}}]})
    one, push = webhook(json={"n": 1}), webhook(json={"n": 2}, headers={"X-Event": "push"})
    wanted = {mount: [filters.want(each._replace(mount=mount)) for each in (one, push)] for mount in ("/a", "/b", "/c")}
    assert wanted == {"/a": [True, False], "/b": [False, True], "/c": [True, True]}


def test_one_filter_of_several_is_enough() -> None:
    patterns = [{"body": {"a": [1]}}, {"headers": {"x-event": ["push"]}}]
    assert wants(patterns, {"a": 1})
    assert wants(patterns, b"\xff", [("X-Event", "push")])
    assert not wants(patterns, {"a": 2}, [("X-Event", "ping")])


def test_a_filter_on_headers_and_body_needs_both() -> None:
    pattern = {"headers": {"x-event": ["push"]}, "body": {"ref": [{"prefix": "refs/heads/"}]}}
    assert wants([pattern], {"ref": "refs/heads/main"}, [("X-Event", "push")])
    assert not wants([pattern], {"ref": "refs/tags/v1"}, [("X-Event", "push")])
    assert not wants([pattern], {"ref": "refs/heads/main"})


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ([("X-Event", "push")], True),
        ([("x-EVENT", "push")], True),
        ([("X-Event", "ping"), ("X-Event", "push")], True),
        ([("X-Event", "Push")], False),
        ([("X-Event", "push, ping")], False),
        ([("X-Other", "push")], False),
        ([], False),
    ],
)
def test_a_header_is_found_in_any_case_and_by_any_of_its_values(headers: Any, wanted: bool) -> None:
    assert wants([{"headers": {"x-event": ["push"]}}], headers=headers) is wanted


def test_a_header_may_be_absent() -> None:
    pattern = {"headers": {"x-draft": [{"exists": False}]}}
    assert wants([pattern])
    assert not wants([pattern], headers=[("X-Draft", "")])


NOT_TO_BE_READ = [
    b"",
    b"-",
    b"plain text",
    b'{"a": 1',
    b"\xff\xfe",
    b"\x00" * 100,
    # JSON, but without fields.
    b"1",
    b'"a"',
    b"null",
]


@pytest.mark.parametrize("rule", [{"exists": False}, {"prefix": "x"}, {"numeric": [">", 0]}])
def test_json_that_python_cannot_parse_is_kept(rule: Any) -> None:
    assert wants([{"body": {"a": [rule]}}], b'{"a": "y", "b": ' + b"1" * 10_000 + b"}")


@pytest.mark.parametrize("payload", NOT_TO_BE_READ, ids=range(len(NOT_TO_BE_READ)))
@pytest.mark.parametrize("rule", [{"exists": False}, {"exists": True}, {"anything-but": ["x"]}, {"numeric": [">", 0]}])
def test_a_payload_that_is_no_json_matches_no_filter_on_its_fields(payload: bytes, rule: Any) -> None:
    assert not wants([{"body": {"a": [rule]}}], payload)
    assert wants([{"body": {"a": [rule]}}, {"headers": {"x": [{"exists": False}]}}], payload)


@pytest.mark.parametrize(
    "payload",
    [
        b'\xef\xbb\xbf{"a": 1}',
        *('{"a": 1}'.encode(encoding) for encoding in ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32")),
        *(b'{"a": 1, "b": %s}' % number for number in (b"NaN", b"-Infinity", b"1e999")),
    ],
)
def test_a_filter_parses_every_payload_that_a_handler_can_parse(payload: bytes) -> None:
    assert webhook(payload).json()["a"] == 1
    assert wants([{"body": {"a": [1]}}], payload)


def test_json_that_is_nested_too_deeply_is_a_value_error_everywhere() -> None:
    with pytest.raises(ValueError, match=r"nested|Expecting"):
        webhook(b"[" * 200_000).json()


def test_names_of_many_dots_take_no_more_room_than_others() -> None:
    tracemalloc.start()
    payload = json.dumps({"." * 1000 + str(number): number for number in range(900)} | {"a.b": 1}).encode()
    assert wants([{"body": {"a": {"b": [1]}}}], payload)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * len(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"text": "%s"}' % (b"One sentence. " * 70_000),
        b'{"text": "%s' % (b"." * 1_000_000),
        b"{%s}" % b",".join([b'"a.b":0'] * 90_000),
        b"{%s}" % b",".join(b'"a.k%d":0' % number for number in range(70_000)),
        b'{"a":{"b":0},%s}' % b",".join([b'"a.b":[0]'] * 90_000),
    ],
    ids=["text", "dots", "one name", "many names", "arrays"],
)
def test_dots_cost_no_more_than_what_is_around_them(payload: bytes) -> None:
    # With the square of the payload's size, each would take minutes.
    assert not wants([{"body": {"a": {"b": ["x"]}}}], payload)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-16-le", "utf-32"])
def test_a_dot_is_a_step_however_it_is_written(encoding: str) -> None:
    for text in ('{"a.b": 1}', r'{"a\u002eb": 1}', r'{"a\u002Eb": 1}', r'{"\"": "", "a.b"  : 1}'):
        assert wants([{"body": {"a": {"b": [1]}}}], text.encode(encoding))


def test_arrays_as_deep_as_can_be_are_searched() -> None:
    assert wants([{"body": {"a": [1]}}], b'{"a": ' + b"[" * 900 + b"1" + b"]" * 900 + b"}")


def test_of_a_key_that_is_there_twice_the_last_value_counts() -> None:
    assert wants([{"body": {"a": [2]}}], b'{"a": 1, "a": 2}')
    assert not wants([{"body": {"a": [1]}}], b'{"a": 1, "a": 2}')


def test_a_number_beyond_all_limits_is_compared_and_raises_nothing() -> None:
    for number in (b"1e999", b"1" * 4000):
        assert wants([{"body": {"a": [{"numeric": [">", 0.5]}]}}], b'{"a": ' + number + b"}")
        assert not wants([{"body": {"a": [5, {"numeric": ["<=", 5]}]}}], b'{"a": ' + number + b"}")


names = st.text(min_size=1, max_size=8).filter(lambda name: name != "$or" and "." not in name)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-(10**12), 10**12), st.text(max_size=8))
limits = st.integers(-1000, 1000)


def rules() -> st.SearchStrategy[tuple[list[Any], Any]]:
    """Draw rules for a field, and a value that matches one of them."""
    texts = st.text(max_size=8)
    one = st.one_of(
        scalars.map(lambda value: (value, value)),
        st.tuples(texts, texts).map(lambda both: ({"prefix": both[0]}, both[0] + both[1])),
        st.tuples(texts, texts).map(lambda both: ({"suffix": both[1]}, both[0] + both[1])),
        st.from_regex("[a-z]{0,8}", fullmatch=True).map(lambda text: ({"equals-ignore-case": text}, text.upper())),
        st.tuples(texts, texts).map(lambda both: ({"anything-but": [both[0]]}, both[0] + "x" + both[1])),
        st.tuples(limits, limits).map(lambda both: ({"numeric": [">=", min(both), "<", max(both) + 1]}, both[0])),
        scalars.map(lambda value: ({"exists": True}, value)),
    )
    return st.tuples(st.lists(scalars, max_size=2), one).map(lambda both: ([*both[0], both[1][0]], both[1][1]))


def patterns_with_payloads() -> st.SearchStrategy[tuple[Any, Any]]:
    """Draw fields, and an object that has them all and more."""

    def objects(children: st.SearchStrategy[tuple[Any, Any]]) -> st.SearchStrategy[tuple[Any, Any]]:
        fields = st.dictionaries(names, children, min_size=1, max_size=3)
        more = st.dictionaries(names, scalars, max_size=2)
        return st.tuples(fields, more).map(
            lambda both: (
                {name: pattern for name, (pattern, _) in both[0].items()},
                both[1] | {name: value for name, (_, value) in both[0].items()},
            )
        )

    def in_an_array(pair: tuple[Any, Any]) -> tuple[Any, Any]:
        return pair[0], [{}, pair[1], "more"]

    nested = st.recursive(rules(), lambda children: st.one_of(objects(children), objects(children).map(in_an_array)))
    return objects(nested)


@given(patterns_with_payloads())
def test_a_payload_made_to_match_a_pattern_matches(pair: tuple[Any, Any]) -> None:
    pattern, payload = pair
    assert wants([{"body": pattern}], payload)
    assert wants([{"body": {"$or": [{"no such": ["x"]}, pattern]}}], payload)
    assert not wants([{"body": pattern | {"no such": [{"exists": True}]}}], payload | {"no such": {}})


@given(
    patterns_with_payloads(),
    st.one_of(
        st.binary(),
        st.recursive(scalars, lambda c: st.one_of(st.lists(c), st.dictionaries(names, c))).map(
            lambda value: json.dumps(value).encode()
        ),
    ),
)
def test_no_payload_raises(pair: tuple[Any, Any], payload: bytes) -> None:
    assert wants([{"body": pair[0]}], payload) in (True, False)
