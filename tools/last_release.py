"""Keep the output of a release in tests/released: an app that users may have, its templates, and messages.

`make release` writes it, and tests/released compares today's code with it. Templates are kept by the paths of their
resources, since a path with another logical id is another resource: CloudFormation creates it and deletes the old one.
"""

import json
import re
import runpy
import shutil
import sys
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aws_cdk import App
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from webhook_runtime import message, testing
from webhook_runtime.contract import limits

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "released"
APP, TEMPLATES, MESSAGES = FOLDER / "app.py", FOLDER / "templates.json", FOLDER / "messages.json"
TODAY = ROOT / "tests" / "synth" / "everything.py"

# Hashes of content, in the names of assets and API deployments.
_HASH = re.compile(r"[0-9a-f]{64}|(?<=Deployment[0-9A-F]{8})[0-9a-f]{32}")

# The kinds of a change of a resource, the worst first.
KINDS = ("removed", "replaced", "changed", "added")

Resources = dict[str, dict[str, Any]]


def resources(file: Path) -> Resources:
    """Return the resources of an app, by path."""
    app = runpy.run_path(str(file))["app"]
    assert isinstance(app, App)
    folder = Path(app.synth().directory)
    found = {}
    for name, artifact in _read(folder / "manifest.json")["artifacts"].items():
        if artifact["type"] != "aws:cloudformation:stack":
            continue
        template = _read(folder / artifact["properties"]["templateFile"])
        for path, id in _logical_ids(folder, artifact).items():
            if resource := template["Resources"].get(id):
                resource.pop("Metadata", None)  # it is not deployed
                found[_without_default(path)] = {"LogicalId": id, **resource}
        assert len(template["Resources"]) == sum(path.startswith(f"/{name}/") for path in found), name
    return found


def _logical_ids(folder: Path, artifact: dict[str, Any]) -> dict[str, str]:
    metadata = dict(artifact.get("metadata", {}))
    if more := artifact.get("additionalMetadataFile"):
        metadata |= _read(folder / more)
    told = ((path, entry) for path, entries in metadata.items() for entry in entries)
    return {path: entry["data"] for path, entry in told if entry["type"] == "aws:cdk:logicalId"}


def _without_default(path: str) -> str:
    """Return a path without constructs called Default, which have no part in logical ids."""
    *above, last = path.split("/")
    return "/".join([*(each for each in above if each != "Default"), last])


def _read(file: Path) -> dict[str, Any]:
    """Read a file of an assembly, without the hashes that change with every asset."""
    read: dict[str, Any] = json.loads(_HASH.sub("HASH", file.read_text()))
    return read


def differences(before: Resources, after: Resources) -> dict[str, str]:
    """Return the kind of change of each changed resource, by its name in a changelog."""
    both = before.keys() & after.keys()
    before, after = _named(before, both), _named(after, both)
    found: dict[str, set[str]] = {}
    for path in before.keys() | after.keys():
        if before.get(path) != after.get(path):
            found.setdefault(_name(path), set()).add(_kind(before.get(path), after.get(path)))
    # A name covers the same part of several webhooks, so the worst kind counts.
    return {name: next(kind for kind in KINDS if kind in kinds) for name, kinds in sorted(found.items())}


def _named(resources: Resources, both: Collection[str]) -> Resources:
    """Replace logical ids in references by the path of the resource, or by its type if the other side has no such path.
    Otherwise every reference to a queue with another logical id would count as a change."""
    names = {
        (_stack(path), resource["LogicalId"]): path if path in both else resource["Type"]
        for path, resource in resources.items()
    }

    def named(path: str, resource: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps({key: value for key, value in resource.items() if key != "LogicalId"}, sort_keys=True)
        body = re.sub(r'(?<=")\w+(?=")', lambda word: names.get((_stack(path), word[0]), word[0]), body)
        return {"LogicalId": resource["LogicalId"], **json.loads(body)}

    return {path: named(path, resource) for path, resource in resources.items()}


def _stack(path: str) -> str:
    return path.split("/")[1]


def _kind(before: dict[str, Any] | None, after: dict[str, Any] | None) -> str:
    if before is None:
        return "added"
    if after is None:
        return "removed"
    if any(before[key] != after[key] for key in ("LogicalId", "Type")):
        return "replaced"
    old, new = before.get("Properties", {}), after.get("Properties", {})
    return "replaced" if any(old.get(name) != new.get(name) for name in _fixed(after["Type"])) else "changed"


def _fixed(type: str) -> set[str]:
    """Return the properties whose change replaces the resource."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type).schema
    return {pointer.split("/")[2] for pointer in schema.get("createOnlyProperties", [])}


def _name(path: str) -> str:
    """Return the name of a resource: `/Stack/Webhook/Queue/Resource` is `Queue`, since apps name stack and webhook."""
    return "/".join(part for part in path.split("/")[3:] if part not in ("Resource", "Default"))


def messages() -> list[dict[str, Any]]:
    """Return a message of each encoding, as it may wait in a queue while a newer version is deployed."""
    made = []
    for body, key in [
        (b'{"a": 1}', None),
        ("Grüße & mehr".encode(), None),
        (b"\x00\xff", None),
        (b"", None),
        (b"", "s3"),
    ]:
        webhook = testing.webhook(
            body,
            id="delivery-1",
            mount="/hooks",
            path="/hooks/a b",
            query=[("q", "1"), ("q", "ä&=")],
            headers=[("Content-Type", "application/json"), ("X-Twice", "1"), ("X-Twice", "2")],
            received_at=datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC),
        )._replace(request_id="request-1", message_id="message-1")
        payload_key = f"{limits.QUEUED}{key}" if key else None
        (record,) = testing.sqs_event(webhook)["Records"]
        record["body"], record["messageAttributes"][message.ATTRIBUTE]["stringValue"] = message.write(
            webhook, payload_key
        )
        made.append({"record": record, "payload_key": payload_key, "webhook": plain(webhook)})
    return made


def plain(webhook: message.Webhook) -> dict[str, Any]:
    """Return a webhook as JSON, without the fields that SQS adds."""
    fields = {name: value for name, value in webhook._asdict().items() if name not in ("message_id", "attempt")}
    return fields | {
        "key": webhook.key,
        "headers": list(webhook.headers.pairs()),
        "body": webhook.body.hex(),
        "received_at": webhook.received_at.isoformat(),
    }


def write(version: str) -> None:
    """Keep the output of this version."""
    FOLDER.mkdir(exist_ok=True)
    shutil.copyfile(TODAY, APP)
    kept = {"version": version, "resources": resources(APP)}
    TEMPLATES.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    MESSAGES.write_text(json.dumps(messages(), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write(sys.argv[1])
