/* orders_events: see the header. */
#include "orders_events.h"

#include <string.h>

#include "orders_change.h"
#include "orders_json.h"
#include "orders_replica.h"
#include "orders_store.h"

/* All that the log of a tickets, a payments or an expiration service holds: a
 * part of it would look as if something were missing. */
const char *const orders_events_subjects[] = { "ticket:", "payment:",
                                               "expiration:", NULL };

static svc_err_t *apply_payment(svc_inbox_outcome_t *outcome,
                                const svc_inbox_context_t *context,
                                const svc_event_t *event)
{
    svc_stream_tx_t *tx = context->tx;
    orders_payment_t payment;
    int is_repeated;
    svc_json_t *data;
    svc_err_t *err = svc_event_data(&data, event, tx->pool);

    if (err || (err = orders_json_read_payment(&payment, data, tx->pool)) ||
        (err = orders_change_pay(&is_repeated, &payment, tx)))
        return err;
    *outcome = is_repeated ? SVC_INBOX_DUPLICATE : SVC_INBOX_SETTLED;
    return NULL;
}

static svc_err_t *apply_expiration(svc_inbox_outcome_t *outcome,
                                   const svc_inbox_context_t *context,
                                   const svc_event_t *event)
{
    svc_stream_tx_t *tx = context->tx;
    const char *order_id;
    int changed;
    svc_json_t *data;
    svc_err_t *err = svc_event_data(&data, event, tx->pool);

    if (err ||
        (err = orders_json_read_expiration(&order_id, data, tx->pool)) ||
        (err = orders_change_expire(&changed, tx, order_id)))
        return err;
    *outcome = changed ? SVC_INBOX_SETTLED : SVC_INBOX_IGNORED;
    return NULL;
}

static svc_err_t *apply(svc_inbox_outcome_t *outcome,
                        const svc_inbox_context_t *context,
                        const svc_event_t *event)
{
    static const struct {
        const char *type;
        svc_err_t *(*apply)(svc_inbox_outcome_t *outcome,
                            const svc_inbox_context_t *context,
                            const svc_event_t *event);
    } table[] = {
        { "ticket:created", orders_replica_apply },
        { "ticket:updated", orders_replica_apply },
        { "payment:created", apply_payment },
        { "expiration:complete", apply_expiration }
    };
    size_t i;

    *outcome = SVC_INBOX_UNKNOWN;
    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(event->type, table[i].type) != 0)
            continue;
        *outcome = SVC_INBOX_IGNORED;
        return table[i].apply(outcome, context, event);
    }
    return NULL;
}

/* A snapshot of a payments or an expiration service tells again what it told:
 * that is known, or takes effect. */
static svc_err_t *replace(const svc_inbox_context_t *context,
                          const svc_event_t *event)
{
    svc_inbox_outcome_t outcome;

    return strncmp(event->type, "ticket:", 7) == 0
               ? orders_replica_replace(context, event)
               : apply(&outcome, context, event);
}

const svc_inbox_handler_t orders_events_handler = {
    apply, orders_replica_apply_many, replace, orders_replica_prune
};

svc_err_t *orders_events_state(apr_array_header_t *events, const char **last,
                               svc_db_t *db, const char *after, int limit,
                               apr_pool_t *pool)
{
    apr_array_header_t *orders;
    svc_err_t *err = orders_store_all(&orders, db, after, limit, pool);
    int i;

    for (i = 0; !err && i < orders->nelts; i++) {
        const order_t *order = &APR_ARRAY_IDX(orders, i, order_t);
        svc_event_t *event;

        *last = i + 1 == limit ? order->id : NULL;
        if (strcmp(order->status, ORDERS_CANCELLED) == 0)
            continue;
        event = apr_array_push(events);
        memset(event, 0, sizeof(*event));
        event->type = order->version == 0 ? "order:created" : "order:updated";
        event->entity = order->id;
        event->data = orders_json_write_event(order, pool);
    }
    return err;
}
