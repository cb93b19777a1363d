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

#endif
