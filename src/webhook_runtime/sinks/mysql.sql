CREATE TABLE IF NOT EXISTS {table} (
    id          varbinary(1024) PRIMARY KEY,
    request_id  varchar(64) NOT NULL,
    received_at datetime(3) NOT NULL,
    method      varchar(64) NOT NULL,
    path        mediumtext NOT NULL,
    query       mediumtext NOT NULL,
    headers     json NOT NULL,
    payload     longblob NOT NULL,
    source_ip   varchar(64) NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4
