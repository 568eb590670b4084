"""A cloud assembly, which is what `cdk synth` writes: its stacks, their templates, and what synth warned of.

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
    """The artifacts of an assembly, and of the stages in it: the folder of each, its id, and what the manifest says."""
    for folder in _folders(assembly):
        for id, artifact in _artifacts_in(folder).items():
            yield folder, id, artifact


def templates(assembly: Path) -> dict[Path, Template]:
    """Every template by its file, those of nested stacks among them. What a user's asset holds is none."""
    return {file: _read(file) for folder in _folders(assembly) for file in sorted(folder.glob("*.template.json"))}


def environments(assembly: Path, templates: Mapping[Path, Template]) -> dict[Path, str]:
    """The account and region that each template is for, as ``aws://ACCOUNT/REGION``. A nested one is for that of the
    stack it is in."""
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
    """The folder of an assembly, and those of the stages in it."""
    yield assembly
    for artifact in _artifacts_in(assembly).values():
        if artifact["type"] == "cdk:cloud-assembly":
            yield from _folders(assembly / artifact["properties"]["directoryName"])


def _artifacts_in(folder: Path) -> dict[str, Any]:
    return dict(_read(folder / "manifest.json").get("artifacts", {}))


def resources_of(template: Template) -> dict[str, dict[str, Any]]:
    """The resources of a template by their ids. Beside them may stand what a transform makes some of."""
    resources = template.get("Resources")
    return {
        id: resource
        for id, resource in (resources.items() if isinstance(resources, dict) else ())
        if isinstance(resource, dict) and isinstance(resource.get("Type"), str)
    }


def path_of(id: str, resource: Mapping[str, Any]) -> str:
    """The path of a resource's construct, or else its id."""
    path = map_of(resource.get("Metadata")).get("aws:cdk:path", id)
    return str(path).removesuffix("/Resource")


def map_of(value: Any) -> dict[str, Any]:
    """A map of a template. An intrinsic function, or what else stands in its place, has nothing to look at."""
    if not isinstance(value, dict) or value.keys() == {"Ref"} or any(name.startswith("Fn::") for name in value):
        return {}
    return value


def wanting_sdk(assembly: Path) -> set[str]:
    """The S3 keys of assets whose JavaScript asks for the AWS SDK, which is there on Lambda, and does not bring it."""
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
    brought = (asset / "node_modules" / "@aws-sdk").is_dir()
    return not brought and any(_ASKS_FOR_SDK.search(file.read_text(errors="replace")) for file in scripts)


def warnings(assembly: Path) -> list[str]:
    """What synth warned of, each once: where, what, and by which id it is acknowledged."""
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
    """Write templates that were edited. The CDK uploads a template under the hash that the asset manifest has for it,
    and takes what is there under that hash already for the same. So each gets its new hash, wherever the old one is
    named: in the manifests, and in the template of a parent, which is another one then as well."""
    for file, template in edited.items():
        file.write_text(json.dumps(template, indent=1))
    waiting = list(edited)
    while waiting:
        file = waiting.pop()
        new = hashlib.sha256(file.read_bytes()).hexdigest()
        for old in _hashes(file) - {new}:
            for pattern in ("manifest.json", "*.assets.json", "*.template.json"):
                for other in file.parent.glob(pattern):
                    text = other.read_text()
                    if old in text:
                        other.write_text(text.replace(old, new))
                        waiting += [other] if pattern == "*.template.json" else []


def _hashes(template: Path) -> set[str]:
    """The hashes under which the asset manifests beside it have a template."""
    return {
        hash
        for manifest in template.parent.glob("*.assets.json")
        for hash, asset in _read(manifest).get("files", {}).items()
        if asset.get("source", {}).get("path") == template.name
    }


def _read(file: Path) -> Any:
    return json.loads(file.read_text())
