/* svc_ap_fetch: reads one entity by its id, for a request. On a database server
 * those who wait are read together: one of them asks for all by one statement,
 * while the next gather. Who is alone asks at once; nothing is delayed. SQLite has
 * no round trips, and each request reads for itself.
 */
#ifndef SVC_AP_FETCH_H
#define SVC_AP_FETCH_H

#include "svc_ap_instance.h"

#define SVC_AP_FETCH_MAX 64 /* ids in one statement */

typedef struct svc_ap_fetch_t svc_ap_fetch_t;

/* Reads the entities with these IDS, up to SVC_AP_FETCH_MAX; ROWS, NULL before,
 * get them in the same order. POOL outlives those who look at them. */
typedef svc_err_t *(*svc_ap_fetch_fn)(const void **rows, svc_db_t *db,
                                      const char *const *ids, int count,
                                      apr_pool_t *pool);

/* Those who wait in this process for one instance's database. NULL where nobody
 * needs to: on SQLite, or with one thread. In child_init, POOL being its pool. */
svc_ap_fetch_t *svc_ap_fetch_create(svc_db_engine_t engine, int is_threaded,
                                    apr_pool_t *pool);

/* ROW gets the entity ID, NULL when there is none; it lives as long as the
 * request. All calls for one instance have the same FN. */
svc_err_t *svc_ap_fetch(const void **row, const svc_ap_instance_t *instance,
                        const char *id, svc_ap_fetch_fn fn, request_rec *r);

#endif
