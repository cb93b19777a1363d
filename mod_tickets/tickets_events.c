/* tickets_events: see the header. */
#include "tickets_events.h"

#include <string.h>

#include "svc_id.h"
#include "svc_log.h"
#include "tickets_json.h"
#include "tickets_store.h"

/* All that the log of an orders service holds: a part of it would look as if
 * something were missing. */
const char *const tickets_events_subjects[] = { "order:", NULL };

#define PRUNE_LIMIT 500 /* reserved tickets looked at at a time */

/* What is needed of an event about an order. */
typedef struct order_t {
    const char *id;
    const char *ticket_id;
    int is_waiting; /* its status is `created`: it waits for the ticket */
} order_t;

void tickets_events_created(svc_stream_tx_t *tx, const ticket_t *ticket,
                            svc_stream_position_fn on_position, void *baton)
{
    svc_stream_emit(tx, "ticket:created", ticket->id,
                    tickets_json_write(ticket, tx->pool), on_position, baton);
}

void tickets_events_updated(svc_stream_tx_t *tx, const ticket_t *ticket)
{
    svc_stream_emit(tx, "ticket:updated", ticket->id,
                    tickets_json_write(ticket, tx->pool), NULL, NULL);
}

static svc_err_t *read_data(order_t *out, const svc_event_t *event,
                            const svc_json_t *data, apr_pool_t *pool)
{
    const svc_json_t *ticket;
    const char *status;
    apr_int64_t version;

    ticket = svc_json_get_object(data, "ticket");
    status = svc_json_get_string(data, "status");
    out->is_waiting = status && strcmp(status, "created") == 0;
    if (!(out->id = svc_id_parse(svc_json_get_string(data, "id"), pool)))
        return svc_err_make(pool, SVC_ERR_INVALID, "data.id must be a UUID");
    if (!svc_json_get_count(&version, data, "version"))
        return svc_err_make(pool, SVC_ERR_INVALID,
                            "data.version must be an integer of at least 0");
    if (version != 0 && strcmp(event->type, "order:created") == 0)
        return svc_err_make(pool, SVC_ERR_INVALID,
                            "data.version must be 0 in order:created");
    if (!ticket || !(out->ticket_id = svc_id_parse(
                         svc_json_get_string(ticket, "id"), pool)))
        return svc_err_make(pool, SVC_ERR_INVALID,
                            "data.ticket.id must be a UUID");
    return NULL;
}

static svc_err_t *read_order(order_t *out, const svc_event_t *event,
                             apr_pool_t *pool)
{
    apr_pool_t *tree;
    svc_json_t *data;
    svc_err_t *err;

    apr_pool_create(&tree, pool);
    err = svc_event_data(&data, event, tree);
    if (!err)
        err = read_data(out, event, data, pool);
    err = svc_err_copy(err, pool);
    apr_pool_destroy(tree);
    return err;
}

/* Nothing changed: is the ticket known at all? */
static svc_err_t *look(int *found, ticket_t *ticket, const order_t *order,
                       const svc_event_t *event, svc_stream_tx_t *tx)
{
    svc_err_t *err = tickets_store_get(found, ticket, tx->db, order->ticket_id,
                                       tx->pool);

    if (!err && !*found)
        svc_log(SVC_LOG_INFO, "TKT020: %s of %s is about a ticket that is not "
                              "known here: %s",
                event->type, event->source, order->ticket_id);
    return err;
}

static svc_err_t *apply_created(svc_inbox_outcome_t *outcome,
                                const svc_inbox_context_t *context,
                                const svc_event_t *event, const order_t *order)
{
    svc_stream_tx_t *tx = context->tx;
    int changed = 0, found, was_cancelled = 0;
    ticket_t ticket;
    svc_err_t *err = NULL;

    /* Without a log the cancellation may have come first, or this again. */
    if (!context->is_ordered)
        err = tickets_store_remembers(&was_cancelled, tx, order->id);
    *outcome = SVC_INBOX_DUPLICATE;
    if (err || was_cancelled)
        return err;
    if ((err = tickets_store_reserve(&changed, &ticket, tx, order->ticket_id,
                                     order->id, event->source)))
        return err;
    if (changed) {
        *outcome = SVC_INBOX_SETTLED;
        tickets_events_updated(tx, &ticket);
        return NULL;
    }
    err = look(&found, &ticket, order, event, tx);
    if (!err && (!found || !ticket.order_id ||
                 strcmp(ticket.order_id, order->id) != 0))
        *outcome = SVC_INBOX_IGNORED; /* another order has it: its service
                                         hears of it by ticket:updated */
    return err;
}

