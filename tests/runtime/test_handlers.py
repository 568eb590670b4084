import gc
from types import SimpleNamespace
from typing import Any

import pytest

from webhook_runtime import handlers


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that loads a handler, which tells whether the collector looked meanwhile."""

    def loading(handler: Any) -> bool:
        monkeypatch.setattr(handlers, "import_module", lambda _name: SimpleNamespace(handler=handler))
        return bool(getattr(handlers, "publisher"))  # noqa: B009

    yield loading
    handlers.__getattr__.cache_clear()
    gc.unfreeze()


def test_the_garbage_collector_rests_while_a_function_loads(load: Any) -> None:
    assert not load(gc.isenabled)
    assert gc.isenabled()


def test_it_looks_again_after_a_function_that_cannot_be_loaded(load: Any) -> None:
    def fails() -> None:
        raise RuntimeError("no table")

    with pytest.raises(RuntimeError, match="no table"):
        load(fails)
    assert gc.isenabled()


def test_it_stays_off_for_whoever_has_switched_it_off(load: Any) -> None:
    gc.disable()
    try:
        load(gc.isenabled)
        assert not gc.isenabled()
    finally:
        gc.enable()
