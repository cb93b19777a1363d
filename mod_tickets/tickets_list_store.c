/* tickets_list_store: see the header.
 *
 * A list in one state is a range of one index. Tickets of one seller in either
 * state are two ranges of tickets_user, each already in order and limited, put
 * together; so reserving a ticket moves it between them within one statement.
 */
#include "tickets_list_store.h"

#include <apr_strings.h>

#include "svc_money.h"
#include "tickets_store.h"

/* Walk this index. */
#define FROM_SQLITE(index) " FROM tickets INDEXED BY " index " WHERE "
#define FROM_PGSQL(index) " FROM tickets WHERE "
#define FROM_MYSQL(index) " FROM tickets FORCE INDEX (" index ") WHERE "

/* Is a text a part of the title, whatever the case of letters? An empty one is.
 * On MariaDB that is said of more letters than ASCII's. */
#define HAS_TITLE_SQLITE "instr(lower(title), lower(%s)) > 0"
#define HAS_TITLE_PGSQL \
    "position(lower(%s COLLATE \"C\") IN lower(title COLLATE \"C\")) > 0"
#define HAS_TITLE_MYSQL "LOCATE(LOWER(%s), LOWER(title)) > 0"

#define MATCHES(engine) \
    "position > %lld AND position <= %lld AND cents >= %lld AND " \
    "cents <= %lld AND " HAS_TITLE_##engine
#define FOLLOWS(engine) "position > %lld"

/* In each: which index, which keys of it come before the position (as SQL that
 * ends with AND), and MATCHES or FOLLOWS. */
#define PAGE(engine, index, keys, what) \
    "SELECT " TICKETS_STORE_COLUMNS FROM_##engine(index) keys what(engine) \
    " ORDER BY position LIMIT %lld"
#define LEG(engine, what) \
    "SELECT * FROM (" PAGE(engine, "tickets_user", OF_USER, what) ") AS leg"
#define LEGS(engine, what) \
    LEG(engine, what) " UNION ALL " LEG(engine, what) \
    " ORDER BY position LIMIT %lld"
#define IN_STATE "is_reserved = %lld AND "
#define OF_USER "user_id = %s AND is_reserved = %lld AND "

#define PRICED(engine) \
    PAGE(engine, "tickets_price", \
         "(is_reserved = %lld OR is_reserved = %lld) AND " \
         "(%s = '' OR user_id = %s) AND ", MATCHES)
#define COUNT(engine) \
    "SELECT COUNT(*) FROM (SELECT 1" FROM_##engine("tickets_price") \
    "cents >= %lld AND cents <= %lld LIMIT %lld) AS priced"

#define EACH_PAGE(index, keys, what) \
    { PAGE(SQLITE, index, keys, what), PAGE(PGSQL, index, keys, what), \
      PAGE(MYSQL, index, keys, what) }
#define EACH(statement) { statement(SQLITE), statement(PGSQL), statement(MYSQL) }
#define EACH_LEGS(what) \
    { LEGS(SQLITE, what), LEGS(PGSQL, what), LEGS(MYSQL, what) }

/* Of which tickets; those of pages, then those of windows. */
enum { ALL, STATE, USER_STATE, USER, KINDS, COUNT_PRICED = 2 * KINDS, PRICED };

const svc_db_sql_t tickets_list_store_sql[] = {
    { "tickets_list_store_all", EACH_PAGE("tickets_position", "", FOLLOWS) },
    { "tickets_list_store_state",
      EACH_PAGE("tickets_reserved", IN_STATE, FOLLOWS) },
    { "tickets_list_store_user_state",
      EACH_PAGE("tickets_user", OF_USER, FOLLOWS) },
    { "tickets_list_store_user", EACH_LEGS(FOLLOWS) },
    { "tickets_list_store_window_all",
      EACH_PAGE("tickets_position", "", MATCHES) },
    { "tickets_list_store_window_state",
      EACH_PAGE("tickets_reserved", IN_STATE, MATCHES) },
    { "tickets_list_store_window_user_state",
      EACH_PAGE("tickets_user", OF_USER, MATCHES) },
    { "tickets_list_store_window_user", EACH_LEGS(MATCHES) },
    { "tickets_list_store_count", EACH(COUNT) },
    { "tickets_list_store_priced", EACH(PRICED) },
    { NULL, SVC_DB_SAME(NULL) }
};

#define MAX_ARGS 20

/* The arguments of a statement, as they are collected. */
typedef struct args_t {
    const char *of[MAX_ARGS];
    int count;
    apr_pool_t *pool;
} args_t;

