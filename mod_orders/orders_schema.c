/* orders_schema: see the header. A step is never changed once released: a new
 * one is added.
 *
 * active_ticket_id is the ticket while the order is not cancelled, else NULL:
 * its unique index (NULLs do not collide on any of the three engines) is what
 * makes a second live order for a ticket impossible. due_at is expires_at while
 * the order can expire, else NULL. payment_id is the payment that has paid the
 * order or will: that a payment takes an order is a change of the order's row,
 * so that it and a cancellation conflict on every engine. list_status is the
 * status by which lists are asked for: expired orders are told apart from those
 * that were cancelled for another reason.
 */
#include "orders_schema.h"

static const char *const step_1[] = {
    SVC_SCHEMA_COMMON("orders"),
    "CREATE TABLE orders_tickets ("
    "id VARCHAR(36) NOT NULL PRIMARY KEY, source VARCHAR(255) NOT NULL, "
    "title VARCHAR(255) NOT NULL, cents BIGINT NOT NULL, "
    "user_id VARCHAR(255) NOT NULL, version BIGINT NOT NULL, "
    "order_id VARCHAR(36), claimed_by VARCHAR(36))",
    "CREATE TABLE orders ("
    "id VARCHAR(36) NOT NULL PRIMARY KEY, position BIGINT NOT NULL, "
    "user_id VARCHAR(255) NOT NULL, ticket_id VARCHAR(36) NOT NULL, "
    "cents BIGINT NOT NULL, status VARCHAR(20) NOT NULL, "
    "cancel_reason VARCHAR(20), expires_at BIGINT NOT NULL, "
    "version BIGINT NOT NULL, ticket_version BIGINT NOT NULL, "
    "active_ticket_id VARCHAR(36), due_at BIGINT)",
    "CREATE UNIQUE INDEX orders_active_ticket ON orders (active_ticket_id)",
    "CREATE UNIQUE INDEX orders_user ON orders (user_id, position)",
    "CREATE INDEX orders_due ON orders (due_at)",
    NULL
};

static const char *const step_2[] = {
    SVC_SCHEMA_TRIMMED("orders"),
    "ALTER TABLE orders ADD COLUMN payment_id VARCHAR(255)",
    "CREATE TABLE orders_payments ("
    "payment_id VARCHAR(255) NOT NULL PRIMARY KEY, "
    "order_id VARCHAR(36) NOT NULL, cents BIGINT, "
    "status VARCHAR(20) NOT NULL, reason VARCHAR(20), "
    "recorded_at BIGINT NOT NULL)",
    "CREATE INDEX orders_payments_order ON orders_payments (order_id)",
    NULL
};

static const char *const step_3[] = {
    SVC_SCHEMA_IDEMPOTENCY("orders"),
    SVC_SCHEMA_HISTORY("orders"),
    "CREATE INDEX orders_user_due ON orders (user_id, due_at)",
    "ALTER TABLE orders ADD COLUMN list_status VARCHAR(20) "
    "GENERATED ALWAYS AS (CASE WHEN cancel_reason = 'expired' THEN 'expired' "
    "ELSE status END) VIRTUAL",
    "CREATE INDEX orders_list ON orders (user_id, list_status, position)",
    NULL
};

static const char *const *const steps[] = { step_1, step_2, step_3 };

const svc_schema_t orders_schema = {
    "orders",
    sizeof(steps) / sizeof(steps[0]),
    steps,
    { "orders_schema_version",
      SVC_DB_SAME("SELECT version FROM orders_schema WHERE id = 1") }
};
