/* tickets_store: the rows of the table `tickets`; all SQL about them is here,
 * but for that of lists (tickets_list_store).
 *
 * Texts in results live in POOL. A ticket that is not there is a value, not an
 * error. Changes are guarded in their WHERE: CHANGED is 0 when the row was no
 * longer as the caller had seen it.
 */
#ifndef TICKETS_STORE_H
#define TICKETS_STORE_H

#include "svc_stream.h"
#include "tickets.h"

/* FOUND is 0 when there is no such ticket. */
svc_err_t *tickets_store_get(int *found, ticket_t *out, svc_db_t *db,
                             const char *id, apr_pool_t *pool);

/* The tickets with these IDS, up to TICKETS_STORE_MANY; ROWS, which were NULL, get
 * a const ticket_t * for each that is there. */
#define TICKETS_STORE_MANY 64
svc_err_t *tickets_store_get_many(const void **rows, svc_db_t *db,
                                  const char *const *ids, int count,
                                  apr_pool_t *pool);

/* A svc_db_row_fn for rows of these columns: appends a ticket_t to the array that
 * is the baton. */
#define TICKETS_STORE_COLUMNS \
    "id, title, user_id, order_id, cents, version, position"
svc_err_t *tickets_store_take(void *baton, const svc_db_row_t *row);

/* Inserts it when the transaction is committed: see svc_stream_insert. */
void tickets_store_insert(svc_stream_tx_t *tx, const ticket_t *ticket);

/* Sets title and price, and version + 1, if the ticket still has the version
 * of TICKET and is not reserved. */
svc_err_t *tickets_store_edit(int *changed, svc_stream_tx_t *tx,
                              const ticket_t *ticket);

/* Reserves the ticket for ORDER_ID of the orders service whose log is
 * ORDER_SOURCE, version + 1, if it is free. OUT is the ticket then. */
svc_err_t *tickets_store_reserve(int *changed, ticket_t *out,
                                 svc_stream_tx_t *tx, const char *id,
                                 const char *order_id,
                                 const char *order_source);

/* Frees the ticket, version + 1, if ORDER_ID has it. OUT is the ticket then. */
svc_err_t *tickets_store_release(int *changed, ticket_t *out,
                                 svc_stream_tx_t *tx, const char *id,
                                 const char *order_id);

/* The order that has the ticket, and the log of its orders service; NULL when
 * the ticket is free or not there. */
svc_err_t *tickets_store_holder(const char **order_id,
                                const char **order_source, svc_db_t *db,
                                const char *id, apr_pool_t *pool);

/* Up to LIMIT tickets that are reserved for orders of ORDER_SOURCE whose id is
 * greater than AFTER and not greater than LAST ("": no bound), in order of the
 * order's id; OUT is an array of ticket_t. */
svc_err_t *tickets_store_reserved(apr_array_header_t **out, svc_db_t *db,
                                  const char *order_source, const char *after,
                                  const char *last, int limit,
                                  apr_pool_t *pool);

/* Up to LIMIT tickets whose id is greater than AFTER, in order of id; OUT is an
 * array of ticket_t. */
svc_err_t *tickets_store_all(apr_array_header_t **out, svc_db_t *db,
                             const char *after, int limit, apr_pool_t *pool);

/* Remembers that ORDER_ID was cancelled, for TICKETS_REMEMBER_MS. */
svc_err_t *tickets_store_remember(svc_stream_tx_t *tx, const char *order_id);

/* Is ORDER_ID remembered? */
svc_err_t *tickets_store_remembers(int *out, svc_stream_tx_t *tx,
                                   const char *order_id);

#endif
