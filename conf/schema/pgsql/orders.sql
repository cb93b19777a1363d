-- The tables of orders on PostgreSQL: from schema 0 (none) to 3.
-- Made by `svc-schema --driver pgsql --from 0 --to 3 orders print`: do not edit.
-- To run it: psql -v ON_ERROR_STOP=1 -f FILE DBNAME

BEGIN;
SELECT pg_advisory_xact_lock(hashtext(current_schema() || ' orders'));
CREATE TABLE IF NOT EXISTS orders_schema (
  id BIGINT NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL
);
INSERT INTO orders_schema (id, version) VALUES (1, 0) ON CONFLICT DO NOTHING;
INSERT INTO orders_schema (id, version) SELECT id, version FROM orders_schema WHERE version <> 0;

CREATE TABLE orders_head (
  id BIGINT NOT NULL PRIMARY KEY,
  source VARCHAR(255) COLLATE "C" NOT NULL,
  position BIGINT NOT NULL
);
CREATE TABLE orders_log (
  position BIGINT NOT NULL PRIMARY KEY,
  event_id VARCHAR(36) COLLATE "C" NOT NULL,
  subject VARCHAR(40) COLLATE "C" NOT NULL,
  entity_id VARCHAR(36) COLLATE "C" NOT NULL,
  recorded_at BIGINT NOT NULL,
  publisher VARCHAR(255) COLLATE "C" NOT NULL,
  event VARCHAR(8000) COLLATE "C" NOT NULL
);
CREATE TABLE orders_publisher (
  endpoint VARCHAR(255) COLLATE "C" NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL
);
CREATE TABLE orders_cursor (
  source VARCHAR(255) COLLATE "C" NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL,
  event_id VARCHAR(255) COLLATE "C" NOT NULL
);
CREATE TABLE orders_parked (
  entity_id VARCHAR(255) COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  subject VARCHAR(40) COLLATE "C" NOT NULL,
  event VARCHAR(8000) COLLATE "C" NOT NULL,
  PRIMARY KEY (entity_id, version)
);
CREATE TABLE orders_quarantine (
  id VARCHAR(36) COLLATE "C" NOT NULL PRIMARY KEY,
  source VARCHAR(255) COLLATE "C",
  position BIGINT NOT NULL,
  subject VARCHAR(40) COLLATE "C" NOT NULL,
  reason VARCHAR(2000) COLLATE "C" NOT NULL,
  event VARCHAR(8000) COLLATE "C",
  recorded_at BIGINT NOT NULL
);
CREATE TABLE orders_tickets (
  id VARCHAR(36) COLLATE "C" NOT NULL PRIMARY KEY,
  source VARCHAR(255) COLLATE "C" NOT NULL,
  title VARCHAR(255) COLLATE "C" NOT NULL,
  cents BIGINT NOT NULL,
  user_id VARCHAR(255) COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  order_id VARCHAR(36) COLLATE "C",
  claimed_by VARCHAR(36) COLLATE "C"
);
CREATE TABLE orders (
  id VARCHAR(36) COLLATE "C" NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL,
  user_id VARCHAR(255) COLLATE "C" NOT NULL,
  ticket_id VARCHAR(36) COLLATE "C" NOT NULL,
  cents BIGINT NOT NULL,
  status VARCHAR(20) COLLATE "C" NOT NULL,
  cancel_reason VARCHAR(20) COLLATE "C",
  expires_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  ticket_version BIGINT NOT NULL,
  active_ticket_id VARCHAR(36) COLLATE "C",
  due_at BIGINT
);
CREATE UNIQUE INDEX orders_active_ticket ON orders (active_ticket_id);
CREATE UNIQUE INDEX orders_user ON orders (user_id, position);
CREATE INDEX orders_due ON orders (due_at);
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
