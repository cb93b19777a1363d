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

/* What is needed of order:created and order:cancelled. */
typedef struct order_t {
    const char *id;
    const char *ticket_id;
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

static svc_err_t *read_order(order_t *out, const svc_event_t *event,
                             apr_pool_t *pool)
{
    const svc_json_t *ticket =
        event->data ? svc_json_get_object(event->data, "ticket") : NULL;
    apr_int64_t version;

    if (!event->data ||
        !(out->id = svc_id_parse(svc_json_get_string(event->data, "id"), pool)))
        return svc_err_make(pool, SVC_ERR_INVALID, "data.id must be a UUID");
    if (!svc_json_get_count(&version, event->data, "version"))
        return svc_err_make(pool, SVC_ERR_INVALID,
                            "data.version must be an integer of at least 0");
    if (!ticket || !(out->ticket_id = svc_id_parse(
                         svc_json_get_string(ticket, "id"), pool)))
        return svc_err_make(pool, SVC_ERR_INVALID,
                            "data.ticket.id must be a UUID");
    return NULL;
}

static svc_err_t *tell_update(svc_stream_tx_t *tx, const char *ticket_id)
{
    ticket_t ticket;
    int found;
    svc_err_t *err = tickets_store_get(&found, &ticket, tx->db, ticket_id,
                                       tx->pool);

    if (!err && found)
        tickets_events_updated(tx, &ticket);
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
    if ((err = tickets_store_reserve(&changed, tx, order->ticket_id, order->id,
                                     event->source)))
        return err;
    if (changed) {
        *outcome = SVC_INBOX_APPLIED;
        return tell_update(tx, order->ticket_id);
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

    if (err || (err = tickets_store_release(&changed, tx, order->ticket_id,
                                            order->id)))
        return err;
    if (changed) {
        *outcome = SVC_INBOX_APPLIED;
        return tell_update(tx, order->ticket_id);
    }
    return look(&found, &ticket, order, event, tx);
}

svc_err_t *tickets_events_apply(svc_inbox_outcome_t *outcome,
                                const svc_inbox_context_t *context,
                                const svc_event_t *event)
{
    int is_created = strcmp(event->type, "order:created") == 0;
    order_t order;
    svc_err_t *err;

    *outcome = SVC_INBOX_IGNORED;
    if (!is_created && strcmp(event->type, "order:cancelled") != 0)
        return NULL;
    if ((err = read_order(&order, event, context->tx->pool)))
        return err;
    return is_created ? apply_created(outcome, context, event, &order)
                      : apply_cancelled(outcome, context, event, &order);
}
