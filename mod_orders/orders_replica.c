/* orders_replica: see the header. */
#include "orders_replica.h"

#include <string.h>

#include "orders_change.h"
#include "orders_json.h"
#include "orders_store.h"

#define PRUNE_LIMIT 500 /* tickets looked at at a time */

static int is_created(const svc_event_t *event)
{
    return strcmp(event->type, "ticket:created") == 0;
}

/* Reads the ticket in EVENT; INVALID when it is not as it must be. */
static svc_err_t *read_ticket(orders_ticket_t *ticket, const svc_event_t *event,
                              apr_pool_t *pool)
{
    apr_pool_t *tree;
    svc_json_t *data;
    svc_err_t *err;

    apr_pool_create(&tree, pool);
    err = svc_event_data(&data, event, tree);
    if (!err)
        err = orders_json_read_ticket(ticket, data, pool);
    err = svc_err_copy(err, pool);
    apr_pool_destroy(tree);
    if (err)
        return err;
    if (is_created(event) != (ticket->version == 0))
        return svc_err_make(pool, SVC_ERR_INVALID,
                            "data.version must be 0 in ticket:created and "
                            "greater in ticket:updated");
    ticket->source = event->source;
    return NULL;
}

/* --- what it means for orders ---------------------------------------------------- */

/* The ticket was reserved for an order that this service does not know: if one
 * of ours still hoped for it, somebody else was first. An order of ours that is
 * cancelled does not count, for its release is on the way. One that awaits
 * payment has the ticket, whatever an old event says; but in a snapshot it had
 * it before the tickets service was restored from a backup. */
static svc_err_t *lose(svc_stream_tx_t *tx, const orders_ticket_t *ticket,
                       int is_snapshot)
{
    const char *active;
    int found, changed;
    order_t other;
    svc_err_t *err = orders_store_get(&found, &other, tx->db, ticket->order_id,
                                      tx->pool);

    if (err || found)
        return err;
    err = orders_store_active(&active, tx->db, ticket->id, tx->pool);
    if (err || !active)
        return err;
    err = is_snapshot ? orders_store_cancel(&changed, tx, active,
                                            ORDERS_RESERVED, 0)
                      : orders_store_lose(&changed, tx, active);
    return err || !changed ? err : orders_change_tell(tx, active);
}

/* The ticket changed: what does that mean for orders? */
static svc_err_t *react(svc_stream_tx_t *tx, const orders_ticket_t *ticket,
                        int is_snapshot)
{
    int changed;
    order_t order;
    svc_err_t *err;

    if (!ticket->order_id)
        return NULL;
    err = orders_store_await(&changed, &order, tx, ticket->order_id,
                             ticket->id);
    if (err)
        return err;
    return changed ? orders_change_tell_order(tx, &order)
                   : lose(tx, ticket, is_snapshot);
}

/* --- one event --------------------------------------------------------------------- */

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
    return err ? err : react(tx, ticket, 0);
}

svc_err_t *orders_replica_apply(svc_inbox_outcome_t *outcome,
                                const svc_inbox_context_t *context,
                                const svc_event_t *event)
{
    svc_stream_tx_t *tx = context->tx;
    orders_ticket_t ticket;
    int changed = 0;
    svc_err_t *err = read_ticket(&ticket, event, tx->pool);

    if (err)
        return err;
    err = is_created(event)
              ? orders_store_insert_ticket(&changed, tx, &ticket)
              : orders_store_update_ticket(&changed, tx, &ticket,
                                           ticket.version - 1);
    if (err)
        return err;
    if (!changed)
        return explain(outcome, context, &ticket);
    *outcome = SVC_INBOX_APPLIED;
    return react(tx, &ticket, 0);
}

/* --- many events at once ------------------------------------------------------------- */

/* Contiguous versions of one ticket. */
typedef struct chain_t {
    apr_int64_t first;
    orders_ticket_t *last;
    int is_broken; /* something is not as it should be: its events are left */
} chain_t;

/* An event that is part of a chain. */
typedef struct link_t {
    svc_inbox_item_t *item;
    orders_ticket_t *ticket;
    chain_t *chain;
} link_t;

static chain_t *find_chain(apr_hash_t *chains, apr_array_header_t *order,
                           const char *id)
{
    chain_t *chain = apr_hash_get(chains, id, APR_HASH_KEY_STRING);

    if (!chain) {
        chain = apr_pcalloc(apr_hash_pool_get(chains), sizeof(*chain));
        apr_hash_set(chains, id, APR_HASH_KEY_STRING, chain);
        APR_ARRAY_PUSH(order, chain_t *) = chain;
    }
    return chain;
}

