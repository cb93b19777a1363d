-- The tables of orders on MariaDB: from schema 0 (none) to 3.
-- Made by `svc-schema --driver mysql --from 0 --to 3 orders print`: do not edit.
-- To run it: mariadb DBNAME <FILE
-- Each change is permanent at once: if this breaks off, run it again.

SET NAMES utf8mb4;
SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,ANSI_QUOTES,NO_ENGINE_SUBSTITUTION';
CREATE TABLE IF NOT EXISTS orders_schema (
  id BIGINT NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
INSERT IGNORE INTO orders_schema (id, version) VALUES (1, 0);
INSERT INTO orders_schema (id, version) SELECT id, version FROM orders_schema WHERE version <> 0;

CREATE TABLE IF NOT EXISTS orders_head (
  id BIGINT NOT NULL PRIMARY KEY,
  source VARCHAR(255) NOT NULL,
  position BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS orders_log (
  position BIGINT NOT NULL PRIMARY KEY,
  event_id VARCHAR(36) NOT NULL,
  subject VARCHAR(40) NOT NULL,
  entity_id VARCHAR(36) NOT NULL,
  recorded_at BIGINT NOT NULL,
  publisher VARCHAR(255) NOT NULL,
  event VARCHAR(8000) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS orders_publisher (
  endpoint VARCHAR(255) NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS orders_cursor (
  source VARCHAR(255) NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL,
  event_id VARCHAR(255) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS orders_parked (
  entity_id VARCHAR(255) NOT NULL,
  version BIGINT NOT NULL,
  subject VARCHAR(40) NOT NULL,
  event VARCHAR(8000) NOT NULL,
  PRIMARY KEY (entity_id, version)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS orders_quarantine (
  id VARCHAR(36) NOT NULL PRIMARY KEY,
  source VARCHAR(255),
  position BIGINT NOT NULL,
  subject VARCHAR(40) NOT NULL,
  reason VARCHAR(2000) NOT NULL,
  event VARCHAR(8000),
  recorded_at BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS orders_tickets (
  id VARCHAR(36) NOT NULL PRIMARY KEY,
  source VARCHAR(255) NOT NULL,
  title VARCHAR(255) NOT NULL,
  cents BIGINT NOT NULL,
  user_id VARCHAR(255) NOT NULL,
  version BIGINT NOT NULL,
  order_id VARCHAR(36),
  claimed_by VARCHAR(36)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS orders (
  id VARCHAR(36) NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL,
  user_id VARCHAR(255) NOT NULL,
  ticket_id VARCHAR(36) NOT NULL,
  cents BIGINT NOT NULL,
  status VARCHAR(20) NOT NULL,
  cancel_reason VARCHAR(20),
  expires_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  ticket_version BIGINT NOT NULL,
  active_ticket_id VARCHAR(36),
  due_at BIGINT
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE UNIQUE INDEX IF NOT EXISTS orders_active_ticket ON orders (active_ticket_id);
CREATE UNIQUE INDEX IF NOT EXISTS orders_user ON orders (user_id, position);
CREATE INDEX IF NOT EXISTS orders_due ON orders (due_at);
CREATE TABLE IF NOT EXISTS orders_trimmed (
  id BIGINT NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL,
  event_id VARCHAR(36) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
ALTER TABLE orders ADD COLUMN IF NOT EXISTS payment_id VARCHAR(255);
CREATE TABLE IF NOT EXISTS orders_payments (
  payment_id VARCHAR(255) NOT NULL PRIMARY KEY,
  order_id VARCHAR(36) NOT NULL,
  cents BIGINT,
  status VARCHAR(20) NOT NULL,
  reason VARCHAR(20),
  recorded_at BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE INDEX IF NOT EXISTS orders_payments_order ON orders_payments (order_id);
CREATE TABLE IF NOT EXISTS orders_idempotency (
  user_id VARCHAR(255) NOT NULL,
  idempotency_key VARCHAR(255) NOT NULL,
  fingerprint VARCHAR(40) NOT NULL,
  recorded_at BIGINT NOT NULL,
  entity_id VARCHAR(36),
  etag VARCHAR(80),
  answer MEDIUMTEXT,
  PRIMARY KEY (user_id, idempotency_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE INDEX IF NOT EXISTS orders_idempotency_recorded ON orders_idempotency (recorded_at);
CREATE INDEX IF NOT EXISTS orders_log_entity ON orders_log (entity_id, position);
CREATE INDEX IF NOT EXISTS orders_user_due ON orders (user_id, due_at);
ALTER TABLE orders ADD COLUMN IF NOT EXISTS list_status VARCHAR(20) GENERATED ALWAYS AS (CASE WHEN cancel_reason = 'expired' THEN 'expired' ELSE status END) VIRTUAL;
CREATE INDEX IF NOT EXISTS orders_list ON orders (user_id, list_status, position);
UPDATE orders_schema SET version = 3 WHERE id = 1;
