-- The tables of tickets on MariaDB: from schema 0 (none) to 3.
-- Made by `svc-schema --driver mysql --from 0 --to 3 tickets print`: do not edit.
-- To run it: mariadb DBNAME <FILE
-- Each change is permanent at once: if this breaks off, run it again.

SET NAMES utf8mb4;
SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,ANSI_QUOTES,NO_ENGINE_SUBSTITUTION';
CREATE TABLE IF NOT EXISTS tickets_schema (
  id BIGINT NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
INSERT IGNORE INTO tickets_schema (id, version) VALUES (1, 0);
INSERT INTO tickets_schema (id, version) SELECT id, version FROM tickets_schema WHERE version <> 0;

CREATE TABLE IF NOT EXISTS tickets_head (
  id BIGINT NOT NULL PRIMARY KEY,
  source VARCHAR(255) NOT NULL,
  position BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS tickets_log (
  position BIGINT NOT NULL PRIMARY KEY,
  event_id VARCHAR(36) NOT NULL,
  subject VARCHAR(40) NOT NULL,
  entity_id VARCHAR(36) NOT NULL,
  recorded_at BIGINT NOT NULL,
  publisher VARCHAR(255) NOT NULL,
  event VARCHAR(8000) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS tickets_publisher (
  endpoint VARCHAR(255) NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS tickets_cursor (
  source VARCHAR(255) NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL,
  event_id VARCHAR(255) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS tickets_parked (
  entity_id VARCHAR(255) NOT NULL,
  version BIGINT NOT NULL,
  subject VARCHAR(40) NOT NULL,
  event VARCHAR(8000) NOT NULL,
  PRIMARY KEY (entity_id, version)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS tickets_quarantine (
  id VARCHAR(36) NOT NULL PRIMARY KEY,
  source VARCHAR(255),
  position BIGINT NOT NULL,
  subject VARCHAR(40) NOT NULL,
  reason VARCHAR(2000) NOT NULL,
  event VARCHAR(8000),
  recorded_at BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS tickets (
  id VARCHAR(36) NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL,
  title VARCHAR(255) NOT NULL,
  cents BIGINT NOT NULL,
  user_id VARCHAR(255) NOT NULL,
  version BIGINT NOT NULL,
  order_id VARCHAR(36),
  order_source VARCHAR(255)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE UNIQUE INDEX IF NOT EXISTS tickets_position ON tickets (position);
CREATE TABLE IF NOT EXISTS tickets_cancelled (
  order_id VARCHAR(36) NOT NULL PRIMARY KEY,
  recorded_at BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE INDEX IF NOT EXISTS tickets_cancelled_at ON tickets_cancelled (recorded_at);
CREATE TABLE IF NOT EXISTS tickets_trimmed (
  id BIGINT NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL,
  event_id VARCHAR(36) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE INDEX IF NOT EXISTS tickets_order ON tickets (order_id);
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
