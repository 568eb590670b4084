"""The asset of a function has its code and the packages that it needs, and no other file."""

import json
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path

import pytest
from aws_cdk import App, Stack, Stage
from aws_cdk.assertions import Template
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker, default_environment
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as PackagingRequirement
from packaging.version import Version

from cdk_scalable_webhook import RuntimeLayer, ScalableWebhook, Sink, Source
from cdk_scalable_webhook.packaging import requirements
from cdk_scalable_webhook.packaging.asset import packed
from webhook_runtime.contract import lambda_python

from ...suite.patience import SECONDS

FILES = {
    "companylib/__init__.py": "from companylib.prices import PRICE\n",
    "companylib/prices.py": "PRICE = 3\n",
    "companylib/data/rates.csv": "1,2\n",
}
IMPORTED = "import companylib; print(companylib.PRICE)"


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def install(
    site: Path,
    files: Mapping[str, str],
    *,
    name: str = "companylib",
    requires: Iterable[str] = (),
    extras: Iterable[str] = (),
    described: Mapping[str, str] | None = None,
    listed: Iterable[str] = (),
) -> Path:
    """Install a package as an installer leaves it."""
    info = f"{name.replace('-', '_')}-1.0.dist-info"
    lines = [f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {each}" for each in requires)]
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    everything = {**files, f"{info}/METADATA": "Metadata-Version: 2.1\n" + "\n".join(lines) + "\n"}
    everything |= {f"{info}/{file}": text for file, text in (described or {}).items()}
    record = [f"{file},," for file in [*everything, f"{info}/RECORD", *listed]]
    return write(site, {**everything, f"{info}/RECORD": "\n".join(record) + "\n"})


def by_pip(site: Path, project: Path, *options: str) -> Path:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run(
        [*pip, "--target", str(site), *options, str(project)], check=True, capture_output=True, timeout=SECONDS
    )
    return site


def archive(
    packages: Iterable[str] = (), code: Iterable[Path] = (), files: Mapping[str, Path] | None = None
) -> dict[str, str]:
    """Return the packed files with their texts, without the run time."""
    with packed(Stack(), packages, code, files) as made:
        folder = Path(made.path)  # type: ignore[attr-defined]
        names = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        return {
            name: path.read_text(errors="replace")
            for name, path in names.items()
            if not name.startswith("webhook_runtime/")
        }


def said(packages: Iterable[str], program: str) -> str:
    """Return the output of a program that has only the asset."""
    with packed(Stack(), packages) as made:
        code = f"import sys; sys.path.insert(0, {made.path!r}); {program}"  # type: ignore[attr-defined]
        run = subprocess.run(
            [sys.executable, "-I", "-S", "-B", "-c", code], capture_output=True, text=True, check=False, timeout=60
        )
    return (run.stdout or run.stderr).strip()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a folder for installed packages, first in the path."""
    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return tmp_path / "site"


EDITABLE = {"direct_url.json": '{"dir_info": {"editable": true}, "url": "file:///somewhere"}'}
HATCHLING = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "companylib"
version = "1.0"
"""
# Files of a repository, next to its package.
AROUND = {
    "tests/__init__.py": "",
    "tests/test_prices.py": "",
    "setup.py": "",
    "noxfile.py": "",
    "docs/conf.py": "",
    ".git/config": "",
    "build/lib/companylib/__init__.py": "",
    ".venv/lib/other.py": "",
    "env/pyvenv.cfg": "",
    "env/other.py": "",
}


def setuptools_with_a_path(site: Path, project: Path) -> None:
    write(project / "src", FILES | {"companylib.egg-info/PKG-INFO": "", "left_out.py": ""})
    pth = {"__editable__.companylib-1.0.pth": f"{project / 'src'}\n"}
    install(site, pth, described={**EDITABLE, "top_level.txt": "companylib\n"})


def setuptools_with_a_finder(site: Path, project: Path) -> None:
    write(project, FILES | AROUND)
    finder = f"MAPPING: dict[str, str] = {{'companylib': {str(project / 'companylib')!r}}}\nNAMESPACES = {{}}\n"
    name = "__editable___companylib_1_0_finder"
    files = {"__editable__.companylib-1.0.pth": f"import {name}; {name}.install()", f"{name}.py": finder}
    install(site, files, described={**EDITABLE, "top_level.txt": "companylib\n"})


def an_older_setuptools_with_a_finder(site: Path, project: Path) -> None:
    setuptools_with_a_finder(site, project)
    (finder,) = site.glob("*_finder.py")
    finder.write_text(finder.read_text().replace("MAPPING: dict[str, str]", "MAPPING"))


def setuptools_with_links(site: Path, project: Path) -> None:
    write(project, FILES | AROUND)
    tree = project / "build" / "__editable__.companylib-1.0-py3-none-any"
    for name in FILES:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(project / name)
    pth = {"__editable__.companylib-1.0.pth": str(tree)}
    install(site, pth, described={**EDITABLE, "top_level.txt": "companylib\n"})


def hatchling(site: Path, project: Path) -> None:
    write(project, {f"src/{name}": text for name, text in FILES.items()} | AROUND | {"pyproject.toml": HATCHLING})
    by_pip(site, project, "--editable")


def hatchling_with_a_finder(site: Path, project: Path) -> None:
    exact = HATCHLING + "[tool.hatch.build]\ndev-mode-exact = true\n"
    write(project, FILES | AROUND | {"pyproject.toml": exact})
    by_pip(site, project, "--editable")


def a_path_to_the_project(site: Path, project: Path) -> None:
    write(project, FILES | AROUND | {"pyproject.toml": HATCHLING})
    install(site, {"companylib.pth": str(project)}, described=EDITABLE)


def a_path_without_a_description(site: Path, project: Path) -> None:
    install(site, {"_companylib.pth": f"# a comment\n{write(project / 'src', FILES)}\n"})


def flit_with_a_link(site: Path, project: Path) -> None:
    write(project, FILES | AROUND)
    (site / "companylib").symlink_to(project / "companylib")
    install(site, {}, described=EDITABLE, listed=["companylib"])


KINDS: dict[str, Callable[[Path, Path], None]] = {
    make.__name__: make
    for make in (
        setuptools_with_a_path,
        setuptools_with_a_finder,
        an_older_setuptools_with_a_finder,
        setuptools_with_links,
        hatchling,
        hatchling_with_a_finder,
        a_path_to_the_project,
        a_path_without_a_description,
        flit_with_a_link,
    )
}


class TestEditable:
    @pytest.mark.parametrize("kind", KINDS)
    def test_an_editable_package_is_packed_as_any_other(self, kind: str, site: Path, tmp_path: Path) -> None:
        KINDS[kind](site, tmp_path / "project")
        found = archive(["companylib"])
        assert {name: found.pop(name) for name in FILES} == FILES
        assert list(found) == ["companylib-1.0.dist-info/METADATA"]
        assert str(tmp_path) not in "".join(found.values())
        assert said(["companylib"], IMPORTED) == "3"

    @pytest.mark.parametrize("kind", ["hatchling", "hatchling_with_a_finder"])
    def test_an_editable_package_is_packed_with_the_same_bytes(
        self, kind: str, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        KINDS[kind](site, tmp_path / "project")
        editable = archive(["companylib"])
        by_pip(tmp_path / "ordinary", tmp_path / "project")
        monkeypatch.syspath_prepend(str(tmp_path / "ordinary"))
        assert archive(["companylib"]) == editable

    def test_modules_and_parts_of_a_namespace_are_found_by_the_finder(self, site: Path, tmp_path: Path) -> None:
        project = write(tmp_path / "project", {"lib/single.py": "X = 1", "ns/ours/__init__.py": "Y = 2"})
        mapping = {
            "single": str(project / "lib" / "single"),
            "ns.ours": str(project / "ns" / "ours"),
            "renamed": str(project / "ns" / "ours"),
        }
        files = {"x.pth": "import _f; _f.install()", "_f.py": f"MAPPING = {mapping!r}"}
        install(site, files, described={**EDITABLE, "top_level.txt": "single\nns\nrenamed\n"})
        program = "import single, ns.ours, renamed; print(single.X, ns.ours.Y, renamed.Y)"
        assert said(["companylib"], program) == "1 2 2"

    def test_a_package_is_found_in_its_own_sources(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        described = {
            "companylib.egg-info/PKG-INFO": "Metadata-Version: 2.1\nName: companylib\nVersion: 1.0\n",
            "companylib.egg-info/SOURCES.txt": "setup.py\ntests/test_prices.py\ncompanylib/__init__.py\n",
            "companylib.egg-info/top_level.txt": "companylib\n",
        }
        monkeypatch.syspath_prepend(str(write(tmp_path, FILES | AROUND | described)))
        assert set(archive(["companylib"])) == {*FILES, "companylib-1.0.dist-info/METADATA"}

    @pytest.mark.parametrize(
        "files",
        [
            pytest.param({"a.pth": "{project}/gone"}, id="a folder that is gone"),
            pytest.param({"a.pth": "import _loader; _loader.install()", "_loader.py": "KNOWN = {{}}"}, id="a finder"),
            pytest.param({"a.pth": "{project}"}, id="a project with two modules"),
            pytest.param({}, id="nothing"),
        ],
    )
    def test_an_editable_package_without_a_list_of_modules_is_rejected(
        self, files: dict[str, str], site: Path, tmp_path: Path
    ) -> None:
        project = write(tmp_path / "project", FILES | {"pyproject.toml": HATCHLING, "companytools/__init__.py": ""})
        install(site, {name: text.format(project=project) for name, text in files.items()}, described=EDITABLE)
        with pytest.raises(ValueError, match=r"must list their modules, got companylib.* not editable"):
            archive(["companylib"])

    def test_native_code_in_the_sources_is_rejected(self, site: Path, tmp_path: Path) -> None:
        write(tmp_path / "src", FILES | {"companylib/_fast.abi3.so": ""})
        install(site, {"a.pth": str(tmp_path / "src")}, described=EDITABLE)
        with pytest.raises(ValueError, match=r"the native companylib/_fast\.abi3\.so"):
            archive(["companylib"])


class TestFiles:
    def test_only_version_and_plugins_of_the_metadata_are_packed(self, site: Path) -> None:
        plugins = "[companylib.rates]\nday = companylib.prices:PRICE\n"
        page = "Metadata-Version: 2.1\nName: companylib\nVersion: 1.0\n\n# The page for PyPI\n\nWith its text.\n"
        install(
            site,
            {
                **FILES,
                "companylib/model.pth": "weights",
                "companylib-nspkg.pth": "import sys",
                "single.py": "",
                ".gitignore": "*",
            },
            described={"entry_points.txt": plugins, "INSTALLER": "pip", "REQUESTED": "", "METADATA": page},
            listed=["../../bin/prices", "/etc/prices.conf", "companylib/__pycache__/prices.cpython-311.pyc"],
        )
        info = "companylib-1.0.dist-info"
        named = {*FILES, "companylib/model.pth", "single.py", f"{info}/METADATA", f"{info}/entry_points.txt"}
        found = archive(["companylib"])
        assert set(found) == named
        assert found[f"{info}/METADATA"] == "Metadata-Version: 2.1\nName: companylib\nVersion: 1.0\n"
        program = (
            "from importlib import metadata as m; (p,) = m.entry_points(group='companylib.rates'); print(p.load())"
        )
        assert said(["companylib"], f"{program}; print(m.version('companylib'))").split() == ["3", "1.0"]

    def test_two_packages_may_share_a_namespace(self, site: Path) -> None:
        install(site, {"company/a/__init__.py": "A = 1"}, name="company-a")
        install(site, {"company/b/__init__.py": "B = 2"}, name="company-b")
        assert not [name for name in archive(["company-a"]) if name.startswith("company/b")]
        program = "import company.a, company.b; print(company.a.A, company.b.B)"
        assert said(["company-a", "company-b"], program) == "1 2"

    def test_a_package_named_twice_is_packed_once(self, site: Path) -> None:
        install(site, {"my_pkg/__init__.py": ""}, name="My_Pkg")
        once = archive(["my-pkg"])
        assert archive(["My_Pkg", "my-pkg", "my.pkg"]) == once
        assert set(once) == {"my_pkg/__init__.py", "my_pkg-1.0.dist-info/METADATA"}

    def test_without_a_list_of_files_its_named_modules_are_packed(self, site: Path) -> None:
        """Debian installs packages like that."""
        described = {"PKG-INFO": "Metadata-Version: 2.1\nName: companylib\nVersion: 1.0\n"}
        described["top_level.txt"] = "companylib\nsingle\n"
        info = {f"companylib-1.0.egg-info/{name}": text for name, text in described.items()}
        write(site, FILES | info | {"single.py": "", "another.py": "", "other-1.dist-info/METADATA": ""})
        assert set(archive(["companylib"])) == {*FILES, "single.py", "companylib-1.0.dist-info/METADATA"}
        assert said(["companylib"], IMPORTED) == "3"
        (site / "companylib" / "__init__.py").unlink()  # then it is a namespace, which may have other packages
        with pytest.raises(ValueError, match="must list their modules"):
            archive(["companylib"])

    def test_a_package_without_a_list_of_files_or_modules_is_rejected(self, site: Path) -> None:
        install(site, FILES)
        (site / "companylib-1.0.dist-info" / "RECORD").unlink()
        with pytest.raises(ValueError, match="must list their modules"):
            archive(["companylib"])

    def test_an_egg_is_rejected(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        egg = tmp_path / "companylib-1.0-py3.11.egg"
        with zipfile.ZipFile(egg, "w") as made:
            made.writestr("EGG-INFO/PKG-INFO", "Metadata-Version: 2.1\nName: companylib\nVersion: 1.0\n")
            made.writestr("companylib/__init__.py", "")
        monkeypatch.syspath_prepend(str(egg))
        with pytest.raises(ValueError, match=r"got companylib, which is in the archive companylib-1\.0-py3\.11\.egg"):
            archive(["companylib"])

    @pytest.mark.parametrize(
        ("file", "message"),
        [
            ("companylib/_fast.abi3.so", "must be pure Python"),
            ("companylib.libs/libfast.so.1", "must be pure Python"),
            ("companylib/fast.cp311-win_amd64.pyd", "must be pure Python"),
            ("companylib/prices.pyc", "must have their source"),
        ],
    )
    def test_files_that_cannot_run_in_lambda_are_rejected(self, file: str, message: str, site: Path) -> None:
        install(site, {"companylib/__init__.py": "", file: ""})
        with pytest.raises(ValueError, match=f"{message}, got companylib, .* {file}"):
            archive(["companylib"])

    def test_the_remains_of_an_installation_are_rejected(self, site: Path) -> None:
        (site / "companylib-1.0.dist-info").mkdir()
        with pytest.raises(ValueError, match="must be installed where the app is synthesised, got 'companylib'"):
            archive(["companylib"])


class TestRequired:
    @pytest.mark.parametrize(
        ("requires", "asked", "there"),
        [
            (["other"], "companylib", True),
            (["other[fast]>=1,<2"], "companylib", True),
            (["other (>=1)"], "companylib", True),
            (["other @ https://example.com/a;b.whl"], "companylib", True),
            (['other; extra == "fast"'], "companylib", False),
            (['other; extra == "fast"'], "companylib[fast]", True),
            (['other; extra == "fast"'], "companylib[FAST, more]", True),
            (['other; extra == "fast"'], "companylib[more]", False),
            (['other; extra == "fast"', 'companylib[fast]; extra == "more"'], "companylib[more]", True),
            (['other; sys_platform == "win32"'], "companylib", False),
            (['other; platform_machine == "aarch64"'], "companylib", True),
            (['other; python_version < "3.14"'], "companylib", False),
            (['other; python_version >= "3.9" and (os_name == "posix" or extra == "x")'], "companylib", True),
        ],
    )
    def test_a_requirement_is_packed_if_the_function_needs_it(
        self, requires: list[str], asked: str, there: bool, site: Path
    ) -> None:
        install(site, FILES, requires=requires, extras=["fast", "more"])
        install(site, {"other.py": ""}, name="other")
        assert ("other.py" in archive([asked])) is there

    def test_the_requirements_of_an_extra_are_packed(self) -> None:
        without, with_it = archive(["httpx"]), archive(["httpx[http2]"])
        assert "httpx/__init__.py" in without
        assert not [name for name in without if name.startswith(("h2/", "rich/"))]
        assert {"h2/__init__.py", "hpack/__init__.py"} <= set(with_it)

    def test_a_requirement_that_is_not_installed_is_rejected_at_once(self, site: Path) -> None:
        install(site, FILES, requires=["gone>=2"])
        for create in (Sink.python, Source.custom):
            code = str(write(site.parent / "code", {"orders.py": "def handle(webhook): ..."}))
            with pytest.raises(ValueError, match="got 'gone', which companylib requires and which is not; install it"):
                create(code, "orders.handle", packages=["companylib"])

    def test_packages_of_lambda_need_not_be_installed(self, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        install(site, FILES, requires=["boto3>=1", "gone; python_version < '3.14'"])
        monkeypatch.setattr(sys, "path", [str(site)])
        assert set(archive(["companylib"])) == {*FILES, "companylib-1.0.dist-info/METADATA"}

    @pytest.mark.parametrize(
        ("requirement", "there"),
        [
            ("python-dateutil", False),
            ("python-dateutil>=2.8.2", False),
            ("python-dateutil (>=2.1)", False),
            ("Python.Dateutil >= 2.8 ; python_version > '3'", False),
            ("six>=1.5", False),
            ("python-dateutil>=2.9", True),  # Lambda may have 2.8.2
            ("python-dateutil>2.8.2", True),
            ("python-dateutil<3,>=2.8.2", True),  # Lambda may have 3 one day
            ("python-dateutil==2.9.0.post0", True),
            ("python-dateutil~=2.8", True),
            ("python-dateutil!=2.8.1", True),
            ("python-dateutil @ https://example.com/a.whl", True),
            ("urllib3[h2]>=1.26", True),
        ],
    )
    def test_what_lambdas_python_has_and_will_have_is_not_packed(
        self, requirement: str, there: bool, site: Path
    ) -> None:
        install(site, FILES, requires=[requirement])
        found = archive(["companylib"])
        assert bool({"dateutil/__init__.py", "six.py", "urllib3/__init__.py"} & set(found)) is there

    def test_a_package_of_lambdas_that_is_named_is_packed(self, site: Path) -> None:
        install(site, FILES, requires=["python-dateutil>=2.8.2"])
        assert {"dateutil/__init__.py", "companylib/__init__.py"} <= set(archive(["companylib", "python-dateutil"]))

    @given(
        limits=st.lists(
            st.tuples(
                st.sampled_from(["<", "<=", ">", ">=", "==", "!=", "~=", "==="]),
                st.sampled_from(["1.0", "2.8", "2.8.2", "2.8.2.post1", "2.9rc1", "2.9.0.post0", "3", "1!2"]),
            ),
            max_size=3,
        ),
        version=st.sampled_from(["1.0", "2.8.2", "2.9"]),
    )
    def test_a_version_that_meets_a_requirement_from_then_on_does_so_by_the_reference(
        self, limits: list[tuple[str, str]], version: str
    ) -> None:
        text = ",".join(operator + limit for operator, limit in limits)
        try:
            reference = PackagingRequirement(f"other {text}").specifier
        except InvalidRequirement:
            return
        if requirements.read(f"other {text}").holds_from(version):
            later = [Version(each) for each in (version, "2.9.1", "3.1", "99")]
            assert all(reference.contains(each) for each in later)

    @pytest.mark.parametrize("name", ["orders>=2", "orders == 2", " orders", "orders ", "a b", "", "-", "a[b", "./a"])
    def test_an_invalid_package_name_is_rejected(self, name: str) -> None:
        with pytest.raises(ValueError, match=r"must be names of Python packages, got '.*'; for example 'httpx'"):
            archive([name])

    def test_an_unknown_extra_is_rejected(self) -> None:
        with pytest.raises(ValueError, match="got htp2 of httpx, which has brotli, cli, http2, socks, zstd; name one"):
            archive(["httpx[htp2]"])
        with pytest.raises(ValueError, match="got fast of six, which has none"):
            archive(["six[fast]"])

    def test_an_unreadable_requirement_is_rejected(self, site: Path) -> None:
        for marker in ("python_version", "nothing == 'a'", "os_name ~= '3'", "(", "os_name is 'a'", "1 < 2"):
            install(site, FILES, requires=[f"other; {marker}"])
            with pytest.raises(ValueError, match=r"must have requirements in the standard form, got .other; "):
                archive(["companylib"])

    @pytest.mark.parametrize(
        "marker",
        [
            *(f"python_version {op} '{v}'" for op in ("<", "<=", ">", ">=", "==", "!=") for v in ("3.9", "3.14", "4")),
            *(f"python_full_version {op} '3.14'" for op in ("<", "<=", ">", ">=", "==", "!=", "~=")),
            *("python_version == '3.*'", "python_version != '3.14.*'", "python_full_version >= '3.11.0a7'"),
            *("python_version ~= '3.9'", "python_version ~= '3.14.0'", "python_version in '3.13, 3.14'"),
            *("'3.9' <= python_version", "'linux' in sys_platform", "'win' not in sys_platform"),
            "python_version not in '2.7 3.14'",
            "os_name == 'nt' or os_name == 'posix' and sys_platform == 'win32'",
            "(os_name == 'posix' or os_name == 'nt') and sys_platform == 'win32'",
            "platform_python_implementation != 'PyPy' and implementation_name == 'cpython'",
            "python_implementation == 'CPython'",
            "os.name == 'posix'",
        ],
    )
    def test_a_marker_has_the_value_of_the_reference(self, marker: str) -> None:
        expected = Marker(marker).evaluate({**lambda_python.MARKERS, "extra": ""})
        assert requirements.read(f"other; {marker}").holds(lambda_python.MARKERS, frozenset()) is expected

    def test_requirements_of_installed_packages_are_parsed_as_by_the_reference(self) -> None:
        texts = {text for each in metadata.distributions() for text in each.requires or ()}
        here = {name: str(value) for name, value in default_environment().items()}
        assert len(texts) > 100
        for text in texts:
            try:
                expected = PackagingRequirement(text)
            except InvalidRequirement:
                continue
            read = requirements.read(text)
            names = (requirements.normal(expected.name), frozenset(map(requirements.normal, expected.extras)))
            assert (read.name, read.extras) == names
            for environment in (lambda_python.MARKERS, here):
                for extra in ("", "http2", "test", "dev"):
                    holds = expected.marker is None or expected.marker.evaluate({**environment, "extra": extra})
                    assert read.holds(environment, frozenset({extra} - {""})) is holds, text

    def test_markers_are_those_of_the_python_of_the_functions(self) -> None:
        stack = Stack()
        ScalableWebhook(stack, "Webhook")
        for function in Template.from_stack(stack).find_resources("AWS::Lambda::Function").values():
            assert function["Properties"]["Runtime"] == f"python{lambda_python.MARKERS['python_version']}"
            assert function["Properties"]["Architectures"] == ["arm64"]


class TestCode:
    def test_files_that_are_never_code_are_left_out(self, tmp_path: Path) -> None:
        own = {"orders.py": "", "lib/__init__.py": "", "lib/rates.csv": "", "build/x.py": "", "requirements.txt": ""}
        never = [
            *(".git/HEAD", ".venv/a.py", "env/pyvenv.cfg", "env/a.py", "conda/conda-meta/history", "conda/a.py"),
            *("node_modules/a.py", "__pycache__/orders.cpython-311.pyc", "lib/__pycache__/a.pyc", "old.pyc"),
            *(".pytest_cache/x", ".mypy_cache/x", ".ruff_cache/x", ".tox/a.py", ".env", "mine/CACHEDIR.TAG", "mine/x"),
            *("cdk.out/manifest.json", "elsewhere/cdk.out", "elsewhere/asset.1/orders.py", "cdk.json"),
            *("cdk.context.json", "orders.egg-info/PKG-INFO"),
        ]
        write(tmp_path, own | dict.fromkeys(never, ""))
        assert set(archive(code=[tmp_path])) == set(own)

    @pytest.mark.parametrize("where", ["cdk.out", "build", "deep/build"])
    def test_the_same_code_makes_the_same_asset_at_each_synth(
        self, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(tmp_path, {"orders.py": "def handle(webhook): ...", "deep/x.py": ""})
        monkeypatch.chdir(tmp_path)
        for run in range(3):
            app = App(outdir=str(tmp_path / where))
            stack = Stack(Stage(app, "Stage"), "Stack")
            sink = Sink.python(".", "orders.handle")
            ScalableWebhook(stack, "Webhook", sink=sink, source=Source.custom(".", "orders.handle"))
            app.synth()
            # One for the publisher and one for the consumer, the same in this run and in earlier ones.
            assert len(list(Path(where).glob("asset.*"))) == 2
            write(tmp_path, {f".venv/{run}.py": "", f"__pycache__/{run}.pyc": ""})

    def test_a_link_is_packed_as_its_target(self, tmp_path: Path) -> None:
        code = write(tmp_path / "code", {"orders.py": "", "lib/a.py": "A"})
        write(tmp_path / "outside", {"b.py": "B", "deep/c.py": "C"})
        for link, to in {"a.py": "lib/a.py", "b.py": "../outside/b.py", "all": "../outside", "same": "lib"}.items():
            (code / link).symlink_to(to)
        assert archive(code=[code]) == {
            **{"orders.py": "", "lib/a.py": "A", "same/a.py": "A", "a.py": "A"},
            **{"b.py": "B", "all/b.py": "B", "all/deep/c.py": "C"},
        }

    def test_a_file_that_is_a_link_keeps_its_name(self, tmp_path: Path) -> None:
        link = write(tmp_path, {"impl.py": "own"}) / "orders.py"
        link.symlink_to("impl.py")
        assert archive(code=[link, tmp_path / "impl.py", link]) == {"orders.py": "own", "impl.py": "own"}

    @pytest.mark.parametrize(
        ("link", "to", "message"),
        [
            ("lib/gone.py", "nowhere.py", "got lib/gone.py, which points to nothing; remove it"),
            ("self.py", "self.py", "got self.py, which points to nothing; remove it"),
            ("lib/up", "..", "got lib/up, which points to a folder that it is in itself; remove it"),
        ],
    )
    def test_a_link_without_a_target_is_rejected(self, link: str, to: str, message: str, tmp_path: Path) -> None:
        write(tmp_path, {"orders.py": "def handle(webhook): ...", "lib/a.py": ""})
        (tmp_path / link).symlink_to(to)
        with pytest.raises(ValueError, match=f"code must have links to existing files and folders, {message}"):
            ScalableWebhook(Stack(), "Webhook", sink=Sink.python(str(tmp_path), "orders.handle"))

    def test_links_to_each_other_are_rejected(self, tmp_path: Path) -> None:
        write(tmp_path, {"a/x.py": "", "b/x.py": ""})
        (tmp_path / "a" / "b").symlink_to(tmp_path / "b")
        (tmp_path / "b" / "a").symlink_to(tmp_path / "a")
        with pytest.raises(ValueError, match="got a/b/a, which points to a folder that it is in itself"):
            archive(code=[tmp_path])

    def test_pipes_and_sockets_are_rejected(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)  # the path of a socket must be short
        (tmp_path / "code").mkdir()
        os.mkfifo("code/pipe")
        with pytest.raises(ValueError, match="code must have files and folders only, got pipe, which is a socket"):
            archive(code=[tmp_path / "code"])
        Path("code/pipe").unlink()
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("code/socket")
            with pytest.raises(ValueError, match="got socket, which is a socket, pipe or device; move it elsewhere"):
                archive(code=[tmp_path / "code"])

    @pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that no one can read")
    def test_an_unreadable_file_is_rejected(self, tmp_path: Path) -> None:
        (tmp_path / "memory.bin").symlink_to("/proc/self/mem")
        with pytest.raises(ValueError, match=r"code must be readable, got memory\.bin: Input/output error; fix it"):
            archive(code=[tmp_path])

    def test_an_executable_file_stays_executable(self, tmp_path: Path) -> None:
        (write(tmp_path, {"tool": "", "orders.py": ""}) / "tool").chmod(0o700)
        with packed(Stack(), code=[tmp_path]) as made:
            folder = Path(made.path)  # type: ignore[attr-defined]
            modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir() if path.is_file()}
        assert modes == {"tool": 0o755, "orders.py": 0o644}


class TestNames:
    """Two files of one name are rejected, unless they are the same."""

    @pytest.mark.parametrize(
        ("own", "shipped"),
        [
            ("companylib/__init__.py", "companylib/__init__.py"),
            ("companylib.py", "companylib/__init__.py"),
            ("companylib/extra.py", "companylib/__init__.py"),
            ("companylib/__init__.py", "companylib.py"),
            ("company/a.py", "company/a.py"),
            ("rates.csv", "rates.csv"),
        ],
    )
    def test_a_package_with_a_name_of_the_code_is_rejected(
        self, own: str, shipped: str, site: Path, tmp_path: Path
    ) -> None:
        install(site, {shipped: "theirs"})
        with pytest.raises(ValueError, match=r"packages must have names of their own, got .* of companylib"):
            archive(["companylib"], [write(tmp_path / "code", {own: "own"})])

    def test_a_namespace_may_be_shared(self, site: Path, tmp_path: Path) -> None:
        install(site, {"company/a.py": ""})
        both = archive(["companylib"], [write(tmp_path / "code", {"company/b.py": ""})])
        assert {"company/a.py", "company/b.py"} <= set(both)

    def test_a_package_with_our_run_time_is_rejected(self, site: Path) -> None:
        install(site, {"webhook_runtime/extra.py": ""})
        with pytest.raises(ValueError, match="got webhook_runtime of companylib and webhook_runtime in another part"):
            archive(["companylib"])

    def test_packages_with_one_name_for_different_files_are_rejected(
        self, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = tmp_path / "other"
        monkeypatch.syspath_prepend(str(other))
        install(site, {"tests/__init__.py": "", "a.py": ""}, name="one")
        install(other, {"tests/__init__.py": "", "b.py": ""}, name="two")
        assert {"a.py", "b.py", "tests/__init__.py"} <= set(archive(["one", "two"]))  # equal files are no conflict
        (other / "tests" / "__init__.py").write_text("other")
        with pytest.raises(
            ValueError, match=r"got tests/__init__\.py of two, which another one has with other content"
        ):
            archive(["one", "two"])

    def test_code_with_the_name_of_our_file_is_rejected(self, tmp_path: Path) -> None:
        code = write(tmp_path / "code", {"ca-certificates.pem": "own"})
        authorities = write(tmp_path, {"pem": "theirs"}) / "pem"
        with pytest.raises(ValueError, match=r"code must not have ca-certificates\.pem, got one"):
            archive(code=[code], files={"ca-certificates.pem": authorities})


def test_the_asset_is_the_same_however_its_package_is_installed(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = write(tmp_path / "code", {"orders.py": "import companylib\ndef handle(webhook): ..."})
    made = set()
    for kind in ("ordinary", "setuptools_with_a_path", "setuptools_with_a_finder"):
        shutil.rmtree(site)
        if kind == "ordinary":
            install(site, FILES, described={"top_level.txt": "companylib\n"})
        else:
            KINDS[kind](site, tmp_path / kind)
        monkeypatch.syspath_prepend(str(site))  # so that the import system looks again
        stack = Stack()
        sink = Sink.python(str(code), "orders.handle", packages=["companylib"])
        ScalableWebhook(stack, "Webhook", sink=sink)
        made.add(json.dumps(Template.from_stack(stack).to_json(), sort_keys=True))
    assert len(made) == 1


def test_a_layer_has_the_run_time_only(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    RuntimeLayer(Stack(app, "Stack"), "Runtime")
    app.synth()
    (asset,) = tmp_path.glob("asset.*")
    assert [path.name for path in asset.iterdir()] == ["python"]
    assert [path.name for path in (asset / "python").iterdir()] == ["webhook_runtime"]
