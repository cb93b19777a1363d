/* orders_events: see the header. */
#include "orders_events.h"

#include <string.h>

#include "orders_json.h"
#include "orders_store.h"

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

/* The replica did not take TICKET: why? */
static svc_err_t *explain(svc_inbox_outcome_t *outcome, svc_stream_tx_t *tx,
                          const orders_ticket_t *ticket)
{
    orders_ticket_t known;
    int found;
    svc_err_t *err = orders_store_get_ticket(&found, &known, tx->db,
                                             ticket->id, tx->pool);

    if (err)
        return err;
    if (found && strcmp(known.source, ticket->source) != 0)
        return svc_err_make(tx->pool, SVC_ERR_INVALID,
                            "the ticket %s belongs to another source, %s",
                            ticket->id, known.source);
    *outcome = found && known.version >= ticket->version ? SVC_INBOX_DUPLICATE
                                                         : SVC_INBOX_EARLY;
    return NULL;
}

svc_err_t *orders_events_apply(svc_inbox_outcome_t *outcome,
                               const svc_inbox_context_t *context,
                               const svc_event_t *event)
{
    int is_created = strcmp(event->type, "ticket:created") == 0;
    svc_stream_tx_t *tx = context->tx;
    orders_ticket_t ticket;
    int changed = 0;
    svc_err_t *err;

    *outcome = SVC_INBOX_IGNORED;
    if (!is_created && strcmp(event->type, "ticket:updated") != 0)
        return NULL;
    if (!event->data)
        return svc_err_make(tx->pool, SVC_ERR_INVALID, "data must be there");
    if ((err = orders_json_read_ticket(&ticket, event->data, tx->pool)))
        return err;
    if (is_created != (ticket.version == 0))
        return svc_err_make(tx->pool, SVC_ERR_INVALID,
                            "data.version must be 0 in ticket:created and "
                            "greater in ticket:updated");
    ticket.source = event->source;
    err = is_created ? orders_store_insert_ticket(&changed, tx, &ticket)
                     : orders_store_update_ticket(&changed, tx, &ticket);
    if (err)
        return err;
    if (!changed)
        return explain(outcome, tx, &ticket);
    *outcome = SVC_INBOX_APPLIED;
    return react(tx, &ticket);
}
