/* orders_list_store: the SQL of the list of a user's orders. Each query names the
 * index that it walks (orders_schema), where the engine lets it: the last page
 * costs what the first does, however many orders in another status lie between.
 */
#ifndef ORDERS_LIST_STORE_H
#define ORDERS_LIST_STORE_H

#include <apr_tables.h>

#include "orders.h"
#include "svc_db.h"

/* Which orders a list shows. */
typedef enum {
    ORDERS_LIST_CREATED,
    ORDERS_LIST_AWAITING,
    ORDERS_LIST_COMPLETE,
    ORDERS_LIST_CANCELLED, /* for any reason */
    ORDERS_LIST_PENDING,   /* created or awaiting */
    ORDERS_LIST_PAID,      /* complete */
    ORDERS_LIST_EXPIRED,   /* cancelled, as expired */
    ORDERS_LIST_ALL,
    ORDERS_LIST_LIVE       /* not cancelled */
} orders_list_t;

/* Up to LIMIT orders of USER_ID, made after position AFTER, in that order; OUT is
 * an array of order_t, and its texts live in POOL. */
svc_err_t *orders_list_store_page(apr_array_header_t **out, svc_db_t *db,
                                  const char *user_id, orders_list_t which,
                                  apr_int64_t after, int limit,
                                  apr_pool_t *pool);

/* Both statements; the last has a NULL label. For the test of their plans. */
extern const svc_db_sql_t orders_list_store_sql[];

#endif
