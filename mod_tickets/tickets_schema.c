/* tickets_schema: see the header. A step is never changed once released: a new
 * one is added.
 *
 * is_reserved is 1 or 0, so that lists in order of position are ranges of an
 * index: tickets_reserved, tickets_user.
 */
#include "tickets_schema.h"

static const char *const step_1[] = {
    SVC_SCHEMA_COMMON("tickets"),
    "CREATE TABLE tickets ("
    "id VARCHAR(36) NOT NULL PRIMARY KEY, position BIGINT NOT NULL, "
    "title VARCHAR(255) NOT NULL, cents BIGINT NOT NULL, "
    "user_id VARCHAR(255) NOT NULL, version BIGINT NOT NULL, "
    "order_id VARCHAR(36), order_source VARCHAR(255))",
    "CREATE UNIQUE INDEX tickets_position ON tickets (position)",
    "CREATE TABLE tickets_cancelled ("
    "order_id VARCHAR(36) NOT NULL PRIMARY KEY, recorded_at BIGINT NOT NULL)",
    "CREATE INDEX tickets_cancelled_at ON tickets_cancelled (recorded_at)",
    NULL
};

static const char *const step_2[] = {
    SVC_SCHEMA_TRIMMED("tickets"),
    "CREATE INDEX tickets_order ON tickets (order_id)",
    NULL
};

static const char *const step_3[] = {
    SVC_SCHEMA_IDEMPOTENCY("tickets"),
    SVC_SCHEMA_HISTORY("tickets"),
    "ALTER TABLE tickets ADD COLUMN is_reserved BIGINT GENERATED ALWAYS AS "
    "(CASE WHEN order_id IS NULL THEN 0 ELSE 1 END) VIRTUAL",
    "CREATE INDEX tickets_reserved ON tickets (is_reserved, position)",
    "CREATE INDEX tickets_user ON tickets (user_id, is_reserved, position)",
    "CREATE INDEX tickets_price ON tickets (cents, position)",
    NULL
};

static const char *const *const steps[] = { step_1, step_2, step_3 };

const svc_schema_t tickets_schema = {
    "tickets",
    sizeof(steps) / sizeof(steps[0]),
    steps,
    { "tickets_schema_version",
      SVC_DB_SAME("SELECT version FROM tickets_schema WHERE id = 1") }
};
