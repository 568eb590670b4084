import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scalable_webhook_cli.local import assembly as assemblies


def put(file: Path, content: object) -> str:
    """Write JSON, and return the hash under which the CDK would upload it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    return hashlib.sha256(file.read_bytes()).hexdigest()


def asset(folder: Path, name: str, **paths: str) -> None:
    """Write an asset manifest with these files by their hashes."""
    files = {
        hash: {"source": {"path": path}, "destinations": {"d": {"objectKey": f"{hash}.json"}}}
        for path, hash in paths.items()
    }
    put(folder / f"{name}.assets.json", {"files": files})


def stack(name: str, hash: str) -> dict[str, Any]:
    return {
        "type": "aws:cloudformation:stack",
        "properties": {"stackTemplateAssetObjectUrl": f"s3://bucket/{hash}.json"},
    }


def nesting(hash: str) -> dict[str, Any]:
    return {
        "Resources": {"In": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": f"x/{hash}.json"}}}
    }


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    """Create a stack with nested stacks in two levels, and a stage whose stack equals the innermost one."""
    innermost = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
    hashes = {"c": put(tmp_path / "c.nested.template.json", innermost)}
    hashes["b"] = put(tmp_path / "b.nested.template.json", nesting(hashes["c"]))
    hashes["a"] = put(tmp_path / "a.template.json", nesting(hashes["b"]))
    stage = tmp_path / "assembly-Prod"
    put(stage / "d.template.json", innermost)
    files = {"c": "c.nested.template.json", "b": "b.nested.template.json", "a": "a.template.json"}
    asset(tmp_path, "a", **{files[name]: hash for name, hash in hashes.items()})
    asset(stage, "d", **{"d.template.json": hashes["c"]})
    put(stage / "manifest.json", {"artifacts": {"d": stack("d", hashes["c"])}})
    inside = {"type": "cdk:cloud-assembly", "properties": {"directoryName": stage.name}}
    put(tmp_path / "manifest.json", {"artifacts": {"a": stack("a", hashes["a"]), "Prod": inside}})
    put(tmp_path / "asset.f00" / "of-a-user.template.json", {})
    return tmp_path


def uploaded(folder: Path) -> dict[str, Any]:
    """Return the content of each URL after the CDK has uploaded the assets of a folder."""
    return {
        asset["destinations"]["d"]["objectKey"]: json.loads((folder / asset["source"]["path"]).read_text())
        for manifest in folder.glob("*.assets.json")
        for asset in json.loads(manifest.read_text())["files"].values()
    }


def deployed(folder: Path, stack: str) -> list[Any]:
    """Return the template of a stack and its nested stacks, by the URLs in the templates."""
    url = json.loads((folder / "manifest.json").read_text())["artifacts"][stack]["properties"]
    chain = [uploaded(folder)[url["stackTemplateAssetObjectUrl"].rpartition("/")[2]]]
    while "In" in chain[-1]["Resources"]:
        chain.append(uploaded(folder)[chain[-1]["Resources"]["In"]["Properties"]["TemplateURL"].rpartition("/")[2]])
    return chain


def test_the_templates_are_those_of_stages_and_nested_stacks_and_not_those_in_assets(assembly: Path) -> None:
    names = {"a.template.json", "b.nested.template.json", "c.nested.template.json", "d.template.json"}
    assert {file.name for file in assemblies.templates(assembly)} == names


def test_an_edited_template_and_those_that_nest_it_get_another_hash(assembly: Path) -> None:
    before, in_stage = uploaded(assembly), uploaded(assembly / "assembly-Prod")
    edited = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"FifoQueue": True}}}}
    assemblies.write({assembly / "c.nested.template.json": edited})
    assert len(deployed(assembly, "a")) == 3
    assert deployed(assembly, "a")[-1] == edited
    assert not before.keys() & uploaded(assembly).keys()
    for key in uploaded(assembly):
        assert hashlib.sha256((assembly / _path(assembly, key)).read_bytes()).hexdigest() == key.removesuffix(".json")
    # The equal stack was not edited.
    assert uploaded(assembly / "assembly-Prod") == in_stage


def test_the_other_templates_keep_their_hashes(assembly: Path) -> None:
    before = uploaded(assembly)
    assemblies.write({assembly / "a.template.json": nesting("0" * 64) | {"Outputs": {}}})
    assert len(before.keys() & uploaded(assembly).keys()) == 2


def _path(folder: Path, key: str) -> str:
    files = json.loads((folder / "a.assets.json").read_text())["files"]
    return next(
        str(asset["source"]["path"]) for asset in files.values() if asset["destinations"]["d"]["objectKey"] == key
    )


def test_an_assembly_is_read_and_written_as_utf_8_in_any_locale(assembly: Path) -> None:
    manifest = assembly / "a.assets.json"
    named = json.loads(manifest.read_text("utf-8")) | {"displayName": "Bestellungen für Zoë"}
    manifest.write_text(json.dumps(named, ensure_ascii=False), "utf-8")
    program = (
        "import sys; from pathlib import Path; from scalable_webhook_cli.local import assembly; "
        "assembly.write({Path(sys.argv[1]): {'Description': 'changed'}})"
    )
    ascii = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    template = assembly / "c.nested.template.json"
    subprocess.run([sys.executable, "-c", program, template], env=os.environ | ascii, check=True)
    assert json.loads(manifest.read_text("utf-8"))["displayName"] == "Bestellungen für Zoë"
    assert hashlib.sha256(template.read_bytes()).hexdigest() in manifest.read_text("utf-8")


def test_warnings_are_returned_once_with_their_id_wherever_the_cdk_keeps_them(tmp_path: Path) -> None:
    def warning(text: str) -> dict[str, str]:
        return {"type": "aws:cdk:warning", "data": text}

    put(tmp_path / "Hello.metadata.json", {"/Hello/B": [warning("b is\n  odd [ack: lib:b]"), {"type": "x", "data": 1}]})
    stack: dict[str, Any] = {"type": "aws:cloudformation:stack", "additionalMetadataFile": "Hello.metadata.json"}
    stack["metadata"] = {"/Hello/A": [warning("a is odd"), warning("a is odd")]}
    put(tmp_path / "manifest.json", {"artifacts": {"Hello": stack, "Tree": {"type": "cdk:tree"}}})
    assert assemblies.warnings(tmp_path) == ["Hello/A: a is odd", "Hello/B: b is odd [lib:b]"]


def test_a_nested_stack_is_for_the_region_of_the_stack_it_is_in(tmp_path: Path) -> None:
    def nests(file: str) -> dict[str, Any]:
        return {"Resources": {"In": {"Type": "AWS::CloudFormation::Stack", "Metadata": {"aws:asset:path": file}}}}

    put(tmp_path / "a.template.json", nests("b.nested.template.json"))
    put(tmp_path / "b.nested.template.json", nests("c.nested.template.json"))
    put(tmp_path / "c.nested.template.json", {})
    put(tmp_path / "d.template.json", {})
    artifacts = {
        name: {"type": "aws:cloudformation:stack", "environment": where, "properties": {"templateFile": file}}
        for name, where, file in [("A", "aws://1/here", "a.template.json"), ("D", "aws://1/there", "d.template.json")]
    }
    put(tmp_path / "manifest.json", {"artifacts": artifacts})
    found = assemblies.environments(tmp_path, assemblies.templates(tmp_path))
    assert {file.name[0]: where for file, where in found.items()} == {
        "a": "aws://1/here",
        "b": "aws://1/here",
        "c": "aws://1/here",
        "d": "aws://1/there",
    }


@pytest.mark.parametrize(
    ("name", "code", "wants"),
    [
        ("index.js", 'var s=require("@aws-sdk/client-s3");', True),
        ("index.mjs", "import { S3 } from '@aws-sdk/client-s3';", True),
        ("index.js", 'send("@aws-sdk/client-s3 is bundled")', False),
        ("index.py", 'require("@aws-sdk/client-s3")', False),
        ("node_modules/@aws-sdk/x.js", "", False),
    ],
)
def test_an_asset_that_needs_the_sdk_is_found_by_its_key(tmp_path: Path, name: str, code: str, wants: bool) -> None:
    asset = tmp_path / "asset.1"
    (asset / name).parent.mkdir(parents=True)
    (asset / "index.js").write_text('require("@aws-sdk/client-s3")' if "node_modules" in name else "")
    (asset / name).write_text(code)
    (tmp_path / "manifest.json").write_text("{}")
    entry = {"source": {"path": asset.name}, "destinations": {"here": {"objectKey": "1.zip"}}}
    image = {"source": {"executable": ["tool"]}, "destinations": {"here": {"objectKey": "2.zip"}}}
    (tmp_path / "Stack.assets.json").write_text(json.dumps({"files": {"1": entry, "2": image}}))
    assert assemblies.wanting_sdk(tmp_path) == ({"1.zip"} if wants else set())
