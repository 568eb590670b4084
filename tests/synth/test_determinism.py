"""An app has the same template and assets wherever it is synthesised.

The tests compare two checkouts, two users, two runs, two installers, and a wheel.
"""

import compileall
import json
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from .. import apps

PARTS = ("src", "examples", "tests/synth/everything.py", "tests/synth/maximal.py")


def assemble(root: Path, library: Path, *, umask: int = 0o022, **environment: str) -> list[dict[str, str]]:
    """Return the files of each app below a root, with the library of this folder first in the path."""
    names = [str(root / app.relative_to(apps.ROOT)) for app in apps.APPS.values()]
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
    path = os.pathsep.join([str(library), *filter(None, [environment.pop("PYTHONPATH", None)])])
    # jsii unpacks the 200 MB of the CDK into a cache in the user's folder.
    cache = {"JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(Path.home() / ".cache" / "aws" / "jsii" / "package-cache")}
    run = subprocess.run(
        [sys.executable, apps.ROOT / "tests" / "synth" / "assemble.py", *names],
        env=kept | cache | {"CDK_VALIDATION": "false"} | environment | {"PYTHONPATH": path},
        cwd=root,
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    made = json.loads(run.stdout.splitlines()[-1])
    assert Path(made["library"]).is_relative_to(library)
    found: list[dict[str, str]] = made["apps"]
    return found


@pytest.fixture(scope="module")
def here() -> list[dict[str, str]]:
    """Return the files of each app in this checkout."""
    return assemble(
        apps.ROOT, apps.ROOT / "src", PYTHONHASHSEED="1", PYTHONDONTWRITEBYTECODE="1", TZ="UTC", LANG="C.UTF-8"
    )


def checkout(root: Path) -> Path:
    """Copy this checkout as that of another user: used, from another time, and without access for others."""
    for part in PARTS:
        source, target = apps.ROOT / part, root / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    compileall.compile_dir(root, quiet=2)
    for path in root.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return root


def installed_by_another(site: Path) -> Path:
    """Install the drivers like an installer that records its name and its source, and compiles them."""
    for name in ("pg8000", "scramp", "asn1crypto", "python-dateutil", "six", "PyMySQL"):
        distribution = metadata.distribution(name)
        lines = (distribution.read_text("RECORD") or "").splitlines()
        kept = [line for line in lines if "__pycache__" not in line and not line.startswith("..")]
        for line in kept:
            target = site / line.partition(",")[0]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(distribution.locate_file(target.relative_to(site))), target)
        info = next(target for line in kept if (target := site / line.partition("/")[0]).suffix == ".dist-info")
        compiled = [
            f"{path.parent}/__pycache__/{path.stem}.{sys.implementation.cache_tag}.pyc,,"
            for path in (Path(line.partition(",")[0]) for line in kept)
            if path.suffix == ".py"
        ]
        said = {"INSTALLER": "another\n", "REQUESTED": "", "direct_url.json": '{"url": "file:///elsewhere"}'}
        for file, text in said.items():
            (info / file).write_text(text)
        others = [f"{info.name}/{file},," for file in said if f"{info.name}/{file}" not in "".join(kept)]
        (info / "RECORD").write_text("\n".join([*kept, *compiled, *others]) + "\n")
    compileall.compile_dir(site, quiet=2)
    return site


@pytest.mark.slow(6)
@pytest.mark.smoke
def test_another_checkout_user_and_run_make_the_same_files(here: list[dict[str, str]], tmp_path: Path) -> None:
    root = checkout(tmp_path / "another user's checkout")
    site = installed_by_another(tmp_path / "site")
    home, scratch = tmp_path / "home", tmp_path / "scratch"
    home.mkdir()
    scratch.mkdir()
    there = assemble(
        root,
        root / "src",
        umask=0o077,
        PYTHONPATH=str(site),
        PYTHONHASHSEED="2",
        HOME=str(home),
        USER="another",
        TMPDIR=str(scratch),
        TZ="Asia/Kathmandu",
        LC_ALL="C",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
        CI="true",
    )
    assert there == here
    # The temporary packages are deleted.
    assert not [path for path in scratch.iterdir() if (path / "webhook_runtime").exists()]


@pytest.mark.slow(6)
def test_the_wheel_makes_the_same_files(here: list[dict[str, str]], tmp_path: Path) -> None:
    apps.install(tmp_path / "site")
    assert assemble(apps.ROOT, tmp_path / "site") == here


def test_all_users_can_read_the_files_of_a_function(here: list[dict[str, str]]) -> None:
    """Lambda runs a function as its own user."""
    modes = {entry.split()[0] for made in here for name, entry in made.items() if name.startswith("asset.")}
    assert modes == {"100644"}


def test_the_compared_files_include_the_drivers(here: list[dict[str, str]]) -> None:
    names = {name.partition("/")[2] for made in here for name in made}
    assert {"pg8000/native.py", "pymysql/connections.py", "webhook_runtime/publisher.py", "orders.py"} <= names
    assert not [name for name in names if name.endswith((".pyc", "RECORD", "INSTALLER", "direct_url.json"))]


@pytest.mark.slow(6)
def test_another_line_of_run_time_code_changes_every_app(here: list[dict[str, str]], tmp_path: Path) -> None:
    root = checkout(tmp_path / "checkout")
    with (root / "src" / "webhook_runtime" / "message.py").open("a") as file:
        file.write("# another line\n")
    there = assemble(root, root / "src")
    assert all(mine != theirs for mine, theirs in zip(here, there, strict=True))
