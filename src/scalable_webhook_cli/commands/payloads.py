"""Print a payload: for a person, for a program, or byte for byte."""

import sys
from base64 import b64encode
from typing import Annotated

import typer

from scalable_webhook_cli.terminal import say

Payload = Annotated[
    bool, typer.Option("--payload", help="Print the payload as well; in a pipe the payload alone, byte for byte.")
]
Raw = Annotated[bool, typer.Option("--raw", help="Print the payload alone, byte for byte.")]


def is_alone(*, raw: bool) -> bool:
    """Tell whether to print nothing else."""
    return raw or not sys.stdout.isatty()


def write(payload: bytes) -> None:
    """Print it byte for byte."""
    sys.stdout.flush()
    sys.stdout.buffer.write(payload)
    sys.stdout.buffer.flush()


def show(payload: bytes) -> None:
    """Print it below other lines, so that it does not act on a terminal."""
    say(f"\n{payload.decode(errors='backslashreplace')}")


def told(payload: bytes) -> dict[str, str]:
    """Return it for JSON: as text, or as base64 if it is not UTF-8."""
    try:
        return {"payload": payload.decode()}
    except UnicodeDecodeError:
        return {"payload_base64": b64encode(payload).decode()}
