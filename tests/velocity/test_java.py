"""Compare Java in templates between Apache Velocity and the local gateway, byte for byte.

They differ only where API Gateway was recorded to differ.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalable_webhook_cli.gateway.velocity import render

from .engine import Velocity, why_not

by_property = settings(max_examples=60)
words = st.text("aAbB,.;$#\\'\"/ \t\n\x1fäßİ\u2028\uffff😀", max_size=12)


@pytest.fixture(scope="module")
def velocity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Velocity]:
    if reason := why_not():
        pytest.skip(reason)
    engine = Velocity(tmp_path_factory.mktemp("velocity"))
    yield engine
    engine.close()


def same(velocity: Velocity, template: str, body: str, other: str = "") -> str:
    """Return the text that both engines render."""
    header = {"other": other}
    expected, _ = velocity.render(template, body=body, header=header, querystring={}, path={}, context={})
    assert render(template, body=body, header=header, querystring={}, path={}, context={}) == expected
    return expected


@pytest.mark.parametrize(
    "call",
    [
        "length()",
        "isEmpty()",
        "trim()",
        "toLowerCase()",
        "toUpperCase()",
        "contains($other)",
        "startsWith($other)",
        "endsWith($other)",
        "equals($other)",
        "equalsIgnoreCase($other)",
        "indexOf($other)",
        "lastIndexOf($other)",
        "concat($other)",
        "replace('a', $other)",
        "replaceAll('[ab]+', 'x')",
        "replaceAll('(a)(b)', '$2$1')",
        "replaceAll(',', '\\$')",
        "replaceFirst('[aA]', 'x')",
        "matches('[a-z]*')",
        "matches('.*')",
        "matches('a|ab')",
        "matches('[\\x20-\\uD7FF\\x{10000}-\\x{10FFFF}]*')",
        "substring(0)",
        "toLowerCase().replace('b', 'c').trim().length()",
    ],
)
def test_a_string_has_the_methods_of_java(velocity: Velocity, call: str) -> None:
    @by_property
    @given(words, words)
    def check(body: str, other: str) -> None:
        same(velocity, f"#set($other = $input.params('other'))$input.body.{call}", body, other)
        # A string that the template created is a Java string too.
        same(velocity, f'#set($other = $input.params("other"))#set($made = "<$input.body>")$made.{call}', body, other)

    check()


@pytest.mark.parametrize("pattern", [",", "[,;]+", "(,)|;", "", "b*", "\\."])
def test_a_string_is_split_as_in_java(velocity: Velocity, pattern: str) -> None:
    @by_property
    @given(words)
    def check(body: str) -> None:
        body = body.replace("😀", "")  # an empty match would split its two halves, which are not text
        same(velocity, f"#foreach($part in $input.body.split('{pattern}'))[$part]#end", body)

    check()


@by_property
@given(words, st.data())
def test_characters_are_counted_as_java_counts_them(velocity: Velocity, body: str, data: st.DataObject) -> None:
    text = body.replace("😀", "")  # half of a pair cannot be compared
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    same(velocity, f"$input.body.substring({start}, {end})", text)
    same(velocity, f"$input.body.substring(2, {len(text) + 2})", "😀" + text)


@pytest.mark.parametrize("function", ["urlEncode", "base64Encode", "escapeJavaScript"])
@by_property
@given(body=st.text(st.characters(exclude_categories=["Cs"])))
def test_util_has_the_functions_of_java(velocity: Velocity, function: str, body: str) -> None:
    encoded = same(velocity, f"$util.{function}($input.body)", body)
    decode = {"urlEncode": "urlDecode", "base64Encode": "base64Decode"}.get(function)
    if decode and encoded:
        assert same(velocity, f"$util.{decode}($input.body)", encoded) == body


@by_property
@given(name=words, value=words)
def test_interpolation_ends_where_velocity_ends_it(velocity: Velocity, name: str, value: str) -> None:
    template = """#set($a = $input.body)#set($n = $input.params("other"))
        #set($a = "$a&h.$util.urlEncode($n.toLowerCase())=$util.urlEncode($a)")$a.length() ${a}x
        $!nothing $!nothing.at.all $!{nothing} $!{nothing.at.all}"""
    same(velocity, template, name, value)


@pytest.mark.parametrize(
    "template",
    [
        "a\n  #set($x = 1)\nb  #set($y = 2)  \n$x$y",
        "  #set($x = 'a')$x\n\n#set($x = $nothing)[$x]",
        '#set($x = \'it\'\'s \\ so\')$x #set($x = "say ""it\'s"" \\ ")$x',
        "#set($x = '')#if($x == '' && \"\" == $x)empty#end",
        "$input.body.isEmpty() $input.params().header $input.params().path $input.params().header.size()",
        "#foreach($h in $input.params().header.entrySet())$h.key=$h.value $h.getKey()=$h.getValue();#end",
        "#foreach($v in $input.params().header.values())$v;#end $input.params().header.other",
        "#foreach($k in $input.params().header.keySet())$velocityCount $foreach.index#if($foreach.hasNext),#end#end",
        "#set($list = [1, 'b', true])$list $list.size() $list.get(1) $list[0]",
        "#set($map = {'a': 1})$map $map.a $map.get('a')#if($map.containsKey('b'))b#{else}-#end",
        "#set($s = 'a' + 'b')$s.concat('c').charAt(1) #set($n = 2 + 3 * 4)$n #set($n = 7 / 2)$n",
        "#set($x = 1)\n  #set($y = 2)\n  $x #set($x = 3)$y## comment\n  #set($y = 1)|",
        "#foreach($n in [1, 2])\n  #if($n == 2)\n  #set($last = $n)\n  #end\n  $n,\n#end\n$last",
        "#if('' && 0 || !$nothing)yes#{else}no#end ## comment\n#* more *# \\$input.body $5 |",
        "$!input.body.nothing() $input.params('nothing')|",
    ],
)
def test_the_language_is_velocitys(velocity: Velocity, template: str) -> None:
    same(velocity, template, "a body", "a header")


@pytest.mark.parametrize(
    ("template", "velocitys", "api_gateways"),
    [
        # template-path-absent and template-stage-variable-absent of tests/recorded.
        ("[$nothing|$nothing.at.all|${nothing}]", "[$nothing|$nothing.at.all|${nothing}]", "[||]"),
        ("[$input.body.nothing()|$stageVariables.version]", "[$input.body.nothing()|$stageVariables.version]", "[|]"),
        ("#set($x = '')$x.nested|#if($x == $null)null#{else}text#end", "$x.nested|text", "|null"),
        ("#if($nothing == '')empty#{else}-#end#if($nothing != '')-#{else}empty#end", "--", "emptyempty"),
    ],
)
def test_recorded_differences_of_api_gateway_are_followed(
    velocity: Velocity, template: str, velocitys: str, api_gateways: str
) -> None:
    request: dict[str, Any] = {"body": "a body", "header": {}, "querystring": {}, "path": {}, "context": {}}
    rendered, _ = velocity.render(template, **request)
    assert rendered == velocitys
    assert render(template, **request) == api_gateways
