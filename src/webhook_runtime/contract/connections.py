"""The connections that a database of RDS or Aurora takes, by its class or by a formula of its parameter group.

``expected`` is an estimate that AWS's documentation never contradicts from below, ``at_most`` is certain. The memory
that a class leaves to a database is less than its own, by a share that AWS does not document. The shares here are the
lowest of all documented values.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ParamValuesRef.html
"""

import ast
import json
import math
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias, get_args

Engine: TypeAlias = Literal["postgres", "mysql", "mariadb", "aurora-postgresql", "aurora-mysql"]
ENGINES: tuple[Engine, ...] = get_args(Engine)

_OF_POSTGRES = "LEAST({DBInstanceClassMemory/9531392},5000)"
# The default of max_connections, as AWS writes it. MariaDB before 10.5 has that of MySQL.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html
DEFAULTS: Mapping[str, str] = {
    "postgres": _OF_POSTGRES,
    "mysql": "{DBInstanceClassMemory/12582880}",
    "mariadb": "LEAST({DBInstanceClassMemory/25165760},12000)",
    "aurora-postgresql": _OF_POSTGRES,
    "aurora-mysql": "GREATEST({log(DBInstanceClassMemory/805306368)*45},{log(DBInstanceClassMemory/8187281408)*1000})",
}

# Connections that an application cannot count on: two settings of the server, and AWS's advice to leave some to its
# automation. https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Managing.html
_AUTOMATION = {"AWS automation": 3}
_OF_POSTGRES_SERVERS = {"superuser_reserved_connections": 3, "rds.rds_superuser_reserved_connections": 2}

# The defaults that AWS documents for classes of Aurora PostgreSQL. All larger classes have the 5,000 of the formula.
_AURORA_POSTGRES = {
    "t3.medium": 420,
    "t3.large": 844,
    "t4g.medium": 405,
    "t4g.large": 844,
    "r4.large": 1600,
    "r4.xlarge": 3200,
    "r5.large": 1600,
    "r5.xlarge": 3300,
    "r6g.large": 1722,
    "r6g.xlarge": 3479,
    "x2g.large": 3479,
}
# The families whose defaults AWS documents for Aurora MySQL. They are the formula on the whole memory.
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraMySQL.Managing.Performance.html
_AURORA_MYSQL = ("t2", "t3", "t4g", "r3", "r4", "r5", "r6g", "x2g")
# The documented defaults of Aurora Serverless v2, by its maximum of capacity units.
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html
_SERVERLESS: Mapping[str, Mapping[float, int]] = {
    "aurora-mysql": {1: 90, 4: 135, 8: 1000, 16: 2000, 32: 3000, 64: 4000, 128: 5000},
    "aurora-postgresql": {1: 189, 4: 823, 8: 1669, 16: 3360, 32: 5000, 64: 5000, 128: 5000},
}
GIB_OF_A_UNIT = 2
# With a minimum of half a unit or none, Postgres takes no more than this.
_SMALLEST_UNITS = 0.5
_OF_THE_SMALLEST = 2000

# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
MAX_CONCURRENCY = 1000

Origin: TypeAlias = Literal["parameter group", "documented default", "class memory"]


class Limit(NamedTuple):
    """A value of max_connections. Where it is certain, both numbers are equal.

    ``origin`` is where it is from, and ``reason`` says it with its numbers.
    """

    expected: int
    at_most: int
    origin: Origin
    reason: str


def of_class(engine: Engine, instance_class: str) -> Limit | None:
    """Return the default of a class such as ``db.t4g.micro``, or None if the class is not known."""
    gib = memory(instance_class)
    if gib is None:
        return None
    name = instance_class.removeprefix("db.")
    formula = DEFAULTS[engine]
    documented = _AURORA_POSTGRES.get(name) if engine == "aurora-postgresql" else None
    if engine == "aurora-mysql" and name.partition(".")[0] in _AURORA_MYSQL:
        documented = _value(formula, gib)
    if documented:
        return Limit(documented, documented, "documented default", f"AWS's documented default for {instance_class}")
    return _estimated(formula, gib, "class memory", f"the {gib:g} GiB of {instance_class}")


def of_serverless(engine: Engine, minimum: float, maximum: float) -> Limit | None:
    """Return the default of Aurora Serverless v2 with these capacity units, or None if the engine has none."""
    rows = _SERVERLESS.get(engine)
    if rows is None or maximum < min(rows):
        return None
    lower = max(each for each in rows if each <= maximum)
    upper = min((each for each in rows if each >= maximum), default=None)
    estimate = _estimated(DEFAULTS[engine], maximum * GIB_OF_A_UNIT, "class memory", f"the {maximum:g} ACU")
    assert estimate
    limit = estimate._replace(expected=max(rows[lower], estimate.expected))
    if upper is not None:
        limit = limit._replace(
            at_most=rows[upper],
            origin="documented default" if lower == upper else "class memory",
            reason=f"AWS's documented default for {_units(lower, upper)}",
        )
    return capped(engine, minimum, limit)


