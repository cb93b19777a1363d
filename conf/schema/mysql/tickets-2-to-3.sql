-- The tables of tickets on MariaDB: from schema 2 to 3.
-- Made by `svc-schema --driver mysql --from 2 --to 3 tickets print`: do not edit.
-- To run it: mariadb DBNAME <FILE
-- Each change is permanent at once: if this breaks off, run it again.

SET NAMES utf8mb4;
SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,ANSI_QUOTES,NO_ENGINE_SUBSTITUTION';
INSERT INTO tickets_schema (id, version) SELECT id, version FROM tickets_schema WHERE version <> 2;

CREATE TABLE IF NOT EXISTS tickets_idempotency (
  user_id VARCHAR(255) NOT NULL,
  idempotency_key VARCHAR(255) NOT NULL,
  fingerprint VARCHAR(40) NOT NULL,
  recorded_at BIGINT NOT NULL,
  entity_id VARCHAR(36),
  etag VARCHAR(80),
  answer MEDIUMTEXT,
  PRIMARY KEY (user_id, idempotency_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE INDEX IF NOT EXISTS tickets_idempotency_recorded ON tickets_idempotency (recorded_at);
CREATE INDEX IF NOT EXISTS tickets_log_entity ON tickets_log (entity_id, position);
ALTER TABLE tickets ADD COLUMN IF NOT EXISTS is_reserved BIGINT GENERATED ALWAYS AS (CASE WHEN order_id IS NULL THEN 0 ELSE 1 END) VIRTUAL;
CREATE INDEX IF NOT EXISTS tickets_reserved ON tickets (is_reserved, position);
CREATE INDEX IF NOT EXISTS tickets_user ON tickets (user_id, is_reserved, position);
CREATE INDEX IF NOT EXISTS tickets_price ON tickets (cents, position);
UPDATE tickets_schema SET version = 3 WHERE id = 1;
