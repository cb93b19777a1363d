/* svc_db_session: what a connection to each engine needs, so that a statement
 * means the same on all of them. Pure tables; svc_db is the one that uses them.
 */
#ifndef SVC_DB_SESSION_H
#define SVC_DB_SESSION_H

#include "svc_db.h"

/* DBDParams with what a connection of our own must have besides. */
const char *svc_db_session_params(svc_db_engine_t engine, const char *params,
                                  apr_pool_t *pool);

/* What is sent first, one by one; ends with NULL. */
const char *const *svc_db_session_setup(svc_db_engine_t engine);

/* What bounds every later statement to SECONDS, 0 for no bound; NULL where
 * nothing does. */
const char *svc_db_session_limit(svc_db_engine_t engine, int seconds,
                                 apr_pool_t *pool);

/* Gives the clock of the server, in milliseconds since 1970. */
extern const svc_db_sql_t svc_db_session_now;

/* MariaDB: gives 1 while the session is in a transaction, else 0. */
extern const svc_db_sql_t svc_db_session_transaction;

/* SQL with each # in it replaced by SERVICE; how many parameters it has. */
const char *svc_db_session_expand(const char *sql, const char *service,
                                  apr_pool_t *pool);
int svc_db_session_args(const char *sql);

/* SQL as the engine knows it: MariaDB has no ON CONFLICT DO NOTHING at the end of
 * an INSERT. There a duplicate key is told from other refusals when it happens:
 * does CODE mean that, which undoes its own statement alone, or a setting that
 * this server does not know and need not? */
const char *svc_db_session_sql(svc_db_engine_t engine, const char *sql,
                               apr_pool_t *pool);
int svc_db_session_is_nothing(svc_db_engine_t engine, int code,
                              const char *sql);

/* The socket of a driver's own connection, NATIVE; -1: not known. The drivers'
 * libraries are loaded with their symbols visible, so nothing is linked. */
int svc_db_session_socket(svc_db_engine_t engine, void *native);

#endif
