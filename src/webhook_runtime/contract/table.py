"""The table that the databases store into: its SQL, and a webhook as its row."""

import json
from pathlib import Path

from webhook_runtime.message import Webhook

COLUMNS = ("id", "mount", "request_id", "received_at", "method", "path", "query", "headers", "payload", "source_ip")

# What an insert does with a row whose id and mount are there already: nothing. Any other key that is there already is
# no duplicate, and must not be taken for one: Postgres is told which key is meant, and MySQL, which cannot be, gets
# an id of NULL to refuse; but only a strict session refuses it, and any other would take the id from the row that is
# there. Bytes are compared, since to MySQL's text types Order and order are one. Not its INSERT IGNORE, which turns
# every error into a warning, and cuts what is too long.
UNLESS_THERE = {
    "postgres": "ON CONFLICT (id, mount) DO NOTHING",
    "mysql": (
        "ON DUPLICATE KEY UPDATE id = IF(CAST(id AS BINARY) = CAST(VALUES(id) AS BINARY) "
        "AND CAST(mount AS BINARY) = CAST(VALUES(mount) AS BINARY) OR NOT LOCATE('STRICT', @@sql_mode), id, NULL)"
    ),
}

# What to do with a table of the user's that another version of this library, or nobody, has made for it.
NO_COLUMN = ": the table needs the columns of create_table_statement"
NO_KEY = ": the table needs PRIMARY KEY (id, mount), in place of any unique key of id alone"
OTHER_KEY = ": another row has the same value in a unique key of the table; one of id alone must be of id and mount"

_QUOTE = {"postgres": '"', "mysql": "`"}


def quoted(engine: str, table_name: str) -> str:
    """The table's name in a statement; a schema stands before it with a dot."""
    quote = _QUOTE[engine]
    return ".".join(f"{quote}{part}{quote}" for part in table_name.split("."))


def create_table(engine: str, table_name: str) -> str:
    """The statement that makes the table where there is none."""
    statement = Path(__file__).with_name(f"{engine}.sql").read_text()
    return statement.replace("{table}", quoted(engine, table_name))


def headers(webhook: Webhook) -> str:
    """All headers as a JSON object."""
    return json.dumps(dict(webhook.headers), ensure_ascii=False)


def received_at(webhook: Webhook) -> str:
    """When it arrived, in UTC, as every database reads it."""
    return webhook.received_at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
