/* raw TICKETS-DATABASE DATABASE BATCH: what SQLite itself needs to write the
 * rows that a follower of this log writes. Reads all events, with their data,
 * into memory; then inserts or updates the replica's rows in order, and moves
 * the cursor, BATCH events in a transaction, by prepared statements, durable
 * as the service is (WAL, synchronous=FULL). Prints "events N seconds S".
 */
#include <string.h>

#include <apr_general.h>
#include <sqlite3.h>

#include "bench.h"
#include "orders_schema.h"
#include "svc_schema.h"
#include "svc_stream.h"

typedef struct event_t {
    char *id, *event_id, *title, *user_id;
    int64_t cents, version;
} event_t;

static sqlite3 *db;

static void check(int rc)
{
    if (rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE)
        bench_die("raw: %s", sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *statement;

    check(sqlite3_prepare_v2(db, sql, -1, &statement, NULL));
    return statement;
}

static void run(const char *sql)
{
    check(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

/* The tables, as the service makes them. */
static void make_tables(const char *file)
{
    apr_pool_t *pool;
    svc_db_t *made;
    svc_err_t *err;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    svc_db_setup(pool);
    if ((err = svc_db_open(&made, "sqlite3", file, pool, pool)) ||
        (err = svc_schema_migrate(made, &orders_schema, pool)))
        bench_die("raw: %s (%s)", err->message, err->detail);
    svc_db_close(made);
    apr_pool_destroy(pool);
    apr_terminate();
}

static char *text(sqlite3_stmt *row, int column)
{
    return strdup((const char *)sqlite3_column_text(row, column));
}

static event_t *read_events(size_t *count, char **source, const char *file)
{
    event_t *events = NULL;
    sqlite3_stmt *row;

    check(sqlite3_open(file, &db));
    row = prepare("SELECT source FROM tickets_head");
    check(sqlite3_step(row));
    *source = text(row, 0);
    sqlite3_finalize(row);
    row = prepare("SELECT entity_id, event_id, json_extract(event, "
                  "'$.data.title'), json_extract(event, '$.data.userId'), "
                  "CAST(ROUND(json_extract(event, '$.data.price') * 100) AS "
                  "INTEGER), json_extract(event, '$.data.version') "
                  "FROM tickets_log ORDER BY position");
    for (*count = 0; sqlite3_step(row) == SQLITE_ROW; (*count)++) {
        events = bench_grow(events, *count, sizeof(*events));
        events[*count] = (event_t){ text(row, 0), text(row, 1), text(row, 2),
                                    text(row, 3), sqlite3_column_int64(row, 4),
                                    sqlite3_column_int64(row, 5) };
    }
    sqlite3_finalize(row);
    check(sqlite3_close(db));
    return events;
}

static void set(sqlite3_stmt *statement, int at, const char *value)
{
    check(sqlite3_bind_text(statement, at, value, -1, SQLITE_STATIC));
}

static void finish(sqlite3_stmt *statement)
{
    check(sqlite3_step(statement));
    if (sqlite3_changes(db) != 1)
        bench_die("raw: a statement changed no row: %s",
                  sqlite3_sql(statement));
    sqlite3_reset(statement);
}

static void write_event(sqlite3_stmt *insert, sqlite3_stmt *update,
                        const event_t *event, const char *source)
{
    sqlite3_stmt *statement = event->version ? update : insert;

    set(statement, 1, event->title);
    set(statement, 2, event->user_id);
    sqlite3_bind_int64(statement, 3, event->cents);
    set(statement, 4, event->id);
    set(statement, 5, source);
    sqlite3_bind_int64(statement, 6, event->version);
    finish(statement);
}

static void write_events(const event_t *events, size_t count,
                         const char *source, size_t batch)
{
    sqlite3_stmt *insert = prepare(
        "INSERT INTO orders_tickets (title, user_id, cents, id, source, "
        "version) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
    sqlite3_stmt *update = prepare(
        "UPDATE orders_tickets SET title = ?1, user_id = ?2, cents = ?3, "
        "order_id = NULL, version = ?6 "
        "WHERE id = ?4 AND source = ?5 AND version = ?6 - 1");
    sqlite3_stmt *cursor = prepare(
        "INSERT INTO orders_cursor (source, position, event_id) VALUES (?1, "
        "?2, ?3) ON CONFLICT (source) DO UPDATE SET position = ?2, "
        "event_id = ?3");
    size_t i, end;

    for (i = 0; i < count; i = end) {
        end = i + batch < count ? i + batch : count;
        run("BEGIN IMMEDIATE");
        for (; i < end; i++)
            write_event(insert, update, &events[i], source);
        set(cursor, 1, source);
        sqlite3_bind_int64(cursor, 2, (sqlite3_int64)end);
        set(cursor, 3, events[end - 1].event_id);
        finish(cursor);
        run("COMMIT");
    }
    sqlite3_finalize(insert);
    sqlite3_finalize(update);
    sqlite3_finalize(cursor);
}

int main(int argc, char **argv)
{
    event_t *events;
    char *source;
    size_t count;
    int64_t begin;

    if (argc != 4)
        bench_die("raw TICKETS-DATABASE DATABASE BATCH");
    make_tables(argv[2]);
    events = read_events(&count, &source, argv[1]);
    check(sqlite3_open(argv[2], &db));
    run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
        "PRAGMA wal_autocheckpoint=4000");
    begin = bench_now();
    write_events(events, count, source, (size_t)atoi(argv[3]));
    printf("events %zu seconds %.4f\n", count,
           (double)(bench_now() - begin) / 1e9);
    check(sqlite3_close(db));
    return 0; /* the events go with the process */
}
