/* tickets_service: see the header. */
#include "tickets_service.h"

#include <string.h>

#include <apr_strings.h>

#include "svc_id.h"
#include "tickets_events.h"
#include "tickets_store.h"

svc_err_t *tickets_service_get(ticket_t *out, svc_db_t *db, const char *id,
                               apr_pool_t *pool)
{
    const char *key = svc_id_parse(id, pool);
    int found = 0;
    svc_err_t *err = key ? tickets_store_get(&found, out, db, key, pool) : NULL;

    if (!err && !found)
        err = svc_err_make(pool, SVC_ERR_NOT_FOUND, "There is no such ticket");
    return err;
}

svc_err_t *tickets_service_get_many(const void **rows, svc_db_t *db,
                                    const char *const *ids, int count,
                                    apr_pool_t *pool)
{
    return tickets_store_get_many(rows, db, ids, count, pool);
}

svc_err_t *tickets_service_history(svc_stream_history_t *out, svc_db_t *db,
                                   const svc_stream_t *stream, const char *id,
                                   const char *user_id, apr_int64_t after,
                                   int limit, apr_pool_t *pool)
{
    ticket_t ticket;
    svc_err_t *err = tickets_service_get(&ticket, db, id, pool);

    if (err)
        return err;
    if (strcmp(ticket.user_id, user_id) != 0)
        return svc_err_make(pool, SVC_ERR_FORBIDDEN,
                            "Only the seller may see the history of this "
                            "ticket");
    return svc_stream_history(out, db, stream, ticket.id, ticket.position,
                              after, limit, pool);
}

static svc_err_t *insert(void *baton, svc_stream_tx_t *tx,
                         apr_int64_t position)
{
    ticket_t *ticket = baton;

    ticket->position = position;
    tickets_store_insert(tx, ticket);
    return NULL;
}

svc_err_t *tickets_service_create(ticket_t *ticket, svc_stream_tx_t *tx,
                                  apr_pool_t *pool)
{
    ticket->id = svc_id_new(pool);
    ticket->version = 0;
    ticket->order_id = NULL;
    tickets_events_created(tx, ticket, insert, ticket);
    return NULL;
}

static svc_err_t *may_edit(const ticket_t *current, const ticket_t *wanted,
                           const svc_etag_condition_t *condition,
                           apr_pool_t *pool)
{
    if (strcmp(current->user_id, wanted->user_id) != 0)
        return svc_err_make(pool, SVC_ERR_FORBIDDEN,
                            "Only the seller may change this ticket");
    if (!svc_etag_allows(condition, tickets_service_etag(current, pool)))
        return svc_err_make(pool, SVC_ERR_PRECONDITION,
                            "The ticket is at version %" APR_INT64_T_FMT ", "
                            "which the request's conditions exclude",
                            current->version);
    if (current->order_id)
        return svc_err_make(pool, SVC_ERR_CONFLICT,
                            "Cannot edit a reserved ticket");
    return NULL;
}

svc_err_t *tickets_service_edit(ticket_t *ticket, svc_stream_tx_t *tx,
                                const svc_etag_condition_t *condition,
                                apr_pool_t *pool)
{
    ticket_t current;
    int changed = 0;
    svc_err_t *err;

    /* Where several machines write, another may change the row between the
     * look and the guarded UPDATE: then look again. */
    while (!changed) {
        if ((err = tickets_service_get(&current, tx->db, ticket->id, pool)) ||
            (err = may_edit(&current, ticket, condition, pool)))
            return err;
        current.title = ticket->title;
        current.cents = ticket->cents;
        if ((err = tickets_store_edit(&changed, tx, &current)))
            return err;
    }
    current.version++;
    *ticket = current;
    tickets_events_updated(tx, ticket);
    return NULL;
}

const char *tickets_service_etag(const ticket_t *ticket, apr_pool_t *pool)
{
    return apr_psprintf(pool, "\"%" APR_INT64_T_FMT "\"", ticket->version);
}
