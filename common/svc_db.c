/* svc_db: see the header. */
#include "svc_db.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_dbd.h>

#include "svc_db_class.h"
#include "svc_db_session.h"
#include "svc_db_watch.h"
#include "svc_time.h"

#define SQLITE_BUSY_CODE 5
#define BUSY_MS 2000
#define BUSY_PAUSE_MS 20
#define LIMIT_MS(seconds) ((seconds) ? (seconds) * 1000 + 500 : 0) /* watch */
#define ARGS(run) /* apr_dbd lacks a const */ \
    svc_db_sql_count((run)->sql->text[(run)->db->engine]), \
        (const char **)(run)->args
#define END_OF_ROWS (-1) /* what apr_dbd_get_row answers after the last */

struct svc_db_t {
    const apr_dbd_driver_t *driver;
    apr_dbd_t *handle;
    svc_db_engine_t engine;
    apr_pool_t *pool, *prepared; /* the connection's own, its statements' */
    apr_hash_t *statements; /* svc_db_sql_t * -> apr_dbd_prepared_t * */
    int count;              /* of statements prepared so far */
    int is_set_up;          /* the session has its settings */
    int is_pooled;          /* it is a session for one transaction at a time */
    svc_db_watch_t *watch;  /* NULL: there is no server that could hang */
    int limit_s;            /* of a statement; 0: none */
    int is_hung;            /* the watch ended the last one */
    int in_transaction, last_code; /* of the last failure */
    int was_undone; /* the transaction, by the server, in favour of another */
    svc_db_session_log_t log; /* SQLite's write-ahead log */
};

struct svc_db_row_t {
    const svc_db_t *db;
    apr_dbd_row_t *row;
    apr_pool_t *pool;
};

void svc_db_setup(apr_pool_t *pool)
{
    apr_dbd_init(pool);
}

static svc_err_t *failure(svc_db_t *db, int code, const char *doing,
                          apr_pool_t *pool)
{
    const char *text = apr_dbd_error(db->driver, db->handle, code);
    svc_err_kind_t kind = svc_db_class(db->engine, code, text);

    db->last_code = code;
    db->was_undone = svc_db_class_is_conflict(db->engine, code, text);
    return svc_err_ours(pool, kind,
                        kind == SVC_ERR_INTERNAL
                            ? "The database refused a statement"
                            : "The database is not available",
                        "%s: %s (%d)", doing,
                        text && *text ? text : "no reason given", code);
}

static svc_db_t *wrap(const apr_dbd_driver_t *driver, apr_dbd_t *handle,
                      apr_pool_t *pool)
{
    svc_db_t *db = apr_pcalloc(pool, sizeof(*db));

    db->driver = driver;
    db->handle = handle;
    db->engine = svc_db_sql_engine(apr_dbd_name(driver));
    db->pool = pool;
    db->statements = apr_hash_make(pool);
    db->limit_s = SVC_DB_LIMIT_S;
    if (db->engine != SVC_DB_SQLITE)
        db->watch = svc_db_watch_add(db->engine == SVC_DB_MYSQL, pool);
    return db;
}

static void wait_begin(svc_db_t *db)
{
    void *native = apr_dbd_native_handle(db->driver, db->handle);

    if (db->watch)
        svc_db_watch_begin(db->watch, svc_db_session_socket(db->engine, native),
                           LIMIT_MS(db->limit_s));
}

static void wait_end(svc_db_t *db)
{
    if (db->watch)
        db->is_hung = svc_db_watch_end(db->watch);
}

static svc_err_t *say(svc_db_t *db, const char *sql, apr_pool_t *pool)
{
    int changed = 0, code;

    wait_begin(db);
    code = apr_dbd_query(db->driver, db->handle, &changed,
                         svc_db_session_sql(db->engine, sql, pool));
    wait_end(db);
    return code && !svc_db_session_is_nothing(db->engine, code, sql)
               ? failure(db, code, sql, pool) : NULL;
}

