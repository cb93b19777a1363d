-- The tables of orders on SQLite: from schema 1 to 2.
-- Made by `svc-schema --driver sqlite3 --from 1 --to 2 orders print`: do not edit.
-- To run it: sqlite3 -bail DBFILE <FILE

PRAGMA busy_timeout = 10000;
BEGIN IMMEDIATE;
INSERT INTO orders_schema (id, version) SELECT id, version FROM orders_schema WHERE version <> 1;

CREATE TABLE orders_trimmed (
  id BIGINT NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL,
  event_id VARCHAR(36) NOT NULL
) WITHOUT ROWID;
ALTER TABLE orders ADD COLUMN payment_id VARCHAR(255);
CREATE TABLE orders_payments (
  payment_id VARCHAR(255) NOT NULL PRIMARY KEY,
  order_id VARCHAR(36) NOT NULL,
  cents BIGINT,
  status VARCHAR(20) NOT NULL,
  reason VARCHAR(20),
  recorded_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX orders_payments_order ON orders_payments (order_id);
UPDATE orders_schema SET version = 2 WHERE id = 1;
COMMIT;
