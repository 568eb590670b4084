"""Render the README as PyPI does, from hatchling's metadata."""

import shutil
from pathlib import Path

import pytest
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager
from release_check.files import links
from release_check.rejected import Rejected

ROOT = Path(__file__).parents[2]
HOME, TAG = "https://codehost.example/owner/name", "v9.8.7"


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build in the release workflow."""
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://codehost.example")
    monkeypatch.setenv("GITHUB_REPOSITORY", "owner/name")
    monkeypatch.setenv("GITHUB_REF_NAME", TAG)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build anywhere else."""
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)


def page(root: Path = ROOT) -> tuple[str, dict[str, str]]:
    """Return the page and the URLs in the metadata of a build."""
    core = ProjectMetadata(str(root), PluginManager()).core
    assert core.readme_content_type == "text/markdown"
    return core.readme, core.urls


@pytest.mark.usefixtures("released")
def test_a_release_links_to_existing_files_of_the_repository_at_its_tag() -> None:
    readme, urls = page()
    ours = [link for link in [*links(readme), *urls.values()] if link.startswith(HOME)]
    assert urls["Source"] == HOME
    paths = {link.removeprefix(f"{HOME}/{kind}/{TAG}/") for link in ours for kind in ("blob", "raw", "tree")}
    files = {path.partition("#")[0] for path in paths if not path.startswith(HOME)}
    assert {"docs/architecture.svg", "API.md", "CHANGELOG.md", "docs"} <= files
    assert [path for path in files if not (ROOT / path).exists()] == []
    assert f"({HOME}/raw/{TAG}/docs/architecture.svg)" in readme  # the picture, not the page about it


@pytest.mark.usefixtures("elsewhere")
def test_a_build_that_knows_no_repository_invents_none() -> None:
    readme, urls = page()
    assert urls == {}
    assert links(readme)
    assert "where the time goes: benchmarks/." in readme
    assert "architecture" not in readme


@pytest.mark.usefixtures("released")
def test_a_build_from_an_sdist_has_the_metadata_of_the_sdist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pyproject.toml", "hatch_build.py", "src/cdk_scalable_webhook/version.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    said = (
        "Metadata-Version: 2.4\nName: cdk-scalable-webhook\nVersion: 1.2.3\nDescription-Content-Type: text/markdown\n"
    )
    (tmp_path / "PKG-INFO").write_text(f"{said}\nAs it was uploaded.\n")
    assert page(tmp_path) == ("As it was uploaded.\n", {})
    (tmp_path / "PKG-INFO").write_text(f"{said}Project-URL: Source, {HOME}/there\n\nAs it was uploaded.\n")
    assert page(tmp_path)[1] == {"Source": f"{HOME}/there"}


@pytest.mark.usefixtures("released")
@pytest.mark.parametrize(
    ("readme", "expected"),
    [
        ("[a](b.md)", f"[a]({HOME}/blob/{TAG}/b.md)"),
        ("[`a`](b.md#c)", f"[`a`]({HOME}/blob/{TAG}/b.md#c)"),
        ("![a](b/c.svg)", f"![a]({HOME}/raw/{TAG}/b/c.svg)"),
        ("[a](https://there.example/b.md) [a](#place)", "[a](https://there.example/b.md) [a](#place)"),
        ("`a[b](c)` and ``x ` [b](c)``", "`a[b](c)` and ``x ` [b](c)``"),
        ("```python\na[b](c)\n```\n[d](e)\n", f"```python\na[b](c)\n```\n[d]({HOME}/blob/{TAG}/e)\n"),
    ],
)
def test_links_become_absolute_and_all_else_stays(tmp_path: Path, readme: str, expected: str) -> None:
    shutil.copytree(ROOT, tmp_path / "here", ignore=lambda folder, names: _but(folder, names))
    (tmp_path / "here" / "README.md").write_text(readme)
    assert page(tmp_path / "here")[0] == expected


def _but(folder: str, names: list[str]) -> set[str]:
    """Return all names that the metadata does not need."""
    if Path(folder) == ROOT:
        return set(names) - {"pyproject.toml", "hatch_build.py", "src", "LICENSE"}
    return set(names) - {"cdk_scalable_webhook", "version.py"}


@pytest.mark.parametrize("dead", ["[a](b.md)", "![a](b.svg)", '<img src="b.png">', "[a](#nowhere)"])
def test_a_dead_link_is_rejected(dead: str) -> None:
    assert links("# Place\n\n[a](https://there.example/) [b](#place)") == ["https://there.example/"]
    with pytest.raises(Rejected, match="dead links"):
        links(f"# Place\n\n{dead}")