static void add_link(apr_array_header_t *links, apr_hash_t *chains,
                     apr_array_header_t *order, svc_inbox_item_t *item,
                     apr_pool_t *pool)
{
    const svc_event_t *event = item->event;
    orders_ticket_t *ticket = apr_palloc(pool, sizeof(*ticket));
    chain_t *chain;
    link_t *link;

    if (read_ticket(ticket, event, pool)) {
        /* Its entity is all that is left to say which chain it breaks. */
        if (event->entity)
            find_chain(chains, order, event->entity)->is_broken = 1;
        return;
    }
    chain = find_chain(chains, order, ticket->id);
    if (!chain->last)
        chain->first = ticket->version;
    else if (ticket->version != chain->last->version + 1 ||
             strcmp(ticket->source, chain->last->source) != 0)
        chain->is_broken = 1;
    chain->last = ticket;
    link = apr_array_push(links);
    link->item = item;
    link->ticket = ticket;
    link->chain = chain;
}

/* Brings the ticket from the version before the chain to its last one; a chain
 * that does not go on from what is there is broken. */
static svc_err_t *write_chain(svc_stream_tx_t *tx, chain_t *chain)
{
    int changed = 0;
    svc_err_t *err;

    if (chain->is_broken)
        return NULL;
    err = chain->first == 0
              ? orders_store_insert_ticket(&changed, tx, chain->last)
              : orders_store_update_ticket(&changed, tx, chain->last,
                                           chain->first - 1);
    chain->is_broken = !changed;
    return err;
}

svc_err_t *orders_replica_apply_many(const svc_inbox_context_t *context,
                                     svc_inbox_item_t *items, int count)
{
    svc_stream_tx_t *tx = context->tx;
    apr_hash_t *chains = apr_hash_make(tx->pool);
    apr_array_header_t *order = apr_array_make(tx->pool, count,
                                               sizeof(chain_t *));
    apr_array_header_t *links = apr_array_make(tx->pool, count,
                                               sizeof(link_t));
    svc_err_t *err = NULL;
    int i;

    for (i = 0; i < count; i++) {
        if (is_created(items[i].event) ||
            strcmp(items[i].event->type, "ticket:updated") == 0)
            add_link(links, chains, order, &items[i], tx->pool);
    }
    for (i = 0; i < order->nelts && !err; i++)
        err = write_chain(tx, APR_ARRAY_IDX(order, i, chain_t *));
    for (i = 0; i < links->nelts && !err; i++) {
        link_t *link = &APR_ARRAY_IDX(links, i, link_t);

        if (link->chain->is_broken)
            continue;
        link->item->is_done = 1;
        link->item->outcome = SVC_INBOX_APPLIED;
        tx->origin = link->item->event->origin;
        err = react(tx, link->ticket, 0);
    }
    return err;
}

/* --- snapshots ----------------------------------------------------------------------- */

/* The ticket is free, and an order of ours waits for it. It may have been told
 * while an order of another service had the ticket: then it was passed by, and
 * the event that would have ended it is among those that the snapshot skips. So
 * it is told again. */
static svc_err_t *ask_again(svc_stream_tx_t *tx, const orders_ticket_t *ticket)
{
    const char *active;
    order_t order;
    int found = 0;
    svc_err_t *err = orders_store_active(&active, tx->db, ticket->id, tx->pool);

    if (err || !active ||
        (err = orders_store_get(&found, &order, tx->db, active, tx->pool)) ||
        !found || strcmp(order.status, ORDERS_CREATED) != 0 ||
        (err = orders_store_touch(tx, active)))
        return err;
    return orders_change_tell(tx, active);
}

svc_err_t *orders_replica_replace(const svc_inbox_context_t *context,
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
    if (err)
        return err;
    return ticket.order_id ? react(tx, &ticket, 1) : ask_again(tx, &ticket);
}

/* The ticket is no more: nobody can be given it. */
static svc_err_t *drop(svc_stream_tx_t *tx, const char *ticket_id)
{
    const char *active;
    int changed = 0;
    svc_err_t *err = orders_store_active(&active, tx->db, ticket_id, tx->pool);

    if (!err && active)
        err = orders_store_cancel(&changed, tx, active, ORDERS_RESERVED, 0);
    if (!err && changed)
        err = orders_change_tell(tx, active);
    return err ? err : orders_store_delete_ticket(tx, ticket_id);
}

svc_err_t *orders_replica_prune(const svc_inbox_context_t *context,
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
