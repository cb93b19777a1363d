-- The tables of tickets on PostgreSQL: from schema 1 to 2.
-- Made by `svc-schema --driver pgsql --from 1 --to 2 tickets print`: do not edit.
-- To run it: psql -v ON_ERROR_STOP=1 -f FILE DBNAME

BEGIN;
SELECT pg_advisory_xact_lock(hashtext(current_schema() || ' tickets'));
INSERT INTO tickets_schema (id, version) SELECT id, version FROM tickets_schema WHERE version <> 1;

CREATE TABLE tickets_trimmed (
  id BIGINT NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL,
  event_id VARCHAR(36) COLLATE "C" NOT NULL
);
CREATE INDEX tickets_order ON tickets (order_id);
UPDATE tickets_schema SET version = 2 WHERE id = 1;
COMMIT;
