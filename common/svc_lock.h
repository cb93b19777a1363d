/* svc_lock: an advisory lock on a file, exclusive among threads and processes.
 *
 * apr_file_lock() is flock(2) where it exists: the lock belongs to the open
 * file, so two modules in one process exclude each other as well, and the
 * kernel frees it when its owner is killed. Open it after the fork: an
 * inherited open file would share the lock.
 */
#ifndef SVC_LOCK_H
#define SVC_LOCK_H

#include <apr_pools.h>

#include "svc_err.h"

typedef struct svc_lock_t svc_lock_t;

/* Opens PATH, creating it if need be; closed with POOL, which frees the lock.
 * With IN_TURN, those who wait get it before those who had it last: flock(2)
 * promises nothing of the kind. UNAVAILABLE, in SCRATCH, when the file cannot
 * be opened. */
svc_err_t *svc_lock_open(svc_lock_t **out, const char *path, int in_turn,
                         apr_pool_t *pool, apr_pool_t *scratch);

/* The second file that IN_TURN needs, allocated from POOL. */
const char *svc_lock_turn_path(const char *path, apr_pool_t *pool);

/* Waits until the lock is this one's; an error lives in SCRATCH. */
svc_err_t *svc_lock_acquire(svc_lock_t *lock, apr_pool_t *scratch);

/* True when the lock was free and is this one's now; never waits. */
int svc_lock_try(svc_lock_t *lock);

void svc_lock_release(svc_lock_t *lock);

#endif
