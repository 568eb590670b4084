"""Each check of a release's files rejects bad files."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import digests
import pytest
from release_check import files, registry
from release_check.rejected import Rejected

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the files with `make dist`."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "tools/build.py", folder], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="session")
def source() -> dict[str, bytes]:
    return files.source()


@pytest.fixture
def wheel(built: Path) -> Path:
    (file,) = built.glob("*.whl")
    return file


@pytest.fixture
def sdist(built: Path) -> Path:
    (file,) = built.glob("*.tar.gz")
    return file


Change = Callable[[dict[str, bytes]], None]


def remade(wheel: Path, folder: Path, change: Change) -> Path:
    """Return the wheel with a change."""
    with zipfile.ZipFile(wheel) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    change(content)
    other = folder / wheel.name
    with zipfile.ZipFile(other, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return other


def adding(name: str) -> Change:
    return lambda content: content.update({name: b""})


def without(name: str) -> Change:
    return lambda content: content.__delitem__(name)


def test_a_built_release_is_accepted(wheel: Path, sdist: Path, source: dict[str, bytes]) -> None:
    assert f"the {len(source)} files" in files.wheel_is(wheel, source)
    assert "pyproject.toml" in files.sdist_is(sdist, source)
    assert "3 py.typed" in files.wheel_has_what_runs(wheel)
    assert "no complaint" in files.checked_by_others(wheel, sdist)
    assert "none of them dead" in files.page_is_whole(wheel)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (adding("webhook_runtime/__pycache__/tls.cpython-311.pyc"), r"must not have .*tls.cpython-311.pyc"),
        (adding("tests/test_it.py"), r"must not have tests/test_it.py"),
        (without("webhook_runtime/sinks/dynamodb.py"), r"lacks webhook_runtime/sinks/dynamodb.py"),
        (
            without("cdk_scalable_webhook/endpoint/mapping/request.vtl"),
            r"lacks cdk_scalable_webhook/endpoint/mapping/request.vtl",
        ),
        (adding("webhook_runtime/deadline.py"), r"has something else in webhook_runtime/deadline.py"),
    ],
)
def test_a_wheel_that_is_not_the_source_is_rejected(
    wheel: Path, source: dict[str, bytes], tmp_path: Path, change: Change, told: str
) -> None:
    with pytest.raises(Rejected, match=told):
        files.wheel_is(remade(wheel, tmp_path, change), source)


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        ("webhook_runtime/py.typed", r"lacks \*/py.typed"),
        (".vtl", r"lacks cdk_scalable_webhook/endpoint/mapping/\*.vtl"),
        ("rds-classes.json", r"lacks webhook_runtime/contract/\*.json"),
        (".pem", r"lacks webhook_runtime/contract/\*.pem"),
        ("webhook_runtime/sinks/", r"lacks webhook_runtime/sinks/\[!_\]\*.py"),
    ],
)
def test_a_wheel_without_files_that_only_users_need_is_rejected(
    wheel: Path, tmp_path: Path, gone: str, told: str
) -> None:
    def change(content: dict[str, bytes]) -> None:
        for name in [name for name in content if gone in name]:
            del content[name]

    with pytest.raises(Rejected, match=told):
        files.wheel_has_what_runs(remade(wheel, tmp_path, change))


def test_an_sdist_with_a_test_or_without_the_readme_is_rejected(
    sdist: Path, source: dict[str, bytes], tmp_path: Path
) -> None:
    def other(change: Change) -> Path:
        with tarfile.open(sdist) as archive:
            members = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
            content = {name.partition("/")[2]: data.read() for name, data in members.items() if data}
        change(content)
        file = tmp_path / sdist.name
        with tarfile.open(file, "w:gz") as archive:
            for name, data in content.items():
                member = tarfile.TarInfo(f"it-1/{name}")
                member.size = len(data)
                archive.addfile(member, BytesIO(data))
        return file

    assert files.sdist_is(other(lambda content: None), source)
    for change, told in [
        (adding("tests/test_it.py"), "must not have tests/test_it.py"),
        (without("README.md"), "lacks README.md"),
        (without("hatch_build.py"), "lacks hatch_build.py"),
        (without("src/webhook_runtime/py.typed"), "lacks src/webhook_runtime/py.typed"),
        (without("PKG-INFO"), "has no PKG-INFO"),
    ]:
        with pytest.raises(Rejected, match=told):
            files.sdist_is(other(change), source)


@pytest.mark.parametrize(
    ("umask", "zone", "locale", "mode"), [(0o022, "UTC", "C.UTF-8", 0o644), (0o077, "Asia/Tokyo", "C", 0o600)]
)
def test_another_checkout_of_another_user_makes_the_same_bytes(
    built: Path, tmp_path: Path, umask: int, zone: str, locale: str, mode: int
) -> None:
    checkout = tmp_path / f"a checkout of {zone.partition('/')[0]}"
    for name in files._listed("."):
        if (ROOT / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, checkout / name)
            (checkout / name).chmod(mode)
            os.utime(checkout / name, (mode, mode))
    subprocess.run(
        [sys.executable, checkout / "tools" / "build.py", tmp_path / "dist"],
        env=os.environ | {"TZ": zone, "LC_ALL": locale, "PYTHONHASHSEED": str(mode), "SOURCE_DATE_EPOCH": str(mode)},
        umask=umask,
        check=True,
    )
    assert digests.digests(tmp_path / "dist") == digests.digests(built)


def test_a_page_with_a_dead_link_is_rejected(wheel: Path, tmp_path: Path) -> None:
    def change(content: dict[str, bytes]) -> None:
        (name,) = (name for name in content if name.endswith("/METADATA"))
        content[name] += b"\n[more](docs/more.md)\n"

    with pytest.raises(Rejected, match=r"dead links to docs/more\.md"):
        files.page_is_whole(remade(wheel, tmp_path, change))


@pytest.mark.parametrize(
    ("file", "before", "after", "told"),
    [
        (
            "RECORD",
            b"webhook_runtime/deadline.py,",
            b"webhook_runtime/deadline.pyc,",
            r"check-wheel-contents (?s:.)*W001",
        ),
        ("METADATA", b"\nName: cdk-scalable-webhook\n", b"\n", r"twine check (?s:.)*name"),
    ],
)
def test_complaints_of_other_tools_are_rejected(
    wheel: Path, sdist: Path, tmp_path: Path, file: str, before: bytes, after: bytes, told: str
) -> None:
    def change(content: dict[str, bytes]) -> None:
        (name,) = (name for name in content if name.endswith(f".dist-info/{file}"))
        assert before in content[name]
        content[name] = content[name].replace(before, after, 1)

    with pytest.raises(Rejected, match=told):
        files.checked_by_others(remade(wheel, tmp_path, change), sdist)


def test_the_upload_is_the_line_of_the_release_workflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = registry.command()
    assert line in (ROOT / ".github" / "workflows" / "release.yml").read_text()
    assert line == "bash tools/publish/publish.sh dist/python"
    without_it = tmp_path / "release.yml"
    without_it.write_text("jobs: {}\n")
    monkeypatch.setattr(registry, "_WORKFLOW", without_it)
    with pytest.raises(Rejected, match="does 0 times"):
        registry.command()
