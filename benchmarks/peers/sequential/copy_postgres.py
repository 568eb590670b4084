"""The limit of a Postgres server over one connection: `COPY` of the same rows, a batch in one transaction, which fails if
a row is there already.
"""

import json
import os
import socket
from io import StringIO
from typing import Any

import pg8000.native

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
# https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def handler(event: dict[str, Any], _context: object) -> None:
    rows = "".join(_row(record) for record in event["Records"])
    _connection.run(_copy, stream=StringIO(rows))


def _row(record: dict[str, Any]) -> str:
    webhook = read(record)
    values = {
        "id": webhook.id,
        "mount": webhook.mount,
        "request_id": webhook.request_id,
        "received_at": webhook.received_at.isoformat(),
        "method": webhook.method,
        "path": webhook.path,
        "query": webhook.query_string,
        "headers": json.dumps(dict(webhook.headers)),
        "payload": f"\\x{webhook.body.hex()}",
        "source_ip": webhook.source_ip,
    }
    return "\t".join(values[name].translate(_ESCAPED) for name in COLUMNS) + "\n"
