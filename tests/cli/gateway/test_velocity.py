"""The local gateway renders templates. tests/velocity compares it with Apache Velocity if there is a Java."""

import json
from typing import Any

import pytest
from airspeed import TemplateExecutionError

from scalable_webhook_cli.gateway.velocity import render

DOCUMENT = json.dumps({"id": "é/1", "items": [{"n": 1}, {"n": 2.5}], "dotted.name": True, "none": None})


def rendered(template: str, **request: Any) -> str:
    defaults: dict[str, Any] = {"body": "", "header": {}, "querystring": {}, "path": {}, "context": {}}
    return render(template, **defaults | request)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("$input.path('$.id')", "é/1"),
        ("$input.path('$.items[1].n') $input.path('$.items').size()", "2.5 2"),
        ("$input.path('$')", '{id=é/1, items=[{"n":1},{"n":2.5}], dotted.name=true, none=null}'),
        ("$input.path('$.items[1]') [$input.path('$.none')]", "{n=2.5} []"),
        ("#set($made = [$input.path('$.id'), 2])$made $made.size()", "[é/1, 2] 2"),
        ("[$input.path('$.nothing') $input.path('$.items[7].n') $input.path('$.id.deeper')]", "[  ]"),
        ("$input.json('$.id') $input.json('$.items')", '"é/1" [{"n":1},{"n":2.5}]'),
        ("$input.json('$[\"dotted.name\"]') $input.json('$.nothing')", 'true ""'),
        ("#foreach($item in $input.path('$.items'))$item.n;#end", "1;2.5;"),
        ("$util.parseJson($input.body).items[0].n", "1"),
    ],
)
def test_a_template_reads_a_json_payload(template: str, text: str) -> None:
    assert rendered(template, body=DOCUMENT) == text


@pytest.mark.parametrize("path", ["id", "$..n", "$.items[*]", "$.items[?(@.n)]"])
def test_a_path_that_is_not_modelled_is_an_error_and_never_a_guess(path: str) -> None:
    with pytest.raises(TemplateExecutionError):
        rendered(f"$input.path('{path}')", body=DOCUMENT)


def test_a_parameter_is_looked_up_in_path_then_query_then_header() -> None:
    places = {
        "path": {"a": "path"},
        "querystring": {"a": "query", "b": "query"},
        "header": {"b": "header", "c": "header"},
    }
    assert rendered("$input.params('a') $input.params('b') $input.params('c')", **places) == "path query header"
    assert rendered("[$input.params('d')]", **places) == "[]"
    assert rendered("$input.params().header.b $input.params().header.get('c')", **places) == "header header"


def test_a_header_that_is_named_as_a_method_does_not_replace_it() -> None:
    header = {"get": "1", "keySet": "2", "values": "3"}
    assert rendered("$input.params().header.keySet() $input.params().header.get('get')", header=header) == (
        "[get, keySet, values] 1"
    )


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("urlEncode('a b&ü~*-._')", "a+b%26%C3%BC%7E*-._"),
        ("urlDecode('a+b%26')", "a b&"),
        ("base64Encode('ü')", "w7w="),
        ("base64Decode('w7w=')", "ü"),
        ("escapeJavaScript('é😀/\"')", '\\u00E9\\uD83D\\uDE00\\/\\"'),
    ],
)
def test_util_encodes_as_java_does(call: str, text: str) -> None:
    assert rendered(f"$util.{call}") == text


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("matches('a')", "false"),
        ("matches('[a-z\\x{1F600}]+')", "true"),
        ("length()", "4"),
        ("indexOf('b')", "3"),
        ("substring(1, 3)", "😀"),
        ("replaceAll('([a-b])', '<$1>')", "<a>😀<b>"),
        ("split('b')", "[a😀]"),
    ],
)
def test_a_string_has_the_methods_of_java(call: str, text: str) -> None:
    assert rendered(f"$input.body.{call}", body="a😀b") == text
    assert rendered(f'#set($made = "$input.body")$made.{call}', body="a😀b") == text


def test_the_context_has_the_response_overrides_of_a_template() -> None:
    context: dict[str, Any] = {"requestId": "r", "identity": {"sourceIp": "127.0.0.1"}}
    template = "#set($context.responseOverride.status = 413)#set($context.responseOverride.header.Odd = 1)"
    assert rendered(f"{template}$context.requestId $context.identity.sourceIp", context=context) == "r 127.0.0.1"
    assert context["responseOverride"] == {"status": 413, "header": {"Odd": 1}}


def test_text_of_a_request_is_never_run_as_a_template() -> None:
    evil = "$util.urlEncode('x') #set($context.responseOverride.status = 200) ${input.body} #end"
    assert rendered("$input.body|$input.params('h')", body=evil, header={"h": evil}) == f"{evil}|{evil}"
    assert rendered('#set($a = "$input.body")$a', body=evil) == evil
