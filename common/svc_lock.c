/* svc_lock: see the header. */
#include "svc_lock.h"

#include <apr_file_io.h>
#include <apr_strings.h>

struct svc_lock_t {
    apr_file_t *file;
    const char *path;
    apr_pool_t *pool;
};

svc_err_t *svc_lock_open(svc_lock_t **out, const char *path, apr_pool_t *pool)
{
    svc_lock_t *lock = apr_pcalloc(pool, sizeof(*lock));
    apr_status_t status;
    char reason[120];

    lock->path = apr_pstrdup(pool, path);
    lock->pool = pool;
    status = apr_file_open(&lock->file, path,
                           APR_FOPEN_READ | APR_FOPEN_WRITE | APR_FOPEN_CREATE,
                           APR_FPROT_UREAD | APR_FPROT_UWRITE | APR_FPROT_GREAD |
                               APR_FPROT_GWRITE,
                           pool);
    if (status != APR_SUCCESS)
        return svc_err_ours(pool, SVC_ERR_UNAVAILABLE,
                            "The database is not available",
                            "cannot open the lock file %s: %s", path,
                            apr_strerror(status, reason, sizeof(reason)));
    *out = lock;
    return NULL;
}

svc_err_t *svc_lock_acquire(svc_lock_t *lock)
{
    apr_status_t status = apr_file_lock(lock->file, APR_FLOCK_EXCLUSIVE);
    char reason[120];

    if (status == APR_SUCCESS)
        return NULL;
    return svc_err_ours(lock->pool, SVC_ERR_UNAVAILABLE,
                        "The database is not available", "cannot lock %s: %s",
                        lock->path,
                        apr_strerror(status, reason, sizeof(reason)));
}

int svc_lock_try(svc_lock_t *lock)
{
    return apr_file_lock(lock->file,
                         APR_FLOCK_EXCLUSIVE | APR_FLOCK_NONBLOCK) ==
           APR_SUCCESS;
}

void svc_lock_release(svc_lock_t *lock)
{
    apr_file_unlock(lock->file);
}
