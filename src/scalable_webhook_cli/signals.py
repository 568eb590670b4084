"""What ends a program early: a time-out, a canceled job and a closed terminal do it as Ctrl-C does."""

import signal
from types import FrameType

# Windows has no SIGHUP.
_ENDINGS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def interrupt_on_termination() -> None:
    """Raise KeyboardInterrupt in the main thread for SIGTERM and SIGHUP too, so that whoever started something ends it.

    Only the first signal counts: a canceled job often gets several in a row, and the second one must not interrupt the
    clean-up. A signal that is ignored stays ignored, as SIGHUP is by ``nohup``.
    """
    for ending in _ENDINGS:
        if signal.getsignal(ending) is not signal.SIG_IGN:
            signal.signal(ending, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for ending in _ENDINGS:
        if signal.getsignal(ending) is _interrupt:
            # Not SIG_IGN, which the programs that a clean-up starts would inherit.
            signal.signal(ending, _already_interrupted)
    raise KeyboardInterrupt


def _already_interrupted(_number: int, _frame: FrameType | None) -> None:
    """The clean-up goes on."""
