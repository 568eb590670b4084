"""Move MiniStack to its newest release, and boto3 to the one that goes with the botocore that it pins.

Of any other boto3, pip would try one release after the other until it has found that one.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement

PACKAGE = Path(__file__).parents[1] / "projenrc" / "package.py"
_PINS = re.compile(r'^MINISTACK, BOTOCORE = "[^"]+", "[^"]+"', re.MULTILINE)


def pinned_botocore(requirements: Iterable[str]) -> str:
    """The one botocore that a distribution with these requirements takes.

    Raises:
        ValueError: It takes several, or any.
    """
    for requirement in map(Requirement, requirements):
        if requirement.name == "botocore" and requirement.marker is None:
            (pin,) = requirement.specifier
            if pin.operator == "==":
                return pin.version
    raise ValueError("MiniStack must pin botocore, got a release that does not; bound boto3 as its metadata says")


def moved(source: str, ministack: str, botocore: str) -> str:
    """projenrc/package.py with these versions."""
    pins, count = _PINS.subn(f'MINISTACK, BOTOCORE = "{ministack}", "{botocore}"', source)
    if count != 1:
        raise ValueError(f"{PACKAGE.name} must have the two versions in one line, got {count} of them")
    return pins


def main() -> None:
    """Ask pip for the newest, and write what it says."""
    newest = ["install", "--dry-run", "--no-deps", "--ignore-installed", "--quiet", "--report", "-", "ministack<2"]
    said = subprocess.run([sys.executable, "-m", "pip", *newest], stdout=subprocess.PIPE, text=True, check=True).stdout
    metadata = json.loads(said)["install"][0]["metadata"]
    botocore = pinned_botocore(metadata["requires_dist"])
    PACKAGE.write_text(moved(PACKAGE.read_text(), metadata["version"], botocore))
    print(f"MiniStack {metadata['version']}, botocore {botocore}")


if __name__ == "__main__":
    main()
