/* orders_list_store: see the header.
 *
 * Orders in one status are a range of the index orders_list. A list shows up to
 * three of them, each already in order and limited, put together; so a change of
 * status moves an order between them within one statement.
 */
#include "orders_list_store.h"

#include <string.h>

#include "orders_store.h"

/* Walk this index. */
#define BY_SQLITE(index) " INDEXED BY " index
#define BY_PGSQL(index) ""
#define BY_MYSQL(index) " FORCE INDEX (" index ")"

#define LEG(engine, name) \
    "SELECT * FROM (SELECT id, position FROM orders" BY_##engine("orders_list") \
    " WHERE user_id = %s AND list_status = %s AND position > %lld " \
    "ORDER BY position LIMIT %lld) AS " name
#define SOME(engine) \
    "SELECT " ORDERS_STORE_COLUMNS " FROM (" LEG(engine, "a") " UNION ALL " \
    LEG(engine, "b") " UNION ALL " LEG(engine, "c") \
    " ORDER BY position LIMIT %lld) AS page JOIN orders o ON o.id = page.id " \
    ORDERS_STORE_TICKET "ORDER BY o.position"
#define ALL(engine) \
    "SELECT " ORDERS_STORE_COLUMNS " FROM orders o" BY_##engine("orders_user") \
    " " ORDERS_STORE_TICKET "WHERE o.user_id = %s AND o.position > %lld " \
    "ORDER BY o.position LIMIT %lld"

const svc_db_sql_t orders_list_store_sql[] = {
    { "orders_list_store_some", { SOME(SQLITE), SOME(PGSQL), SOME(MYSQL) } },
    { "orders_list_store_all", { ALL(SQLITE), ALL(PGSQL), ALL(MYSQL) } },
    { NULL, SVC_DB_SAME(NULL) }
};

#define LEGS 3
#define LEG_ARGS 4

/* The values of list_status that each list shows; no order has "". */
static const char *const statuses[][LEGS] = {
    { ORDERS_CREATED, "", "" },
    { ORDERS_AWAITING, "", "" },
    { ORDERS_COMPLETE, "", "" },
    { ORDERS_CANCELLED, ORDERS_EXPIRED, "" },
    { ORDERS_CREATED, ORDERS_AWAITING, "" },
    { ORDERS_COMPLETE, "", "" },
    { ORDERS_EXPIRED, "", "" },
    { "", "", "" }, /* ORDERS_LIST_ALL does not look at it */
    { ORDERS_CREATED, ORDERS_AWAITING, ORDERS_COMPLETE }
};

svc_err_t *orders_list_store_page(apr_array_header_t **out, svc_db_t *db,
                                  const char *user_id, orders_list_t which,
                                  apr_int64_t after, int limit,
                                  apr_pool_t *pool)
{
    const char *after_arg = svc_db_arg(after, pool);
    const char *limit_arg = svc_db_arg(limit, pool);
    const char *all[] = { user_id, after_arg, limit_arg };
    const char *some[LEGS * LEG_ARGS + 1];
    int is_all = which == ORDERS_LIST_ALL, leg;

    for (leg = 0; leg < LEGS; leg++) {
        const char *args[LEG_ARGS] = { user_id, statuses[which][leg],
                                       after_arg, limit_arg };

        memcpy(some + leg * LEG_ARGS, args, sizeof(args));
    }
    some[LEGS * LEG_ARGS] = limit_arg;
    *out = apr_array_make(pool, 16, sizeof(order_t));
    return svc_db_each(db, &orders_list_store_sql[is_all],
                       is_all ? all : some, orders_store_take, *out, pool);
}
