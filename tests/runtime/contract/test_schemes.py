from typing import Any

import pytest

from webhook_runtime.contract import schemes
from webhook_runtime.contract.records import values_of
from webhook_runtime.sources.schemes import KINDS

EXAMPLES: list[tuple[schemes.Scheme, dict[str, Any]]] = [
    (
        schemes.Hmac(header="X-Signature", encoding="base64", tolerance=300.0, id_field="event.id"),
        {"header": "X-Signature", "encoding": "base64", "tolerance": 300.0, "id_field": "event.id"},
    ),
    (schemes.AnyOf(ways=[{"header": "A"}, {"header": "B"}]), {"ways": [{"header": "A"}, {"header": "B"}]}),
    (schemes.Twilio(id_header="I-Twilio-Idempotency-Token"), {"id_header": "I-Twilio-Idempotency-Token"}),
    (schemes.Token(header="Authorization", prefix="Bearer "), {"header": "Authorization", "prefix": "Bearer "}),
    (schemes.ClientState(), {}),
    (schemes.Custom(handler="json.loads"), {"handler": "json.loads"}),
]


@pytest.mark.parametrize(("scheme", "fields"), EXAMPLES, ids=[each.kind for each, _ in EXAMPLES])
def test_a_check_is_made_of_the_fields_that_differ_from_their_defaults(
    scheme: schemes.Scheme, fields: dict[str, Any]
) -> None:
    assert scheme.described() == fields
    made = KINDS[scheme.kind](**fields)
    assert isinstance(made, type(scheme))
    assert values_of(made) == values_of(scheme)


def test_every_kind_is_tried() -> None:
    assert {each.kind for each, _ in EXAMPLES} == set(KINDS)
