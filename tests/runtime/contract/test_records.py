from typing import ClassVar

import pytest

from webhook_runtime.contract.records import Record, fields_of, given_in, values_of


class Gate(Record):
    kind: ClassVar[str] = "gate"

    height: int
    color: str = "white"


class FrontGate(Gate):
    bell: bool = False


def test_the_fields_are_the_annotations_the_inherited_ones_first() -> None:
    assert fields_of(FrontGate) == {"height": int, "color": str, "bell": bool}


def test_a_value_is_given_by_position_or_name_or_is_the_default() -> None:
    assert values_of(FrontGate(2, bell=True)) == {"height": 2, "color": "white", "bell": True}
    assert given_in(FrontGate(2, "white", bell=True)) == {"height": 2, "bell": True}


def test_records_are_equal_if_class_and_values_are() -> None:
    assert Gate(2) == Gate(2, "white")
    assert len({Gate(2), Gate(2, "white")}) == 1
    assert Gate(2) != Gate(3)
    assert Gate(2) != FrontGate(2)
    assert repr(Gate(2)) == "Gate(height=2, color='white')"


@pytest.mark.parametrize("values", [{}, {"color": "red"}, {"height": 2, "colour": "red"}])
def test_a_missing_and_an_unknown_field_are_rejected(values: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="Gate has height, color, got"):
        Gate(**values)
