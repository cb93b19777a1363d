/* svc_db: see the header. */
#include "svc_db.h"

#include <stdlib.h>
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_dbd.h>

#include "svc_db_class.h"
#include "svc_time.h"

#define SQLITE_BUSY_CODE 5
#define BUSY_MS 2000
#define BUSY_PAUSE_MS 20
#define CHECKPOINT_PAGES 4000
#define PAGES_PER_COMMIT 8 /* of small transactions, besides one per row */

struct svc_db_t {
    const apr_dbd_driver_t *driver;
    apr_dbd_t *handle;
    svc_db_engine_t engine;
    apr_pool_t *pool;       /* the connection's own */
    apr_hash_t *statements; /* svc_db_sql_t * -> apr_dbd_prepared_t * */
    int in_transaction;
    int last_code; /* of the last failure */
    int written; /* about how many pages of log since the last checkpoint */
};

struct svc_db_row_t {
    const svc_db_t *db;
    apr_dbd_row_t *row;
    apr_pool_t *pool;
};

svc_db_engine_t svc_db_engine_of(const char *driver)
{
    if (strcmp(driver, "sqlite3") == 0)
        return SVC_DB_SQLITE;
    if (strcmp(driver, "pgsql") == 0)
        return SVC_DB_PGSQL;
    if (strcmp(driver, "mysql") == 0)
        return SVC_DB_MYSQL;
    return SVC_DB_ENGINES;
}

void svc_db_setup(apr_pool_t *pool)
{
    apr_dbd_init(pool);
}

svc_db_sql_t svc_db_sql(const char *label, const char *service,
                        const char *format, apr_pool_t *pool)
{
    svc_db_sql_t sql;
    const char *text = format;
    const char *at;
    int i;

    while ((at = strchr(text, '#')))
        text = apr_pstrcat(pool, apr_pstrmemdup(pool, text,
                                                (apr_size_t)(at - text)),
                           service, at + 1, NULL);
    sql.label = label;
    for (i = 0; i < SVC_DB_ENGINES; i++)
        sql.text[i] = text;
    return sql;
}

static svc_err_t *failure(svc_db_t *db, int code, const char *doing,
                          apr_pool_t *pool)
{
    const char *text = apr_dbd_error(db->driver, db->handle, code);
    svc_err_kind_t kind = svc_db_class(db->engine, code, text);

    db->last_code = code;
    return svc_err_ours(pool, kind,
                        kind == SVC_ERR_INTERNAL
                            ? "The database refused a statement"
                            : "The database is not available",
                        "%s: %s (%d)", doing, text ? text : "no reason given",
                        code);
}

/* What a new session of ours needs; in SQLite the last statement must return
 * no row, or the driver calls the whole text a failure. */
static const char *session_setup(svc_db_engine_t engine)
{
    switch (engine) {
    case SVC_DB_SQLITE:
        return "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; "
               "PRAGMA busy_timeout=0; PRAGMA synchronous=FULL";
    case SVC_DB_MYSQL:
        return "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
    default:
        return NULL;
    }
}

static svc_db_t *wrap(const apr_dbd_driver_t *driver, apr_dbd_t *handle,
                      apr_pool_t *pool)
{
    svc_db_t *db = apr_pcalloc(pool, sizeof(*db));

    db->driver = driver;
    db->handle = handle;
    db->engine = svc_db_engine_of(apr_dbd_name(driver));
    db->pool = pool;
    db->statements = apr_hash_make(pool);
    if (db->engine == SVC_DB_PGSQL)
        svc_db_class_session(apr_dbd_native_handle(driver, handle));
    return db;
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
    if (apr_dbd_open_ex(driver, pool, params, &handle, &reason) !=
        APR_SUCCESS) {
        err = svc_err_ours(scratch, SVC_ERR_UNAVAILABLE,
                           "The database is not available",
                           "cannot open the database: %s",
                           reason ? reason : "no reason given");
        apr_pool_destroy(pool);
        return err;
    }
    db = wrap(driver, handle, pool);
    if (session_setup(db->engine))
        err = svc_db_text(db, session_setup(db->engine), scratch);
    if (err)
        svc_db_close(db);
    else
        *out = db;
    return err;
}

void svc_db_close(svc_db_t *db)
{
    apr_dbd_close(db->driver, db->handle);
    apr_pool_destroy(db->pool);
}

svc_db_t *svc_db_adopt(const apr_dbd_driver_t *driver, apr_dbd_t *handle,
                       apr_pool_t *pool)
{
    return wrap(driver, handle, pool);
}

svc_db_engine_t svc_db_engine(const svc_db_t *db)
{
    return db->engine;
}

/* May what just failed be tried again? Only outside a transaction, where nothing
 * is lost by it; inside one the writer starts the whole anew.
 *
 * SQLite says BUSY to one who opens, reads or begins while another process
 * recovers the log after a kill, or removes it as the last to close: that is
 * over soon (the driver may have waited already, up to 1.6 s each time).
 * A session that was reset, or a schema that changed, makes prepared statements
 * fail for ever: they are forgotten, once. */
static int try_again(svc_db_t *db, apr_int64_t begin, int *has_forgotten)
{
    if (db->in_transaction)
        return 0;
    if (db->engine == SVC_DB_SQLITE && db->last_code == SQLITE_BUSY_CODE) {
        if (svc_time_ticks() - begin > BUSY_MS)
            return 0;
        apr_sleep(BUSY_PAUSE_MS * 1000);
        return 1;
    }
    if (*has_forgotten)
        return 0;
    *has_forgotten = 1;
    apr_hash_clear(db->statements);
    return 1;
}

