"""Generated files are the same wherever the repository is checked out."""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Tracked files, with generated files and lockfiles.
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.splitlines()
WRITTEN = [
    name
    for name in TRACKED
    if re.search(r"(^|/)requirements.*\.(txt|in)$|^pyproject\.toml$|^\.github/|^\.projen/|^\.git\w+$|\.lock$", name)
]


@pytest.mark.skipif(not TRACKED, reason="this is no checkout of git")
def test_no_lock_file_and_no_generated_file_has_an_address() -> None:
    assert {"requirements/dev.txt", "pyproject.toml", ".github/workflows/release.yml"} <= set(WRITTEN)
    addresses = {name: re.findall(r"\w+://\S+|\S*index-url\S*", (ROOT / name).read_text()) for name in WRITTEN}
    assert {name: found for name, found in addresses.items() if found} == {}


REQUIREMENTS = [name for name in TRACKED if re.search(r"(^|/)requirements(/[\w-]+)?\.txt$", name)]
PACKAGES = [name for name in TRACKED if name.endswith("package-lock.json")]


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_packages_locked_from_pypi_have_hashes(name: str) -> None:
    lines = (ROOT / name).read_text().replace("\\\n", " ").splitlines()
    assert lines
    hashed = re.compile(r"[\w.-]+==[^ ]+( ;.*?)?( +--hash=sha256:[0-9a-f]{64})+")
    assert [line for line in lines if not hashed.fullmatch(line)] == []


@pytest.mark.parametrize("name", PACKAGES)
def test_packages_locked_from_npm_have_a_hash_and_no_address(name: str) -> None:
    (_, *packages) = json.loads((ROOT / name).read_text())["packages"].values()
    assert packages
    for package in packages:
        assert package["integrity"].startswith("sha512-")
        assert "resolved" not in package
        assert "hasInstallScript" not in package or package.get("optional"), "it would not be run: npm ci is told so"


def test_the_lock_files_are_those_listed_here() -> None:
    assert sorted(REQUIREMENTS) == [
        "benchmarks/requirements.txt",
        "requirements/build.txt",
        "requirements/checkov.txt",
        "requirements/dev.txt",
        "requirements/lambda.txt",
        "tools/provider_vectors/requirements.txt",
        "tools/publish/requirements.txt",
    ]
    assert sorted(PACKAGES) == [
        f"tools/{folder}/package-lock.json" for folder in ("npm", "provider_vectors", "publish")
    ]


def test_packages_are_installed_from_lock_files_only() -> None:
    written = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    installs = [line for line in written.splitlines() if re.search(r"pip install|npm (ci|install|update)", line)]
    locked = re.compile(r"--require-hashes|npm ci\b|--package-lock-only|--editable \.")
    assert installs
    assert [line for line in installs if not locked.search(line)] == []


def test_a_release_is_built_with_the_versions_used_in_development() -> None:
    alone, among = (versions(f"requirements/{name}.txt") for name in ("build", "dev"))
    assert alone.items() <= among.items()
    assert "hatchling" in alone


def versions(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==([^ \n]+)", (ROOT / name).read_text(), re.MULTILINE))
