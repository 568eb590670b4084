"""The pattern with a Postgres server: the function behind the queue stores each record of the batch by one statement,
prepared once, over one connection that it keeps. It stores the same columns as ``Sink.postgres()``."""

import json
import os
from typing import Any

import pg8000.native

from webhook_runtime.contract.table import COLUMNS
from webhook_runtime.message import read

_connection = pg8000.native.Connection(
    os.environ["DATABASE_USER"],
    host="127.0.0.1",
    port=int(os.environ["DATABASE_PORT"]),
    database=os.environ["DATABASE_NAME"],
    password=os.environ["DATABASE_PASSWORD"],
)
_values = ", ".join(f":{name}" for name in COLUMNS)
_insert = _connection.prepare(
    f"INSERT INTO {os.environ['TABLE_NAME']} ({', '.join(COLUMNS)}) VALUES ({_values}) ON CONFLICT DO NOTHING"  # noqa: S608
)


def handler(event: dict[str, Any], _context: object) -> None:
    for record in event["Records"]:
        webhook = read(record)
        print("received message:", webhook.id)
        _insert.run(
            id=webhook.id,
            mount=webhook.mount,
            request_id=webhook.request_id,
            received_at=webhook.received_at,
            method=webhook.method,
            path=webhook.path,
            query=webhook.query_string,
            headers=json.dumps(dict(webhook.headers)),
            payload=webhook.body,
            source_ip=webhook.source_ip,
        )
        print("inserted:", webhook.id)
