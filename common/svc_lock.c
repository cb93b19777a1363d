/* svc_lock: see the header. */
#include "svc_lock.h"

#include <apr_file_io.h>
#include <apr_strings.h>

struct svc_lock_t {
    apr_file_t *file;
    const char *path;
};

static svc_err_t *failure(const char *doing, const char *path,
                          apr_status_t status, apr_pool_t *pool)
{
    char reason[120];

    return svc_err_ours(pool, SVC_ERR_UNAVAILABLE,
                        "The database is not available",
                        "cannot %s the lock file %s: %s", doing, path,
                        apr_strerror(status, reason, sizeof(reason)));
}

svc_err_t *svc_lock_open(svc_lock_t **out, const char *path, apr_pool_t *pool,
                         apr_pool_t *scratch)
{
    apr_file_t *file = NULL;
    apr_status_t status = apr_file_open(
        &file, path, APR_FOPEN_READ | APR_FOPEN_WRITE | APR_FOPEN_CREATE,
        APR_FPROT_UREAD | APR_FPROT_UWRITE | APR_FPROT_GREAD | APR_FPROT_GWRITE,
        pool);

    if (status != APR_SUCCESS)
        return failure("open", path, status, scratch);
    *out = apr_palloc(pool, sizeof(**out));
    (*out)->file = file;
    (*out)->path = apr_pstrdup(pool, path);
    return NULL;
}

svc_err_t *svc_lock_acquire(svc_lock_t *lock, apr_pool_t *scratch)
{
    apr_status_t status = apr_file_lock(lock->file, APR_FLOCK_EXCLUSIVE);

    return status == APR_SUCCESS
               ? NULL
               : failure("lock", lock->path, status, scratch);
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