svc_err_t *svc_db_text(svc_db_t *db, const char *sql, apr_pool_t *pool)
{
    apr_int64_t begin = svc_time_ticks();
    svc_err_t *err;
    int has_forgotten = 0, changed = 0, code;

    do {
        code = apr_dbd_query(db->driver, db->handle, &changed, sql);
        err = code ? failure(db, code, sql, pool) : NULL;
    } while (err && try_again(db, begin, &has_forgotten));
    return err;
}

svc_err_t *svc_db_begin(svc_db_t *db, apr_pool_t *pool)
{
    svc_err_t *err = svc_db_text(
        db, db->engine == SVC_DB_SQLITE ? "BEGIN IMMEDIATE" : "BEGIN", pool);

    db->in_transaction = !err;
    return err;
}

svc_err_t *svc_db_commit(svc_db_t *db, apr_pool_t *pool)
{
    svc_err_t *err = svc_db_text(db, "COMMIT", pool);

    db->in_transaction = err != NULL;
    db->written += PAGES_PER_COMMIT;
    return err;
}

void svc_db_rollback(svc_db_t *db, apr_pool_t *pool)
{
    svc_db_text(db, "ROLLBACK", pool);
    db->in_transaction = 0;
}

static svc_err_t *prepare(apr_dbd_prepared_t **out, svc_db_t *db,
                          const svc_db_sql_t *sql, apr_pool_t *pool)
{
    int code;

    *out = apr_hash_get(db->statements, &sql, sizeof(sql));
    if (*out)
        return NULL;
    code = apr_dbd_prepare(db->driver, db->pool, db->handle,
                           sql->text[db->engine], sql->label, out);
    if (code)
        return failure(db, code, sql->label, pool);
    apr_hash_set(db->statements,
                 apr_pmemdup(db->pool, &sql, sizeof(sql)), sizeof(sql), *out);
    return NULL;
}

static int count_args(const char *text)
{
    int count = 0;

    for (; (text = strchr(text, '%')); text++) {
        if (text[1] == '%')
            text++;
        else
            count++;
    }
    return count;
}

/* A query or a change on its way. */
typedef struct execution_t {
    svc_db_t *db;
    const svc_db_sql_t *sql;
    const char *const *args;
    svc_db_row_fn fn; /* NULL: a change */
    void *baton;
    int changed;        /* out, of a change */
    svc_err_t *refused; /* out: what fn said; not a failure of the statement */
    apr_pool_t *pool;
} execution_t;

static svc_err_t *attempt(execution_t *run)
{
    svc_db_t *db = run->db;
    int nargs = count_args(run->sql->text[db->engine]);
    const char **values = (const char **)run->args; /* apr_dbd lacks a const */
    apr_dbd_prepared_t *statement = NULL;
    apr_dbd_results_t *results = NULL;
    svc_db_row_t row = { db, NULL, run->pool };
    svc_err_t *err = prepare(&statement, db, run->sql, run->pool);
    int code;

    if (err)
        return err;
    if (!run->fn) {
        code = apr_dbd_pquery(db->driver, run->pool, db->handle, &run->changed,
                              statement, nargs, values);
        if (code)
            return failure(db, code, run->sql->label, run->pool);
        db->written += run->changed;
        return NULL;
    }
    /* Random access keeps the pgsql driver from hiding errors and from
     * sleeping on an empty result; only mysql cannot step through it. */
    code = apr_dbd_pselect(db->driver, run->pool, db->handle, &results,
                           statement, db->engine != SVC_DB_MYSQL, nargs,
                           values);
    if (code)
        return failure(db, code, run->sql->label, run->pool);
    while (apr_dbd_get_row(db->driver, run->pool, results, &row.row, -1) == 0) {
        if (!run->refused)
            run->refused = run->fn(run->baton, &row); /* the rest is read, so
                                        that the connection is free again */
    }
    return NULL;
}

static svc_err_t *execute(execution_t *run)
{
    apr_int64_t begin = svc_time_ticks();
    int has_forgotten = 0;
    svc_err_t *err;

    do {
        err = attempt(run);
    } while (err && try_again(run->db, begin, &has_forgotten));
    return err ? err : run->refused;
}

svc_err_t *svc_db_run(int *changed, svc_db_t *db, const svc_db_sql_t *sql,
                      const char *const *args, apr_pool_t *pool)
{
    execution_t run = { db, sql, args, NULL, NULL, 0, NULL, pool };
    svc_err_t *err = execute(&run);

    if (changed)
        *changed = run.changed;
    return err;
}

svc_err_t *svc_db_each(svc_db_t *db, const svc_db_sql_t *sql,
                       const char *const *args, svc_db_row_fn fn, void *baton,
                       apr_pool_t *pool)
{
    execution_t run = { db, sql, args, fn, baton, 0, NULL, pool };

    return execute(&run);
}

static svc_err_t *take_int(void *baton, const svc_db_row_t *row)
{
    *(apr_int64_t *)baton = svc_db_row_int(row, 0);
    return NULL;
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
    static const svc_db_sql_t sql = {
        "svc_db_now",
        { "SELECT CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) "
          "AS INTEGER)",
          "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
          "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS INTEGER)" }
    };

    return svc_db_get(out, db, &sql, NULL, pool);
}

int svc_db_needs_checkpoint(const svc_db_t *db)
{
    return db->engine == SVC_DB_SQLITE && db->written >= CHECKPOINT_PAGES;
}

void svc_db_checkpoint(svc_db_t *db)
{
    int changed;

    db->written = 0;
    /* Its answer is a row, which the driver calls a failure (code 100). */
    if (db->engine == SVC_DB_SQLITE)
        apr_dbd_query(db->driver, db->handle, &changed,
                      "PRAGMA wal_checkpoint(RESTART)");
}
