"""Installed distributions: what they require, and the files that are imported, wherever these are."""

import ast
import importlib.util
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

from cdk_scalable_webhook.packaging import folders, requirements
from cdk_scalable_webhook.packaging.requirements import Requirement, normal
from webhook_runtime.contract import lambda_python

_NATIVE = re.compile(r"\.(so(\.\d+)*|pyd|dylib)$")

# What lies beside the modules in the root of a project, and is never installed. Build backends leave it out too.
_BESIDE = frozenset(
    {
        *("benchmarks", "build", "conftest", "dist", "doc", "docs", "examples", "fabfile", "noxfile", "scripts"),
        *("setup", "tasks", "test", "tests", "tools", "versioneer"),
    }
)
_PROJECT = ("pyproject.toml", "setup.py", "setup.cfg")

# By which some build backends make an editable installation work, and which nothing else needs.
_EDITABLES = "editables"


def is_installed(package: str) -> bool:
    """Whether a distribution is there to be packed."""
    return _find(package) is not None


def resolve(packages: Iterable[str]) -> list[metadata.Distribution]:
    """These distributions and all that they require where a function runs, each once.

    Raises:
        ValueError: One is not a name, or not installed, or has no such extra.
    """
    found: dict[str, metadata.Distribution] = {}
    seen: set[Requirement] = set()
    waiting = [(_asked(package), "") for package in packages]
    for requirement, by in waiting:  # which grows meanwhile
        if requirement in seen:
            continue
        seen.add(requirement)
        distribution = found.get(requirement.name) or _find(requirement.name)
        if distribution is None:
            if by and requirement.name in lambda_python.PACKAGES:
                continue
            which = f"which {by} requires and which is not" if by else "which is not"
            remedy = "install it there by pip" if by else "leave it out, or install it there by pip"
            raise ValueError(
                f"packages must be installed where the app is synthesised, got {requirement.name!r}, {which}; {remedy}"
            )
        found[requirement.name] = distribution
        if not by:
            _has_extras(distribution, requirement)
        waiting += [(needed, requirement.name) for needed in _required(distribution, requirement.extras)]
    return list(found.values())


def _required(distribution: metadata.Distribution, extras: frozenset[str]) -> list[Requirement]:
    """What a distribution with these extras requires where a function runs.

    Raises:
        ValueError: What it says of that cannot be read.
    """
    found = []
    for text in distribution.requires or ():
        try:
            needed = requirements.read(text)
            holds = needed.holds(lambda_python.MARKERS, extras)
        except ValueError:
            raise ValueError(
                f"packages must say in the standard way what they require, got {text!r} of {distribution.name}; "
                "install another version of it"
            ) from None
        if holds and not (needed.name == _EDITABLES and _is_editable(distribution)):
            found.append(Requirement(needed.name, needed.extras))
    return found


def files(distribution: metadata.Distribution) -> Iterator[tuple[str, Path | bytes]]:
    """Each file of a distribution by its name where it is imported from: what is there, or what is written there.

    Raises:
        ValueError: It cannot be told what belongs to it, or it cannot run in Lambda as it is installed here.
    """
    for name, source in _imported(distribution):
        if _NATIVE.search(name):
            raise ValueError(
                f"packages must be pure Python, got {distribution.name}, which has the native {name}; "
                "bring your own function with consumer=, built for Lambda"
            )
        if name.endswith(".pyc"):
            raise ValueError(
                f"packages must have their source, got {distribution.name}, which has the bytecode {name} alone, for "
                "another Python than Lambda's; install it with its source"
            )
        yield name, source
    # Of what describes a distribution, its version and its plugins are read at run time. All else tells how, and by
    # whom, it was installed.
    folder = f"{normal(distribution.name).replace('-', '_')}-{distribution.version}.dist-info"
    described = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    if _is_editable(distribution):
        described = re.sub(rf"(?m)^Requires-Dist: {_EDITABLES}\b.*\n", "", described)
    yield f"{folder}/METADATA", described.encode()
    if (plugins := distribution.read_text("entry_points.txt")) is not None:
        yield f"{folder}/entry_points.txt", plugins.encode()


