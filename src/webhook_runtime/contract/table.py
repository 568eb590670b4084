"""The SQL of the table that the databases store into."""

COLUMNS = ("id", "mount", "request_id", "received_at", "method", "path", "query", "headers", "payload", "source_ip")

# Do nothing if id and path exist already, but fail on a conflict with any other key. Postgres takes a conflict target.
# MySQL has none, so id becomes NULL, which strict mode rejects; without strict mode, id would be taken from the other
# row. Bytes are compared, since MySQL's text types ignore case. INSERT IGNORE would turn every error into a warning,
# and cut values that are too long.
UNLESS_THERE = {
    "postgres": "ON CONFLICT (id, mount) DO NOTHING",
    "mysql": (
        "ON DUPLICATE KEY UPDATE id = IF(CAST(id AS BINARY) = CAST(VALUES(id) AS BINARY) "
        "AND CAST(mount AS BINARY) = CAST(VALUES(mount) AS BINARY) OR NOT LOCATE('STRICT', @@sql_mode), id, NULL)"
    ),
}

_CREATE_TABLE = {
    "postgres": """\
CREATE TABLE IF NOT EXISTS {table} (
    id          text NOT NULL,
    mount       text NOT NULL,
    request_id  text NOT NULL,
    received_at timestamptz NOT NULL,
    method      text NOT NULL,
    path        text NOT NULL,
    query       text NOT NULL,
    headers     jsonb NOT NULL,
    payload     bytea NOT NULL,
    source_ip   text NOT NULL,
    PRIMARY KEY (id, mount)
)
""",
    "mysql": """\
CREATE TABLE IF NOT EXISTS {table} (
    id          varbinary(1024) NOT NULL,
    mount       varchar(1024) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    request_id  varchar(64) NOT NULL,
    received_at datetime(3) NOT NULL,
    method      varchar(64) NOT NULL,
    path        mediumtext NOT NULL,
    query       mediumtext NOT NULL,
    headers     json NOT NULL,
    payload     longblob NOT NULL,
    source_ip   varchar(64) NOT NULL,
    PRIMARY KEY (id, mount)
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4
""",
}

_QUOTE = {"postgres": '"', "mysql": "`"}


def quoted(engine: str, table_name: str) -> str:
    """Quote the table's name, and the schema before it if there is one."""
    quote = _QUOTE[engine]
    return ".".join(f"{quote}{part}{quote}" for part in table_name.split("."))


def create_table(engine: str, table_name: str) -> str:
    """Return the statement that creates the table if it does not exist."""
    return _CREATE_TABLE[engine].replace("{table}", quoted(engine, table_name))


def insert_nothing(engine: str, table_name: str) -> str:
    """Return an insert of no rows. It fails if an insert would: without the table, a column or a permission, and on a
    server that is read only.
    """
    nulls = ", ".join(["NULL"] * len(COLUMNS))
    return (
        f"INSERT INTO {quoted(engine, table_name)} ({', '.join(COLUMNS)}) "  # noqa: S608
        f"SELECT {nulls} FROM (SELECT 1) AS nothing WHERE FALSE"
    )
