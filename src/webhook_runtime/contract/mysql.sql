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
