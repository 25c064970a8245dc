-- +goose Up
CREATE TABLE IF NOT EXISTS replicas (
    id            INT          NOT NULL COMMENT 'replica number, 0 to 4095',
    service       VARCHAR(32)  NOT NULL COMMENT 'ws-gateway, ws-api, ...: they share the numbers',
    name          VARCHAR(128) NULL     COMMENT 'NULL: nobody can inherit the number',
    version       VARCHAR(64)  NOT NULL,
    address       VARCHAR(255) NOT NULL COMMENT 'host:port of the mesh',
    boot          VARCHAR(64)  NOT NULL COMMENT 'the process, one value per start',
    epoch         BIGINT       NOT NULL COMMENT 'raised whenever the number changes hands',
    lease_after   BIGINT       NOT NULL COMMENT 'id time in ms: the owner mints only later ids',
    lease_until   BIGINT       NOT NULL COMMENT 'id time in ms: and none later than this',
    heartbeat_at  BIGINT       NOT NULL COMMENT 'Unix ms',
    registered_at BIGINT       NOT NULL COMMENT 'Unix ms',
    state         VARCHAR(16)  NOT NULL COMMENT 'up, draining or gone',
    sockets       BIGINT       NOT NULL,
    level         INT          NOT NULL COMMENT 'overload level',
    PRIMARY KEY (id),
    UNIQUE KEY replicas_owner (service, name, version)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE replicas;