svc_err_t *svc_db_open(svc_db_t **out, const char *driver_name,
                       const char *params, apr_pool_t *parent,
                       apr_pool_t *scratch)
{
    const apr_dbd_driver_t *driver = NULL;
    apr_dbd_t *handle = NULL;
    const char *reason = NULL;
    svc_err_t *err = NULL;
    apr_pool_t *pool;
    svc_db_t *db;

    if (apr_dbd_get_driver(parent, driver_name, &driver) != APR_SUCCESS)
        return svc_err_ours(scratch, SVC_ERR_UNAVAILABLE,
                            "The database is not available",
                            "apr_dbd has no driver \"%s\" here", driver_name);
    apr_pool_create(&pool, parent);
    params = svc_db_session_params(svc_db_sql_engine(driver_name), params, pool);
    if (apr_dbd_open_ex(driver, pool, params, &handle, &reason)) {
        err = svc_err_ours(scratch, SVC_ERR_UNAVAILABLE,
                           "The database is not available",
                           "cannot open the database: %s",
                           reason ? reason : "no reason given");
        apr_pool_destroy(pool);
        return err;
    }
    db = wrap(driver, handle, pool);
    if ((err = svc_db_text(db, "", scratch)))
        svc_db_close(db);
    else
        *out = db;
    return err;
}

void svc_db_close(svc_db_t *db)
{
    if (db->watch)
        svc_db_watch_remove(db->watch);
    apr_dbd_close(db->driver, db->handle);
    apr_pool_destroy(db->pool);
}

svc_db_t *svc_db_adopt(const apr_dbd_driver_t *driver, apr_dbd_t *handle,
                       apr_pool_t *pool)
{
    svc_db_t *db = wrap(driver, handle, pool);

    db->is_set_up = db->engine == SVC_DB_SQLITE; /* a file's stay as they are */
    return db;
}

int svc_db_has_moved(const svc_db_t *db)
{
    return db->engine == SVC_DB_SQLITE &&
           svc_db_session_has_moved(
               apr_dbd_native_handle(db->driver, db->handle));
}

svc_db_engine_t svc_db_engine(const svc_db_t *db)
{
    return db->engine;
}

/* May what just failed be tried again? Only outside a transaction, where nothing
 * is lost by it; inside one the writer starts the whole anew.
 * SQLite says BUSY to one who comes while another process recovers the log after a
 * kill, or removes it as the last to close: that is over soon.
 * A session that was reset, or a schema that changed, makes prepared statements
 * fail for ever: they are forgotten, once. libpq replaces a lost session. */
static int try_again(svc_db_t *db, const svc_err_t *err, apr_int64_t begin,
                     int *has_forgotten)
{
    if (db->in_transaction)
        return 0;
    if (db->engine == SVC_DB_SQLITE && db->last_code == SQLITE_BUSY_CODE) {
        if (svc_time_ticks() - begin > BUSY_MS)
            return 0;
        apr_sleep(BUSY_PAUSE_MS * 1000);
        return 1;
    }
    if (*has_forgotten || db->is_hung ||
        (db->engine != SVC_DB_SQLITE && err->kind != SVC_ERR_RETRY))
        return 0;
    *has_forgotten = 1;
    if (db->engine != SVC_DB_SQLITE) {
        apr_status_t status;

        wait_begin(db);
        status = apr_dbd_check_conn(db->driver, db->pool, db->handle);
        wait_end(db);
        if (status != APR_SUCCESS)
            return 0;
        db->is_set_up = 0; /* it may be another session now */
        if (db->prepared) /* SQLite's driver keeps a list of them */
            apr_pool_clear(db->prepared);
    }
    apr_hash_clear(db->statements);
    return 1;
}

svc_err_t *svc_db_limit(svc_db_t *db, int seconds, apr_pool_t *pool)
{
    const char *sql = svc_db_session_limit(db->engine, seconds, db->is_pooled,
                                           pool);

    db->limit_s = seconds;
    return sql && (!db->is_pooled || db->in_transaction)
               ? svc_db_text(db, sql, pool)
               : NULL; /* it is said when one begins */
}

svc_err_t *svc_db_begin(svc_db_t *db, apr_pool_t *pool)
{
    svc_err_t *err = svc_db_text(db, "", pool); /* pooled or not: now it knows */

    db->was_undone = 0;
    if (!err)
        err = svc_db_text(db, svc_db_session_begin(db->engine, db->is_pooled,
                                                   db->limit_s, pool), pool);
    db->in_transaction = !err;
    return err;
}

svc_err_t *svc_db_commit(svc_db_t *db, apr_pool_t *pool)
{
    svc_err_t *err = svc_db_text(db, "COMMIT", pool);

    db->in_transaction = err != NULL;
    return err;
}

void svc_db_rollback(svc_db_t *db, apr_pool_t *pool)
{
    svc_db_text(db, "ROLLBACK", pool);
    db->in_transaction = 0;
}

int svc_db_was_undone(const svc_db_t *db)
{
    return db->was_undone;
}

/* Its name is new: the session is both modules', and may still know a statement
 * that was forgotten here. Without one the driver sends the text each time. */
