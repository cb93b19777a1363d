/* svc_lock: see the header. */
#include "svc_lock.h"

#include <apr_file_io.h>
#include <apr_strings.h>

struct svc_lock_t {
    apr_file_t *file;
    apr_file_t *turn; /* held by the one who is next; NULL: no turns */
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

const char *svc_lock_turn_path(const char *path, apr_pool_t *pool)
{
    return apr_pstrcat(pool, path, ".next", NULL);
}

static apr_status_t open_file(apr_file_t **out, const char *path,
                              apr_pool_t *pool)
{
    return apr_file_open(out, path,
                         APR_FOPEN_READ | APR_FOPEN_WRITE | APR_FOPEN_CREATE,
                         APR_FPROT_UREAD | APR_FPROT_UWRITE | APR_FPROT_GREAD |
                             APR_FPROT_GWRITE,
                         pool);
}

svc_err_t *svc_lock_open(svc_lock_t **out, const char *path, int in_turn,
                         apr_pool_t *pool, apr_pool_t *scratch)
{
    apr_file_t *file = NULL, *turn = NULL;
    apr_status_t status = open_file(&file, path, pool);

    if (status == APR_SUCCESS && in_turn) {
        status = open_file(&turn, svc_lock_turn_path(path, scratch), pool);
        if (status != APR_SUCCESS)
            apr_file_close(file);
    }
    if (status != APR_SUCCESS)
        return failure("open", path, status, scratch);
    *out = apr_palloc(pool, sizeof(**out));
    (*out)->file = file;
    (*out)->turn = turn;
    (*out)->path = apr_pstrdup(pool, path);
    return NULL;
}

/* Whoever releases the lock and wants it again has to wait for the turn, which
 * the next one holds until the lock is his. */
svc_err_t *svc_lock_acquire(svc_lock_t *lock, apr_pool_t *scratch)
{
    apr_status_t status = APR_SUCCESS;

    if (lock->turn)
        status = apr_file_lock(lock->turn, APR_FLOCK_EXCLUSIVE);
    if (status == APR_SUCCESS)
        status = apr_file_lock(lock->file, APR_FLOCK_EXCLUSIVE);
    if (lock->turn)
        apr_file_unlock(lock->turn);
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