def _find(name: str) -> metadata.Distribution | None:
    try:
        distribution = metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError):  # the latter is for no name at all
        return None
    # What is left of an installation that was interrupted has none.
    return distribution if "Name" in distribution.metadata else None


def _asked(package: str) -> Requirement:
    requirement = requirements.read_name(package)
    if requirement is None:
        raise ValueError(
            f"packages must be names of distributions, got {package[:100]!r}; for example 'httpx' or 'httpx[http2]', "
            "without a version: what is packed is what is installed"
        )
    return requirement


def _has_extras(distribution: metadata.Distribution, requirement: Requirement) -> None:
    there = {normal(extra) for extra in distribution.metadata.get_all("Provides-Extra") or ()}
    if unknown := sorted(requirement.extras - there):
        raise ValueError(
            f"packages must have the extras that are asked for, got {', '.join(unknown)} of {distribution.name}, which "
            f"has {', '.join(sorted(there)) or 'none'}; name one of these"
        )


def _imported(distribution: metadata.Distribution) -> Iterator[tuple[str, Path]]:
    """The files that are imported: those that are listed, or else those of the modules that it is known to have.

    Raises:
        ValueError: It cannot be told which these are.
    """
    home = Path(str(distribution.locate_file("")))
    if not home.is_dir():
        raise ValueError(
            f"packages must be installed as files, got {distribution.name}, which is in the archive {home.name}; "
            "install it with pip"
        )
    if not distribution.read_text("RECORD"):
        yield from _unlisted(distribution, home)
        return
    listed = [
        (file.as_posix(), Path(str(file.locate())))
        for file in distribution.files or ()
        if not file.is_absolute() and ".." not in file.parts and not file.parts[0].endswith((".dist-info", ".egg-info"))
    ]
    hooks = _Hooks(home, [path for name, path in listed if name.endswith(".pth") and "/" not in name and path.exists()])
    is_editable = _is_editable(distribution) or bool(hooks.folders or hooks.modules)
    names = {name for name, _ in listed}
    own = [
        (name, path)
        for name, path in listed
        if not _is_of_the_installer(name, names) and not (is_editable and name.removesuffix(".py") in hooks.imported)
    ]
    for name, path in own:
        if path.is_dir():  # a link to the sources, as flit makes it
            yield from _below(name, path)
        elif path.exists():
            yield name, path
    if is_editable and (hooks.imported or hooks.folders or not own):
        yield from _of_modules(distribution, hooks.modules or _named(distribution, hooks.folders))


def _is_of_the_installer(name: str, among: set[str]) -> bool:
    """Bytecode that it compiled, what it puts before the import system, with paths of this machine, and what a build
    backend forgot."""
    is_compiled = "__pycache__" in name.split("/") or (name.endswith(".pyc") and name[:-1] in among)
    return is_compiled or ("/" not in name and (name.endswith(".pth") or name.startswith(".")))


def _unlisted(distribution: metadata.Distribution, home: Path) -> Iterator[tuple[str, Path]]:
    """The files of a distribution that lists none: Debian's, one in its own sources, and what setup.py installed. What
    else lists files there lists those of the sources, tests and all."""
    if distribution.read_text("top_level.txt") is None:
        raise _untold(distribution)
    modules = _named(distribution, [home])
    is_shared = len([*home.glob("*.dist-info"), *home.glob("*.egg-info")]) > 1
    if is_shared and any(path.is_dir() and not (path / "__init__.py").exists() for path in modules.values()):
        raise _untold(distribution)  # others are in this namespace as well
    yield from _of_modules(distribution, modules)


class _Hooks:
    """What an installer has put before the import system, so that it finds modules elsewhere.

    Attributes:
        folders: Where else modules are looked for.
        imported: Modules that do what they do when Python starts.
        modules: Where these say that modules are.
    """

    def __init__(self, home: Path, paths: Iterable[Path]) -> None:
        lines = [line.strip() for path in paths for line in path.read_text("utf-8", errors="replace").splitlines()]
        code = [line for line in lines if re.match(r"import\s", line)]
        self.folders = [home / line for line in lines if line and line not in code and not line.startswith("#")]
        self.imported = {name for line in code for name in re.findall(r"import\s+(\w+)", line)}
        self.modules: dict[str, Path] = {}
        for name in sorted(self.imported):
            finder = home / f"{name}.py"
            if finder.is_file():
                self.modules |= _mapped(finder)