static svc_err_t *prepare(apr_dbd_prepared_t **out, svc_db_t *db,
                          const svc_db_sql_t *sql, apr_pool_t *pool)
{
    int code;

    *out = apr_hash_get(db->statements, &sql, sizeof(sql));
    if (*out)
        return NULL;
    if (!db->prepared)
        apr_pool_create(&db->prepared, db->pool);
    wait_begin(db);
    code = apr_dbd_prepare(db->driver, db->prepared, db->handle,
                           svc_db_session_sql(db->engine,
                                              sql->text[db->engine], pool),
                           db->is_pooled
                               ? NULL
                               : apr_psprintf(db->prepared, "svc_%pp_%d",
                                              (void *)db, db->count++),
                           out);
    wait_end(db);
    if (code)
        return failure(db, code, sql->label, pool);
    apr_hash_set(db->statements, apr_pmemdup(db->pool, &sql, sizeof(sql)),
                 sizeof(sql), *out);
    return NULL;
}

/* A query or a change on its way. */
typedef struct execution_t {
    svc_db_t *db;
    const svc_db_sql_t *sql; /* NULL: text, without a result */
    const char *const *args;
    svc_db_row_fn fn; /* NULL: a change */
    void *baton;
    int changed;        /* out, of a change */
    svc_err_t *refused; /* out: what fn said; not a failure of the statement */
    apr_pool_t *pool;
    const char *text;
} execution_t;

static svc_err_t *change(execution_t *run, apr_dbd_prepared_t *statement)
{
    svc_db_t *db = run->db;
    int code;

    wait_begin(db);
    code = apr_dbd_pquery(db->driver, run->pool, db->handle, &run->changed,
                          statement, ARGS(run));
    wait_end(db);
    if (svc_db_session_is_nothing(db->engine, code,
                                  run->sql->text[db->engine]))
        code = run->changed = 0;
    return code ? failure(db, code, run->sql->label, run->pool) : NULL;
}

/* STATEMENT may be NULL: then the SQL is sent as text, for there are no arguments.
 * Random access keeps the pgsql driver from hiding errors and from sleeping on an
 * empty result; only mysql cannot step through it. Either has all rows at once. */
static svc_err_t *query(execution_t *run, apr_dbd_prepared_t *statement)
{
    svc_db_t *db = run->db;
    apr_dbd_results_t *results = NULL;
    svc_db_row_t row = { db, NULL, run->pool };
    int random = db->engine != SVC_DB_MYSQL, code;

    wait_begin(db);
    code = statement
               ? apr_dbd_pselect(db->driver, run->pool, db->handle, &results,
                                 statement, random, ARGS(run))
               : apr_dbd_select(db->driver, run->pool, db->handle, &results,
                                run->sql->text[db->engine], random);
    wait_end(db);
    if (code)
        return failure(db, code, run->sql->label, run->pool);
    while ((code = apr_dbd_get_row(db->driver, run->pool, results, &row.row,
                                   -1)) == 0) {
        if (!run->refused) /* the rest is read: that frees the connection */
            run->refused = run->fn(run->baton, &row);
    }
    return code == END_OF_ROWS
               ? NULL
               : failure(db, code, run->sql->label, run->pool);
}

static svc_err_t *take_int(void *baton, const svc_db_row_t *row)
{
    *(apr_int64_t *)baton = svc_db_row_int(row, 0);
    return NULL;
}

/* PostgreSQL: learns who answers, and whether he will do. */
static svc_err_t *greet(svc_db_t *db, apr_pool_t *pool)
{
    svc_db_session_meeting_t meeting = {
        apr_dbd_native_handle(db->driver, db->handle), 0, pool
    };
    execution_t run = { db, &svc_db_session_greeting, NULL, svc_db_session_meet,
                        &meeting, 0, NULL, pool, NULL };
    svc_err_t *err;

    svc_db_class_session(meeting.native);
    err = query(&run, NULL);
    db->is_pooled = meeting.is_pooled;
    return err ? err : run.refused;
}

/* Makes the session ours, if it is not. */
static svc_err_t *set_up(svc_db_t *db, apr_pool_t *pool)
{
    const char *const *statement;
    svc_err_t *err = NULL;

    if (db->is_set_up)
        return NULL;
    if (db->engine == SVC_DB_PGSQL)
        err = greet(db, pool);
    statement = svc_db_session_setup(db->engine, db->is_pooled);
    for (; *statement && !err; statement++)
        err = say(db, *statement, pool);
    if (!err && db->engine == SVC_DB_SQLITE)
        err = svc_db_session_log(
            &db->log, apr_dbd_native_handle(db->driver, db->handle), pool);
    db->is_set_up = !err;
    return err;
}

