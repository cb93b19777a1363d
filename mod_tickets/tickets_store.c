/* tickets_store: see the header. */
#include "tickets_store.h"

#include <string.h>

#define COLUMNS TICKETS_STORE_COLUMNS

static void read_row(ticket_t *ticket, const svc_db_row_t *row)
{
    ticket->id = svc_db_row_text(row, 0);
    ticket->title = svc_db_row_text(row, 1);
    ticket->user_id = svc_db_row_text(row, 2);
    ticket->order_id = svc_db_row_text(row, 3);
    ticket->cents = svc_db_row_int(row, 4);
    ticket->version = svc_db_row_int(row, 5);
    ticket->position = svc_db_row_int(row, 6);
}

static svc_err_t *take_one(void *baton, const svc_db_row_t *row)
{
    read_row(baton, row);
    return NULL;
}

svc_err_t *tickets_store_get(int *found, ticket_t *out, svc_db_t *db,
                             const char *id, apr_pool_t *pool)
{
    static const svc_db_sql_t sql = {
        "tickets_store_get",
        SVC_DB_SAME("SELECT " COLUMNS " FROM tickets WHERE id = %s")
    };
    const char *args[] = { id };
    svc_err_t *err;

    out->id = NULL;
    err = svc_db_each(db, &sql, args, take_one, out, pool);
    *found = out->id != NULL;
    return err;
}

/* Rows that are wanted by their ids. */
typedef struct wanted_t {
    const void **rows;
    const char *const *ids;
    int count;
    apr_pool_t *pool;
} wanted_t;

static svc_err_t *take_wanted(void *baton, const svc_db_row_t *row)
{
    const wanted_t *wanted = baton;
    ticket_t *ticket = apr_palloc(wanted->pool, sizeof(*ticket));
    int i;

    read_row(ticket, row);
    for (i = 0; i < wanted->count; i++) { /* one may be wanted twice */
        if (strcmp(wanted->ids[i], ticket->id) == 0)
            wanted->rows[i] = ticket;
    }
    return NULL;
}

svc_err_t *tickets_store_get_many(const void **rows, svc_db_t *db,
                                  const char *const *ids, int count,
                                  apr_pool_t *pool)
{
#define GET(list) "SELECT " COLUMNS " FROM tickets WHERE id IN (" list ")"
    static const svc_db_sql_t sql[] = {
        { "tickets_store_get_1", SVC_DB_SAME(GET("%s")) },
        { "tickets_store_get_4", SVC_DB_SAME(GET(SVC_DB_ROWS_4("%s"))) },
        { "tickets_store_get_16", SVC_DB_SAME(GET(SVC_DB_ROWS_16("%s"))) },
        { "tickets_store_get_64", SVC_DB_SAME(GET(SVC_DB_ROWS_64("%s"))) }
    };
    wanted_t wanted = { rows, ids, count, pool };
    const char *args[TICKETS_STORE_MANY];
    int i;

    for (i = 0; i < TICKETS_STORE_MANY; i++) /* the last fills what is left */
        args[i] = ids[i < count ? i : count - 1];
    return svc_db_each(db, &sql[count > 16 ? 3 : count > 4 ? 2 : count > 1], args,
                       take_wanted, &wanted, pool);
#undef GET
}

svc_err_t *tickets_store_take(void *baton, const svc_db_row_t *row)
{
    read_row(apr_array_push(baton), row);
    return NULL;
}

void tickets_store_insert(svc_stream_tx_t *tx, const ticket_t *ticket)
{
    static const svc_db_rows_t statements = SVC_DB_ROWS(
        "tickets_store_insert",
        "INSERT INTO tickets (id, position, title, cents, user_id, version) "
        "VALUES ", "(%s, %lld, %s, %lld, %s, %lld)");
    const char *args[] = { ticket->id,
                           svc_db_arg(ticket->position, tx->pool),
                           ticket->title,
                           svc_db_arg(ticket->cents, tx->pool),
                           ticket->user_id,
                           svc_db_arg(ticket->version, tx->pool) };

    svc_stream_insert(tx, &statements, args, sizeof(args) / sizeof(args[0]));
}

svc_err_t *tickets_store_edit(int *changed, svc_stream_tx_t *tx,
                              const ticket_t *ticket)
{
    static const svc_db_sql_t sql = {
        "tickets_store_edit",
        SVC_DB_SAME("UPDATE tickets SET title = %s, cents = %lld, "
                    "version = version + 1 "
                    "WHERE id = %s AND version = %lld AND order_id IS NULL")
    };
    const char *args[] = { ticket->title, svc_db_arg(ticket->cents, tx->pool),
                           ticket->id, svc_db_arg(ticket->version, tx->pool) };

    return svc_db_run(changed, tx->db, &sql, args, tx->pool);
}

/* An UPDATE that tells what it has made of the row: one round trip to a server
 * that can. */
#define CHANGE(sql) { sql, sql " RETURNING " COLUMNS, sql }

