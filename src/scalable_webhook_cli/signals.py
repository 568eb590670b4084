"""End early: a timeout, a canceled job and a closed terminal act as Ctrl-C does."""

import signal
from types import FrameType

# Windows has no SIGHUP.
_ENDINGS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def interrupt_on_termination() -> None:
    """Raise KeyboardInterrupt in the main thread for SIGTERM and SIGHUP too, so that started processes are ended.

    Only the first signal counts: a canceled job often gets several in a row, and the second one must not interrupt the
    cleanup. A signal that is ignored stays ignored, as SIGHUP is by ``nohup``.
    """
    for ending in _ENDINGS:
        if signal.getsignal(ending) is not signal.SIG_IGN:
            signal.signal(ending, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for ending in _ENDINGS:
        if signal.getsignal(ending) is _interrupt:
            # Not SIG_IGN, which programs started by the cleanup would inherit.
            signal.signal(ending, _already_interrupted)
    raise KeyboardInterrupt


def _already_interrupted(_number: int, _frame: FrameType | None) -> None:
    """Let the cleanup go on."""
