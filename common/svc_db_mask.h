/* svc_db_mask: DBDParams as they may be shown. Pure. Any thread. */
#ifndef SVC_DB_MASK_H
#define SVC_DB_MASK_H

#include <apr_pools.h>

#define SVC_DB_MASK_SECRET "***"

/* PARAMS of DRIVER, where values are shown only of settings that are known and
 * hold no secret; everything else (a password, and what may be the rest of one)
 * is SVC_DB_MASK_SECRET. SQLite's name a file and are shown as they are, unless
 * they look like those of a server. */
const char *svc_db_mask(const char *driver, const char *params,
                        apr_pool_t *pool);

#endif
