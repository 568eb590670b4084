"""What machines write into the repository holds wherever it is checked out."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Names of files as git has them, with what is generated and what is locked.
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.splitlines()
WRITTEN = [
    name
    for name in TRACKED
    if re.search(r"(^|/)requirements.*\.(txt|in)$|^pyproject\.toml$|^\.github/|^\.projen/|^\.git\w+$|\.lock$", name)
]


@pytest.mark.skipif(not TRACKED, reason="this is no checkout of git")
def test_no_lock_file_and_no_generated_file_has_an_address_in_it() -> None:
    assert {"requirements-dev.txt", "pyproject.toml", ".github/workflows/release.yml"} <= set(WRITTEN)
    addresses = {name: re.findall(r"\w+://\S+|\S*index-url\S*", (ROOT / name).read_text()) for name in WRITTEN}
    assert {name: found for name, found in addresses.items() if found} == {}