static svc_err_t *apply_cancelled(svc_inbox_outcome_t *outcome,
                                  const svc_inbox_context_t *context,
                                  const svc_event_t *event,
                                  const order_t *order)
{
    svc_stream_tx_t *tx = context->tx;
    int changed = 0, found;
    ticket_t ticket;
    svc_err_t *err = context->is_ordered
                         ? NULL
                         : tickets_store_remember(tx, order->id);

    if (err || (err = tickets_store_release(&changed, &ticket, tx,
                                            order->ticket_id, order->id)))
        return err;
    if (changed) {
        *outcome = SVC_INBOX_SETTLED;
        tickets_events_updated(tx, &ticket);
        return NULL;
    }
    return look(&found, &ticket, order, event, tx);
}

/* order:updated matters while the order is still `created`: then it was told
 * once more, for it may have been passed by (see orders_replica_replace). */
static svc_err_t *apply(svc_inbox_outcome_t *outcome,
                        const svc_inbox_context_t *context,
                        const svc_event_t *event)
{
    int is_cancelled = strcmp(event->type, "order:cancelled") == 0;
    order_t order;
    svc_err_t *err;

    *outcome = SVC_INBOX_IGNORED;
    if (!is_cancelled && strcmp(event->type, "order:created") != 0 &&
        strcmp(event->type, "order:updated") != 0) {
        if (strcmp(event->type, "order:refund-required") != 0)
            *outcome = SVC_INBOX_UNKNOWN;
        return NULL;
    }
    if ((err = read_order(&order, event, context->tx->pool)))
        return err;
    if (is_cancelled)
        return apply_cancelled(outcome, context, event, &order);
    if (strcmp(event->type, "order:updated") == 0 && !order.is_waiting)
        return NULL;
    return apply_created(outcome, context, event, &order);
}

/* --- snapshots ----------------------------------------------------------------- */

/* Takes the ticket from ORDER_ID, if that has it. */
static svc_err_t *release(svc_stream_tx_t *tx, const char *ticket_id,
                          const char *order_id)
{
    ticket_t ticket;
    int changed = 0;
    svc_err_t *err = tickets_store_release(&changed, &ticket, tx, ticket_id,
                                           order_id);

    if (!err && changed)
        tickets_events_updated(tx, &ticket);
    return err;
}

/* The order in EVENT is not cancelled, so it has its ticket; another order of
 * that service that has it here is one whose end was missed. */
static svc_err_t *replace(const svc_inbox_context_t *context,
                          const svc_event_t *event)
{
    svc_stream_tx_t *tx = context->tx;
    const char *holder, *holder_source;
    int changed = 0;
    order_t order;
    ticket_t ticket;
    svc_err_t *err = read_order(&order, event, tx->pool);

    if (err || (err = tickets_store_holder(&holder, &holder_source, tx->db,
                                           order.ticket_id, tx->pool)))
        return err;
    if (holder && strcmp(holder, order.id) != 0 &&
        strcmp(holder_source, event->source) == 0 &&
        (err = release(tx, order.ticket_id, holder)))
        return err;
    err = tickets_store_reserve(&changed, &ticket, tx, order.ticket_id,
                                order.id, event->source);
    if (!err && changed)
        tickets_events_updated(tx, &ticket);
    return err;
}

/* What that service had reserved, for orders that it has no more. */
static svc_err_t *prune(const svc_inbox_context_t *context,
                        const svc_inbox_range_t *range)
{
    svc_stream_tx_t *tx = context->tx;
    const char *after = range->after;
    apr_array_header_t *reserved;
    svc_err_t *err;
    int i;

    do {
        err = tickets_store_reserved(&reserved, tx->db, range->source, after,
                                     range->last, PRUNE_LIMIT, tx->pool);
        for (i = 0; !err && i < reserved->nelts; i++) {
            const ticket_t *ticket = &APR_ARRAY_IDX(reserved, i, ticket_t);

            after = ticket->order_id;
            if (!apr_hash_get(range->present, after, APR_HASH_KEY_STRING))
                err = release(tx, ticket->id, after);
        }
    } while (!err && reserved->nelts == PRUNE_LIMIT);
    return err;
}

const svc_inbox_handler_t tickets_events_handler = { apply, NULL, replace,
                                                    prune };

svc_err_t *tickets_events_state(apr_array_header_t *events, const char **last,
                                svc_db_t *db, const char *after, int limit,
                                apr_pool_t *pool)
{
    apr_array_header_t *tickets;
    svc_err_t *err = tickets_store_all(&tickets, db, after, limit, pool);
    int i;

    for (i = 0; !err && i < tickets->nelts; i++) {
        const ticket_t *ticket = &APR_ARRAY_IDX(tickets, i, ticket_t);
        svc_event_t *event = apr_array_push(events);

        memset(event, 0, sizeof(*event));
        event->type = ticket->version == 0 ? "ticket:created"
                                           : "ticket:updated";
        event->entity = ticket->id;
        event->data = tickets_json_write(ticket, pool);
        *last = i + 1 == limit ? ticket->id : NULL;
    }
    return err;
}
