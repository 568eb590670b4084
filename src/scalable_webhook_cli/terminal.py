"""The output of a command: lines for a person or a pipe, progress, and errors in one sentence."""

import functools
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ParamSpec, TypeVar

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.segment import Segment, Segments
from rich.text import Text

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.shown import shown

P = ParamSpec("P")
R = TypeVar("R")


class _Output(Console):
    """The output of a command.

    If its reader stops early, as in ``… logs | head``, the command goes on silently.
    """

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


console: Console = _Output()
# Progress and errors are for a person, and not for a pipe.
errors: Console = Console(stderr=True)


def in_one_sentence(command: Callable[P, R]) -> Callable[P, R]:
    """Print an error as one sentence, without a traceback."""

    @functools.wraps(command)
    def run(*arguments: P.args, **options: P.kwargs) -> R:
        try:
            return command(*arguments, **options)
        except (CliError, BotoCoreError, ClientError, OSError) as error:
            say(f"scalable-webhook: {error}", errors, style="red")
            raise typer.Exit(1) from None

    return run


def say(line: str, to: Console = console, *, style: str | None = None) -> None:
    """Print a line as it is. Rich would turn ``:key:`` into an emoji, and a tab into blanks."""
    to.print(Segments([Segment(f"{shown(line)}\n")]), soft_wrap=True, style=style)


def say_row(row: Iterable[Segment]) -> None:
    """Print a line of parts with a style each. Their texts are escaped already."""
    console.print(Segments([*row, Segment("\n")]), soft_wrap=True)


def say_json(value: object) -> None:
    """Print a value as one line of JSON, for a program. All that a terminal would obey is escaped as JSON does it."""
    say(json.dumps(value, default=_plain))


def _plain(value: object) -> str:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else str(value)


@contextmanager
def status_line(what: str, *, show: bool = True) -> Iterator[None]:
    if show and errors.is_terminal:
        with errors.status(Text(f"{shown(what)} …")):
            yield
        return
    yield


@contextmanager
def counting(what: str) -> Iterator[Callable[[str], None]]:
    """Show on a terminal how far it is. Yield the function to call with a text that says so."""
    if not errors.is_terminal:
        yield lambda _: None
        return
    with errors.status(Text(f"{shown(what)} …")) as status:
        yield lambda text: status.update(Text(shown(f"{what}: {text}")))


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar on a terminal, or a line for each tenth elsewhere. Yield the function to call after each
    step.
    """
    done = 0
    if errors.is_terminal:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=errors) as bar:
            task = bar.add_task(what, total=total)
            yield lambda: bar.advance(task)
        return

    def step() -> None:
        nonlocal done
        done += 1
        if done * 10 // total > (done - 1) * 10 // total:
            say(f"{what}: {done} of {total}", errors)

    yield step


def counted(counts: Mapping[Any, int]) -> str:
    """Return each key with its count."""
    return ", ".join(f"{count} x {what}" for what, count in sorted(counts.items()))
