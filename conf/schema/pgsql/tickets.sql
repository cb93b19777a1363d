-- The tables of tickets on PostgreSQL: from schema 0 (none) to 3.
-- Made by `svc-schema --driver pgsql --from 0 --to 3 tickets print`: do not edit.
-- To run it: psql -v ON_ERROR_STOP=1 -f FILE DBNAME

BEGIN;
SELECT pg_advisory_xact_lock(hashtext(current_schema() || ' tickets'));
CREATE TABLE IF NOT EXISTS tickets_schema (
  id BIGINT NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL
);
INSERT INTO tickets_schema (id, version) VALUES (1, 0) ON CONFLICT DO NOTHING;
INSERT INTO tickets_schema (id, version) SELECT id, version FROM tickets_schema WHERE version <> 0;

CREATE TABLE tickets_head (
  id BIGINT NOT NULL PRIMARY KEY,
  source VARCHAR(255) COLLATE "C" NOT NULL,
  position BIGINT NOT NULL
);
CREATE TABLE tickets_log (
  position BIGINT NOT NULL PRIMARY KEY,
  event_id VARCHAR(36) COLLATE "C" NOT NULL,
  subject VARCHAR(40) COLLATE "C" NOT NULL,
  entity_id VARCHAR(36) COLLATE "C" NOT NULL,
  recorded_at BIGINT NOT NULL,
  publisher VARCHAR(255) COLLATE "C" NOT NULL,
  event VARCHAR(8000) COLLATE "C" NOT NULL
);
CREATE TABLE tickets_publisher (
  endpoint VARCHAR(255) COLLATE "C" NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL
);
CREATE TABLE tickets_cursor (
  source VARCHAR(255) COLLATE "C" NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL,
  event_id VARCHAR(255) COLLATE "C" NOT NULL
);
CREATE TABLE tickets_parked (
  entity_id VARCHAR(255) COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  subject VARCHAR(40) COLLATE "C" NOT NULL,
  event VARCHAR(8000) COLLATE "C" NOT NULL,
  PRIMARY KEY (entity_id, version)
);
CREATE TABLE tickets_quarantine (
  id VARCHAR(36) COLLATE "C" NOT NULL PRIMARY KEY,
  source VARCHAR(255) COLLATE "C",
  position BIGINT NOT NULL,
  subject VARCHAR(40) COLLATE "C" NOT NULL,
  reason VARCHAR(2000) COLLATE "C" NOT NULL,
  event VARCHAR(8000) COLLATE "C",
  recorded_at BIGINT NOT NULL
);
CREATE TABLE tickets (
  id VARCHAR(36) COLLATE "C" NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL,
  title VARCHAR(255) COLLATE "C" NOT NULL,
  cents BIGINT NOT NULL,
  user_id VARCHAR(255) COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  order_id VARCHAR(36) COLLATE "C",
  order_source VARCHAR(255) COLLATE "C"
);
CREATE UNIQUE INDEX tickets_position ON tickets (position);
CREATE TABLE tickets_cancelled (
  order_id VARCHAR(36) COLLATE "C" NOT NULL PRIMARY KEY,
  recorded_at BIGINT NOT NULL
);
CREATE INDEX tickets_cancelled_at ON tickets_cancelled (recorded_at);
CREATE TABLE tickets_trimmed (
  id BIGINT NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL,
  event_id VARCHAR(36) COLLATE "C" NOT NULL
);
CREATE INDEX tickets_order ON tickets (order_id);
CREATE TABLE tickets_idempotency (
  user_id VARCHAR(255) COLLATE "C" NOT NULL,
  idempotency_key VARCHAR(255) COLLATE "C" NOT NULL,
  fingerprint VARCHAR(40) COLLATE "C" NOT NULL,
  recorded_at BIGINT NOT NULL,
  entity_id VARCHAR(36) COLLATE "C",
  etag VARCHAR(80) COLLATE "C",
  answer TEXT,
  PRIMARY KEY (user_id, idempotency_key)
);
CREATE INDEX tickets_idempotency_recorded ON tickets_idempotency (recorded_at);
CREATE INDEX tickets_log_entity ON tickets_log (entity_id, position);
ALTER TABLE tickets ADD COLUMN is_reserved BIGINT GENERATED ALWAYS AS (CASE WHEN order_id IS NULL THEN 0 ELSE 1 END) STORED;
CREATE INDEX tickets_reserved ON tickets (is_reserved, position);
CREATE INDEX tickets_user ON tickets (user_id, is_reserved, position);
CREATE INDEX tickets_price ON tickets (cents, position);
UPDATE tickets_schema SET version = 3 WHERE id = 1;
COMMIT;
