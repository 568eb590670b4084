"""Store each request as a row."""

import json
import os

import pg8000.native

connection = None


def handler(event, _context):
    """Insert a row, over a connection that the environment keeps."""
    global connection
    if connection is None:
        connection = pg8000.native.Connection(
            "webhooks",
            host=os.environ["HOST"],
            port=int(os.environ["PORT"]),
            password=os.environ["PASSWORD"],
            database="postgres",
            ssl_context=False,
        )
    id = {name.lower(): value for name, value in event["headers"].items()}["idempotency-key"]
    insert = "INSERT INTO orders_without_queue (id, payload) VALUES (:id, :payload) ON CONFLICT DO NOTHING"
    connection.run(insert, id=id, payload=event["body"])
    return {"statusCode": 202, "body": json.dumps({"id": id})}
