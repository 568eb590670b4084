"""Today's code creates the same resources as the last release, unless the changelog says otherwise.

A new logical id or a changed name is another resource: CloudFormation creates it, and deletes the old queue or table
with its content.
"""

import ast
import inspect
import json
from typing import Any

import last_release
import pytest
import release
from last_release import Resources, differences

from cdk_scalable_webhook import ApiOptions, ConsumerOptions, QueueOptions, ScalableWebhook
from webhook_runtime.message import read_message

KEPT = json.loads(last_release.TEMPLATES.read_text())
UNRELEASED = release.sections(release.CHANGELOG.read_text())[release.UNRELEASED]
ANEW = "make release keeps it; a change between releases belongs under '### Templates' of [Unreleased], as '- `Queue`: "


@pytest.fixture(scope="module")
def today() -> Resources:
    """Return the resources of the last release's app with today's code."""
    return last_release.resources(last_release.APP)


def told(changed: dict[str, str], changelog: dict[str, str]) -> tuple[dict[str, str], set[str]]:
    """Return the differences that the changelog does not have, and its wrong entries.

    A name stands for all below it.
    """
    covering = {
        name: next((told for told in changelog if name == told or name.startswith(f"{told}/")), None)
        for name in changed
    }
    untold = {name: became for name, became in changed.items() if changelog.get(covering[name] or "") != became}
    return untold, changelog.keys() - set(covering.values())


def test_the_resources_of_the_last_release_stay_unless_the_changelog_says_otherwise(today: Resources) -> None:
    untold, untrue = told(differences(KEPT["resources"], today), UNRELEASED.templates)
    assert untold == {}, f"the templates of users change; {ANEW}changed, since …'"
    assert untrue == set(), "the changelog tells of changes that there are not"


def test_a_queue_with_another_logical_id_is_replaced_and_must_be_in_the_changelog(today: Resources) -> None:
    id = today["/Own/Webhook/Queue/Resource"]["LogicalId"]
    before: Resources = json.loads(json.dumps(today).replace(f'"{id}"', '"AnotherQueue"'))
    del before["/Own/Webhook/EventSourceMapping/Resource"]
    before["/Own/Webhook/Gone"] = {"LogicalId": "Gone", "Type": "AWS::SQS::Queue"}
    changed = differences(before, today)
    assert changed == {"EventSourceMapping": "added", "Gone": "removed", "Queue": "replaced"}
    assert told(changed, {"Queue": "replaced"})[0].keys() == {"EventSourceMapping", "Gone"}
    assert told(changed, {"Queue": "changed", "Gone": "removed", "EventSourceMapping": "added"})[0] == {
        "Queue": "replaced"
    }


def _queue(**properties: Any) -> Resources:
    return {"/S/W/Queue/Resource": {"LogicalId": "Q", "Type": "AWS::SQS::Queue", "Properties": properties}}


def test_a_property_that_cannot_change_replaces_its_resource() -> None:
    before = _queue(QueueName="a", DelaySeconds=1)
    assert differences(before, _queue(QueueName="a", DelaySeconds=2)) == {"Queue": "changed"}
    assert differences(before, _queue(QueueName="b", DelaySeconds=1)) == {"Queue": "replaced"}
    assert differences(before, before) == {}


def test_a_reference_changes_only_if_it_refers_to_another_resource() -> None:
    def mapping(queue: str) -> Resources:
        properties = {"EventSourceArn": {"Fn::GetAtt": [queue, "Arn"]}}
        return {"/S/W/Mapping": {"LogicalId": "M", "Type": "AWS::Lambda::EventSourceMapping", "Properties": properties}}

    def other(path: str, id: str) -> Resources:
        return {f"/S/W/{path}/Resource": {"LogicalId": id, "Type": "AWS::SQS::Queue", "Properties": {}}}

    one = other("Queue", "Q") | other("DeadLetterQueue", "D")
    assert differences(one | mapping("Q"), other("Queue", "Q2") | other("DeadLetterQueue", "D") | mapping("Q2")) == {
        "Queue": "replaced"
    }
    assert differences(one | mapping("Q"), other("Buffer", "B") | other("DeadLetterQueue", "D") | mapping("B")) == {
        "Buffer": "added",
        "Queue": "removed",
    }
    assert differences(one | mapping("Q"), one | mapping("D")) == {"Mapping": "replaced"}


def test_an_entry_covers_all_constructs_below_it_and_a_wrong_one_is_found() -> None:
    changed = {"Consumer/Role/DefaultPolicy": "changed", "Consumer": "changed", "ConsumerLogs": "added"}
    assert told(changed, {"Consumer": "changed", "ConsumerLogs": "added"}) == ({}, set())
    assert told(changed, {"Consumer": "changed", "Queue": "changed"}) == ({"ConsumerLogs": "added"}, {"Queue"})


@pytest.mark.parametrize("kept", json.loads(last_release.MESSAGES.read_text()), ids=lambda kept: kept["record"]["body"])
def test_a_message_that_waits_while_a_newer_version_is_deployed_is_read_as_it_was_written(kept: dict[str, Any]) -> None:
    webhook, payload_key = read_message(kept["record"])
    assert payload_key == kept["payload_key"]
    assert json.loads(json.dumps(last_release.plain(webhook))) == kept["webhook"]


def test_version_changelog_and_kept_templates_are_of_one_release() -> None:
    _, newest, *_ = release.sections(release.CHANGELOG.read_text()).values()
    assert newest.date
    assert newest.version == release.current() == KEPT["version"]


@pytest.mark.parametrize("kind", [ScalableWebhook, ApiOptions, QueueOptions, ConsumerOptions])
def test_the_app_that_a_release_keeps_uses_every_argument(kind: type) -> None:
    calls = [node for node in ast.walk(ast.parse(last_release.TODAY.read_text())) if isinstance(node, ast.Call)]
    made = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == kind.__name__]
    used = {keyword.arg for call in made for keyword in call.keywords}
    assert set(inspect.signature(vars(kind)["__init__"]).parameters) - used <= {"self", "scope", "id"}
