/* svc_db_place: where DBDriver and DBDParams say that the data is, and whether
 * it can lie there. Opens no database. Any thread.
 */
#ifndef SVC_DB_PLACE_H
#define SVC_DB_PLACE_H

#include <apr_pools.h>

/* SQLite: the database file that PARAMS names; NULL for the other engines. */
const char *svc_db_place_file(const char *driver, const char *params,
                        apr_pool_t *pool);

/* Why DRIVER and PARAMS cannot be used, in one sentence that names the
 * directive; NULL when they can. Looks at the file system, opens nothing. */
const char *svc_db_place_refusal(const char *driver, const char *params,
                           apr_pool_t *pool);

/* True for the f_type (statfs) of a file system that lives on another machine,
 * where SQLite's locks cannot be trusted (sqlite.org/faq.html#q5). */
int svc_db_place_is_remote(long f_type);

#endif