def _mapped(finder: Path) -> dict[str, Path]:
    """Where a finder finds modules: that of setuptools in its ``MAPPING``, that of the library ``editables`` by
    ``map_module``."""
    modules: dict[str, Path] = {}
    for node in ast.walk(ast.parse(finder.read_bytes())):
        match node:
            case (
                ast.AnnAssign(target=ast.Name("MAPPING"), value=ast.Dict() as mapping)
                | ast.Assign(targets=[ast.Name("MAPPING")], value=ast.Dict() as mapping)
            ):
                modules |= {str(name): Path(path) for name, path in ast.literal_eval(mapping).items()}
            case ast.Call(func=ast.Attribute(attr="map_module"), args=[ast.Constant(name), ast.Constant(path)]):
                file = Path(str(path))
                modules[str(name)] = file.parent if file.name == "__init__.py" else file
    return modules


def _is_editable(distribution: metadata.Distribution) -> bool:
    """https://packaging.python.org/en/latest/specifications/direct-url-data-structure/"""
    said = json.loads(distribution.read_text("direct_url.json") or "{}")
    return bool(said.get("dir_info", {}).get("editable"))


def _named(distribution: metadata.Distribution, among: list[Path]) -> dict[str, Path]:
    """The modules of a distribution by their names: setuptools tells them, and of others all in a folder of sources
    are theirs."""
    told = distribution.read_text("top_level.txt")
    if told is None:
        return {name: path for folder in among for name, path in _modules_in(distribution, folder).items()}
    return {name: _place(distribution, name, among) for name in told.split()}


def _place(distribution: metadata.Distribution, name: str, among: list[Path]) -> Path:
    for folder in among:
        if (path := _module(folder / name)) is not None:
            return path
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is None or spec.origin is None:
        raise _untold(distribution)
    origin = Path(spec.origin)
    return origin.parent if origin.name == "__init__.py" else origin


def _module(path: Path) -> Path | None:
    """A module by its path without a suffix."""
    if path.is_dir() or path.is_file():
        return path
    return next((found for found in sorted(path.parent.glob(f"{path.name}.*")) if _is_module(found)), None)


def _is_module(path: Path) -> bool:
    is_named = path.name.partition(".")[0].isidentifier()
    return is_named and path.is_file() and (path.suffix == ".py" or bool(_NATIVE.search(path.name)))


def _is_package(path: Path) -> bool:
    return path.name.isidentifier() and path.is_dir() and next(path.rglob("*.py"), None) is not None


def _modules_in(distribution: metadata.Distribution, folder: Path) -> dict[str, Path]:
    """All modules of a folder of sources. In the root of a project are others as well: one is left, or it is not told
    which."""
    if not folder.is_dir():
        raise _untold(distribution)
    modules = {
        path.name.partition(".")[0]: path
        for path in sorted(folder.iterdir())
        if not folders.is_left_out(path) and (_is_module(path) or _is_package(path))
    }
    if any((folder / name).exists() for name in _PROJECT):
        modules = {name: path for name, path in modules.items() if name not in _BESIDE}
        regular = {name: path for name, path in modules.items() if path.is_file() or (path / "__init__.py").exists()}
        modules = regular or modules
        if len(modules) > 1:
            raise _untold(distribution)
    return modules


def _of_modules(distribution: metadata.Distribution, modules: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    """The files of modules, of which some may be told."""
    if not modules and distribution.read_text("top_level.txt") is None:
        raise _untold(distribution)
    for name, path in modules.items():
        module = _module(path)
        if module is None:
            raise _untold(distribution)
        place = name.replace(".", "/")
        if module.is_dir():
            yield from _below(place, module)
        else:
            yield place + module.name[len(module.name.partition(".")[0]) :], module


def _below(name: str, folder: Path) -> Iterator[tuple[str, Path]]:
    return ((f"{name}/{below}", path) for below, path in folders.files("packages", folder))


def _untold(distribution: metadata.Distribution) -> ValueError:
    return ValueError(
        f"packages must tell which modules they have, got {distribution.name}, which does not as it is installed here; "
        "install it with pip, and not editable"
    )
