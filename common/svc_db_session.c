/* svc_db_session: see the header. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_DEFAULT */
#endif
#include "svc_db_session.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#define SQLITE_HAS_MOVED 20 /* SQLITE_FCNTL_HAS_MOVED */
#define MYSQL_DUPLICATE 1062
#define MYSQL_NO_VARIABLE 1193
#define OR_NOTHING " ON CONFLICT DO NOTHING"

/* On Galera a SELECT, and the BEGIN of a transaction, waits until this node has
 * what the others had committed before: what was answered by one machine is known
 * to all. Not every server knows it. */
#define SYNC_WAIT "SET SESSION wsrep_sync_wait = 1"

const svc_db_sql_t svc_db_session_now = {
    "svc_db_now",
    { "SELECT CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) "
      "AS INTEGER)",
      "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
      "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) "
      "DIV 1000" }
};

const svc_db_sql_t svc_db_session_transaction = {
    "svc_db_transaction", { NULL, NULL, "SELECT @@in_transaction" }
};

/* libpq waits for ever for a server that took the connection and then hangs.
 * What the operator says comes later and counts. */
static const char *params_pgsql(const char *params, apr_pool_t *pool)
{
    if (strncmp(params, "postgres://", 11) != 0 &&
        strncmp(params, "postgresql://", 13) != 0)
        return apr_pstrcat(pool, "connect_timeout=4 ", params, NULL);
    if (strstr(params, "connect_timeout="))
        return params;
    return apr_pstrcat(pool, params, strchr(params, '?') ? "&" : "?",
                       "connect_timeout=4", NULL);
}

/* The comma ends a value that was left empty; what comes last counts.
 * reconnect: the driver would replace a lost connection by a new one in the
 * middle of a transaction, whose rest would then be committed without its
 * beginning. flags: an UPDATE counts the rows that it finds, as on the other
 * engines, not only those that it changes. fldsz: the driver cuts a longer
 * column without a word; no text of ours can be longer than this. */
static const char *params_mysql(const char *params, apr_pool_t *pool)
{
    return apr_pstrcat(pool, params,
                       ",reconnect=0,flags=CLIENT_FOUND_ROWS,fldsz=16777215",
                       NULL);
}

const char *svc_db_session_params(svc_db_engine_t engine, const char *params,
                                  apr_pool_t *pool)
{
    switch (engine) {
    case SVC_DB_PGSQL:
        return params_pgsql(params, pool);
    case SVC_DB_MYSQL:
        return params_mysql(params, pool);
    default:
        return params;
    }
}

const svc_db_sql_t svc_db_session_greeting = {
    "svc_db_greeting",
    SVC_DB_SAME("SELECT pg_backend_pid(), current_setting('server_encoding')")
};

/* Of the process that was connected to. */
static int pid_of_pgsql(void *native)
{
    int (*pid_of)(void *);
    void *symbol = dlsym(RTLD_DEFAULT, "PQbackendPID");

    memcpy(&pid_of, &symbol, sizeof(symbol));
    return native && symbol ? pid_of(native) : 0;
}

svc_err_t *svc_db_session_meet(void *baton, const svc_db_row_t *row)
{
    svc_db_session_meeting_t *meeting = baton;
    const char *encoding = svc_db_row_text(row, 1);

    meeting->is_pooled = svc_db_row_int(row, 0) != pid_of_pgsql(meeting->native);
    if (encoding && strcmp(encoding, "UTF8") == 0)
        return NULL;
    return svc_err_ours(meeting->pool, SVC_ERR_UNAVAILABLE,
                        "The database is not available",
                        "the database has the encoding %s, in which not every "
                        "title can be kept: make one with ENCODING 'UTF8'",
                        encoding ? encoding : "(none)");
}

/* A number of seconds as text. */
#define TEXT(number) #number
#define SECONDS(number) TEXT(number)

/* Nobody's locks are held up by one who was stopped in the middle of a
 * transaction, or waits for them longer than a request would. */
#define PGSQL_LOCK "lock_timeout = '4s'"
#define PGSQL_IDLE "idle_in_transaction_session_timeout = '10s'"
#define PGSQL_TEXT \
    "SET client_encoding = 'UTF8'; SET standard_conforming_strings = on"

/* What words and quotes mean. */
#define MYSQL_NAMES "SET NAMES utf8mb4"
#define MYSQL_MODE \
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES," \
    "PIPES_AS_CONCAT,ANSI_QUOTES,NO_ENGINE_SUBSTITUTION'"

const char svc_db_session_mysql[] = MYSQL_NAMES ";\n" MYSQL_MODE ";\n";

