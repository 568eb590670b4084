"""The answers of endpoints, and access to them."""

from collections.abc import Iterator

from scalable_webhook_cli.conformance.case import API_KEY, Case, Facts, Request, at
from scalable_webhook_cli.conformance.cases.requests import ALL, JSON, typed
from scalable_webhook_cli.conformance.cases.sources import ASSUMED, CORS, OVERRIDE, POLICY, SIGNED, THROTTLE


def _answers() -> Iterator[Case]:
    challenge = "a 'b' \"c\" <d> $e #if"
    sent = "a%20b%3C%22%27%3E%24x%20%23if"
    plain: Facts = {"status": 200, "answer": "a b<\"'>$x #if", "answer_type": "text/plain", "message": None}
    yield Case(
        id="answer.id",
        shows="the answer to an accepted webhook",
        way="message",
        requests=[Request(headers=typed(JSON, ("Accept", "text/xml")), body=b"{}")],
        expected=at(ALL, {"status": 202, "answer_type": JSON, "id": "as answered"}),
        source="fact answer-headers",
    )
    yield Case(
        id="answer.text",
        shows="an acknowledgement of one's own",
        way="message",
        expected=at(("Text/text", "Binary/text"), {"status": 200, "answer": "<ok>$x #if é</ok>", "answer_type": "text/xml", "mount": "/text"}),
        source="fact response-parameters-headers",
    )  # fmt: skip
    yield Case(
        id="answer.204",
        shows="an acknowledgement without a body",
        way="message",
        expected=at(("Text/silent", "Binary/silent"), {"status": 204, "answer": "", "mount": "/silent"}),
        source=ASSUMED,
    )
    yield Case(
        id="answer.okta",
        shows="headers of the request in the template of a response",
        way="message",
        requests=[Request(method="GET", headers=[("x-okta-verification-challenge", challenge)])],
        expected=at(("Text/okta", "Binary/okta"), {"status": 200, "verification": challenge, "message": None}),
        source=ASSUMED,
    )  # fmt: skip
    yield Case(
        id="answer.okta-none",
        shows="a status that the template of a mock decides",
        way="message",
        requests=[Request(method="GET")],
        expected=at(("Text/okta", "Binary/okta"), {"status": 400, "message": None}),
        source="fact override-status-in-response-template",
    )
    yield Case(
        id="answer.graph",
        shows="Content-Type by $context.responseOverride, and status",
        way="message",
        requests=[Request(path=f"?validationToken={sent}")],
        expected=at(("Text/graph", "Binary/graph"), plain),
        source=OVERRIDE,
    )
    yield Case(
        id="answer.401",
        shows="an unsigned request to a publisher that verifies",
        way="message",
        requests=[Request(body=b"x")],
        expected={"Lambda/orders": {"status": 401, "answer_type": JSON, "message": None}},
        source="fact answer-lenient",
    )
    yield Case(
        id="answer.503",
        shows="an error of SQS, whose queue is deleted",
        way="broken",
        expected={"Broken": {"status": 503, "reason": "The webhook could not be queued: try again."}},
        source="fact queue-absent; what API Gateway makes of it is not recorded",
    )


def _access() -> Iterator[Case]:
    origin = ("Origin", "https://example.com")
    asked = [origin, ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "x-api-key")]
    allowed = {"access-control-allow-origin": "https://example.com"}
    forbidden: Facts = {"status": 403, "reason": "Forbidden", "answer_headers": allowed}
    rows: list[tuple[str, str, str, Request, Facts, str]] = [
        ("no-key", "no API key; headers of a gateway response", "Keyed", Request(headers=[origin], body=b"x"), forbidden, "fact api-key"),
        ("wrong-key", "a wrong API key", "Keyed", Request(headers=[("x-api-key", "wrong")], body=b"x"), forbidden, "fact api-key"),
        ("key", "a key, which is no part of the webhook", "Keyed", Request(headers=[("x-api-key", API_KEY)], body=b"x"), {"status": 202, "headers": {"x-api-key": None}, "answer_headers": allowed}, "fact api-key"),
        ("preflight", "a preflight where */* is declared", "Keyed", Request(method="OPTIONS", headers=asked), {"status": 204, "answer_headers": allowed | {"access-control-allow-headers": "x-api-key"}, "message": None}, CORS),
        ("range", "another address than those allowed", "Elsewhere", Request(body=b"x"), {"status": 403, "message": None}, POLICY),
        ("unsigned", "no signature of IAM", "Signed", Request(body=b"x"), {"status": 403, "reason": "Missing Authentication Token", "message": None}, SIGNED),
        ("signed", "a signature, which is no part of the webhook", "Signed", Request(body=b"x", signed=True), {"status": 202, "headers": {"authorization": None, "x-amz-security-token": None}}, SIGNED),
    ]  # fmt: skip
    for name, shows, ingress, request, expected, source in rows:
        yield Case(
            id=f"access.{name}",
            shows=shows,
            way="message",
            requests=[request],
            expected={ingress: expected},
            source=source,
        )
    yield Case(
        id="access.throttle",
        shows="100 requests at once, at a rate of 5 and a burst of 5",
        way="throttle",
        count=(100, 100),
        requests=[Request(headers=[("x-api-key", API_KEY)], body=b"x")],
        expected={"Keyed": {"statuses": [202, 429]}},
        source=THROTTLE,
    )


ANSWERS: list[Case] = [*_answers(), *_access()]
