"""The table that the databases store into: its SQL."""

from pathlib import Path

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

_QUOTE = {"postgres": '"', "mysql": "`"}


def quoted(engine: str, table_name: str) -> str:
    """The table's name in a statement; a schema stands before it with a dot."""
    quote = _QUOTE[engine]
    return ".".join(f"{quote}{part}{quote}" for part in table_name.split("."))


def create_table(engine: str, table_name: str) -> str:
    """The statement that makes the table where there is none."""
    statement = Path(__file__).with_name(f"{engine}.sql").read_text()
    return statement.replace("{table}", quoted(engine, table_name))
