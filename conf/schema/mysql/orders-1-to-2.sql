-- The tables of orders on MariaDB: from schema 1 to 2.
-- Made by `svc-schema --driver mysql --from 1 --to 2 orders print`: do not edit.
-- To run it: mariadb DBNAME <FILE
-- Each change is permanent at once: if this breaks off, run it again.

SET NAMES utf8mb4;
SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,ANSI_QUOTES,NO_ENGINE_SUBSTITUTION';
INSERT INTO orders_schema (id, version) SELECT id, version FROM orders_schema WHERE version <> 1;

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
UPDATE orders_schema SET version = 2 WHERE id = 1;