/* A node of Galera that undoes a transaction while a statement is prepared tells
 * nobody (MariaDB 10.11): what follows would be committed without the rest. */
static svc_err_t *confirm(svc_db_t *db, apr_pool_t *pool)
{
    apr_int64_t is_there = 0;
    execution_t run = { db, &svc_db_session_transaction, NULL, take_int,
                        &is_there, 0, NULL, pool, NULL };
    svc_err_t *err = query(&run, NULL);

    if (err || is_there)
        return err;
    db->was_undone = 1;
    return svc_err_ours(pool, SVC_ERR_RETRY, "The database is not available",
                        "the transaction was undone by another one");
}

static svc_err_t *attempt(execution_t *run)
{
    svc_db_t *db = run->db;
    apr_dbd_prepared_t *statement = NULL;
    int count = db->count;
    svc_err_t *err = set_up(db, run->pool);

    if (!err && !run->sql)
        return *run->text ? say(db, run->text, run->pool) : NULL;
    if (err || (err = prepare(&statement, db, run->sql, run->pool)))
        return err;
    if (db->count > count && db->in_transaction && db->engine == SVC_DB_MYSQL &&
        (err = confirm(db, run->pool)))
        return err;
    return run->fn ? query(run, statement) : change(run, statement);
}

static svc_err_t *execute(execution_t *run)
{
    apr_int64_t begin = svc_time_ticks();
    int has_forgotten = 0;
    svc_err_t *err;

    do {
        err = attempt(run);
    } while (err && try_again(run->db, err, begin, &has_forgotten));
    return err ? err : run->refused;
}

svc_err_t *svc_db_text(svc_db_t *db, const char *sql, apr_pool_t *pool)
{
    execution_t run = { .db = db, .text = sql, .pool = pool };

    return execute(&run);
}

svc_err_t *svc_db_run(int *changed, svc_db_t *db, const svc_db_sql_t *sql,
                      const char *const *args, apr_pool_t *pool)
{
    execution_t run = { db, sql, args, NULL, NULL, 0, NULL, pool, NULL };
    svc_err_t *err = execute(&run);

    if (changed)
        *changed = run.changed;
    return err;
}

svc_err_t *svc_db_each(svc_db_t *db, const svc_db_sql_t *sql,
                       const char *const *args, svc_db_row_fn fn, void *baton,
                       apr_pool_t *pool)
{
    execution_t run = { db, sql, args, fn, baton, 0, NULL, pool, NULL };

    return execute(&run);
}

svc_err_t *svc_db_get(apr_int64_t *out, svc_db_t *db, const svc_db_sql_t *sql,
                      const char *const *args, apr_pool_t *pool)
{
    return svc_db_each(db, sql, args, take_int, out, pool);
}

const char *svc_db_row_text(const svc_db_row_t *row, int column)
{
    char *text = NULL;

    if (apr_dbd_datum_get(row->db->driver, row->row, column,
                          APR_DBD_TYPE_STRING, &text) != APR_SUCCESS)
        return NULL;
    /* The other drivers free a row's text when they read on. */
    return row->db->engine == SVC_DB_SQLITE ? text
                                            : apr_pstrdup(row->pool, text);
}

apr_int64_t svc_db_row_int(const svc_db_row_t *row, int column)
{
    const char *text = svc_db_row_text(row, column);

    return text ? apr_atoi64(text) : 0;
}

const char *svc_db_arg(apr_int64_t value, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%" APR_INT64_T_FMT, value);
}

svc_err_t *svc_db_now(apr_int64_t *out, svc_db_t *db, apr_pool_t *pool)
{
    return svc_db_get(out, db, &svc_db_session_now, NULL, pool);
}

int svc_db_needs_checkpoint(const svc_db_t *db)
{
    return db->engine == SVC_DB_SQLITE &&
           db->log.pages - db->log.done >= SVC_DB_SESSION_LOG_PAGES;
}

void svc_db_checkpoint(svc_db_t *db)
{
    int changed;

    db->log.done = db->log.pages;
    /* Its answer is a row, which the driver calls a failure (code 100). */
    if (db->engine == SVC_DB_SQLITE)
        apr_dbd_query(db->driver, db->handle, &changed,
                      "PRAGMA wal_checkpoint(RESTART)");
}
