"""Installed packages: their requirements, and their files that are imported, wherever these are."""

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

# Modules in the root of a project that are never installed. Build backends leave them out too.
_NOT_INSTALLED = frozenset(
    {
        *("benchmarks", "build", "conftest", "dist", "doc", "docs", "examples", "fabfile", "noxfile", "scripts"),
        *("setup", "tasks", "test", "tests", "tools", "versioneer"),
    }
)
_PROJECT = ("pyproject.toml", "setup.py", "setup.cfg")

# The package that some build backends need for an editable installation, and that nothing else needs.
_EDITABLES = "editables"


def is_installed(package: str) -> bool:
    """Check whether a package is installed here."""
    return _find(package) is not None


def resolve(
    packages: Iterable[str], stood_in: Mapping[tuple[str, str], str] | None = None
) -> list[metadata.Distribution]:
    """Return these packages and all that they require in Lambda and that its Python has not, each once.

    Args:
        packages: The names, with extras or without.
        stood_in: The requirement that a package of this name and version can do without.

    Raises:
        ValueError: One is not a name, or not installed, or has no such extra.
    """
    found: dict[str, metadata.Distribution] = {}
    seen: set[Requirement] = set()
    waiting = [(_asked(package), "") for package in packages]
    for requirement, by in waiting:  # the list grows meanwhile
        is_stood_in = by and (stood_in or {}).get((by, found[by].version)) == requirement.name
        if requirement in seen or is_stood_in or (by and _is_there(requirement)):
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
    """Return the requirements of a package with these extras in Lambda.

    Raises:
        ValueError: They cannot be read.
    """
    found = []
    for text in distribution.requires or ():
        try:
            needed = requirements.read(text)
            holds = needed.holds(lambda_python.MARKERS, extras)
        except ValueError:
            raise ValueError(
                f"packages must have requirements in the standard form, got {text!r} of {distribution.name}; "
                "install another version of it"
            ) from None
        if holds and not (needed.name == _EDITABLES and _is_editable(distribution)):
            found.append(Requirement(needed.name, needed.extras, needed.versions))
    return found


def _is_there(requirement: Requirement) -> bool:
    """Check whether Lambda's Python has a package in a version that is new enough, and will be."""
    version = lambda_python.PACKAGES.get(requirement.name)
    return version is not None and not requirement.extras and requirement.holds_from(version)


def files(distribution: metadata.Distribution) -> Iterator[tuple[str, Path | bytes]]:
    """Yield each file of a package by the name under which it is imported, as a path or its content.

    Raises:
        ValueError: Its files are not known, or it cannot run in Lambda as it is installed here.
    """
    for name, source in _imported(distribution):
        if _NATIVE.search(name):
            raise ValueError(
                f"packages must be pure Python, got {distribution.name}, which has the native {name}; "
                "pass your own function as consumer=, built for Lambda"
            )
        if name.endswith(".pyc"):
            raise ValueError(
                f"packages must have their source, got {distribution.name}, which has the bytecode {name} alone, for "
                "another Python than Lambda's; install it with its source"
            )
        yield name, source
    # Of the metadata, only the version and the plugins are read at run time. The rest describes the installation, and
    # differs between machines.
    folder = f"{normal(distribution.name).replace('-', '_')}-{distribution.version}.dist-info"
    described = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    described = described.partition("\n\n")[0] + "\n"  # without the page for PyPI, which may be most of a small package
    if _is_editable(distribution):
        described = re.sub(rf"(?m)^Requires-Dist: {_EDITABLES}\b.*\n", "", described)
    yield f"{folder}/METADATA", described.encode()
    if (plugins := distribution.read_text("entry_points.txt")) is not None:
        yield f"{folder}/entry_points.txt", plugins.encode()


def _find(name: str) -> metadata.Distribution | None:
    try:
        distribution = metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError):  # the latter for an empty name
        return None
    # The rest of an interrupted installation has no name.
    return distribution if "Name" in distribution.metadata else None


def _asked(package: str) -> Requirement:
    requirement = requirements.read_name(package)
    if requirement is None:
        raise ValueError(
            f"packages must be names of Python packages, got {package[:100]!r}; for example 'httpx' or 'httpx[http2]', "
            "without a version: the installed version is packed"
        )
    return requirement


