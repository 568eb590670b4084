"""The asset of a function: what it imports of ``webhook_runtime``, and the packages and the code that its sink adds.

All files are copied from the environment of the app, without Docker and without network.
"""

import shutil
import stat
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk_scalable_webhook.checks.cdk import require_place
from cdk_scalable_webhook.checks.types import typed
from cdk_scalable_webhook.packaging import distributions, folders, modules
from webhook_runtime.contract import authorities
from webhook_runtime.contract.functions import modules_of

_RUNTIME = Path(__file__).parents[2] / "webhook_runtime"

# The modules that code of a user may import. API.md has them.
_PUBLIC = ("webhook_runtime", "webhook_runtime.testing")

# `sinks/asn1.py` answers all that this version of scramp asks asn1crypto for. Another one may ask for more.
_STOOD_IN = {("scramp", "1.5.0"): "asn1crypto"}

# The files of an asset by their names: each is a path or the content.
_Files = dict[str, Path | bytes]


@contextmanager
def packed(
    scope: Construct,
    packages: Iterable[str] = (),
    code: Iterable[Path] = (),
    files: Mapping[str, Path] | None = None,
    *,
    handler: str | None = None,
    certificate_regions: Collection[str] | None = None,
    root: str = "",
) -> Iterator[lambda_.Code]:
    """Pack the code of a function or a layer into a temporary folder, which the CDK copies at once.

    Args:
        scope: The scope of the function.
        packages: The packages to add with all that they require, from where they are imported.
        code: The user's code: folders, without files that are never code of a function, and single files.
        files: The user's files, by their names in the archive.
        handler: The handler in ``webhook_runtime.handlers``. None: the user's own, which may import what is public.
        certificate_regions: The regions whose certificate authorities may have certified a database. None: all.
        root: The folder of the archive that Python imports from.

    Raises:
        ValueError: A package cannot run in Lambda as it is installed here, two pieces of code have the same names, or
            a file cannot be read.
    """
    roots = _PUBLIC if handler is None else ["webhook_runtime", "webhook_runtime.handlers", *modules_of(handler)]
    archive = _files(scope, roots, packages, code, files or {})
    archive |= _data(archive, certificate_regions)
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
    """A Lambda layer with ``webhook_runtime``, for an existing function that you pass as ``consumer``.

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


def _files(
    scope: Construct, roots: Iterable[str], packages: Iterable[str], code: Iterable[Path], files: Mapping[str, Path]
) -> _Files:
    """Return all files of the archive. Two files with one name are an error."""
    archive: _Files = {**modules.reached(_RUNTIME, roots)}
    # A link to a file keeps its own name, since it is imported by that.
    places = (path.resolve() if path.is_dir() else path.parent.resolve() / path.name for path in code)
    for own in dict.fromkeys(places):
        # The output of the CDK has everything that was packed before.
        outdir = getattr(scope.node.root, "outdir", None)
        added = dict(folders.files("code", own, without=[Path(outdir)] if outdir else []))
        if taken := sorted(name for name in _roots(added) if _module(name) in map(_module, _roots(archive))):
            raise ValueError(
                f"code must have names of its own, got {', '.join(taken)} in {own.name} and in another part of the "
                "function; rename it, or put both into one folder and name that twice"
            )
        archive |= added
    archive |= _of_packages(packages, archive)
    # Last, since the names of the user's own must not be ours.
    archive |= modules.reached(_RUNTIME, _imported(archive))
    for name, path in files.items():
        if name in archive:
            raise ValueError(f"code must not have {name}, got one, which is packed with your modules; rename it")
        archive[name] = path
    return archive


def _imported(archive: _Files) -> list[str]:
    """Return what the user's code and packages import of ``webhook_runtime``."""
    own = (_read(source) for name, source in archive.items() if name.endswith(".py") and not _is_ours(name))
    texts = (code.decode(errors="replace") for code in own if b"webhook_runtime" in code)
    return [name for text in texts for name in modules.imported(text)]


def _is_ours(name: str) -> bool:
    return name.startswith(f"{_RUNTIME.name}/")


def _data(archive: _Files, regions: Collection[str] | None) -> _Files:
    """Return the certificate authorities of these regions, if the archive has the module that reads them."""
    if f"{_RUNTIME.name}/contract/authorities.py" not in archive:
        return {}
    own = authorities.BUNDLE if regions is None else "\n\n".join(map(authorities.authorities_of, regions)).encode()
    return {f"{_RUNTIME.name}/contract/{authorities.BUNDLE.name}": own}


def _of_packages(packages: Iterable[str], others: _Files) -> _Files:
    taken = {_module(name): name for name in _roots(others)}
    found: _Files = {}
    stood_in = _STOOD_IN if f"{_RUNTIME.name}/sinks/asn1.py" in others else {}
    for distribution in distributions.resolve(packages, stood_in):
        added = dict(distributions.files(distribution))
        for root in _roots(added):
            own = taken.get(_module(root))
            if own is not None and not (_is_namespace(root, added) and _is_namespace(own, others)):
                raise ValueError(
                    f"packages must have names of their own, got {root} of {distribution.name} and {own} in another "
                    "part of the function; rename your own, or leave the package out"
                )
        for name, source in added.items():
            if name in others or (name in found and not _is_same(found[name], source)):
                raise ValueError(
                    f"packages must have names of their own, got {name} of {distribution.name}, which another one has "
                    "with other content; leave one out"
                )
        found |= added
    return found


def _roots(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name.partition("/")[0] for name in names))


def _module(root: str) -> str:
    """Return the name for an import: of a module and a package with one name, Python would silently take one."""
    return root.removesuffix(".py")


def _is_namespace(root: str, files: _Files) -> bool:
    """Check whether several packages may have parts in it.

    https://docs.python.org/3/glossary.html#term-namespace-package
    """
    return root not in files and f"{root}/__init__.py" not in files


def _is_same(one: Path | bytes, other: Path | bytes) -> bool:
    return one == other or _read(one) == _read(other)


def _read(source: Path | bytes) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()


def _write(target: Path, source: Path | bytes) -> None:
    """Write a file that every user can read. Lambda runs functions as another user, and the CDK keeps the modes of
    files, which a strict umask here would have closed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        is_program = isinstance(source, Path) and source.stat().st_mode & stat.S_IXUSR
        target.write_bytes(_read(source))
    except OSError as error:
        raise folders.unreadable("code", target.name, error) from None
    target.chmod(0o755 if is_program else 0o644)