static svc_err_t *change(int *changed, ticket_t *out, svc_stream_tx_t *tx,
                         const svc_db_sql_t *sql, const char *const *args,
                         const char *id)
{
    svc_err_t *err;

    if (svc_db_engine(tx->db) != SVC_DB_PGSQL) {
        err = svc_db_run(changed, tx->db, sql, args, tx->pool);
        return err || !*changed ? err : tickets_store_get(changed, out, tx->db,
                                                          id, tx->pool);
    }
    out->id = NULL;
    err = svc_db_each(tx->db, sql, args, take_one, out, tx->pool);
    *changed = out->id != NULL;
    return err;
}

svc_err_t *tickets_store_reserve(int *changed, ticket_t *out,
                                 svc_stream_tx_t *tx, const char *id,
                                 const char *order_id,
                                 const char *order_source)
{
    static const svc_db_sql_t sql = {
        "tickets_store_reserve",
        CHANGE("UPDATE tickets SET order_id = %s, order_source = %s, "
               "version = version + 1 WHERE id = %s AND order_id IS NULL")
    };
    const char *args[] = { order_id, order_source, id };

    return change(changed, out, tx, &sql, args, id);
}

svc_err_t *tickets_store_release(int *changed, ticket_t *out,
                                 svc_stream_tx_t *tx, const char *id,
                                 const char *order_id)
{
    static const svc_db_sql_t sql = {
        "tickets_store_release",
        CHANGE("UPDATE tickets SET order_id = NULL, order_source = NULL, "
               "version = version + 1 WHERE id = %s AND order_id = %s")
    };
    const char *args[] = { id, order_id };

    return change(changed, out, tx, &sql, args, id);
}

/* Who has a ticket. */
typedef struct holder_t {
    const char *order_id, *order_source;
} holder_t;

static svc_err_t *take_holder(void *baton, const svc_db_row_t *row)
{
    holder_t *holder = baton;

    holder->order_id = svc_db_row_text(row, 0);
    holder->order_source = svc_db_row_text(row, 1);
    return NULL;
}

svc_err_t *tickets_store_holder(const char **order_id,
                                const char **order_source, svc_db_t *db,
                                const char *id, apr_pool_t *pool)
{
    static const svc_db_sql_t sql = {
        "tickets_store_holder",
        SVC_DB_SAME("SELECT order_id, order_source FROM tickets "
                    "WHERE id = %s AND order_id IS NOT NULL")
    };
    const char *args[] = { id };
    holder_t holder = { NULL, NULL };
    svc_err_t *err = svc_db_each(db, &sql, args, take_holder, &holder, pool);

    *order_id = holder.order_id;
    *order_source = holder.order_source;
    return err;
}

svc_err_t *tickets_store_reserved(apr_array_header_t **out, svc_db_t *db,
                                  const char *order_source, const char *after,
                                  const char *last, int limit,
                                  apr_pool_t *pool)
{
    static const svc_db_sql_t sql = {
        "tickets_store_reserved",
        SVC_DB_SAME("SELECT " COLUMNS " FROM tickets "
                    "WHERE order_id > %s AND (%s = '' OR order_id <= %s) "
                    "AND order_source = %s ORDER BY order_id LIMIT %lld")
    };
    const char *args[] = { after, last, last, order_source,
                           svc_db_arg(limit, pool) };

    *out = apr_array_make(pool, 16, sizeof(ticket_t));
    return svc_db_each(db, &sql, args, tickets_store_take, *out, pool);
}

svc_err_t *tickets_store_all(apr_array_header_t **out, svc_db_t *db,
                             const char *after, int limit, apr_pool_t *pool)
{
    static const svc_db_sql_t sql = {
        "tickets_store_all",
        SVC_DB_SAME("SELECT " COLUMNS " FROM tickets WHERE id > %s "
                    "ORDER BY id LIMIT %lld")
    };
    const char *args[] = { after, svc_db_arg(limit, pool) };

    *out = apr_array_make(pool, limit, sizeof(ticket_t));
    return svc_db_each(db, &sql, args, tickets_store_take, *out, pool);
}

svc_err_t *tickets_store_remember(svc_stream_tx_t *tx, const char *order_id)
{
    static const svc_db_sql_t forget = {
        "tickets_store_forget",
        SVC_DB_SAME("DELETE FROM tickets_cancelled WHERE recorded_at < %lld")
    };
    static const svc_db_sql_t insert = {
        "tickets_store_remember",
        SVC_DB_SAME("INSERT INTO tickets_cancelled (order_id, recorded_at) "
                    "VALUES (%s, %lld) ON CONFLICT DO NOTHING")
    };
    const char *old[] = { svc_db_arg(tx->now - TICKETS_REMEMBER_MS, tx->pool) };
    const char *args[] = { order_id, svc_db_arg(tx->now, tx->pool) };
    svc_err_t *err = svc_db_run(NULL, tx->db, &forget, old, tx->pool);

    return err ? err : svc_db_run(NULL, tx->db, &insert, args, tx->pool);
}

svc_err_t *tickets_store_remembers(int *out, svc_stream_tx_t *tx,
                                   const char *order_id)
{
    static const svc_db_sql_t sql = {
        "tickets_store_remembers",
        SVC_DB_SAME("SELECT COUNT(*) FROM tickets_cancelled "
                    "WHERE order_id = %s")
    };
    const char *args[] = { order_id };
    apr_int64_t count = 0;
    svc_err_t *err = svc_db_get(&count, tx->db, &sql, args, tx->pool);

    *out = count > 0;
    return err;
}
