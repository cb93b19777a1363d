-- The tables of orders on SQLite: from schema 2 to 3.
-- Made by `svc-schema --driver sqlite3 --from 2 --to 3 orders print`: do not edit.
-- To run it: sqlite3 -bail DBFILE <FILE

PRAGMA busy_timeout = 10000;
BEGIN IMMEDIATE;
INSERT INTO orders_schema (id, version) SELECT id, version FROM orders_schema WHERE version <> 2;

CREATE TABLE orders_idempotency (
  user_id VARCHAR(255) NOT NULL,
  idempotency_key VARCHAR(255) NOT NULL,
  fingerprint VARCHAR(40) NOT NULL,
  recorded_at BIGINT NOT NULL,
  entity_id VARCHAR(36),
  etag VARCHAR(80),
  answer MEDIUMTEXT,
  PRIMARY KEY (user_id, idempotency_key)
) WITHOUT ROWID;
CREATE INDEX orders_idempotency_recorded ON orders_idempotency (recorded_at);
CREATE INDEX orders_log_entity ON orders_log (entity_id, position);
CREATE INDEX orders_user_due ON orders (user_id, due_at);
ALTER TABLE orders ADD COLUMN list_status VARCHAR(20) GENERATED ALWAYS AS (CASE WHEN cancel_reason = 'expired' THEN 'expired' ELSE status END) VIRTUAL;
CREATE INDEX orders_list ON orders (user_id, list_status, position);
UPDATE orders_schema SET version = 3 WHERE id = 1;
COMMIT;
