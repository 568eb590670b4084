"""A function sees only the installed packages that it would see on AWS."""

import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ministack.core import lambda_runtime
from packaging.markers import default_environment

from scalable_webhook_cli.local import python
from webhook_runtime.contract import lambda_python

# A function that imports a module, and returns the error.
HANDLER = "import {modules}\ndef handle(event, context): return [{modules}][0].__name__"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return python.make(tmp_path_factory.mktemp("home") / "python")


@pytest.fixture
def invoked(program: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], object]:
    """Return a function that returns the response of these files."""
    start = python.by(program, lambda_runtime._detect_runtime_binary)
    monkeypatch.setattr(lambda_runtime, "_detect_runtime_binary", start)

    def invoke(files: dict[str, str], handler: str = "index.handle") -> object:
        with running(files, handler) as worker:
            return worker.invoke({}, "an id")["result"]

    return invoke


@contextmanager
def running(files: dict[str, str], handler: str = "index.handle") -> Iterator[lambda_runtime.Worker]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        for name, text in files.items():
            made.writestr(name, text)
    arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
    config = {"FunctionArn": arn, "Runtime": "python3.14", "Handler": handler, "Timeout": 30}
    worker = lambda_runtime.Worker("f", config, archive.getvalue())
    try:
        yield worker
    finally:
        worker.kill()


def test_lambdas_packages_can_be_imported(invoked: Callable[[dict[str, str]], object]) -> None:
    modules = "boto3, botocore, dateutil.parser, jmespath, s3transfer, six, urllib3"
    assert invoked({"index.py": HANDLER.format(modules=modules)}) == "boto3"


@pytest.mark.parametrize("module", ["rich", "psutil", "aws_cdk", "webhook_runtime", "pytest", "pip"])
def test_other_installed_packages_cannot(module: str, invoked: Callable[[dict[str, str]], object]) -> None:
    with pytest.raises(RuntimeError, match=f"No module named '{module}'"):
        invoked({"index.py": HANDLER.format(modules=module)})


@pytest.mark.parametrize(("handler", "is_loaded"), [("webhook_runtime.handlers.handle", False), ("index.handle", True)])
def test_a_function_of_ours_starts_without_botocore(
    handler: str, is_loaded: bool, invoked: Callable[..., object]
) -> None:
    module = handler.removesuffix(".handle").replace(".", "/")
    code = "import sys\ndef handle(event, context): return 'botocore' in sys.modules"
    assert invoked({"webhook_runtime/__init__.py": "", f"{module}.py": code}, handler) is is_loaded


def test_its_own_code_comes_first(invoked: Callable[[dict[str, str]], object]) -> None:
    files = {"boto3.py": "__name__ = 'of its own'", "rich.py": "", "index.py": HANDLER.format(modules="boto3, rich")}
    assert invoked(files) == "of its own"


def test_backports_for_an_older_python_can_be_imported(invoked: Callable[[dict[str, str]], object]) -> None:
    """Lambda's newer Python includes it. Here it may have to come from a package."""
    here = default_environment()["python_version"]
    if here == lambda_python.MARKERS["python_version"]:
        assert not python._backports()
    elif here in ("3.11", "3.12"):
        assert "typing-extensions" in python._backports()
        assert invoked({"index.py": HANDLER.format(modules="typing_extensions")}) == "typing_extensions"


def test_another_runtime_is_started_as_it_was(program: Path) -> None:
    start = python.by(program, lambda runtime: (f"the program of {runtime}", "script"))
    assert start("nodejs22.x") == ("the program of nodejs22.x", "script")
    assert start("python3.14") == (str(program), "script")
