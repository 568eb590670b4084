"""What a function runs: ``webhook_runtime``, and beside it the packages and the code that its sink adds.

All of it is copied from what is installed where the app is synthesised: no Docker, and no network.
"""

import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk_scalable_webhook import checks
from cdk_scalable_webhook.arguments import typed

_RUNTIME = Path(__file__).parents[1] / "webhook_runtime"

# Bytecode differs from machine to machine, and with it the asset's hash. The test helpers are for the developer.
_BYTECODE = ("__pycache__", "*.pyc")
_OF_OURS = ("testing.py", "py.typed")

_NATIVE = frozenset({".so", ".pyd", ".dylib"})


@contextmanager
def packed(
    scope: Construct,
    packages: Iterable[str] = (),
    code: Iterable[Path] = (),
    files: Mapping[str, Path] | None = None,
    *,
    root: str = "",
) -> Iterator[lambda_.Code]:
    """The code of a function or a layer, for as long as it takes to make one: the CDK stages it at once.

    Args:
        scope: Where the function will be.
        packages: Distributions that go in with all that they require, from where they are installed.
        code: Code of the user's: folders, whose content goes in as it is, and single files.
        files: Files of the user's, by their name in the archive.
        root: The folder of the archive that Python imports from.

    Raises:
        ValueError: A package cannot run in Lambda as it is installed here, or two pieces of code have the same names.
    """
    folder = tempfile.mkdtemp()
    try:
        target = Path(folder, root)
        shutil.copytree(_RUNTIME, target / _RUNTIME.name, ignore=shutil.ignore_patterns(*_BYTECODE, *_OF_OURS))
        for own in dict.fromkeys(path.resolve() for path in code):
            _copy(own, target)
        packed_files = [pair for package in packages for pair in _files(package, set())]
        for name, source in [*packed_files, *(files or {}).items()]:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / name)
        _make_readable(Path(folder))
        yield lambda_.Code.from_asset(folder)
    finally:
        # With `cdk synth --no-staging` the template names the folder itself.
        if not scope.node.try_get_context("aws:cdk:disable-asset-staging"):
            shutil.rmtree(folder)


@typed
class RuntimeLayer(lambda_.LayerVersion):
    """A Lambda layer with ``webhook_runtime``, for a function of your own that is brought as ``consumer``.

    In the function, ``from webhook_runtime import read`` makes a ``Webhook`` of each record of the event.

    Example:
        ```python
        lambda_.Function(self, "Consumer", layers=[RuntimeLayer(self, "Runtime")], ...)
        ```

    See: https://docs.aws.amazon.com/lambda/latest/dg/python-layers.html
    """

    def __init__(self, scope: Construct, id: str) -> None:
        """Create the layer.

        Args:
            scope: The stack, or the construct that this one belongs to.
            id: The id within the scope.

        Raises:
            ValueError: ``id`` is not printable, too long, or known only at deployment.
        """
        checks.place(scope, id)
        with packed(scope, root="python") as code:
            super().__init__(
                scope,
                id,
                code=code,
                description="webhook_runtime of cdk-scalable-webhook",
                compatible_runtimes=[lambda_.Runtime.PYTHON_3_13, lambda_.Runtime.PYTHON_3_14],
            )


def _make_readable(folder: Path) -> None:
    """Lambda runs it as a user of its own, who could read nothing of what was installed here by somebody with a strict
    umask: the CDK packs files with the modes that they have."""
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)


def _copy(code: Path, target: Path) -> None:
    names = [code.name] if code.is_file() else [path.name for path in code.iterdir() if path.name != "__pycache__"]
    if taken := sorted(name for name in names if (target / name).exists()):
        raise ValueError(
            f"code must have names of its own, got {', '.join(taken)} in {code.name} and in what is packed beside it; "
            "rename it, or put both into one folder and name that twice"
        )
    if code.is_file():
        shutil.copyfile(code, target / code.name)
    else:
        shutil.copytree(code, target, ignore=shutil.ignore_patterns(*_BYTECODE), dirs_exist_ok=True)


def _files(package: str, seen: set[str]) -> Iterator[tuple[str, Path]]:
    """Name and source of every file of a distribution, and of those that it requires."""
    seen.add(_normal(package))
    distribution = metadata.distribution(package)
    for file in distribution.files or ():
        source = Path(str(file.locate()))
        if file.parts[0] == ".." or "__pycache__" in file.parts or not source.exists():
            continue
        if file.suffix in _NATIVE:
            raise ValueError(
                f"packages must be pure Python, got {package}, which has the native {file}; "
                "bring your own function with consumer=, built for Lambda"
            )
        # Of what describes a distribution the version alone is read at run time; the rest tells how it was installed.
        if not file.parts[0].endswith(".dist-info") or file.name == "METADATA":
            yield str(file), source
    for requirement in distribution.requires or ():
        name, _, marker = requirement.partition(";")
        required = re.split(r"[^A-Za-z0-9._-]", name.strip(), maxsplit=1)[0]
        if "extra" not in marker and _normal(required) not in seen and checks.is_installed(required):
            yield from _files(required, seen)


def _normal(name: str) -> str:
    """https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return re.sub(r"[-_.]+", "-", name).lower()
