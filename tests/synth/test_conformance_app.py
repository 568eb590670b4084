"""The app of ``scalable-webhook conformance``: its parts are those that an account is told, and none is left."""

import runpy
from collections import Counter
from typing import Any

import pytest

from scalable_webhook_cli.commands import conforming
from scalable_webhook_cli.conformance.places import APP
from scalable_webhook_cli.conformance.world import STACK
from scalable_webhook_cli.local.rejected import _NAMES

# By design, since other APIs of the region may use them by then.
KEPT = {"AWS::ApiGateway::Account", "AWS::IAM::Role"}


@pytest.fixture(scope="module")
def resources() -> dict[str, dict[str, Any]]:
    app = runpy.run_path(str(APP / "app.py"))["app"]
    found: dict[str, dict[str, Any]] = app.synth().get_stack_by_name(STACK).template["Resources"]
    return found


def test_nothing_is_left_but_the_role_for_logs(resources: dict[str, dict[str, Any]]) -> None:
    kept = [each["Type"] for each in resources.values() if each.get("DeletionPolicy") not in (None, "Delete")]
    assert sorted(kept) == sorted(KEPT)
    assert {each["Type"] for each in resources.values() if each.get("DeletionPolicy") is None}.isdisjoint(
        {"AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::Logs::LogGroup", "AWS::S3::Bucket", "AWS::KMS::Key"}
    )


def test_an_account_is_told_how_much_is_created(resources: dict[str, dict[str, Any]]) -> None:
    counted = Counter(each["Type"] for each in resources.values())
    apis, webhooks = counted["AWS::ApiGateway::RestApi"], counted["AWS::Lambda::EventSourceMapping"]
    assert f"{apis} REST APIs, {webhooks} webhooks" in conforming._ABOUT
    assert [counted[f"AWS::{type}"] for type in ("S3::Bucket", "KMS::Key", "SecretsManager::Secret")] == [1, 1, 1]


def test_no_name_is_its_own_so_that_it_cannot_clash(resources: dict[str, dict[str, Any]]) -> None:
    assert [id for id, each in resources.items() if _NAMES.get(each["Type"]) in each.get("Properties", {})] == []
