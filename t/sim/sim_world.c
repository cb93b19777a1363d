/* sim_world: see the header. */
#include "sim_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <apr_dbd.h>
#include <apr_general.h>
#include <apr_hash.h>
#include <apr_thread_cond.h>
#include <apr_time.h>

#define BIRTH_MS 1767225600000LL /* 2026-01-01T00:00:00Z */
#define BOOT_MS 1000000LL        /* what the monotonic clock says then */
#define LINES 48                 /* of the trace that are kept */
#define LINE 240

static struct {
    unsigned long long random, ids; /* states: of choices, of identifiers */
    apr_int64_t passed_us;          /* since the world began */
    apr_int64_t adjusted_ms;        /* what was added to the machines' clock */
    sim_process_t *process;         /* that runs; NULL: none */
    int kill_after;                 /* points; 0: not */
    jmp_buf death;
    int is_told;                    /* the trace is printed as it grows */
    int lines;
    char trace[LINES][LINE];
    unsigned long long digest;
    char verdict[400];
} world;

/* splitmix64 */
static unsigned long long next(unsigned long long *state)
{
    unsigned long long z = *state += 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

void sim_world_begin(unsigned long long seed, int is_told)
{
    memset(&world, 0, sizeof(world));
    world.random = seed;
    next(&world.random);
    world.ids = world.random ^ 0x5bd1e995ULL;
    world.is_told = is_told;
    world.digest = 14695981039346656037ULL;
    srand((unsigned)seed);
}

int sim_world_pick(int below)
{
    return (int)(next(&world.random) % (unsigned)below);
}

int sim_world_chance(int permille)
{
    return sim_world_pick(1000) < permille;
}

/* --- time -------------------------------------------------------------------- */

apr_int64_t sim_world_ticks(void)
{
    return BOOT_MS + world.passed_us / 1000;
}

apr_int64_t sim_world_now(void)
{
    return BIRTH_MS + world.passed_us / 1000 + world.adjusted_ms;
}

void sim_world_pass(int ms)
{
    world.passed_us += ms * 1000LL;
}

void sim_world_adjust(int ms)
{
    world.adjusted_ms += ms;
}

apr_int64_t sim_world_real_ms(void)
{
    struct timespec at;

    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &at);
    return (apr_int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

/* What libapr, libsqlite3 and the shipped code call. */
int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    apr_int64_t now = sim_world_now();

    (void)zone;
    out->tv_sec = now / 1000;
    out->tv_usec = now % 1000 * 1000 + world.passed_us % 1000;
    return 0;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    apr_int64_t now = clock == CLOCK_REALTIME ? sim_world_now()
                                              : sim_world_ticks();

    out->tv_sec = now / 1000;
    out->tv_nsec = now % 1000 * 1000000;
    return 0;
}

time_t time(time_t *out)
{
    time_t now = (time_t)(sim_world_now() / 1000);

    if (out)
        *out = now;
    return now;
}

void apr_sleep(apr_interval_time_t interval)
{
    world.passed_us += interval;
}

/* Nobody else is there who could signal. */
apr_status_t apr_thread_cond_timedwait(apr_thread_cond_t *cond,
                                       apr_thread_mutex_t *mutex,
                                       apr_interval_time_t timeout)
{
    (void)cond;
    (void)mutex;
    world.passed_us += timeout;
    return APR_TIMEUP;
}

apr_status_t apr_generate_random_bytes(unsigned char *buffer, apr_size_t length)
{
    apr_size_t i;

    for (i = 0; i < length; i++)
        buffer[i] = (unsigned char)next(&world.ids);
    return APR_SUCCESS;
}

/* --- processes that die ------------------------------------------------------ */

sim_process_t *sim_world_process(void)
{
    return world.process;
}

void sim_world_lend(sim_process_t *process)
{
    world.process = process;
}

int sim_world_run(sim_process_t *process, void (*fn)(void *), void *baton)
{
    world.process = process;
    if (setjmp(world.death) == 0) {
        fn(baton);
        world.process = NULL;
        world.kill_after = 0;
        return 1;
    }
    world.process = NULL;
    return 0;
}

void sim_world_kill_after(int count)
{
    world.kill_after = count;
}

void sim_world_point(const char *where)
{
    if (!world.process || !world.kill_after || --world.kill_after)
        return;
    sim_world_trace("%s is killed: %.60s", world.process->name, where);
    longjmp(world.death, 1);
}

void sim_world_bury(sim_process_t *process)
{
    int i;

    for (i = 0; i < SIM_WORLD_HANDLES; i++) {
        if (process->handles[i])
            apr_dbd_close(process->drivers[i], process->handles[i]);
        process->handles[i] = NULL;
    }
    apr_pool_destroy(process->pool);
    process->pool = NULL;
}

/* The linker sends the calls of the shipped code (not those of libaprutil) to
 * __wrap_NAME, and calls of __real_NAME to the real one. */
apr_status_t __real_apr_dbd_open_ex(const apr_dbd_driver_t *driver,
                                    apr_pool_t *pool, const char *params,
                                    apr_dbd_t **handle, const char **error);
apr_status_t __wrap_apr_dbd_open_ex(const apr_dbd_driver_t *driver,
                                    apr_pool_t *pool, const char *params,
                                    apr_dbd_t **handle, const char **error);
apr_status_t __real_apr_dbd_close(const apr_dbd_driver_t *driver,
                                  apr_dbd_t *handle);
apr_status_t __wrap_apr_dbd_close(const apr_dbd_driver_t *driver,
                                  apr_dbd_t *handle);
int __real_apr_dbd_query(const apr_dbd_driver_t *driver, apr_dbd_t *handle,
                         int *nrows, const char *statement);
int __wrap_apr_dbd_query(const apr_dbd_driver_t *driver, apr_dbd_t *handle,
                         int *nrows, const char *statement);
int __real_apr_dbd_pquery(const apr_dbd_driver_t *driver, apr_pool_t *pool,
                          apr_dbd_t *handle, int *nrows,
                          apr_dbd_prepared_t *statement, int nargs,
                          const char **args);
int __wrap_apr_dbd_pquery(const apr_dbd_driver_t *driver, apr_pool_t *pool,
                          apr_dbd_t *handle, int *nrows,
                          apr_dbd_prepared_t *statement, int nargs,
                          const char **args);
int __real_apr_dbd_pselect(const apr_dbd_driver_t *driver, apr_pool_t *pool,
                           apr_dbd_t *handle, apr_dbd_results_t **res,
                           apr_dbd_prepared_t *statement, int random,
                           int nargs, const char **args);
int __wrap_apr_dbd_pselect(const apr_dbd_driver_t *driver, apr_pool_t *pool,
                           apr_dbd_t *handle, apr_dbd_results_t **res,
                           apr_dbd_prepared_t *statement, int random,
                           int nargs, const char **args);
apr_status_t __real_apr_pool_create_ex(apr_pool_t **out, apr_pool_t *parent,
                                       apr_abortfunc_t abort_fn,
                                       apr_allocator_t *allocator);
apr_status_t __wrap_apr_pool_create_ex(apr_pool_t **out, apr_pool_t *parent,
                                       apr_abortfunc_t abort_fn,
                                       apr_allocator_t *allocator);
apr_hash_t *__wrap_apr_hash_make(apr_pool_t *pool);

/* The place of HANDLE among the connections of the process that runs. */
static void **place_of(const void *handle, const void **driver)
{
    sim_process_t *process = world.process;
    int i;

    for (i = 0; process && i < SIM_WORLD_HANDLES; i++) {
        if (process->handles[i] == handle) {
            if (driver)
                process->drivers[i] = *driver;
            return &process->handles[i];
        }
    }
    if (process && !handle)
        abort(); /* more connections than anybody expected */
    return NULL;
}

apr_status_t __wrap_apr_dbd_open_ex(const apr_dbd_driver_t *driver,
                                    apr_pool_t *pool, const char *params,
                                    apr_dbd_t **handle, const char **error)
{
    const void *used = driver;
    apr_status_t status = __real_apr_dbd_open_ex(driver, pool, params, handle,
                                                 error);

    if (status == APR_SUCCESS && world.process)
        *place_of(NULL, &used) = *handle;
    return status;
}

apr_status_t __wrap_apr_dbd_close(const apr_dbd_driver_t *driver,
                                  apr_dbd_t *handle)
{
    void **place = world.process ? place_of(handle, NULL) : NULL;

    if (place)
        *place = NULL;
    return __real_apr_dbd_close(driver, handle);
}

int __wrap_apr_dbd_query(const apr_dbd_driver_t *driver, apr_dbd_t *handle,
                         int *nrows, const char *statement)
{
    sim_process_t *process = world.process;
    int kill_after, code;

    sim_world_point(statement);
    code = __real_apr_dbd_query(driver, handle, nrows, statement);
    if (process && code == 0 && strcmp(statement, "COMMIT") == 0) {
        kill_after = world.kill_after;
        world.process = NULL; /* what looks on is not killed */
        process->on_commit(process);
        world.process = process;
        world.kill_after = kill_after;
        sim_world_point("after COMMIT");
    }
    return code;
}

int __wrap_apr_dbd_pquery(const apr_dbd_driver_t *driver, apr_pool_t *pool,
                          apr_dbd_t *handle, int *nrows,
                          apr_dbd_prepared_t *statement, int nargs,
                          const char **args)
{
    sim_world_point("before a change");
    return __real_apr_dbd_pquery(driver, pool, handle, nrows, statement, nargs,
                                 args);
}

int __wrap_apr_dbd_pselect(const apr_dbd_driver_t *driver, apr_pool_t *pool,
                           apr_dbd_t *handle, apr_dbd_results_t **res,
                           apr_dbd_prepared_t *statement, int random,
                           int nargs, const char **args)
{
    sim_world_point("before a query");
    return __real_apr_dbd_pselect(driver, pool, handle, res, statement, random,
                                  nargs, args);
}

/* A command's pool has no parent, for it may outlive its maker; but not its
 * process. */
apr_status_t __wrap_apr_pool_create_ex(apr_pool_t **out, apr_pool_t *parent,
                                       apr_abortfunc_t abort_fn,
                                       apr_allocator_t *allocator)
{
    if (!parent && world.process)
        parent = world.process->pool;
    return __real_apr_pool_create_ex(out, parent, abort_fn, allocator);
}

/* Its own hash function is seeded with the time and with addresses, so that
 * the order of a walk is never the same. */
apr_hash_t *__wrap_apr_hash_make(apr_pool_t *pool)
{
    return apr_hash_make_custom(pool, apr_hashfunc_default);
}

/* --- what is told ------------------------------------------------------------ */

void sim_world_digest_add(const char *text)
{
    for (; *text; text++)
        world.digest = (world.digest ^ (unsigned char)*text) * 1099511628211ULL;
}

void sim_world_trace(const char *format, ...)
{
    char *line = world.trace[world.lines++ % LINES];
    apr_int64_t ms = world.passed_us / 1000;
    int length = snprintf(line, LINE, "%4d.%03d ", (int)(ms / 1000),
                          (int)(ms % 1000));
    va_list args;

    va_start(args, format);
    vsnprintf(line + length, (size_t)(LINE - length), format, args);
    va_end(args);
    sim_world_digest_add(line);
    if (world.is_told)
        printf("# %s\n", line);
}

void sim_world_print_trace(void)
{
    int i = world.lines > LINES ? world.lines - LINES : 0;

    for (; i < world.lines; i++)
        printf("#   %s\n", world.trace[i % LINES]);
}

void sim_world_broken(const char *format, ...)
{
    va_list args;

    if (*world.verdict)
        return;
    va_start(args, format);
    vsnprintf(world.verdict, sizeof(world.verdict), format, args);
    va_end(args);
    sim_world_trace("BROKEN: %s", world.verdict);
}

const char *sim_world_verdict(void)
{
    return *world.verdict ? world.verdict : NULL;
}

unsigned long long sim_world_digest(void)
{
    return world.digest;
}

const char *sim_world_short(const char *id)
{
    size_t length = strlen(id);

    return length > 4 ? id + length - 4 : id;
}
