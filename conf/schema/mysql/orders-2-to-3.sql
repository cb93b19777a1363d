-- The tables of orders on MariaDB: from schema 2 to 3.
-- Made by `svc-schema --driver mysql --from 2 --to 3 orders print`: do not edit.
-- To run it: mariadb DBNAME <FILE
-- Each change is permanent at once: if this breaks off, run it again.

SET NAMES utf8mb4;
SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,ANSI_QUOTES,NO_ENGINE_SUBSTITUTION';
INSERT INTO orders_schema (id, version) SELECT id, version FROM orders_schema WHERE version <> 2;

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
