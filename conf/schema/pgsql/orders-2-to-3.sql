-- The tables of orders on PostgreSQL: from schema 2 to 3.
-- Made by `svc-schema --driver pgsql --from 2 --to 3 orders print`: do not edit.
-- To run it: psql -v ON_ERROR_STOP=1 -f FILE DBNAME

BEGIN;
SELECT pg_advisory_xact_lock(hashtext(current_schema() || ' orders'));
INSERT INTO orders_schema (id, version) SELECT id, version FROM orders_schema WHERE version <> 2;

CREATE TABLE orders_idempotency (
  user_id VARCHAR(255) COLLATE "C" NOT NULL,
  idempotency_key VARCHAR(255) COLLATE "C" NOT NULL,
  fingerprint VARCHAR(40) COLLATE "C" NOT NULL,
  recorded_at BIGINT NOT NULL,
  entity_id VARCHAR(36) COLLATE "C",
  etag VARCHAR(80) COLLATE "C",
  answer TEXT,
  PRIMARY KEY (user_id, idempotency_key)
);
CREATE INDEX orders_idempotency_recorded ON orders_idempotency (recorded_at);
CREATE INDEX orders_log_entity ON orders_log (entity_id, position);
CREATE INDEX orders_user_due ON orders (user_id, due_at);
ALTER TABLE orders ADD COLUMN list_status VARCHAR(20) COLLATE "C" GENERATED ALWAYS AS (CASE WHEN cancel_reason = 'expired' THEN 'expired' ELSE status END) STORED;
CREATE INDEX orders_list ON orders (user_id, list_status, position);
UPDATE orders_schema SET version = 3 WHERE id = 1;
COMMIT;
