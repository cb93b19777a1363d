/* sim_world: what the simulated services stand on instead of a real machine: a
 * clock, random numbers, processes that can die between any two calls of the
 * database or the bus, a trace of all that happens, and the first broken
 * promise.
 *
 * The shipped code is linked as it is. It meets this world where it calls out:
 * gettimeofday, clock_gettime, time, apr_sleep, apr_thread_cond_timedwait and
 * apr_generate_random_bytes are defined here and exported by the program, so
 * that libapr and libsqlite3 use them as well; the calls of apr_dbd are wrapped
 * by the linker (--wrap); sim_bus.c takes the place of svc_bus.c. One seed
 * decides everything.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <apr_pools.h>

#define SIM_WORLD_HANDLES 8 /* connections of one process */

/* A process of one service on one machine. What it owns dies with it. */
typedef struct sim_process_t {
    const char *name;
    apr_pool_t *pool;        /* of all that it allocates */
    int life;                /* counts its starts */
    const void *drivers[SIM_WORLD_HANDLES]; /* of its open connections */
    void *handles[SIM_WORLD_HANDLES];       /* NULL: a free place */
    void (*on_commit)(struct sim_process_t *process); /* a COMMIT was carried
                                                         out */
} sim_process_t;

/* Starts anew: clock, random numbers, trace. */
void sim_world_begin(unsigned long long seed, int is_told);

/* --- chance ------------------------------------------------------------------ */

/* 0 <= number < BELOW. */
int sim_world_pick(int below);
/* True PERMILLE times in a thousand. */
int sim_world_chance(int permille);

/* --- time -------------------------------------------------------------------- */

apr_int64_t sim_world_now(void);   /* the machines' clock, ms since 1970 */
apr_int64_t sim_world_ticks(void); /* ms that only ever go on */
void sim_world_pass(int ms);       /* time passes */
void sim_world_adjust(int ms);     /* somebody sets the clock forward */

/* --- processes that die ------------------------------------------------------ */

/* Calls FN in the name of PROCESS. False when it was killed on the way. */
int sim_world_run(sim_process_t *process, void (*fn)(void *), void *baton);

/* What is allocated from now on belongs to PROCESS; NULL: to nobody. */
void sim_world_lend(sim_process_t *process);

/* The process that runs; NULL: none. */
sim_process_t *sim_world_process(void);

/* The process that runs next will be killed at its COUNTth point, if its turn
 * has so many; 0: not. */
void sim_world_kill_after(int count);

/* A point where the running process may be killed. */
void sim_world_point(const char *where);

/* What memory and connections PROCESS had are gone; nothing was said to
 * anybody. Not while it runs. */
void sim_world_bury(sim_process_t *process);

/* --- what is told ------------------------------------------------------------ */

void sim_world_trace(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* A promise was broken. The first one counts. */
void sim_world_broken(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* The sentence; NULL: all promises were kept. */
const char *sim_world_verdict(void);

/* Prints the last lines of the trace, as comments of TAP. */
void sim_world_print_trace(void);

/* A number that stands for the whole trace. */
unsigned long long sim_world_digest(void);

/* Adds TEXT to the digest without a line in the trace. */
void sim_world_digest_add(const char *text);

/* The end of an id, which is enough to tell it from others. */
const char *sim_world_short(const char *id);

/* Milliseconds of the real machine. */
apr_int64_t sim_world_real_ms(void);

#endif
