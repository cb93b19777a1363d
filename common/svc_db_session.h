/* svc_db_session: what a connection to each engine needs, so that a statement
 * means the same on all of them. Pure tables; svc_db is the one that uses them.
 */
#ifndef SVC_DB_SESSION_H
#define SVC_DB_SESSION_H

#include "svc_db.h"

/* DBDParams with what a connection of our own must have besides. */
const char *svc_db_session_params(svc_db_engine_t engine, const char *params,
                                  apr_pool_t *pool);

/* PostgreSQL: what is asked before anything else. Its one row tells a meeting
 * whether a pooler is between, for the process that answers is not the one that
 * was connected to; an error says why the database cannot be used. */
typedef struct svc_db_session_meeting_t {
    void *native;   /* the PGconn */
    int is_pooled;  /* out */
    apr_pool_t *pool;
} svc_db_session_meeting_t;

extern const svc_db_sql_t svc_db_session_greeting;
svc_err_t *svc_db_session_meet(void *baton, const svc_db_row_t *row);

/* What is sent first, one by one; ends with NULL. It has the limit of
 * SVC_DB_LIMIT_S for each statement. With IS_POOLED only what a
 * pooler brings along to each session: a session may be left at each COMMIT, and
 * others find what it was told. */
const char *const *svc_db_session_setup(svc_db_engine_t engine, int is_pooled);

/* MariaDB: what a script says first, so that its words and quotes mean what they
 * mean in our sessions. */
extern const char svc_db_session_mysql[];

/* What begins a transaction. With IS_POOLED it says what setup could not, and the
 * LIMIT of seconds, for this one. */
const char *svc_db_session_begin(svc_db_engine_t engine, int is_pooled,
                                 int limit, apr_pool_t *pool);

/* What bounds every later statement to SECONDS, 0 for no bound; with IS_POOLED
 * those of this transaction. NULL where nothing does. */
const char *svc_db_session_limit(svc_db_engine_t engine, int seconds,
                                 int is_pooled, apr_pool_t *pool);

/* Gives the clock of the server, in milliseconds since 1970. */
extern const svc_db_sql_t svc_db_session_now;

/* MariaDB: gives 1 while the session is in a transaction, else 0. */
extern const svc_db_sql_t svc_db_session_transaction;

/* SQL as the engine knows it: MariaDB has no ON CONFLICT DO NOTHING at the end of
 * an INSERT. There a duplicate key is told from other refusals when it happens:
 * does CODE mean that, which undoes its own statement alone, or a setting that
 * this server does not know and need not? */
const char *svc_db_session_sql(svc_db_engine_t engine, const char *sql,
                               apr_pool_t *pool);
int svc_db_session_is_nothing(svc_db_engine_t engine, int code,
                              const char *sql);

#define SVC_DB_SESSION_LOG_PAGES 4000 /* between checkpoints */

/* What a connection knows of SQLite's write-ahead log: how many pages it had, by
 * whoever wrote them, at this connection's last commit, and at its last
 * checkpoint. */
typedef struct svc_db_session_log_t {
    int pages;
    int done; /* set by whoever makes one; before the first: so that it is due */
} svc_db_session_log_t;

/* Keeps LOG right from now on, for NATIVE's life; SQLite makes no checkpoints of
 * its own then. */
svc_err_t *svc_db_session_log(svc_db_session_log_t *log, void *native,
                              apr_pool_t *pool);

/* SQLite: is the file that NATIVE has open not the one that has its name now? */
int svc_db_session_has_moved(void *native);

/* The socket of a driver's own connection, NATIVE; -1: not known. The drivers'
 * libraries are loaded with their symbols visible, so nothing is linked. */
int svc_db_session_socket(svc_db_engine_t engine, void *native);

#endif
