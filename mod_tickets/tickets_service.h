/* tickets_service: the use cases of selling tickets, and their rules. They know
 * nothing of HTTP. Reads take a connection; changes run in the writer's
 * transaction. Texts in results live in POOL.
 */
#ifndef TICKETS_SERVICE_H
#define TICKETS_SERVICE_H

#include "svc_etag.h"
#include "svc_stream.h"
#include "tickets.h"

/* NOT_FOUND when there is no such ticket. ID need not be a UUID. */
svc_err_t *tickets_service_get(ticket_t *out, svc_db_t *db, const char *id,
                               apr_pool_t *pool);

/* A svc_ap_fetch_fn: ROWS get a const ticket_t * each. The IDS are UUIDs. */
svc_err_t *tickets_service_get_many(const void **rows, svc_db_t *db,
                                    const char *const *ids, int count,
                                    apr_pool_t *pool);

/* Up to LIMIT events of the ticket after position AFTER; see svc_stream_history.
 * NOT_FOUND, or FORBIDDEN when USER_ID is not its seller. */
svc_err_t *tickets_service_history(svc_stream_history_t *out, svc_db_t *db,
                                   const svc_stream_t *stream, const char *id,
                                   const char *user_id, apr_int64_t after,
                                   int limit, apr_pool_t *pool);

/* Puts TICKET (title, cents, user_id) up for sale: fills in id and version. */
svc_err_t *tickets_service_create(ticket_t *ticket, svc_stream_tx_t *tx,
                                  apr_pool_t *pool);

/* Changes title and price of the ticket TICKET->id to those of TICKET, in the
 * name of TICKET->user_id; fills in the rest. NOT_FOUND, FORBIDDEN (not the
 * seller), PRECONDITION, CONFLICT (reserved), judged in this order. */
svc_err_t *tickets_service_edit(ticket_t *ticket, svc_stream_tx_t *tx,
                                const svc_etag_condition_t *condition,
                                apr_pool_t *pool);

/* The entity tag of a ticket, with its quotes. */
const char *tickets_service_etag(const ticket_t *ticket, apr_pool_t *pool);

#endif
