/* svc_db: running SQL on SQLite, PostgreSQL and MariaDB; the only file that
 * knows apr_dbd and what each of its drivers gets wrong.
 *
 * Rules kept here, once: transactions are BEGIN, COMMIT and ROLLBACK sent as
 * text (apr_dbd's own lose errors); statements are prepared on first use and
 * again when the session forgot them, or not at all where each transaction may
 * meet another session (a pooler of PostgreSQL); every result is read to its end;
 * NULL is told from ""; every failure is classified.
 *
 * A svc_db_t is one connection and is used by one thread at a time. Errors and
 * results live in the pool that the call was given.
 */
#ifndef SVC_DB_H
#define SVC_DB_H

#include <apr_pools.h>

#include "svc_db_sql.h"
#include "svc_err.h"

/* A connection's first limit: less than what a request waits. */
#define SVC_DB_LIMIT_S 4

struct apr_dbd_driver_t;
struct apr_dbd_t;

typedef struct svc_db_t svc_db_t;
typedef struct svc_db_row_t svc_db_row_t;

/* Called for each row; an error ends the walk and is returned by it. */
typedef svc_err_t *(*svc_db_row_fn)(void *baton, const svc_db_row_t *row);

/* Makes the drivers of apr_dbd available; once per process, before svc_db_open.
 * httpd's mod_dbd does the same; both may. */
void svc_db_setup(apr_pool_t *pool);

/* Opens a connection of one's own, closed by svc_db_close or with PARENT.
 * DRIVER and PARAMS as in DBDriver and DBDParams. UNAVAILABLE, in SCRATCH,
 * when it cannot. */
svc_err_t *svc_db_open(svc_db_t **out, const char *driver, const char *params,
                       apr_pool_t *parent, apr_pool_t *scratch);
void svc_db_close(svc_db_t *db);

/* Wraps a connection that belongs to mod_dbd. POOL must be the connection's
 * own: prepared statements are kept in it. */
svc_db_t *svc_db_adopt(const struct apr_dbd_driver_t *driver,
                       struct apr_dbd_t *handle, apr_pool_t *pool);

/* A file of SQLite that was replaced since it was opened: nothing that is in the
 * database now will be seen. Never of a server. */
int svc_db_has_moved(const svc_db_t *db);

svc_db_engine_t svc_db_engine(const svc_db_t *db);

/* Runs SQL given as text, without a result; "" only makes the session ours. */
svc_err_t *svc_db_text(svc_db_t *db, const char *sql, apr_pool_t *pool);

/* How long a statement may take from now on; 0: as long as it likes. */
svc_err_t *svc_db_limit(svc_db_t *db, int seconds, apr_pool_t *pool);

/* A transaction. On SQLite it takes the write lock at once. A failed commit
 * leaves the outcome open on a networked engine; roll back or close then. */
svc_err_t *svc_db_begin(svc_db_t *db, apr_pool_t *pool);
svc_err_t *svc_db_commit(svc_db_t *db, apr_pool_t *pool);
void svc_db_rollback(svc_db_t *db, apr_pool_t *pool);

/* Did the transaction that failed last lose to another one, and was undone by the
 * server as a whole, COMMIT or not? Then the connection can be used on. */
int svc_db_was_undone(const svc_db_t *db);

/* Runs a statement that changes rows. CHANGED (may be NULL) gets their number.
 * ARGS has one text for each parameter; NULL is SQL's NULL. */
svc_err_t *svc_db_run(int *changed, svc_db_t *db, const svc_db_sql_t *sql,
                      const char *const *args, apr_pool_t *pool);

/* Runs a query and calls FN for each row, in order. */
svc_err_t *svc_db_each(svc_db_t *db, const svc_db_sql_t *sql,
                       const char *const *args, svc_db_row_fn fn, void *baton,
                       apr_pool_t *pool);

/* Runs a query of one integer. OUT is left as it was when there is no row. */
svc_err_t *svc_db_get(apr_int64_t *out, svc_db_t *db, const svc_db_sql_t *sql,
                      const char *const *args, apr_pool_t *pool);

/* A column of the current row, counted from 0. Text is NULL for SQL's NULL and
 * lives in the pool of svc_db_each; an integer is 0 for NULL. */
const char *svc_db_row_text(const svc_db_row_t *row, int column);
apr_int64_t svc_db_row_int(const svc_db_row_t *row, int column);

/* An integer as an argument. */
const char *svc_db_arg(apr_int64_t value, apr_pool_t *pool);

/* The clock of the database server, in milliseconds since 1970. */
svc_err_t *svc_db_now(apr_int64_t *out, svc_db_t *db, apr_pool_t *pool);

/* SQLite: has the write-ahead log, by whoever wrote to it, grown so much since
 * this connection's last checkpoint that the next one is due? A new connection
 * begins with one: the one before may have failed because the disk is full, of
 * that log. Never on the other engines. */
int svc_db_needs_checkpoint(const svc_db_t *db);

/* SQLite: moves what the write-ahead log holds into the database file, and lets
 * the log begin anew if no reader is using it just then. Call while holding the
 * writers' lock: SQLite before 3.51.3 may damage the file when two checkpoints
 * meet (sqlite.org/wal.html, "the WAL-reset bug"). */
void svc_db_checkpoint(svc_db_t *db);

#endif
