"""A cloud assembly, as written by `cdk synth`: its stacks, their templates, and the warnings of synth.

https://docs.aws.amazon.com/cdk/v2/guide/configure-synth.html
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Template = dict[str, Any]

_ASKS_FOR_SDK = re.compile(r"""\b(require\(|import\(|import|from)\s*["']@aws-sdk/""")
_ACKNOWLEDGEMENT = re.compile(r"\s*\[ack: (?P<id>[^\]]+)\]$")


def artifacts(assembly: Path) -> Iterator[tuple[Path, str, dict[str, Any]]]:
    """Yield folder, id and content of each artifact, including those of stages."""
    for folder in _folders(assembly):
        for id, artifact in _artifacts_in(folder).items():
            yield folder, id, artifact


def templates(assembly: Path) -> dict[Path, Template]:
    """Return each template by its file, including nested stacks. Templates in a user's asset do not count."""
    return {file: _read(file) for folder in _folders(assembly) for file in sorted(folder.glob("*.template.json"))}


def environments(assembly: Path, templates: Mapping[Path, Template]) -> dict[Path, str]:
    """Return the account and region of each template, as ``aws://ACCOUNT/REGION``. A nested one has those of its
    parent.
    """
    found = {}
    waiting = [
        (folder / artifact["properties"]["templateFile"], artifact["environment"])
        for folder, _, artifact in artifacts(assembly)
        if artifact["type"] == "aws:cloudformation:stack"
    ]
    while waiting:
        file, environment = waiting.pop()
        found[file] = environment
        said = (resource.get("Metadata") for resource in _nested(templates.get(file, {})))
        names = [metadata.get("aws:asset:path") for metadata in said if isinstance(metadata, dict)]
        waiting += [(file.parent / name, environment) for name in names if isinstance(name, str)]
    return found


def _nested(template: Template) -> list[dict[str, Any]]:
    return [it for it in resources_of(template).values() if it["Type"] == "AWS::CloudFormation::Stack"]


def _folders(assembly: Path) -> Iterator[Path]:
    """Yield the folder of an assembly, and those of its stages."""
    yield assembly
    for artifact in _artifacts_in(assembly).values():
        if artifact["type"] == "cdk:cloud-assembly":
            yield from _folders(assembly / artifact["properties"]["directoryName"])


def _artifacts_in(folder: Path) -> dict[str, Any]:
    return dict(_read(folder / "manifest.json").get("artifacts", {}))


def resources_of(template: Template) -> dict[str, dict[str, Any]]:
    """Return the resources of a template by id. Next to them there may be macros, which are skipped."""
    resources = template.get("Resources")
    return {
        id: resource
        for id, resource in (resources.items() if isinstance(resources, dict) else ())
        if isinstance(resource, dict) and isinstance(resource.get("Type"), str)
    }


def path_of(id: str, resource: Mapping[str, Any]) -> str:
    """Return the construct path of a resource, or else its id."""
    path = map_of(resource.get("Metadata")).get("aws:cdk:path", id)
    return str(path).removesuffix("/Resource")


def map_of(value: Any) -> dict[str, Any]:
    """Return a map of a template. An intrinsic function or any other value counts as empty."""
    if not isinstance(value, dict) or value.keys() == {"Ref"} or any(name.startswith("Fn::") for name in value):
        return {}
    return value


def wanting_sdk(assembly: Path) -> set[str]:
    """Return the S3 keys of JavaScript assets that import the AWS SDK, which Lambda has, without containing it."""
    return {
        destination["objectKey"]
        for folder in _folders(assembly)
        for manifest in folder.glob("*.assets.json")
        for asset in _read(manifest).get("files", {}).values()
        if "path" in asset.get("source", {}) and _wants_sdk(folder / asset["source"]["path"])
        for destination in asset["destinations"].values()
    }


def _wants_sdk(asset: Path) -> bool:
    scripts = [file for ending in ("js", "mjs", "cjs") for file in asset.glob(f"*.{ending}")]
    bundled = (asset / "node_modules" / "@aws-sdk").is_dir()
    return not bundled and any(_ASKS_FOR_SDK.search(file.read_text("utf-8", errors="replace")) for file in scripts)


def warnings(assembly: Path) -> list[str]:
    """Return each warning of synth once: construct path, text, and the id to acknowledge it by."""
    found = []
    for folder, _, artifact in artifacts(assembly):
        extra = artifact.get("additionalMetadataFile")
        metadata = [artifact.get("metadata") or {}, _read(folder / extra) if extra else {}]
        for path, entries in (entry for part in metadata for entry in part.items()):
            for entry in entries:
                if entry["type"] == "aws:cdk:warning":
                    text = " ".join(_ACKNOWLEDGEMENT.sub(r" [\g<id>]", str(entry["data"])).split())
                    found.append(f"{path.strip('/')}: {text}")
    return list(dict.fromkeys(found))


def write(edited: Mapping[Path, Template]) -> None:
    """Write edited templates, each with a new hash.

    The CDK uploads a template under the hash in the asset manifest, and skips one whose hash exists. So replace each
    old hash in the manifests, and in the template of a parent, which then changes too.
    """
    for file, template in edited.items():
        file.write_text(json.dumps(template, indent=1), "utf-8")
    waiting = list(edited)
    while waiting:
        file = waiting.pop()
        new = hashlib.sha256(file.read_bytes()).hexdigest()
        for old in _hashes(file) - {new}:
            for pattern in ("manifest.json", "*.assets.json", "*.template.json"):
                for other in file.parent.glob(pattern):
                    text = other.read_text("utf-8")
                    if old in text:
                        other.write_text(text.replace(old, new), "utf-8")
                        waiting += [other] if pattern == "*.template.json" else []


def _hashes(template: Path) -> set[str]:
    """Return the hashes of a template in the asset manifests next to it."""
    return {
        hash
        for manifest in template.parent.glob("*.assets.json")
        for hash, asset in _read(manifest).get("files", {}).items()
        if asset.get("source", {}).get("path") == template.name
    }


def _read(file: Path) -> Any:
    return json.loads(file.read_text("utf-8"))
