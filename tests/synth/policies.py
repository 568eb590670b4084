"""Read the policies of a template."""

from collections.abc import Iterator, Mapping
from typing import Any

Statement = dict[str, Any]


def statements(value: Any) -> Iterator[Statement]:
    """Yield each statement of each policy document, anywhere in a resource."""
    if isinstance(value, dict):
        if isinstance(value.get("Statement"), list):
            yield from value["Statement"]
        for each in value.values():
            yield from statements(each)
    if isinstance(value, list):
        for each in value:
            yield from statements(each)


def of_role(resources: Mapping[str, Any], role: str) -> Iterator[Statement]:
    """Yield the statements for a role, from its inline policies and from those attached to it."""
    documents = [
        each["Properties"]["PolicyDocument"]
        for each in resources.values()
        if each["Type"] == "AWS::IAM::Policy" and {"Ref": role} in each["Properties"]["Roles"]
    ]
    documents += [each["PolicyDocument"] for each in resources[role]["Properties"].get("Policies", [])]
    for document in documents:
        for statement in document["Statement"]:
            assert statement["Effect"] == "Allow"
            yield statement


def listed(value: Any) -> list[Any]:
    """Return a value as a list. IAM and CloudFormation write a single value without one."""
    return value if isinstance(value, list) else [value]
