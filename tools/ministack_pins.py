"""Pin the newest release of MiniStack, and the boto3 for the botocore that it pins.

With a range for boto3, pip would try release after release until it found that one.
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
    """Return the one botocore that a package with these requirements accepts.

    Raises:
        ValueError: It accepts several, or any.
    """
    for requirement in map(Requirement, requirements):
        if requirement.name == "botocore" and requirement.marker is None:
            (pin,) = requirement.specifier
            if pin.operator == "==":
                return pin.version
    raise ValueError("MiniStack must pin botocore, got a release that does not; give boto3 the range of its metadata")


def moved(source: str, ministack: str, botocore: str) -> str:
    """Return projenrc/package.py with these versions."""
    pins, count = _PINS.subn(f'MINISTACK, BOTOCORE = "{ministack}", "{botocore}"', source)
    if count != 1:
        raise ValueError(f"{PACKAGE.name} must have the two versions in one line, got {count} of them")
    return pins


def main() -> None:
    """Ask pip for the newest, and write its version."""
    newest = ["install", "--dry-run", "--no-deps", "--ignore-installed", "--quiet", "--report", "-", "ministack<2"]
    said = subprocess.run([sys.executable, "-m", "pip", *newest], stdout=subprocess.PIPE, text=True, check=True).stdout
    metadata = json.loads(said)["install"][0]["metadata"]
    botocore = pinned_botocore(metadata["requires_dist"])
    PACKAGE.write_text(moved(PACKAGE.read_text(), metadata["version"], botocore))
    print(f"MiniStack {metadata['version']}, botocore {botocore}")


if __name__ == "__main__":
    main()
