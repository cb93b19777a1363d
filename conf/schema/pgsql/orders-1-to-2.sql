-- The tables of orders on PostgreSQL: from schema 1 to 2.
-- Made by `svc-schema --driver pgsql --from 1 --to 2 orders print`: do not edit.
-- To run it: psql -v ON_ERROR_STOP=1 -f FILE DBNAME

BEGIN;
SELECT pg_advisory_xact_lock(hashtext(current_schema() || ' orders'));
INSERT INTO orders_schema (id, version) SELECT id, version FROM orders_schema WHERE version <> 1;

CREATE TABLE orders_trimmed (
  id BIGINT NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL,
  event_id VARCHAR(36) COLLATE "C" NOT NULL
);
ALTER TABLE orders ADD COLUMN payment_id VARCHAR(255) COLLATE "C";
CREATE TABLE orders_payments (
  payment_id VARCHAR(255) COLLATE "C" NOT NULL PRIMARY KEY,
  order_id VARCHAR(36) COLLATE "C" NOT NULL,
  cents BIGINT,
  status VARCHAR(20) COLLATE "C" NOT NULL,
  reason VARCHAR(20) COLLATE "C",
  recorded_at BIGINT NOT NULL
);
CREATE INDEX orders_payments_order ON orders_payments (order_id);
UPDATE orders_schema SET version = 2 WHERE id = 1;
COMMIT;
