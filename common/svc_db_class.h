/* svc_db_class: what a failure of each engine means. Pure tables; svc_db is
 * the one that uses them.
 */
#ifndef SVC_DB_CLASS_H
#define SVC_DB_CLASS_H

#include "svc_db.h"

/* The kind of a failure: RETRY (run the transaction again), UNAVAILABLE (the
 * database cannot serve now) or INTERNAL. CODE is apr_dbd's result, TEXT its
 * error text (NULL: none). For PostgreSQL the text holds the SQLSTATE, put
 * there by svc_db_class_session. */
svc_err_kind_t svc_db_class(svc_db_engine_t engine, int code, const char *text);

/* Did the server undo the whole transaction in favour of another one? That is
 * known for sure then, also of a COMMIT. */
int svc_db_class_is_conflict(svc_db_engine_t engine, int code,
                             const char *text);

/* Makes libpq say the SQLSTATE in its messages. NATIVE is the PGconn, or NULL.
 * apr_dbd loads libpq with its symbols visible, so nothing is linked. */
void svc_db_class_session(void *native);

#endif
