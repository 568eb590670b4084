"""The fate of a request: payloads, headers, paths, methods, and all fields of a message."""

from collections.abc import Iterator, Sequence

from scalable_webhook_cli.conformance.case import ANY, Case, Facts, Request, at, shown
from scalable_webhook_cli.conformance.cases.sources import (
    ASSUMED,
    BYTES,
    CONTEXT,
    LIMITS,
    LOG,
    NOBODY,
    NOTES,
    PROXY_RESOURCE,
    TEMPLATES,
)

JSON = "application/json"
ALL = ("Text", "Binary", "Lambda")
_MIB = 1024 * 1024
# Room for the metadata of a message.
_ROOM = 16 * 1024


def typed(content_type: str | None, *others: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return ((("Content-Type", content_type),) if content_type is not None else ()) + others


def kept(body: bytes, **others: object) -> Facts:
    return {"status": 202, "payload": shown(body), **others}


_MIXED = "a=\"1\"&b='<ü>' $x #if ${y} 世界 😀\r\n".encode()
_SAME, _NOTHING, _UNKNOWN = "same", "nothing", None
# Name, meaning, content type, payload. Then the outcome at the text, the binary and the Lambda ingress: the same payload,
# nothing, another payload, a status, or unknown. Last, the source.
_Outcome = str | bytes | int | None
_PAYLOADS: list[tuple[str, str, str | None, bytes, tuple[_Outcome, _Outcome, _Outcome], str]] = [
    ("json", "JSON", JSON, b'{"order": 1}', (_SAME, _SAME, _SAME), BYTES),
    ("charset", "a type with a parameter", f"{JSON}; charset=utf-8", b'{"a":"\xc3\xbc"}', (_SAME,) * 3, BYTES),
    ("odd-type", "the template $default", "text/x-odd", b"x", (_SAME,) * 3, ASSUMED),
    ("form", "a form", "application/x-www-form-urlencoded", b"a=1&b=%26", (_SAME,) * 3, ASSUMED),
    ("no-type", "no Content-Type", None, b"x", (_SAME,) * 3, "fact sqs-no-payload; */* is not recorded"),
    ("bad-type", "a malformed Content-Type", ";;; not a type", b"x", (_UNKNOWN,) * 3, NOBODY),
    ("characters", "any characters of XML", "text/plain; charset=utf-8", _MIXED, (_SAME,) * 3, "fact template-url-encode"),
    ("none", "no payload, with a type", JSON, b"", (b"{}", _NOTHING, _NOTHING), "fact template-body-absent"),
    ("none-no-type", "no payload, no type", None, b"", (_NOTHING,) * 3, "fact sqs-no-payload"),
    ("braces", "{} with a type", JSON, b"{}", (_SAME,) * 3, "fact template-body"),
    ("braces-no-type", "{} without a type", None, b"{}", (_NOTHING, _SAME, _SAME), "fact sqs-no-payload"),
    ("ping-no-type", "base64 by chance, no type", None, b"ping", (_SAME,) * 3, ASSUMED),
    ("bytes", "any bytes", "application/octet-stream", bytes(range(256)), (400, _SAME, _SAME), "fact binary-request-none-no-types"),
    ("not-utf8", "bytes in JSON's name", JSON, b'{"a":"\xff"}', (400, _SAME, _SAME), "fact binary-request-none-no-types"),
    ("u+fffd", "the replacement character", "text/plain", b"\xef\xbf\xbd", (400, _SAME, _SAME), "fact send-invalid-characters"),
    ("u+000b", "a character that XML does not have", "text/plain", b"\x0b", (400, _SAME, _SAME), "fact send-invalid-characters"),
    ("u+fffe", "a noncharacter", "text/plain", b"\xef\xbf\xbe", (400, _SAME, _SAME), ASSUMED),
    ("surrogate", "half a surrogate", "text/plain", b"\xed\xa0\x80", (400, _SAME, _SAME), ASSUMED),
    ("fits", "1 MiB less the headers, as text", None, b"x" * (_MIB - _ROOM), (_SAME, 413, _SAME), "fact send-too-long"),
    ("fits-base64", "three quarters of it", None, b"x" * ((_MIB - _ROOM) * 3 // 4), (_SAME,) * 3, "fact send-too-long"),
    ("1-mib", "exactly 1 MiB", None, b"x" * _MIB, (413,) * 3, "fact send-too-long"),
    ("7-mb", "more than an event of Lambda", None, b"x" * 7_000_000, (413,) * 3, ASSUMED),
    ("11-mb", "more than API Gateway takes", None, b"x" * 11_000_000, (413,) * 3, LIMITS),
]  # fmt: skip


def _payloads() -> Iterator[Case]:
    for name, shows, content_type, body, outcomes, source in _PAYLOADS:
        yield Case(
            id=f"payload.{name}",
            shows=shows,
            way="message",
            requests=[Request(headers=typed(content_type), body=body)],
            fields=["payload"],
            expected={ingress: _outcome(body, outcome) for ingress, outcome in zip(ALL, outcomes, strict=True)},
            source=source,
        )


def _outcome(body: bytes, outcome: _Outcome) -> Facts | None:
    match outcome:
        case None:
            return None
        case int():
            return {"status": outcome}
        case bytes():
            return kept(outcome)
    return kept(body if outcome == _SAME else b"")


# Name, meaning, headers; the headers of the message at the direct ingresses, and at the Lambda ingress; the source.
_Headers = Sequence[tuple[str, str]]
_Arrived = dict[str, object] | None
_UTF8 = "Zoë".encode().decode("latin-1")
_BREAKING = '"&MessageBody=other&Action=PurgeQueue#'
_DROPPED = {
    "Connection": "close",
    "Content-MD5": "x",
    "Expect": "100-continue",
    "Max-Forwards": "2",
    "Proxy-Authenticate": "Basic",
    "Server": "x",
    "TE": "deflate",
    "Trailer": "Expires",
    "Upgrade": "x",
    "WWW-Authenticate": "Basic",
}
_FORWARDED = [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Port", "1"), ("X-Forwarded-Proto", "gopher")]
_CAME_BY = {"x-forwarded-for": "203.0.113.9, (client)", "x-forwarded-port": "443", "x-forwarded-proto": "https"}
_ADDED: dict[str, object] = {
    "x-amzn-trace-id": ANY,
    "x-forwarded-for": "(client)",
    "x-forwarded-port": "443",
    "x-forwarded-proto": "https",
}
_HEADERS: list[tuple[str, str, _Headers, _Arrived, _Arrived, str]] = [
    ("quotes", "a header that would break out", [("X-Odd", _BREAKING)], {"x-odd": _BREAKING}, {"x-odd": _BREAKING}, "fact template-url-encode"),
    ("velocity", "a header with Velocity in it", [("X-Odd", "$x #if ${y} \\")], {"x-odd": "$x #if ${y} \\"}, {"x-odd": "$x #if ${y} \\"}, TEMPLATES),
    ("utf-8", "a header of UTF-8", [("X-Odd", _UTF8)], None, None, NOBODY),
    ("latin-1", "a header of Latin-1", [("X-Odd", "Zo\xeb")], None, None, NOBODY),
    ("repeated", "a repeated header", [("X-Odd", "1"), ("X-Odd", "2")], {"x-odd": "2"}, {"x-odd": "1, 2"}, ASSUMED),
    ("dropped", "headers that never arrive", list(_DROPPED.items()), {name.lower(): None for name in _DROPPED}, {name.lower(): None for name in _DROPPED}, "facts event-headers-dropped-regional, template-headers-dropped-regional"),
    ("length", "Content-Length, with a payload", [], {"content-length": None}, {"content-length": None}, "fact event-headers-of-a-post; a template is not recorded"),
    ("chunked", "a payload in chunks", [("Transfer-Encoding", "chunked")], {"transfer-encoding": None}, {"transfer-encoding": None}, "facts event-headers-dropped-regional, template-headers-dropped-regional"),
    ("added", "headers that API Gateway adds", [], _ADDED, _ADDED, "fact event-headers-of-a-post; a template is not recorded"),
    ("forwarded", "the same from a client", _FORWARDED, {**_CAME_BY}, {**_CAME_BY}, ASSUMED),
    ("no-accept", "no Accept", [], {"accept": None}, {"accept": None}, ASSUMED),
    ("accept-image", "Accept of a binary type", [("Accept", "image/png")], {"accept": "image/png"}, {"accept": "image/png"}, BYTES),
]  # fmt: skip


def _headers() -> Iterator[Case]:
    for name, shows, headers, direct, function, source in _HEADERS:
        arrived = {"Text": direct, "Binary": direct, "Lambda": function}
        yield Case(
            id=f"header.{name}",
            shows=shows,
            way="message",
            requests=[Request(headers=typed("text/plain", *headers), body=b"x")],
            fields=["headers.x-odd"],
            expected={
                ingress: None if expected is None else kept(b"x", headers=expected, answer_type=JSON)
                for ingress, expected in arrived.items()
            },
            source=source,
        )
    yield Case(
        id="header.request-id",
        shows="two requests with one X-Amzn-RequestId are two webhooks",
        way="message",
        requests=[Request(headers=typed(None, ("X-Amzn-RequestId", "chosen")), body=body) for body in (b"1", b"2")],
        expected=at(ALL, {"status": 202, "ids": 2}),
        source=LOG,
    )
    yield Case(
        id="header.delivery-id",
        shows="two requests with one id, written in odd characters, are one webhook",
        way="message",
        requests=[Request(headers=typed(None, ("idempotency-key", "order \"'\\ 1"))), Request(headers=typed(None, ("Idempotency-Key", "order \"'\\ 1")))],
        expected=at(("Text/ids", "Binary/ids"), {"status": 202, "ids": 1, "id": "as answered", "mount": "/ids"}),
        source=TEMPLATES,
    )  # fmt: skip


# Name, meaning, path with query; path and query of the message at the direct ingresses, and at the Lambda ingress if they
# differ; the source.
_Where = tuple[str, str] | None
_PATHS: list[tuple[str, str, str, _Where, _Where, str]] = [
    ("root", "the endpoint itself", "", ("/", ""), None, "fact event-path-plain"),
    ("slash", "a slash at the end", "/a/", ("/a/", ""), None, "fact event-path-trailing-slash"),
    ("encoded", "escapes and two slashes", "/a%20b%2Fc//d/", ("/a%20b%2Fc//d/", ""), None, "facts event-path-percent-encoded, event-path-double-slash-inside; a template is not recorded"),
    ("front", "two slashes in front", "//a", ("/a", ""), None, "fact event-path-slash-after-stage; a template is not recorded"),
    ("utf-8", "UTF-8 in a path", "/%C3%BC", ("/%C3%BC", ""), None, ASSUMED),
    ("plus", "a plus and its escape", "/a+b%2Bc", ("/a+b%2Bc", ""), None, "fact event-path-percent-encoded"),
    ("semicolon", "a semicolon in a path", "/a;b=1", ("/a;b=1", ""), None, ASSUMED),
    ("ping", "/ping without a domain", "/ping", ("/ping", ""), None, NOTES),
    ("query", "a query", "/x?a=1&b=%26", ("/x", "a=1&b=%26"), None, "fact event-query-decoded"),
    ("query-repeated", "a repeated parameter", "/x?a=1&a=2", ("/x", "a=2"), ("/x", "a=1&a=2"), "fact event-query-repeated"),
    ("query-plus", "a plus in a query", "/x?a=b+c%2Bd", ("/x", "a=b+c%2Bd"), None, "fact event-query-decoded"),
    ("query-semicolon", "a semicolon in a query", "/x?a=1;b=2", ("/x", "a=1&b=2"), None, NOTES),
    ("query-proxy", "a query that poses as the path", "/x?proxy=evil", ("/x", "proxy=evil"), None, TEMPLATES),
    ("query-pipe", "characters that are not supported", "/x?a=|{}", None, None, NOBODY),
    ("query-empty", "parameters without a value", "/x?a&b=", None, None, NOBODY),
    ("query-not-utf8", "bytes that are no UTF-8", "/x?a=%FF", None, None, NOBODY),
]  # fmt: skip


def _paths() -> Iterator[Case]:
    for name, shows, sent, direct, function, source in _PATHS:
        arrived = {"Text": direct, "Binary": direct, "Lambda": function or direct}
        yield Case(
            id=f"path.{name}",
            shows=shows,
            way="message",
            requests=[Request(path=sent, body=b"x", headers=typed("text/plain"))],
            fields=["path", "query"],
            expected={
                ingress: None if where is None else {"status": 202, "path": where[0], "query": where[1]}
                for ingress, where in arrived.items()
            },
            source=source,
        )
    yield Case(
        id="path.mount",
        shows="an endpoint of add_source(), below the other one",
        way="message",
        requests=[Request(path="/a%2Fb", body=b"x")],
        expected=at(("Text/orders", "Binary/orders"), {"status": 202, "mount": "/orders", "path": "/orders/a%2Fb"}),
        source=ASSUMED,
    )  # fmt: skip


def _methods() -> Iterator[Case]:
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"):
        body = b"" if method in ("GET", "HEAD") else b"x"
        yield Case(
            id=f"method.{method}",
            shows="any method is a webhook",
            way="message",
            requests=[Request(method=method, body=body, headers=typed("text/plain" if body else None))],
            expected=at(ALL, kept(body, method=method)),
            source=PROXY_RESOURCE,
        )


_FIELDS = ["encoding", "id", "ip", "method", "mount", "path", "query", "request", "time", "url", "v"]


def _messages() -> Iterator[Case]:
    fields: Facts = {
        "status": 202,
        "fields": _FIELDS,
        "attributes": ["webhook"],
        "id": "as answered",
        "request": "x-amz-apigw-id",
        "time": "of arrival",
        "ip": "an address",
        "url": "as called",
        "method": "POST",
        "mount": "/",
        "path": "/a",
        "query": "b=1",
    }
    sent = [Request(path="/a?b=1", headers=typed(JSON), body=b"{}")]
    encodings = {"Text": "text", "Binary": "base64", "Lambda": "text"}
    yield Case(
        id="message.fields",
        shows="each field of a message from a queue without a consumer",
        way="message",
        requests=sent,
        expected={ingress: {**fields, "encoding": encoding} for ingress, encoding in encodings.items()},
        source=CONTEXT,
    )
    yield Case(
        id="message.fifo",
        shows="group and deduplication id of a FIFO queue with one group",
        way="message",
        requests=sent,
        expected={"Fifo": {"status": 202, "group": "webhook", "deduplication": "x-amz-apigw-id", "mount": "/fifo"}},
        source="fact fifo-no-deduplication",
    )
    yield Case(
        id="message.trace",
        shows="the trace header of a message, whose stage has X-Ray; AWSTraceHeader",
        way="message",
        requests=sent,
        fields=["headers.x-amzn-trace-id", "trace"],
        expected={"Text": None},
        source=NOBODY,
    )


REQUESTS: list[Case] = [*_payloads(), *_headers(), *_paths(), *_methods(), *_messages()]
