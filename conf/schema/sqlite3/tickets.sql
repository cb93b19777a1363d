-- The tables of tickets on SQLite: from schema 0 (none) to 3.
-- Made by `svc-schema --driver sqlite3 --from 0 --to 3 tickets print`: do not edit.
-- To run it: sqlite3 -bail DBFILE <FILE

PRAGMA busy_timeout = 10000;
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS tickets_schema (
  id BIGINT NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL
) WITHOUT ROWID;
INSERT INTO tickets_schema (id, version) VALUES (1, 0) ON CONFLICT DO NOTHING;
INSERT INTO tickets_schema (id, version) SELECT id, version FROM tickets_schema WHERE version <> 0;

CREATE TABLE tickets_head (
  id BIGINT NOT NULL PRIMARY KEY,
  source VARCHAR(255) NOT NULL,
  position BIGINT NOT NULL
) WITHOUT ROWID;
CREATE TABLE tickets_log (
  position BIGINT NOT NULL PRIMARY KEY,
  event_id VARCHAR(36) NOT NULL,
  subject VARCHAR(40) NOT NULL,
  entity_id VARCHAR(36) NOT NULL,
  recorded_at BIGINT NOT NULL,
  publisher VARCHAR(255) NOT NULL,
  event VARCHAR(8000) NOT NULL
) WITHOUT ROWID;
CREATE TABLE tickets_publisher (
  endpoint VARCHAR(255) NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL
) WITHOUT ROWID;
CREATE TABLE tickets_cursor (
  source VARCHAR(255) NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL,
  event_id VARCHAR(255) NOT NULL
) WITHOUT ROWID;
CREATE TABLE tickets_parked (
  entity_id VARCHAR(255) NOT NULL,
  version BIGINT NOT NULL,
  subject VARCHAR(40) NOT NULL,
  event VARCHAR(8000) NOT NULL,
  PRIMARY KEY (entity_id, version)
) WITHOUT ROWID;
CREATE TABLE tickets_quarantine (
  id VARCHAR(36) NOT NULL PRIMARY KEY,
  source VARCHAR(255),
  position BIGINT NOT NULL,
  subject VARCHAR(40) NOT NULL,
  reason VARCHAR(2000) NOT NULL,
  event VARCHAR(8000),
  recorded_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE TABLE tickets (
  id VARCHAR(36) NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL,
  title VARCHAR(255) NOT NULL,
  cents BIGINT NOT NULL,
  user_id VARCHAR(255) NOT NULL,
  version BIGINT NOT NULL,
  order_id VARCHAR(36),
  order_source VARCHAR(255)
) WITHOUT ROWID;
CREATE UNIQUE INDEX tickets_position ON tickets (position);
CREATE TABLE tickets_cancelled (
  order_id VARCHAR(36) NOT NULL PRIMARY KEY,
  recorded_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX tickets_cancelled_at ON tickets_cancelled (recorded_at);
CREATE TABLE tickets_trimmed (
  id BIGINT NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL,
  event_id VARCHAR(36) NOT NULL
) WITHOUT ROWID;
CREATE INDEX tickets_order ON tickets (order_id);
CREATE TABLE tickets_idempotency (
  user_id VARCHAR(255) NOT NULL,
  idempotency_key VARCHAR(255) NOT NULL,
  fingerprint VARCHAR(40) NOT NULL,
  recorded_at BIGINT NOT NULL,
  entity_id VARCHAR(36),
  etag VARCHAR(80),
  answer MEDIUMTEXT,
  PRIMARY KEY (user_id, idempotency_key)
) WITHOUT ROWID;
CREATE INDEX tickets_idempotency_recorded ON tickets_idempotency (recorded_at);
CREATE INDEX tickets_log_entity ON tickets_log (entity_id, position);
ALTER TABLE tickets ADD COLUMN is_reserved BIGINT GENERATED ALWAYS AS (CASE WHEN order_id IS NULL THEN 0 ELSE 1 END) VIRTUAL;
CREATE INDEX tickets_reserved ON tickets (is_reserved, position);
CREATE INDEX tickets_user ON tickets (user_id, is_reserved, position);
CREATE INDEX tickets_price ON tickets (cents, position);
UPDATE tickets_schema SET version = 3 WHERE id = 1;
COMMIT;
