-- +goose Up
CREATE TABLE IF NOT EXISTS replicas (
    id            INTEGER NOT NULL PRIMARY KEY, -- replica number, 0 to 4095
    service       TEXT    NOT NULL,             -- ws-gateway, ws-api, ...: they share the numbers
    name          TEXT    NULL,                 -- NULL: nobody can inherit the number
    version       TEXT    NOT NULL,
    address       TEXT    NOT NULL,             -- host:port of the mesh
    boot          TEXT    NOT NULL,             -- the process, one value per start
    epoch         INTEGER NOT NULL,             -- raised whenever the number changes hands
    lease_after   INTEGER NOT NULL,             -- id time in ms: the owner mints only later ids
    lease_until   INTEGER NOT NULL,             -- id time in ms: and none later than this
    heartbeat_at  INTEGER NOT NULL,             -- Unix ms
    registered_at INTEGER NOT NULL,             -- Unix ms
    state         TEXT    NOT NULL,             -- up, draining or gone
    sockets       INTEGER NOT NULL,
    level         INTEGER NOT NULL,             -- overload level
    UNIQUE (service, name, version)
);

-- +goose Down
DROP TABLE replicas;
