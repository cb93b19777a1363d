/* svc_lock: one holder at a time, among openings of one process and among
 * processes; freed when its holder is killed.
 */
#include "fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "svc_lock.h"

static svc_lock_t *open_lock(apr_pool_t *pool)
{
    svc_lock_t *lock = NULL;

    must(svc_lock_open(&lock, fixture_path("x.lock"), 0, pool, pool));
    return lock;
}

static void one_process(void)
{
    svc_lock_t *first = open_lock(fixture.pool);
    svc_lock_t *second = open_lock(fixture.pool), *bad = NULL;
    apr_pool_t *pool;

    succeeds(svc_lock_acquire(first, fixture.pool), "a free lock is taken");
    ok(!svc_lock_try(second),
       "another opening in the same process does not get it");
    svc_lock_release(first);
    ok(svc_lock_try(second), "it does once the first lets go");
    ok(!svc_lock_try(first), "then the first does not");
    svc_lock_release(second);
    apr_pool_create(&pool, fixture.pool);
    must(svc_lock_acquire(open_lock(pool), pool));
    ok(!svc_lock_try(first), "a third opening excludes as well");
    apr_pool_destroy(pool);
    ok(svc_lock_try(first), "closing the file frees the lock");
    svc_lock_release(first);
    fails(svc_lock_open(&bad, fixture_path("no/folder/x.lock"), 0,
                        fixture.pool,
                        fixture.pool),
          SVC_ERR_UNAVAILABLE, "a file that cannot be made is UNAVAILABLE");
}

static void killed(void)
{
    svc_lock_t *mine = open_lock(fixture.pool);
    int pipes[2], status;
    char byte = 0;
    pid_t pid;

    if (pipe(pipes) != 0)
        exit(255);
    if ((pid = fork()) == 0) {
        must(svc_lock_acquire(open_lock(fixture.pool), fixture.pool));
        if (write(pipes[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    ok(read(pipes[0], &byte, 1) == 1 && !svc_lock_try(mine),
       "another process excludes this one");
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    ok(svc_lock_try(mine), "the lock of a killed process is free");
    svc_lock_release(mine);
    close(pipes[0]);
    close(pipes[1]);
}

int main(void)
{
    fixture_begin();
    one_process();
    killed();
    return fixture_end();
}
