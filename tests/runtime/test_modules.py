import importlib
import pkgutil

import pytest

import webhook_runtime

MODULES = [module.name for module in pkgutil.walk_packages(webhook_runtime.__path__, "webhook_runtime.")]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_with_what_lambda_has_and_the_drivers_that_are_packed(name: str) -> None:
    assert importlib.import_module(name).__name__ == name
