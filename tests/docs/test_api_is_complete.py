"""Everything public is documented: each name, argument, default, result and error, and the AWS feature behind it.

It reads the docstrings, from which API.md is made.
"""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
import pytest
from griffe import DocstringSectionKind as Kind

SOURCE = Path(__file__).parents[2] / "src"
PACKAGES = ["cdk_scalable_webhook", "webhook_runtime", "webhook_runtime.testing"]
AWS = "https://docs.aws.amazon.com/"
# A docstring with only this text leaves the description to subclasses or factories.
ELSEWHERE = re.compile(r"See ``(\w+\.\w+)``\.|Made by ``(\w+\.\w+)\(\)``( and ``\w+\.\w+\(\)``)?\.$")
NUMBERS = re.compile(r"\b(int|float|Duration)\b")
Public = griffe.Function | griffe.Class | griffe.Attribute


@functools.cache
def exports() -> dict[str, Public]:
    """Return the public names, and the public members of classes, by the names that users write."""
    found: dict[str, Public] = {}
    for name in PACKAGES:
        module = griffe.load(name, search_paths=[SOURCE], docstring_parser="google")
        for export in module.exports or []:
            member: Any = module[str(export)]
            member = member.final_target if member.is_alias else member
            found[str(export)] = member
            if member.is_class:
                found |= {
                    f"{export}.{each}": inner for each, inner in member.members.items() if not each.startswith("_")
                }
        if name == PACKAGES[0]:
            methods = module["sources.providers.Providers"].members  # users call these as Source.…
            found |= {f"Source.{each}": inner for each, inner in methods.items()}
    return found


def sections(documented: griffe.Object | griffe.Alias, kind: Kind) -> list[Any]:
    """Return the entries of one kind of section of a docstring."""
    parsed = documented.docstring.parsed if documented.docstring else []
    return [entry for section in parsed if section.kind is kind for entry in section.value]


def told(documented: griffe.Object | griffe.Alias) -> str:
    return documented.docstring.value if documented.docstring else ""


def described(documented: Public) -> dict[str, str]:
    """Return the description of each argument or field."""
    entries = [*sections(documented, Kind.parameters), *sections(documented, Kind.attributes)]
    if documented.is_class and "__init__" in documented.members:
        entries += sections(documented.members["__init__"], Kind.parameters)
    return {entry.name: entry.description for entry in entries}


def parameters(documented: Public) -> list[griffe.Parameter]:
    """Return the arguments that a user passes."""
    named: Any = [] if isinstance(documented, griffe.Attribute) else documented.parameters
    return [each for each in named if each.name not in ("self", "cls") and not each.name.startswith("_")]


def callables() -> Iterator[tuple[str, Public]]:
    """Yield the callables for users: functions, and classes without a factory."""
    for name, documented in exports().items():
        if not documented.is_attribute and not ELSEWHERE.search(told(documented)):
            yield name, documented


def arguments() -> list[tuple[str, griffe.Parameter, Public]]:
    return [
        (f"{name}({each.name})", each, documented)
        for name, documented in callables()
        for each in parameters(documented)
    ]


ARGUMENTS = arguments()
OPTIONAL = [
    each
    for each in ARGUMENTS
    if each[1].default is not None and each[1].kind is not griffe.ParameterKind.var_positional
]
IDS = [name for name, *_ in ARGUMENTS]


def test_there_is_something_to_check() -> None:
    assert len(exports()) > 100
    assert len(ARGUMENTS) > 200
    assert len(OPTIONAL) > 120
    assert len(RAISING) > 30


@pytest.mark.parametrize("name", exports())
def test_a_name_is_documented(name: str) -> None:
    documented = exports()[name]
    owner = exports().get(name.rpartition(".")[0])
    # The docstring of a dataclass describes its fields.
    assert told(documented) or (owner is not None and name.rpartition(".")[2] in described(owner))


@pytest.mark.parametrize(("argument", "documented"), [(a, d) for _, a, d in ARGUMENTS], ids=IDS)
def test_an_argument_is_described(argument: griffe.Parameter, documented: Public) -> None:
    assert re.search(r"(\.|https://\S+)$", described(documented).get(argument.name, ""))


@pytest.mark.parametrize(
    ("argument", "documented"), [(a, d) for _, a, d in OPTIONAL], ids=[name for name, *_ in OPTIONAL]
)
def test_an_optional_argument_says_what_happens_without_it(argument: griffe.Parameter, documented: Public) -> None:
    assert re.search(r"\bDefault:\s+\S", described(documented)[argument.name])