static void add_text(args_t *args, const char *text)
{
    args->of[args->count++] = text;
}

static void add_int(args_t *args, apr_int64_t value)
{
    add_text(args, svc_db_arg(value, args->pool));
}

static void add_prices(args_t *args, const tickets_list_filter_t *filter)
{
    add_int(args, filter->min_cents);
    add_int(args, filter->max_cents >= 0 ? filter->max_cents
                                         : SVC_MONEY_MAX_CENTS);
}

/* UP_TO is 0 for FOLLOWS. */
static void add_range(args_t *args, const tickets_list_filter_t *filter,
                      apr_int64_t after, apr_int64_t up_to, int limit)
{
    add_int(args, after);
    if (up_to) {
        add_int(args, up_to);
        add_prices(args, filter);
        add_text(args, filter->title ? filter->title : "");
    }
    add_int(args, limit);
}

static svc_err_t *run(apr_array_header_t **out, svc_db_t *db, int statement,
                      const args_t *args, int limit)
{
    *out = apr_array_make(args->pool, limit < 64 ? limit : 64,
                          sizeof(ticket_t));
    return svc_db_each(db, &tickets_list_store_sql[statement], args->of,
                       tickets_store_take, *out, args->pool);
}

static svc_err_t *list(apr_array_header_t **out, svc_db_t *db,
                       const tickets_list_filter_t *filter, apr_int64_t after,
                       apr_int64_t up_to, int limit, apr_pool_t *pool)
{
    int is_any = filter->reserved == TICKETS_LIST_ANY;
    int kind = filter->user_id ? (is_any ? USER : USER_STATE)
                               : (is_any ? ALL : STATE);
    int is_reserved = filter->reserved == TICKETS_LIST_RESERVED;
    args_t args = { .count = 0, .pool = pool };

    if (filter->user_id)
        add_text(&args, filter->user_id);
    if (kind != ALL)
        add_int(&args, is_reserved);
    add_range(&args, filter, after, up_to, limit);
    if (kind == USER) { /* the other leg */
        add_text(&args, filter->user_id);
        add_int(&args, !is_reserved);
        add_range(&args, filter, after, up_to, limit);
        add_int(&args, limit);
    }
    return run(out, db, up_to ? KINDS + kind : kind, &args, limit);
}

svc_err_t *tickets_list_store_page(apr_array_header_t **out, svc_db_t *db,
                                   const tickets_list_filter_t *filter,
                                   apr_int64_t after, int limit,
                                   apr_pool_t *pool)
{
    return list(out, db, filter, after, 0, limit, pool);
}

svc_err_t *tickets_list_store_window(apr_array_header_t **out, svc_db_t *db,
                                     const tickets_list_filter_t *filter,
                                     apr_int64_t after, apr_int64_t up_to,
                                     int limit, apr_pool_t *pool)
{
    return list(out, db, filter, after, up_to, limit, pool);
}

svc_err_t *tickets_list_store_priced(apr_array_header_t **out, svc_db_t *db,
                                     const tickets_list_filter_t *filter,
                                     apr_int64_t after, apr_int64_t up_to,
                                     int limit, apr_pool_t *pool)
{
    const char *user = filter->user_id ? filter->user_id : "";
    args_t args = { .count = 0, .pool = pool };

    add_int(&args, filter->reserved != TICKETS_LIST_FREE);
    add_int(&args, filter->reserved == TICKETS_LIST_RESERVED);
    add_text(&args, user);
    add_text(&args, user);
    add_range(&args, filter, after, up_to, limit);
    return run(out, db, PRICED, &args, limit);
}

svc_err_t *tickets_list_store_count(apr_int64_t *out, svc_db_t *db,
                                    const tickets_list_filter_t *filter,
                                    int limit, apr_pool_t *pool)
{
    args_t args = { .count = 0, .pool = pool };

    add_prices(&args, filter);
    add_int(&args, limit);
    return svc_db_get(out, db, &tickets_list_store_sql[COUNT_PRICED], args.of,
                      pool);
}

svc_err_t *tickets_list_store_last(apr_int64_t *out, svc_db_t *db,
                                   apr_pool_t *pool)
{
    static const svc_db_sql_t sql = {
        "tickets_list_store_last",
        SVC_DB_SAME("SELECT MAX(position) FROM tickets")
    };

    *out = 0;
    return svc_db_get(out, db, &sql, NULL, pool);
}
