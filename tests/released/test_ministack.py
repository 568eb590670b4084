"""MiniStack pins botocore, so the extra `local` requires the boto3 for it, and pip need not search."""

import importlib.metadata
import tomllib
from pathlib import Path

import ministack_pins as tool
import pytest
from packaging.requirements import Requirement

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def asked_for(name: str) -> Requirement:
    """Return the requirement of the extra."""
    extras = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    (found,) = (requirement for requirement in map(Requirement, extras["local"]) if requirement.name == name)
    return found


def test_the_extra_asks_for_the_boto3_of_its_ministack_and_no_other() -> None:
    installed = importlib.metadata.distribution("ministack")
    assert str(asked_for("ministack").specifier) == f"=={installed.version}"
    botocore = tool.pinned_botocore(installed.requires or [])
    assert str(asked_for("boto3").specifier) == f"=={botocore}"
    (of_boto3,) = (
        requirement
        for requirement in map(Requirement, importlib.metadata.requires("boto3") or [])
        if requirement.name == "botocore" and requirement.marker is None
    )
    assert importlib.metadata.version("boto3") == botocore
    assert botocore in of_boto3.specifier


def test_both_versions_are_changed_in_one_place() -> None:
    source = tool.PACKAGE.read_text()
    now = {requirement: next(iter(asked_for(requirement).specifier)).version for requirement in ("ministack", "boto3")}
    assert tool.moved(source, now["ministack"], now["boto3"]) == source
    changed = tool.moved(source, "9.8.7", "6.5.4").splitlines()
    assert set(changed) - set(source.splitlines()) == {'MINISTACK, BOTOCORE = "9.8.7", "6.5.4"'}
    with pytest.raises(ValueError, match="got 0 of them"):
        tool.moved("", "9.8.7", "6.5.4")


@pytest.mark.parametrize("requirements", [[], ["botocore>=1.43"], ['botocore==1.43.106; extra == "full"']])
def test_a_ministack_that_does_not_pin_botocore_is_rejected(requirements: list[str]) -> None:
    with pytest.raises(ValueError, match="MiniStack must pin botocore"):
        tool.pinned_botocore(requirements)