def capped(engine: Engine, minimum: float, limit: Limit) -> Limit:
    """Return a limit with the cap that Aurora Serverless v2 has with such a minimum of capacity units."""
    if engine != "aurora-postgresql" or minimum > _SMALLEST_UNITS or limit.at_most <= _OF_THE_SMALLEST:
        return limit
    reason = f"AWS's documented limit for a minimum of {minimum:g} ACU"
    return Limit(min(limit.expected, _OF_THE_SMALLEST), _OF_THE_SMALLEST, "documented default", reason)


def of_parameter(value: str, gib: float | None) -> Limit | None:
    """Return the value of a parameter group: a number, or a formula of a class with this memory. None if only a
    deployment can tell.
    """
    if "DBInstanceClassMemory" not in value:
        number = _value(value, 0)
        reason = f"max_connections = {value} in the parameter group"
        return Limit(number, number, "parameter group", reason) if number is not None and number > 0 else None
    return None if gib is None else _estimated(value, gib, "parameter group", f"{gib:g} GiB")


def _units(lower: float, upper: float) -> str:
    return f"a maximum of {upper:g} ACU" if lower == upper else f"between {lower:g} and {upper:g} ACU"


def reserved(engine: Engine, parameters: Mapping[str, str] | None = None) -> dict[str, int]:
    """Return the connections that are not for applications, by what they are for. ``parameters`` are those of the
    parameter group.
    """
    if not is_postgres(engine):
        return dict(_AUTOMATION)
    set_here = parameters or {}
    # Postgres 16 has it, and RDS then sets it instead of its own.
    names = [*_OF_POSTGRES_SERVERS, *(["reserved_connections"] if "reserved_connections" in set_here else [])]
    counts = {name: _whole(set_here.get(name), _OF_POSTGRES_SERVERS.get(name, 0)) for name in names}
    return counts | _AUTOMATION


def is_postgres(engine: Engine) -> bool:
    """Tell whether an engine is Postgres, of RDS or of Aurora."""
    return engine in ("postgres", "aurora-postgresql")


def recommended(usable: int, share: float) -> int:
    """Return a number of batches at a time that takes this share of the usable connections.

    It is 2 at least if there are so many, since one batch at a time needs another kind of queue. 0: none is left.
    """
    return max(min(2, usable), min(MAX_CONCURRENCY, math.floor(usable * share)))


def memory(instance_class: str) -> float | None:
    """Return the GiB of a class, or None if it is not known."""
    family, _, size = instance_class.removeprefix("db.").partition(".")
    gib = classes().get(family, {}).get(size)
    return None if gib is None else float(gib)


@cache
def classes() -> Mapping[str, Mapping[str, float]]:
    """Return the GiB of each class, by family and size."""
    by_family: Mapping[str, Mapping[str, float]] = json.loads(Path(__file__).with_name("rds-classes.json").read_text())
    return by_family


def _estimated(formula: str, gib: float, origin: Origin, of: str) -> Limit | None:
    share = 0.70 if gib < 2 else 0.83 if gib < 4 else 0.88
    found = [value for part in (share, 1) if (value := _value(formula, gib * part)) is not None and value > 0]
    if len(found) < 2:
        return None
    expected, at_most = min(found), max(found)  # a formula may also fall with the memory
    if expected == at_most:
        return Limit(expected, at_most, origin, f"{formula} with {of}")
    return Limit(expected, at_most, origin, f"{formula} with {share:.0%} of {of}, at most {at_most:,} with all of it")


def _whole(text: str | None, default: int) -> int:
    number = None if text is None else _value(text, 0)
    return default if number is None or number < 0 else number


def _log(value: float) -> float:
    # Rounded: so the formula has all documented values.
    return round(math.log2(value)) if value > 0 else 0


_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "GREATEST": max,
    "LEAST": min,
    "SUM": lambda *values: sum(values),
    "log": _log,
}


def _value(formula: str, gib: float) -> int | None:
    """Evaluate a formula of a parameter group. None if it names what is not known here, such as the storage.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ParamValuesRef.html
    """
    try:
        tree = ast.parse(formula.strip().translate({ord("{"): "(", ord("}"): ")"}), mode="eval")
        return math.floor(_evaluate(tree.body, gib * 2**30))
    except (SyntaxError, ValueError, TypeError, KeyError, ArithmeticError, RecursionError, MemoryError):
        return None


def _evaluate(node: ast.expr, memory: float) -> float:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_evaluate(operand, memory)
        case ast.Name(id="DBInstanceClassMemory"):
            return memory
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _evaluate(left, memory) * _evaluate(right, memory)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _evaluate(left, memory) / _evaluate(right, memory)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return _FUNCTIONS[name](*(_evaluate(each, memory) for each in args))
    raise ValueError("not a formula")
