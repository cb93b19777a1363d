/* orders_events: see the header. */
#include "orders_events.h"

#include <string.h>

#include "orders_change.h"
#include "orders_json.h"
#include "orders_store.h"

/* All that the log of a tickets, a payments or an expiration service holds: a
 * part of it would look as if something were missing. */
const char *const orders_events_subjects[] = { "ticket:", "payment:",
                                               "expiration:", NULL };

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
    return orders_change_tell(tx, active);
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
    return changed ? orders_change_tell(tx, ticket->order_id)
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

static svc_err_t *apply_ticket(svc_inbox_outcome_t *outcome,
                               svc_stream_tx_t *tx, const svc_event_t *event)
{
    int is_created = strcmp(event->type, "ticket:created") == 0;
    orders_ticket_t ticket;
    int changed = 0;
    svc_err_t *err = orders_json_read_ticket(&ticket, event->data, tx->pool);

    if (err)
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

static svc_err_t *apply_payment(svc_inbox_outcome_t *outcome,
                                svc_stream_tx_t *tx, const svc_event_t *event)
{
    orders_payment_t payment;
    int is_repeated;
    svc_err_t *err = orders_json_read_payment(&payment, event->data, tx->pool);

    if (err || (err = orders_change_pay(&is_repeated, &payment, tx)))
        return err;
    *outcome = is_repeated ? SVC_INBOX_DUPLICATE : SVC_INBOX_APPLIED;
    return NULL;
}

static svc_err_t *apply_expiration(svc_inbox_outcome_t *outcome,
                                   svc_stream_tx_t *tx,
                                   const svc_event_t *event)
{
    const char *order_id;
    int changed;
    svc_err_t *err = orders_json_read_expiration(&order_id, event->data,
                                                 tx->pool);

    if (err || (err = orders_change_expire(&changed, tx, order_id)))
        return err;
    *outcome = changed ? SVC_INBOX_APPLIED : SVC_INBOX_IGNORED;
    return NULL;
}

svc_err_t *orders_events_apply(svc_inbox_outcome_t *outcome,
                               const svc_inbox_context_t *context,
                               const svc_event_t *event)
{
    static const struct {
        const char *type;
        svc_err_t *(*apply)(svc_inbox_outcome_t *outcome, svc_stream_tx_t *tx,
                            const svc_event_t *event);
    } table[] = {
        { "ticket:created", apply_ticket },
        { "ticket:updated", apply_ticket },
        { "payment:created", apply_payment },
        { "expiration:complete", apply_expiration }
    };
    size_t i;

    *outcome = SVC_INBOX_IGNORED;
    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(event->type, table[i].type) != 0)
            continue;
        if (!event->data)
            return svc_err_make(context->tx->pool, SVC_ERR_INVALID,
                                "data must be there");
        return table[i].apply(outcome, context->tx, event);
    }
    return NULL;
}