@pytest.mark.parametrize(
    ("argument", "documented"),
    [(a, d) for _, a, d in ARGUMENTS if NUMBERS.search(str(a.annotation))],
    ids=[name for name, a, _ in ARGUMENTS if NUMBERS.search(str(a.annotation))],
)
def test_a_number_has_its_range(argument: griffe.Parameter, documented: Public) -> None:
    assert re.search(r"\d", described(documented)[argument.name].partition("Default:")[0])


@pytest.mark.parametrize(
    "name",
    [name for name, each in callables() if isinstance(each, griffe.Function) and str(each.returns or "None") != "None"],
)
def test_a_return_is_described(name: str) -> None:
    assert sections(exports()[name], Kind.returns) or sections(exports()[name], Kind.yields)


@functools.cache
def functions() -> dict[tuple[str, str], tuple[ast.FunctionDef, dict[str, tuple[str, str]]]]:
    """Return every function by module and name, with the meanings of the names in its module."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        tree = ast.parse(path.read_text())
        imported = {
            alias.asname or alias.name: (node.module or "", alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                found[module, node.name] = node, imported
            if isinstance(node, ast.ClassDef):
                for each in node.body:
                    if isinstance(each, ast.FunctionDef):
                        found[module, f"{node.name}.{each.name}"] = each, imported
    return found


def calls(module: str, node: ast.FunctionDef, imported: dict[str, tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield our own functions and constructors that a function calls."""
    for each in ast.walk(node):
        if not isinstance(each, ast.Call):
            continue
        if isinstance(each.func, ast.Name):
            where, name = imported.get(each.func.id, (module, each.func.id))
        elif isinstance(each.func, ast.Attribute) and ast.unparse(each.func.value) == "cls":
            # A method of any class.
            yield from (known for known in functions() if known[1].endswith(f".{each.func.attr}"))
            continue
        elif isinstance(each.func, ast.Attribute) and isinstance(each.func.value, ast.Name):
            package, submodule = imported.get(each.func.value.id, ("", ""))
            where, name = f"{package}.{submodule}", each.func.attr
        else:
            continue
        yield where, name
        yield where, f"{name}.__init__"
        yield where, f"{name}.__post_init__"


@functools.cache
def rejecting() -> frozenset[tuple[str, str]]:
    """Return the functions of synth time that raise ValueError, or call one that does."""
    known = {
        where
        for where, (node, _) in functions().items()
        if where[0].startswith(PACKAGES[0])
        for each in ast.walk(node)
        if isinstance(each, ast.Raise) and each.exc is not None and ast.unparse(each.exc).startswith("ValueError(")
    }
    while True:
        more = {
            where
            for where, (node, imported) in functions().items()
            if where[0].startswith(PACKAGES[0]) and any(each in known for each in calls(where[0], node, imported))
        }
        if more <= known:
            return frozenset(known)
        known |= more


def where_it_is(documented: Public) -> list[tuple[str, str]]:
    module, name = documented.module.path, documented.path.removeprefix(f"{documented.module.path}.")
    return (
        [(module, f"{name}.{made}") for made in ("__init__", "__post_init__")]
        if documented.is_class
        else [(module, name)]
    )


RAISING = [
    name
    for name, documented in exports().items()
    if not ELSEWHERE.search(told(documented)) and any(each in rejecting() for each in where_it_is(documented))
]


@pytest.mark.parametrize("name", RAISING)
def test_a_function_that_rejects_a_value_documents_it(name: str) -> None:
    documented = exports()[name]
    raised = sections(documented, Kind.raises)
    if documented.is_class and "__init__" in documented.members:
        raised += sections(documented.members["__init__"], Kind.raises)
    assert "ValueError" in [str(entry.annotation) for entry in raised]


@pytest.mark.parametrize(
    "name", [name for name, each in exports().items() if each.is_class and each.module.path.startswith(PACKAGES[0])]
)
def test_a_class_of_the_stack_links_to_the_documentation_of_aws(name: str) -> None:
    documented = exports()[name]
    members = documented.members.values()
    texts = [told(each) for each in (documented, *members) if isinstance(each, Public)]
    if match := ELSEWHERE.search(told(documented)):
        texts = [told(exports()[match[1] or match[2]])]
    assert AWS in "".join(texts)


@pytest.mark.parametrize("name", [name for name, each in exports().items() if ELSEWHERE.match(told(each))])
def test_a_docstring_that_refers_to_another_is_complete_there(name: str) -> None:
    match = ELSEWHERE.match(told(exports()[name]))
    assert match
    other = exports()[match[1] or match[2]]
    documented = exports()[name]
    if isinstance(documented, griffe.Function):  # a property has no parameters
        names = {each.name.lstrip("_") for each in documented.parameters}
        assert names <= {each.name for each in other.parameters}  # type: ignore[union-attr]