def _has_extras(distribution: metadata.Distribution, requirement: Requirement) -> None:
    there = {normal(extra) for extra in distribution.metadata.get_all("Provides-Extra") or ()}
    if unknown := sorted(requirement.extras - there):
        raise ValueError(
            f"packages must have the extras that are named, got {', '.join(unknown)} of {distribution.name}, which "
            f"has {', '.join(sorted(there)) or 'none'}; name one of these"
        )


def _imported(distribution: metadata.Distribution) -> Iterator[tuple[str, Path]]:
    """Yield the files that are imported: those that are listed, or else those of the known modules.

    Raises:
        ValueError: They are not known.
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
        if path.is_dir():  # a link to the sources, by flit
            yield from _below(name, path)
        elif path.exists():
            yield name, path
    if is_editable and (hooks.imported or hooks.folders or not own):
        yield from _of_modules(distribution, hooks.modules or _named(distribution, hooks.folders))


def _is_of_the_installer(name: str, among: set[str]) -> bool:
    """Check whether a file belongs to the installer: bytecode that it compiled, hooks of the import system with paths
    of this machine, and hidden files of a build backend."""
    is_compiled = "__pycache__" in name.split("/") or (name.endswith(".pyc") and name[:-1] in among)
    return is_compiled or ("/" not in name and (name.endswith(".pth") or name.startswith(".")))


def _unlisted(distribution: metadata.Distribution, home: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a package that lists none: by Debian, in its own sources, or installed by setup.py. Lists of
    another format there have the files of the sources, with tests."""
    if distribution.read_text("top_level.txt") is None:
        raise _untold(distribution)
    modules = _named(distribution, [home])
    is_shared = len([*home.glob("*.dist-info"), *home.glob("*.egg-info")]) > 1
    if is_shared and any(path.is_dir() and not (path / "__init__.py").exists() for path in modules.values()):
        raise _untold(distribution)  # other packages are in this namespace as well
    yield from _of_modules(distribution, modules)


class _Hooks:
    """The hooks of an installer in the import system, so that it finds modules elsewhere.

    Attributes:
        folders: The other folders in which Python looks for modules.
        imported: The modules that Python imports when it starts.
        modules: The paths of modules that these define.
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
    """Return the modules of a finder: that of setuptools has them in ``MAPPING``, that of the library ``editables``
    calls ``map_module``."""
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
    """Check whether an installation is editable.

    https://packaging.python.org/en/latest/specifications/direct-url-data-structure/
    """
    said = json.loads(distribution.read_text("direct_url.json") or "{}")
    return bool(said.get("dir_info", {}).get("editable"))


def _named(distribution: metadata.Distribution, among: list[Path]) -> dict[str, Path]:
    """Return the modules of a package by their names: setuptools lists them, otherwise they are all modules of its
    source folders."""
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
    """Return the file or folder of a module by its path without a suffix."""
    if path.is_dir() or path.is_file():
        return path
    return next((found for found in sorted(path.parent.glob(f"{path.name}.*")) if _is_module(found)), None)


def _is_module(path: Path) -> bool:
    is_named = path.name.partition(".")[0].isidentifier()
    return is_named and path.is_file() and (path.suffix == ".py" or bool(_NATIVE.search(path.name)))


def _is_package(path: Path) -> bool:
    return path.name.isidentifier() and path.is_dir() and next(path.rglob("*.py"), None) is not None


def _modules_in(distribution: metadata.Distribution, folder: Path) -> dict[str, Path]:
    """Return all modules of a source folder. The root of a project has others as well: only one may be left."""
    if not folder.is_dir():
        raise _untold(distribution)
    modules = {
        path.name.partition(".")[0]: path
        for path in sorted(folder.iterdir())
        if not folders.is_left_out(path) and (_is_module(path) or _is_package(path))
    }
    if any((folder / name).exists() for name in _PROJECT):
        modules = {name: path for name, path in modules.items() if name not in _NOT_INSTALLED}
        regular = {name: path for name, path in modules.items() if path.is_file() or (path / "__init__.py").exists()}
        modules = regular or modules
        if len(modules) > 1:
            raise _untold(distribution)
    return modules


def _of_modules(distribution: metadata.Distribution, modules: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    """Yield the files of these modules."""
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
        f"packages must list their modules, got {distribution.name}, which does not as it is installed here; "
        "install it with pip, and not editable"
    )
