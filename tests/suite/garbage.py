"""Let Python's garbage collector leave the modules and the tests alone: it would visit them again and again."""

import gc

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
