-- The tables of tickets on PostgreSQL: from schema 2 to 3.
-- Made by `svc-schema --driver pgsql --from 2 --to 3 tickets print`: do not edit.
-- To run it: psql -v ON_ERROR_STOP=1 -f FILE DBNAME

BEGIN;
SELECT pg_advisory_xact_lock(hashtext(current_schema() || ' tickets'));
INSERT INTO tickets_schema (id, version) SELECT id, version FROM tickets_schema WHERE version <> 2;

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
