"""Check arguments against their type hints, and raise a ValueError for a wrong one.

It depends on internals of jsii; tests/synth/checks/test_types.py notices a change. Without this check, a text for a
``Duration`` is an AttributeError far from its cause. An ARN for an ``IQueue`` is a JavaScript stack trace, and NaN ends
the process of the CDK. typeguard, which jsii uses, is no replacement: it accepts any object for an interface of jsii,
and True for a whole number. It cannot read hints whose module is not imported.
"""

import builtins
import functools
import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, NamedTuple, TypeVar, get_args, get_origin

from aws_cdk import Duration, Token

_T = TypeVar("_T", bound=type)

# JavaScript's largest safe integer.
MAX_NUMBER = 2**53
_MAX_SHOWN = 100

# Control characters, lone surrogates and noncharacters: a template has to be YAML, even if it is written as JSON.
# https://yaml.org/spec/1.2.2/#51-character-set
_IN_NO_TEMPLATE = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


def typed(kind: _T) -> _T:
    """Check the arguments of the constructor and the public methods of a class by their type hints."""
    for name, member in list(vars(kind).items()):
        is_factory = isinstance(member, staticmethod | classmethod)
        function = member.__func__ if is_factory else member
        if inspect.isfunction(function) and (name == "__init__" or not name.startswith("_")):
            checked = _checked(function)
            setattr(kind, name, type(member)(checked) if is_factory else checked)
    return kind


def brief(value: object) -> str:
    """Return a value for a message: never long, and without a memory address."""
    name = type(value).__name__
    # jsii returns such a proxy for an interface, as from methods from_…().
    if (imported := re.fullmatch(r"_I?(\w+?)(Base)?Proxy", name)) is not None:
        return f"an imported {imported[1]}"
    if inspect.isfunction(value):
        return value.__qualname__
    try:
        text = "" if type(value).__repr__ is object.__repr__ else repr(value)
    except Exception:  # a __repr__ of the user's, or a number with too many digits
        text = ""
    if not text:
        return f"{_article(name)} {name}"
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"


def is_text(value: str) -> bool:
    """Check whether a template can hold a text."""
    # Nothing printable is among them, and the pattern takes milliseconds to compile.
    return value.isprintable() or not re.search(_IN_NO_TEMPLATE, value)


class _Wrong(NamedTuple):
    """An argument, or an element of one, that does not match its hint."""

    argument: str
    value: object
    hint: Any


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    names = function.__code__.co_varnames

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        hints = _hints(function)
        for name, value in [*zip(names, args, strict=False), *kwargs.items()]:
            wrong = _mismatch(name, value, hints[name]) if name in hints else None
            if wrong is not None:
                default = inspect.signature(function).parameters[name].default
                _reject(wrong, optional=default is not inspect.Parameter.empty)
        return function(*args, **kwargs)

    return checked


