"""A release is prepared from the changelog, and its tag is checked."""

import subprocess
import sys
from pathlib import Path

import pytest
import release

CHANGELOG = """\
# Changelog

## [Unreleased]

{unreleased}
## [0.2.0] - 2026-01-02

### Added

- More.

## [0.1.0] - 2026-01-01

### Added

- All.
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Create a project with a version and a changelog."""
    monkeypatch.setattr(release, "CHANGELOG", tmp_path / "CHANGELOG.md")
    monkeypatch.setattr(release, "VERSION", tmp_path / "version.py")
    release.VERSION.write_text('"""The version."""\n\n__version__ = "0.2.0"\n')
    unreleased("### Fixed\n\n- A fault.\n")


def unreleased(text: str) -> None:
    release.CHANGELOG.write_text(CHANGELOG.format(unreleased=text))


def test_the_unreleased_section_gets_version_and_date_and_the_next_starts_empty() -> None:
    release.prepare("0.2.1")
    known = release.sections(release.CHANGELOG.read_text())
    assert list(known) == ["Unreleased", "0.2.1", "0.2.0", "0.1.0"]
    assert known["Unreleased"].text == ""
    assert known["0.2.1"].date
    assert release.current() == "0.2.1"
    assert release.notes("v0.2.1") == "### Fixed\n\n- A fault.\n"


def test_a_release_without_changes_is_rejected() -> None:
    release.prepare("0.2.1")
    with pytest.raises(release.ReleaseError, match="nothing under"):
        release.prepare("0.2.2")


@pytest.mark.parametrize(
    ("text", "before_one", "after_one"),
    [
        ("### Fixed\n\n- A fault.\n", "0.2.1", "1.2.1"),
        ("### Security\n\n- A hole.\n", "0.2.1", "1.2.1"),
        ("### Added\n\n- More.\n", "0.3.0", "1.3.0"),
        ("### Deprecated\n\n- `old`: use `new`.\n", "0.3.0", "1.3.0"),
        ("### Fixed\n\n- A.\n\n### Removed\n\n- `old`.\n", "0.3.0", "2.0.0"),
        ("### Fixed\n\n- A.\n\n### Templates\n\n- `Queue`: changed, it waits longer.\n", "0.2.1", "1.2.1"),
        ("### Fixed\n\n- A.\n\n### Templates\n\n- `Queue`, `Table`: replaced, empty it first.\n", "0.3.0", "2.0.0"),
    ],
)
def test_the_version_follows_from_what_changed(text: str, before_one: str, after_one: str) -> None:
    unreleased(text)
    for made, expected in (("0.2.0", before_one), ("1.2.0", after_one)):
        release.VERSION.write_text(f'__version__ = "{made}"\n')
        release.CHANGELOG.write_text(release.CHANGELOG.read_text().replace("[0.2.0]", f"[{made}]"))
        with pytest.raises(release.ReleaseError, match=f"make version {expected}, got 9.9.9"):
            release.prepare("9.9.9")


def test_a_first_release_has_the_current_version() -> None:
    release.VERSION.write_text('__version__ = "0.9.0"\n')
    release.prepare("0.9.0")
    assert release.notes("v0.9.0")


def test_a_tag_of_another_version_is_rejected() -> None:
    with pytest.raises(release.ReleaseError, match=r"must be v0\.2\.0.*got v0\.3\.0"):
        release.notes("v0.3.0")


def test_a_version_without_a_date_is_rejected() -> None:
    release.VERSION.write_text('__version__ = "0.3.0"\n')
    with pytest.raises(release.ReleaseError, match=r"no section \[0\.3\.0\]"):
        release.notes("v0.3.0")


def test_the_workflow_needs_nothing_but_python(tmp_path: Path) -> None:
    tag, notes = f"v{_here()}", tmp_path / "dist" / "notes.md"
    tool = Path(__file__).parents[2] / "tools" / "release.py"
    run = [sys.executable, "-S", "-I", str(tool), "--tag", tag, "--notes", str(notes)]
    subprocess.run(run, check=True)
    assert notes.read_text().startswith("### ")
    rejected = subprocess.run([*run[:4], "--tag", "v9.9.9"], capture_output=True, text=True, check=False)
    assert rejected.returncode == 1
    assert "Traceback" not in rejected.stderr


def _here() -> str:
    text = (Path(__file__).parents[2] / "src" / "cdk_scalable_webhook" / "version.py").read_text()
    return text.split('"')[-2]