const char *const *svc_db_session_setup(svc_db_engine_t engine, int is_pooled)
{
    /* In SQLite the last statement must return no row, or the driver calls the
     * whole text a failure. */
    static const char *const sqlite[] = {
        "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; "
        "PRAGMA busy_timeout=0; PRAGMA cache_size=-8192; "
        "PRAGMA synchronous=FULL",
        NULL
    };
    static const char *const pgsql[] = {
        PGSQL_TEXT "; SET default_transaction_isolation = 'read committed'; "
        "SET " PGSQL_LOCK "; SET " PGSQL_IDLE
        "; SET statement_timeout = '" SECONDS(SVC_DB_LIMIT_S) "s'", NULL
    };
    static const char *const pooled[] = { PGSQL_TEXT, NULL };
    static const char *const mysql[] = {
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        MYSQL_NAMES,
        MYSQL_MODE ", SESSION innodb_lock_wait_timeout = 4, "
        "SESSION idle_transaction_timeout = 10, "
        "SESSION max_statement_time = " SECONDS(SVC_DB_LIMIT_S),
        SYNC_WAIT,
        NULL
    };
    static const char *const *const setup[SVC_DB_ENGINES] = { sqlite, pgsql,
                                                              mysql };

    return is_pooled ? pooled : setup[engine];
}

const char *svc_db_session_begin(svc_db_engine_t engine, int is_pooled,
                                 int limit, apr_pool_t *pool)
{
    if (is_pooled)
        return apr_pstrcat(pool, "BEGIN ISOLATION LEVEL READ COMMITTED; "
                           "SET LOCAL " PGSQL_LOCK "; SET LOCAL " PGSQL_IDLE
                           "; ", svc_db_session_limit(engine, limit, 1, pool),
                           NULL);
    return engine == SVC_DB_SQLITE ? "BEGIN IMMEDIATE" : "BEGIN";
}

const char *svc_db_session_limit(svc_db_engine_t engine, int seconds,
                                 int is_pooled, apr_pool_t *pool)
{
    switch (engine) {
    case SVC_DB_PGSQL:
        return apr_psprintf(pool, "SET %sstatement_timeout = '%ds'",
                            is_pooled ? "LOCAL " : "", seconds);
    case SVC_DB_MYSQL:
        return apr_psprintf(pool, "SET SESSION max_statement_time = %d",
                            seconds);
    default:
        return NULL;
    }
}

static int is_or_nothing(const char *sql)
{
    apr_size_t length = strlen(sql), end = sizeof(OR_NOTHING) - 1;

    return length > end && strcmp(sql + length - end, OR_NOTHING) == 0;
}

const char *svc_db_session_sql(svc_db_engine_t engine, const char *sql,
                               apr_pool_t *pool)
{
    if (engine != SVC_DB_MYSQL || !is_or_nothing(sql))
        return sql;
    return apr_pstrmemdup(pool, sql, strlen(sql) - (sizeof(OR_NOTHING) - 1));
}

int svc_db_session_is_nothing(svc_db_engine_t engine, int code,
                              const char *sql)
{
    if (engine != SVC_DB_MYSQL)
        return 0;
    return (code == MYSQL_DUPLICATE && is_or_nothing(sql)) ||
           (code == MYSQL_NO_VARIABLE && strcmp(sql, SYNC_WAIT) == 0);
}

/* SQLite tells it after each commit. */
static int note_log(void *baton, void *native, const char *name, int pages)
{
    svc_db_session_log_t *log = baton;

    (void)native;
    (void)name;
    if (pages < log->done)
        log->done = 0; /* it began anew */
    log->pages = pages;
    return 0;
}

svc_err_t *svc_db_session_log(svc_db_session_log_t *log, void *native,
                              apr_pool_t *pool)
{
    void *(*set_hook)(void *, int (*)(void *, void *, const char *, int),
                      void *);
    void *symbol = dlsym(RTLD_DEFAULT, "sqlite3_wal_hook");

    if (!symbol) /* it would grow without end */
        return svc_err_ours(pool, SVC_ERR_UNAVAILABLE,
                            "The database is not available",
                            "libsqlite3 does not show sqlite3_wal_hook");
    memcpy(&set_hook, &symbol, sizeof(symbol));
    log->done = -SVC_DB_SESSION_LOG_PAGES;
    set_hook(native, note_log, log);
    return NULL;
}

int svc_db_session_has_moved(void *native)
{
    int (*control)(void *, const char *, int, void *);
    void *symbol = dlsym(RTLD_DEFAULT, "sqlite3_file_control");
    int has_moved = 0;

    memcpy(&control, &symbol, sizeof(symbol));
    if (symbol)
        control(native, "main", SQLITE_HAS_MOVED, &has_moved);
    return has_moved;
}

int svc_db_session_socket(svc_db_engine_t engine, void *native)
{
    int (*socket_of)(void *);
    void *symbol = dlsym(RTLD_DEFAULT, engine == SVC_DB_PGSQL
                                           ? "PQsocket" : "mysql_get_socket");

    memcpy(&socket_of, &symbol, sizeof(symbol));
    return native && symbol ? socket_of(native) : -1;
}
