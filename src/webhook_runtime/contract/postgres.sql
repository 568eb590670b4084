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
