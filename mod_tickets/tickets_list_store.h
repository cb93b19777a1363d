/* tickets_list_store: the SQL of the list of tickets. Each query names the index
 * that it walks (tickets_schema), where the engine lets it, so that no planner
 * ever sorts a million tickets for a page.
 *
 * All results are arrays of ticket_t in order of creation; texts live in POOL.
 */
#ifndef TICKETS_LIST_STORE_H
#define TICKETS_LIST_STORE_H

#include <apr_tables.h>

#include "svc_db.h"
#include "tickets.h"

#define TICKETS_LIST_MAX_USER 255 /* characters */

typedef enum {
    TICKETS_LIST_ANY,
    TICKETS_LIST_RESERVED,
    TICKETS_LIST_FREE
} tickets_list_reserved_t;

/* Which tickets a list shows. */
typedef struct tickets_list_filter_t {
    tickets_list_reserved_t reserved;
    const char *user_id;   /* the seller; NULL: anybody */
    const char *title;     /* a part of it, in any case; NULL: whatever */
    apr_int64_t min_cents; /* -1: no bound */
    apr_int64_t max_cents; /* -1: no bound */
} tickets_list_filter_t;

/* Up to LIMIT tickets of that state and seller, created after position AFTER;
 * titles and prices do not matter. */
svc_err_t *tickets_list_store_page(apr_array_header_t **out, svc_db_t *db,
                                   const tickets_list_filter_t *filter,
                                   apr_int64_t after, int limit,
                                   apr_pool_t *pool);

/* Up to LIMIT tickets that were created after position AFTER and not after
 * UP_TO, and may be what FILTER asks for: the engine folds the case of more
 * letters than ASCII's. It looks at every ticket in between. */
svc_err_t *tickets_list_store_window(apr_array_header_t **out, svc_db_t *db,
                                     const tickets_list_filter_t *filter,
                                     apr_int64_t after, apr_int64_t up_to,
                                     int limit, apr_pool_t *pool);

/* The same; it looks at every ticket of those prices. */
svc_err_t *tickets_list_store_priced(apr_array_header_t **out, svc_db_t *db,
                                     const tickets_list_filter_t *filter,
                                     apr_int64_t after, apr_int64_t up_to,
                                     int limit, apr_pool_t *pool);

/* How many tickets of any state and seller have those prices; counts no further
 * than to LIMIT. */
svc_err_t *tickets_list_store_count(apr_int64_t *out, svc_db_t *db,
                                    const tickets_list_filter_t *filter,
                                    int limit, apr_pool_t *pool);

/* The position of the last ticket; 0: there is none. */
svc_err_t *tickets_list_store_last(apr_int64_t *out, svc_db_t *db,
                                   apr_pool_t *pool);

/* All of these statements; the last has a NULL label. For the test of their
 * plans. */
extern const svc_db_sql_t tickets_list_store_sql[];

#endif
