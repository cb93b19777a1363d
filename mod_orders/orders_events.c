/* orders_events: see the header. */
#include "orders_events.h"

#include <string.h>

#include "orders_json.h"
#include "orders_store.h"

#define PRUNE_LIMIT 500 /* tickets of the replica looked at at a time */

/* All that the log of a tickets service holds: a part of it would look as if
 * something were missing. */
const char *const orders_events_subjects[] = { "ticket:", NULL };

void orders_events_created(svc_stream_tx_t *tx, const order_t *order,
                           svc_stream_position_fn on_position, void *baton)
{
    svc_stream_emit(tx, "order:created", order->id,
                    orders_json_write_event(order, tx->pool), on_position,
                    baton);
}

svc_err_t *orders_events_changed(order_t *out, svc_stream_tx_t *tx,
                                 const char *id, apr_pool_t *pool)
{
    order_t order;
    int found, is_cancelled;
    svc_err_t *err = orders_store_get(&found, &order, tx->db, id, pool);

    if (err || !found)
        return err;
    is_cancelled = strcmp(order.status, ORDERS_CANCELLED) == 0;
    svc_stream_emit(tx, is_cancelled ? "order:cancelled" : "order:updated",
                    order.id,
                    is_cancelled ? orders_json_write_cancelled(&order, tx->pool)
                                 : orders_json_write_event(&order, tx->pool),
                    NULL, NULL);
    if (out)
        *out = order;
    return NULL;
}

/* The ticket was reserved for an order that this service does not know: if one
 * of ours still hoped for it, somebody else was first. An order of ours that is
 * cancelled does not count, for its release is on the way. */
static svc_err_t *lose(svc_stream_tx_t *tx, const orders_ticket_t *ticket)
{
    const char *active;
    int found, changed;
    order_t other;
    svc_err_t *err = orders_store_get(&found, &other, tx->db, ticket->order_id,
                                      tx->pool);

    if (err || found)
        return err;
    if ((err = orders_store_active(&active, tx->db, ticket->id, tx->pool)) ||
        !active ||
        (err = orders_store_lose(&changed, tx, active)) || !changed)
        return err;
    return orders_events_changed(NULL, tx, active, tx->pool);
}

/* The ticket changed: what does that mean for orders? */
static svc_err_t *react(svc_stream_tx_t *tx, const orders_ticket_t *ticket)
{
    int changed;
    svc_err_t *err;

    if (!ticket->order_id)
        return NULL;
    err = orders_store_await(&changed, tx, ticket->order_id, ticket->id);
    if (err)
        return err;
    return changed ? orders_events_changed(NULL, tx, ticket->order_id, tx->pool)
                   : lose(tx, ticket);
}

static svc_err_t *foreign(apr_pool_t *pool, const orders_ticket_t *known)
{
    return svc_err_make(pool, SVC_ERR_INVALID,
                        "the ticket %s belongs to another source, %s",
                        known->id, known->source);
}

/* The replica did not take TICKET as the next version: why? */
static svc_err_t *explain(svc_inbox_outcome_t *outcome,
                          const svc_inbox_context_t *context,
                          const orders_ticket_t *ticket)
{
    svc_stream_tx_t *tx = context->tx;
    orders_ticket_t known;
    int found;
    svc_err_t *err = orders_store_get_ticket(&found, &known, tx->db,
                                             ticket->id, tx->pool);

    if (err)
        return err;
    if (found && strcmp(known.source, ticket->source) != 0)
        return foreign(tx->pool, &known);
    *outcome = found && known.version >= ticket->version ? SVC_INBOX_DUPLICATE
                                                         : SVC_INBOX_EARLY;
    if (*outcome == SVC_INBOX_DUPLICATE || !found || !context->is_ordered)
        return NULL;
    /* Nothing is missing before it in its log, so the versions between were bad
     * events: to wait for them would be for ever, and this one says it all. */
    *outcome = SVC_INBOX_APPLIED;
    err = orders_store_replace_ticket(tx, ticket);
    return err ? err : react(tx, ticket);
}

