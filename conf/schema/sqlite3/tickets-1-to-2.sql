-- The tables of tickets on SQLite: from schema 1 to 2.
-- Made by `svc-schema --driver sqlite3 --from 1 --to 2 tickets print`: do not edit.
-- To run it: sqlite3 -bail DBFILE <FILE

PRAGMA busy_timeout = 10000;
BEGIN IMMEDIATE;
INSERT INTO tickets_schema (id, version) SELECT id, version FROM tickets_schema WHERE version <> 1;

CREATE TABLE tickets_trimmed (
  id BIGINT NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL,
  event_id VARCHAR(36) NOT NULL
) WITHOUT ROWID;
CREATE INDEX tickets_order ON tickets (order_id);
UPDATE tickets_schema SET version = 2 WHERE id = 1;
COMMIT;
