"""`COPY` of the same rows over one connection, a batch in a transaction: nothing is faster into Postgres. It fails if a
row is there already.
"""

import os
import socket
from io import StringIO
from typing import Any

import pg8000.native

from events import row
from webhook_runtime.contract.table import COLUMNS
from webhook_runtime.message import read

_wire = socket.create_connection(("127.0.0.1", int(os.environ["DATABASE_PORT"])))
# Otherwise the last piece of a batch may wait 40 milliseconds for an acknowledgement.
_wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
_connection = pg8000.native.Connection(
    os.environ["DATABASE_USER"],
    database=os.environ["DATABASE_NAME"],
    password=os.environ["DATABASE_PASSWORD"],
    sock=_wire,
)
_copy = f"COPY {os.environ['TABLE_NAME']} ({', '.join(COLUMNS)}) FROM STDIN"


def handler(event: dict[str, Any], context: object) -> None:
    """Read the messages of a batch, as our consumer does."""
    rendered("".join(row(read(record)) for record in event["Records"]), context)


def rendered(rows: str, _context: object) -> None:
    """Take rows that are rendered already: what is left is the server, and the driver."""
    _connection.run(_copy, stream=StringIO(rows))
