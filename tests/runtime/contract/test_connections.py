import json
from pathlib import Path
from typing import Any

import pytest

from webhook_runtime.contract import connections
from webhook_runtime.contract.connections import ENGINES, Engine, Limit

DOCUMENTED = json.loads((Path(__file__).parents[2] / "recorded/max-connections.json").read_text())


def limit_of(row: dict[str, Any]) -> Limit:
    found = (
        connections.of_serverless(row["engine"], *row["units"])
        if "units" in row
        else connections.of_class(row["engine"], row["instance_class"])
    )
    assert found is not None
    return found


@pytest.mark.parametrize("row", DOCUMENTED, ids=str)
def test_a_value_that_aws_documents_is_known_or_the_estimate_is_below_it(row: dict[str, Any]) -> None:
    limit = limit_of(row)
    assert limit.expected <= row["max_connections"] <= limit.at_most
    if "about" not in row and row.get("units", [0, 1])[1] != 80:  # a maximum of which AWS has an example only
        assert limit.expected == limit.at_most
        assert limit.origin == "documented default" or limit.reason.startswith("LEAST")


@pytest.mark.parametrize("row", [row for row in DOCUMENTED if row["engine"] == "aurora-postgresql"], ids=str)
def test_the_estimate_by_memory_is_below_the_values_of_aurora_which_has_the_formula_of_postgres(
    row: dict[str, Any],
) -> None:
    if "instance_class" in row:
        limit = connections.of_class("postgres", row["instance_class"])
        assert limit is not None
        assert 0.85 * row["max_connections"] < limit.expected <= row["max_connections"] <= limit.at_most


@pytest.mark.parametrize("row", [row for row in DOCUMENTED if row["engine"] == "aurora-mysql"], ids=str)
def test_the_formula_of_aurora_mysql_gives_each_documented_value(row: dict[str, Any]) -> None:
    if "instance_class" in row:
        gib = connections.memory(row["instance_class"])
        limit = connections.of_parameter(connections.DEFAULTS["aurora-mysql"], gib)
        assert limit is not None
        assert limit.at_most == row["max_connections"]


@pytest.mark.parametrize(
    ("engine", "instance_class", "reported"),
    # People report these of db.t3.micro and db.t4g.micro, whose values AWS does not document.
    [("postgres", "db.t4g.micro", 79), ("mysql", "db.t3.micro", 60), ("mariadb", "db.t3.micro", 30)],
)
def test_the_estimate_of_a_small_class_is_at_most_what_people_see(
    engine: Engine, instance_class: str, reported: int
) -> None:
    limit = connections.of_class(engine, instance_class)
    assert limit is not None
    assert 0.9 * reported < limit.expected <= reported < limit.at_most
    assert limit.origin == "class memory"
    assert instance_class in limit.reason


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "name", ["", "db.", "micro", "db.t4g", "db.t4g.", "db.t4g.nano", "db.q1.large", "db.serverless"]
)
def test_nothing_is_guessed_of_an_unknown_class(engine: Engine, name: str) -> None:
    assert connections.of_class(engine, name) is None


def test_every_class_has_a_memory_and_an_estimate_for_every_engine() -> None:
    names = [f"db.{family}.{size}" for family, sizes in connections.classes().items() for size in sizes]
    assert len(names) == 357
    for name in names:
        for engine in ENGINES:
            limit = connections.of_class(engine, name)
            if name.endswith(".micro") and engine == "aurora-mysql":  # the formula has no value for so little memory
                assert limit is None
                continue
            assert limit is not None
            assert 0 < limit.expected <= limit.at_most, (engine, name)


@pytest.mark.parametrize("engine", ["aurora-mysql", "aurora-postgresql"])
def test_more_capacity_units_never_have_fewer_connections(engine: Engine) -> None:
    found = [connections.of_serverless(engine, 1, units / 2) for units in range(2, 513)]
    limits = [each for each in found if each is not None]
    assert len(limits) == len(found)
    assert [each.expected for each in limits] == sorted(each.expected for each in limits)
    assert [each.at_most for each in limits] == sorted(each.at_most for each in limits)
    assert all(each.expected <= each.at_most for each in limits)


@pytest.mark.parametrize(("engine", "maximum"), [("postgres", 4), ("mysql", 4), ("aurora-mysql", 0.5)])
def test_only_aurora_has_capacity_units_and_one_at_least(engine: Engine, maximum: float) -> None:
    assert connections.of_serverless(engine, 0.5, maximum) is None


@pytest.mark.parametrize(
    ("value", "expected", "at_most"),
    [
        ("50", 50, 50),
        (" 50 ", 50, 50),
        ("SUM(20,30)", 50, 50),
        ("{DBInstanceClassMemory/9531392}", 396, 450),
        ("LEAST({DBInstanceClassMemory/9531392},100)", 100, 100),
        ("GREATEST({DBInstanceClassMemory/9531392}, 100)", 396, 450),
        ("LEAST({DBInstanceClassMemory/12582880*2},5000)", 600, 682),
        ("SUM({DBInstanceClassMemory/12582880},-100)", 200, 241),
    ],
)
def test_a_parameter_is_a_number_or_a_formula(value: str, expected: int, at_most: int) -> None:
    limit = connections.of_parameter(value, 4)
    assert limit is not None
    assert (limit.expected, limit.at_most, limit.origin) == (expected, at_most, "parameter group")
    assert value in limit.reason


@pytest.mark.parametrize(
    "value",
    [
        *("", "many", "True", "-5", "1e999", "[1]", "9**9**9", "(" * 9999, "__import__('os')", "log('a')", "log(1,2)"),
        *("{AllocatedStorage/1024}", "LEAST({DBInstanceVCPU*10},5000)", "IF({TrueIfReplica},1,2)", "LEAST(a=1)"),
        *("{DBInstanceClassMemory/0}", "LEAST({DBInstanceClassMemory/9531392,5000)", "LEAST()"),
    ],
)  # fmt: skip
def test_a_formula_that_is_not_understood_is_not_guessed(value: str) -> None:
    assert connections.of_parameter(value, 4) is None


def test_a_formula_of_the_memory_needs_the_class() -> None:
    assert connections.of_parameter("{DBInstanceClassMemory/9531392}", None) is None
    assert connections.of_parameter("50", None) is not None


@pytest.mark.parametrize(
    ("engine", "parameters", "counts"),
    [
        ("postgres", {}, [3, 2, 3]),
        ("aurora-postgresql", {"superuser_reserved_connections": "10"}, [10, 2, 3]),
        ("postgres", {"rds.rds_superuser_reserved_connections": "4", "reserved_connections": "2"}, [3, 4, 2, 3]),
        ("postgres", {"superuser_reserved_connections": "{unknown}"}, [3, 2, 3]),
        ("postgres", {"superuser_reserved_connections": "-1"}, [3, 2, 3]),
        ("mysql", {"superuser_reserved_connections": "10"}, [3]),
        ("mariadb", {}, [3]),
        ("aurora-mysql", {}, [3]),
    ],
)
def test_some_connections_are_not_for_applications(
    engine: Engine, parameters: dict[str, str], counts: list[int]
) -> None:
    assert list(connections.reserved(engine, parameters).values()) == counts


@pytest.mark.parametrize(
    ("usable", "share", "number"), [(70, 0.25, 17), (3, 0.25, 2), (1, 1, 1), (0, 1, 0), (9000, 1, 1000)]
)
def test_the_recommendation_is_a_share_within_the_limits_of_lambda(usable: int, share: float, number: int) -> None:
    assert connections.recommended(usable, share) == number