/* Reads the ticket in EVENT; INVALID when it is not as it must be. */
static svc_err_t *read_ticket(orders_ticket_t *ticket, const svc_event_t *event,
                              apr_pool_t *pool)
{
    int is_created = strcmp(event->type, "ticket:created") == 0;
    svc_err_t *err;

    if (!event->data)
        return svc_err_make(pool, SVC_ERR_INVALID, "data must be there");
    if ((err = orders_json_read_ticket(ticket, event->data, pool)))
        return err;
    if (is_created != (ticket->version == 0))
        return svc_err_make(pool, SVC_ERR_INVALID,
                            "data.version must be 0 in ticket:created and "
                            "greater in ticket:updated");
    ticket->source = event->source;
    return NULL;
}

static svc_err_t *apply(svc_inbox_outcome_t *outcome,
                        const svc_inbox_context_t *context,
                        const svc_event_t *event)
{
    int is_created = strcmp(event->type, "ticket:created") == 0;
    svc_stream_tx_t *tx = context->tx;
    orders_ticket_t ticket;
    int changed = 0;
    svc_err_t *err;

    *outcome = SVC_INBOX_UNKNOWN;
    if (!is_created && strcmp(event->type, "ticket:updated") != 0)
        return NULL;
    if ((err = read_ticket(&ticket, event, tx->pool)))
        return err;
    err = is_created ? orders_store_insert_ticket(&changed, tx, &ticket)
                     : orders_store_update_ticket(&changed, tx, &ticket);
    if (err)
        return err;
    if (!changed)
        return explain(outcome, context, &ticket);
    *outcome = SVC_INBOX_APPLIED;
    return react(tx, &ticket);
}

/* --- snapshots ----------------------------------------------------------------- */

static svc_err_t *replace(const svc_inbox_context_t *context,
                          const svc_event_t *event)
{
    svc_stream_tx_t *tx = context->tx;
    orders_ticket_t ticket, known;
    int found, changed;
    svc_err_t *err = read_ticket(&ticket, event, tx->pool);

    if (err || (err = orders_store_get_ticket(&found, &known, tx->db, ticket.id,
                                              tx->pool)))
        return err;
    if (found && strcmp(known.source, ticket.source) != 0)
        return foreign(tx->pool, &known);
    err = found ? orders_store_replace_ticket(tx, &ticket)
                : orders_store_insert_ticket(&changed, tx, &ticket);
    return err ? err : react(tx, &ticket);
}

/* The ticket is no more: nor can anybody pay for it. */
static svc_err_t *drop(svc_stream_tx_t *tx, const char *ticket_id)
{
    const char *active;
    int changed = 0;
    svc_err_t *err = orders_store_active(&active, tx->db, ticket_id, tx->pool);

    if (!err && active)
        err = orders_store_cancel(&changed, tx, active, ORDERS_RESERVED, 0);
    if (!err && changed)
        err = orders_events_changed(NULL, tx, active, tx->pool);
    return err ? err : orders_store_delete_ticket(tx, ticket_id);
}

static svc_err_t *prune(const svc_inbox_context_t *context,
                        const svc_inbox_range_t *range)
{
    svc_stream_tx_t *tx = context->tx;
    const char *after = range->after;
    apr_array_header_t *ids;
    svc_err_t *err;
    int i;

    do {
        err = orders_store_tickets_of(&ids, tx->db, range->source, after,
                                      range->last, PRUNE_LIMIT, tx->pool);
        for (i = 0; !err && i < ids->nelts; i++) {
            after = APR_ARRAY_IDX(ids, i, const char *);
            if (!apr_hash_get(range->present, after, APR_HASH_KEY_STRING))
                err = drop(tx, after);
        }
    } while (!err && ids->nelts == PRUNE_LIMIT);
    return err;
}

const svc_inbox_handler_t orders_events_handler = { apply, replace, prune };

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