@functools.cache
def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the hints of the arguments. Those in quotes name modules that only type checkers import."""
    names = _Names(function.__globals__)
    return {
        name: eval(hint, {}, names) if isinstance(hint, str) else hint  # noqa: S307 (our own signatures)
        for name, hint in function.__annotations__.items()
        if name != "return"
    }


class _Names(dict[str, Any]):
    """The names in a hint: those of its module, of Python, and of CDK modules, without importing these: that slows each
    synth."""

    def __missing__(self, name: str) -> Any:
        return getattr(builtins, name, None) or _Module(f"aws-cdk-lib.aws_{name.rstrip('_')}")


class _Module:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> type:
        return type(name, (), {"__jsii_type__": f"{self._name}.{name}"})


def _mismatch(argument: str, value: object, hint: Any) -> _Wrong | None:
    nearest = _Wrong(argument, value, hint)
    for option in _options(hint):
        origin = get_origin(option)
        if origin is None and _is(value, option):
            return None
        if origin is None or not isinstance(value, origin) or isinstance(value, str | bytes):
            continue
        # The last argument of the hint is that of the elements of a sequence, or of the values of a mapping.
        element = get_args(option)[-1]
        keys = value.keys() if isinstance(value, Mapping) else range(len(value))
        if origin is Mapping and not all(_is(key, str) for key in keys):
            continue
        inner = (_mismatch(f"{argument}[{key!r}]", value[key], element) for key in keys)
        wrong = next((each for each in inner if each is not None), None)
        if wrong is None:
            return None
        nearest = wrong
    return nearest


def _options(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if isinstance(hint, UnionType) else (hint,)


def _is(value: Any, hint: Any) -> bool:
    """Check whether a value is of a type, or of one of several."""
    if isinstance(hint, UnionType):
        return any(_is(value, option) for option in _options(hint))
    if hint in (None, NoneType):
        return value is None
    if hint is Any or hint is object:
        return True
    if hint is int or hint is float:
        return _is_number(value, hint)
    if hint is str:
        return isinstance(value, str) and is_text(value)
    name = getattr(hint, "__jsii_type__", None)
    if name is None:
        return isinstance(value, hint)
    # jsii may return one object with a proxy for each interface.
    objects = getattr(value, "__dict__", {}).get("_delegates", [value])
    return any(name in _jsii_types(each.__class__) for each in objects)


def _is_number(value: Any, kind: type) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(value, kind | int) and abs(value) <= MAX_NUMBER:
        return True
    # A token is a float far outside that range.
    return isinstance(value, float) and math.isfinite(value) and Token.is_unresolved(value)


@functools.cache
def _jsii_types(kind: type) -> frozenset[str]:
    """Return the jsii names of a class: of its base classes, interfaces, structs and enums."""
    interfaces = [each for base in kind.__mro__ for each in vars(base).get("__jsii_ifaces__", ())]
    bases = [base for each in (kind, *interfaces) for base in each.__mro__]
    return frozenset(vars(base).get("__jsii_type__") or "" for base in bases)


def _reject(wrong: _Wrong, *, optional: bool) -> None:
    options = [option for option in _options(wrong.hint) if option is not NoneType]
    interfaces = {option.__name__ for option in options if isinstance(option, type)}
    # A hint has both a class and its interface if pyright does not accept the class for the interface (decisions/0015).
    options = [option for option in options if f"I{getattr(option, '__name__', '')}" not in interfaces]
    kinds = " or ".join(dict.fromkeys(_described(option, wrong.value) for option in options))
    # A dict is probably meant for options.
    options.sort(key=lambda option: not is_dataclass(option))
    remedies = [_remedy(option, wrong.value) for option in options]
    remedy = next(filter(None, remedies), f"pass {kinds}")
    if optional:
        remedy += f", or leave {wrong.argument.partition('[')[0]} out"
    kind = type(wrong.value).__name__
    # The value may be the secret itself, and errors end up in logs.
    got = f"{_article(kind)} {kind}" if "ISecret" in interfaces else brief(wrong.value)
    got = got if got.endswith(kind) or kind.endswith("Proxy") else f"{got} ({kind})"
    raise ValueError(f"{wrong.argument} must be {kinds}, got {got}; {remedy}")


_KINDS = {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}


def _described(option: Any, value: object) -> str:
    if option is str and isinstance(value, str):
        return "a text without control characters and lone surrogates"
    if option in (int, float) and type(value) is int:
        return f"{_KINDS[option]} between -2^53 and 2^53"
    if get_origin(option) is Mapping:
        return "a dict"
    if get_origin(option) is Sequence:
        return f"a list, each {_described(get_args(option)[0], None)}"
    return _KINDS.get(option) or f"{_article(option.__name__)} {option.__name__}"


def _remedy(option: Any, value: object) -> str:
    """Return the remedy, or an empty text if there is none in particular."""
    if isinstance(option, type) and is_dataclass(option) and isinstance(value, Mapping):
        return f"write {option.__name__}(…)"
    if inspect.isfunction(value):
        return f"call it: {value.__qualname__}()"
    if get_origin(option) is Sequence:
        return "put a single one into a list, too"
    if isinstance(option, type) and issubclass(option, Enum):
        return f"for example {option.__name__}.{next(iter(option)).name}"
    name = getattr(option, "__name__", "")
    if name in _EXAMPLES:
        return f"for example {_EXAMPLES[name]}"
    if name in _REASONS:
        return _REASONS[name]
    if re.match(r"I[A-Z][a-z]", name) and isinstance(value, str):
        return "import an existing one by a method from_…() of its class"
    if name in ("IGrantable", "IPrincipal"):
        return "pass a role, a user or a function"
    if re.match(r"I[A-Z][a-z]", name):
        return f"pass {_article(name[1:])} {name[1:]}"
    if option is str and isinstance(value, str):
        return "leave those characters out"
    if get_origin(option) is Mapping:
        return "write one with braces, {…: …}"
    return _REMEDIES.get(option, "")


def _article(name: str) -> str:
    return "an" if name[0] in "AEIOUaeiou" else "a"


_REMEDIES = {
    Duration: "for example Duration.seconds(30)",
    int: "write one without quotes and fraction",
    float: "write one without quotes",
    str: "write it in quotes",
}

# By the names of classes, since their modules import this one, or are slow to import.
_EXAMPLES = {
    "Acknowledgement": "Acknowledgement(200)",
    "ISecret": "secretsmanager.Secret.from_secret_name_v2(scope, id, name)",
    "Ingress": "Ingress.direct_integration()",
    "Path": "Path(__file__).parent / 'handler'",
    "Retry": "Retry(initial=Duration.seconds(10))",
    "Sink": "Sink.dynamodb()",
    "Source": "Source.github(secret)",
}

# Remedies for a value that is similar, with the reason why it is not enough.
_REASONS = {
    "CfnWebACL": (
        "if you only have an ARN, associate it with webhook.api.deployment_stage by your own wafv2.CfnWebACLAssociation"
    ),
    "Function": (
        "pass one that this app makes, since it gets permissions and its timeout is read: an imported one, a version "
        "and an alias have neither. Otherwise put the ScalableWebhook into the app of the function"
    ),
    "RestApi": (
        "pass one that this app makes: the stage of an imported one would not be deployed again, and neither an HTTP "
        "API nor an OpenAPI document accepts the methods of an endpoint"
    ),
}
