"""What a function runs: ``webhook_runtime``, and beside it the packages and the code that its sink adds.

All of it is copied from what is installed where the app is synthesised: no Docker, and no network.
"""

import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk_scalable_webhook.checks.cdk import require_place
from cdk_scalable_webhook.checks.types import typed
from cdk_scalable_webhook.packaging import distributions, folders

_RUNTIME = Path(__file__).parents[2] / "webhook_runtime"

# For the developer, of what is ours.
_NOT_RUN = ("testing.py", "py.typed")

# By its name in the archive: what is there, or what is written there.
_Files = dict[str, Path | bytes]


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
        packages: Distributions that go in with all that they require, from where they are imported.
        code: Code of the user's: folders, without what is never code of a function, and single files.
        files: Files of the user's, by their name in the archive.
        root: The folder of the archive that Python imports from.

    Raises:
        ValueError: A package cannot run in Lambda as it is installed here, two pieces of code have the same names, or
            something is no file that can be read.
    """
    archive = _files(scope, packages, code, files or {})
    folder = tempfile.mkdtemp()
    try:
        for name, source in archive.items():
            _write(Path(folder, root, name), source)
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
        require_place(scope, id)
        with packed(scope, root="python") as code:
            super().__init__(
                scope,
                id,
                code=code,
                description="webhook_runtime of cdk-scalable-webhook",
                compatible_runtimes=[lambda_.Runtime.PYTHON_3_13, lambda_.Runtime.PYTHON_3_14],
            )


def _files(scope: Construct, packages: Iterable[str], code: Iterable[Path], files: Mapping[str, Path]) -> _Files:
    """All that is in the archive. Nothing in it is replaced by anything else."""
    archive: _Files = {
        f"{_RUNTIME.name}/{name}": path
        for name, path in folders.files("webhook_runtime", _RUNTIME)
        if path.name not in _NOT_RUN
    }
    # The CDK writes there what was packed before.
    output = [Path(outdir)] if (outdir := getattr(scope.node.root, "outdir", None)) else []
    # A file keeps its own name where it is a link: it is imported by that.
    places = (path.resolve() if path.is_dir() else path.parent.resolve() / path.name for path in code)
    for own in dict.fromkeys(places):
        added = dict(folders.files("code", own, without=output))
        if taken := sorted(name for name in _roots(added) if _module(name) in map(_module, _roots(archive))):
            raise ValueError(
                f"code must have names of its own, got {', '.join(taken)} in {own.name} and in what is packed beside "
                "it; rename it, or put both into one folder and name that twice"
            )
        archive |= added
    archive |= _of_packages(packages, archive)
    for name, path in files.items():
        if name in archive:
            raise ValueError(f"code must not hold {name}, got one, which is packed beside your modules; rename it")
        archive[name] = path
    return archive


def _of_packages(packages: Iterable[str], beside: _Files) -> _Files:
    taken = {_module(name): name for name in _roots(beside)}
    found: _Files = {}
    for distribution in distributions.resolve(packages):
        added = dict(distributions.files(distribution))
        for root in _roots(added):
            own = taken.get(_module(root))
            if own is not None and not (_is_namespace(root, added) and _is_namespace(own, beside)):
                raise ValueError(
                    f"packages must have names of their own, got {root} of {distribution.name} and {own} of what is "
                    "packed beside it; rename yours, or leave the package out"
                )
        for name, source in added.items():
            if name in beside or (name in found and not _is_same(found[name], source)):
                raise ValueError(
                    f"packages must have names of their own, got {name} of {distribution.name}, which is there already "
                    "and is another; leave one out"
                )
        found |= added
    return found


def _roots(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name.partition("/")[0] for name in names))


def _module(root: str) -> str:
    """What it is imported as: of a module and a package of one name Python would take one, and not tell."""
    return root.removesuffix(".py")


def _is_namespace(root: str, files: _Files) -> bool:
    """Several have parts in it: https://docs.python.org/3/glossary.html#term-namespace-package"""
    return root not in files and f"{root}/__init__.py" not in files


def _is_same(one: Path | bytes, other: Path | bytes) -> bool:
    return one == other or _read(one) == _read(other)


def _read(source: Path | bytes) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()


def _write(target: Path, source: Path | bytes) -> None:
    """Lambda runs it as a user of its own, who could read nothing of what was installed here by somebody with a strict
    umask: the CDK packs files with the modes that they have."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        is_program = isinstance(source, Path) and source.stat().st_mode & stat.S_IXUSR
        target.write_bytes(_read(source))
    except OSError as error:
        raise folders.unreadable("code", target.name, error) from None
    target.chmod(0o755 if is_program else 0o644)
