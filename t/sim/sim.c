/* sim: runs many seeded schedules of the real publisher, event log, follower,
 * services and stores in one thread, with a clock, a network and deaths of its
 * own, and says in TAP whether every promise was kept.
 *
 *   sim                   SEEDS schedules (environment; default 1000)
 *   sim --seeds 1-200     those
 *   sim --seed 17         one; with --trace all that happens in it
 *   --mode NAME           one kind of shop instead of all in turn
 *   --jobs N              so many processes share the seeds
 *
 * A broken promise is told with its seed, the last lines of the trace, and the
 * command that shows it again.
 */
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>

#include "sim_bus.h"
#include "sim_client.h"
#include "sim_model.h"
#include "sim_node.h"
#include "sim_payments.h"
#include "sim_schedule.h"
#include "svc_db.h"
#include "tap.h"

#define MAX_JOBS 64
#define MAX_SHOWN 3 /* broken schedules that are told in full */

/* What a process that runs schedules found; shared with its parent. */
typedef struct found_t {
    unsigned long long running; /* the seed that it is at; 0: none */
    unsigned long long broken[MAX_SHOWN];
    long run[SIM_SCHEDULE_MODES], failed[SIM_SCHEDULE_MODES];
    unsigned long long digest[SIM_SCHEDULE_MODES]; /* of the first seeds */
    sim_schedule_counts_t schedule;
    sim_bus_counts_t bus;
    sim_client_counts_t client;
    sim_model_counts_t model;
    sim_payments_counts_t payments;
    long snapshots;
} found_t;

static struct {
    const char *program;
    unsigned long long first, last;
    int is_one, is_told;
    int mode; /* -1: all in turn */
    int jobs;
    char folder[64];
} options = { .first = 1, .mode = -1 };

static sim_schedule_mode_t mode_of(unsigned long long seed)
{
    return options.mode >= 0 ? (sim_schedule_mode_t)options.mode
                             : (sim_schedule_mode_t)(seed % SIM_SCHEDULE_MODES);
}

/* --- files ------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *info, int type,
                      struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static void make_folder(void)
{
    const char *tmp = getenv("TMPDIR");

    /* Memory, where there is some: what is tested is not the disk. */
    if (access("/dev/shm", W_OK) == 0)
        tmp = "/dev/shm";
    snprintf(options.folder, sizeof(options.folder), "%s/sim.XXXXXX",
             tmp ? tmp : "/tmp");
    if (!mkdtemp(options.folder)) {
        perror(options.folder);
        exit(2);
    }
}

static void remove_folder(void)
{
    nftw(options.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- running ------------------------------------------------------------------------ */

static void show(unsigned long long seed, const char *what)
{
    printf("# seed %llu: %s\n", seed, what);
    sim_world_print_trace();
    printf("# again: %s --seed %llu --trace", options.program, seed);
    if (options.mode >= 0)
        printf(" --mode %s", sim_schedule_names[options.mode]);
    printf("\n");
}

/* Every JOBSth seed from the one that belongs to JOB. */
static void run_job(found_t *found, int job)
{
    unsigned long long seed;
    char folder[80];
    int broken = 0;

    snprintf(folder, sizeof(folder), "%s/%d", options.folder, job);
    if (mkdir(folder, 0700) != 0) {
        perror(folder);
        exit(2);
    }
    for (seed = options.first + (unsigned)job; seed <= options.last;
         seed += (unsigned)options.jobs) {
        sim_schedule_mode_t mode = mode_of(seed);

        found->running = seed;
        if (!sim_schedule_run(seed, mode, 0, folder)) {
            found->failed[mode]++;
            if (broken < MAX_SHOWN)
                found->broken[broken++] = seed;
        }
        if (seed < options.first + SIM_SCHEDULE_MODES)
            found->digest[seed - options.first] = sim_world_digest();
        found->run[mode]++;
    }
    found->running = 0;
    found->schedule = sim_schedule_counts;
    found->bus = sim_bus_counts;
    found->client = sim_client_counts;
    found->model = sim_model_counts;
    found->payments = sim_payments_counts;
    found->snapshots = sim_node_snapshots;
}

/* Adds up what the jobs found. */
static void run_jobs(found_t *found, found_t *all)
{
    pid_t pids[MAX_JOBS];
    int i, status;

    fflush(stdout);
    for (i = 0; i < options.jobs; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            run_job(&found[i], i);
            exit(0);
        }
    }
    for (i = 0; i < options.jobs; i++) {
        long *sum = (long *)&all->run, *part = (long *)&found[i].run;

        waitpid(pids[i], &status, 0);
        ok(status == 0, "process %d of the simulation ran all its schedules",
           i + 1);
        if (status != 0)
            printf("# status %d; it was at seed %llu\n", status,
                   found[i].running);
        for (; part < (long *)(&found[i] + 1); part++, sum++)
            *sum += *part;
    }
}

/* The same seed has to give the same story, in whatever process, after whatever
 * other. */
static void check_repeatable(const found_t *all, const char *folder)
{
    unsigned long long seed, once;

    for (seed = options.first;
         seed < options.first + SIM_SCHEDULE_MODES && seed <= options.last;
         seed++) {
        sim_schedule_run(seed, mode_of(seed), 0, folder);
        once = sim_world_digest();
        sim_schedule_run(seed, mode_of(seed), 0, folder);
        ok(once == sim_world_digest() && once == all->digest[seed - options.first],
           "seed %llu gives the same trace and the same databases each time",
           seed);
    }
}

/* A simulation in which nothing happens proves nothing. */
static void check_eventful(const found_t *all, long run)
{
    ok(all->schedule.kills > run, "processes were killed (%ld times)",
       all->schedule.kills);
    ok(all->schedule.restarts > run, "and started again (%ld times)",
       all->schedule.restarts);
    ok(all->schedule.restores > run / 20 && all->snapshots > run / 20,
       "%ld databases were restored, and %ld snapshots taken",
       all->schedule.restores, all->snapshots);
    ok(all->bus.lost > run && all->bus.repeated > run && all->bus.late > run,
       "of %ld messages %ld were lost, %ld repeated, %ld late", all->bus.sent,
       all->bus.lost, all->bus.repeated, all->bus.late);
    ok(all->client.granted > 10 * run && all->client.refused > run,
       "of %ld requests %ld were granted and %ld refused, and %ld lost with "
       "their process", all->client.asked, all->client.granted,
       all->client.refused, all->client.unknown);
    ok(all->model.made > 8 * run && all->model.reserved > 4 * run &&
           all->model.cancelled > run && all->model.expired > run &&
           all->model.lost > run / 50,
       "of %ld orders %ld got their ticket, %ld were cancelled, %ld expired, "
       "%ld lost their ticket to somebody else", all->model.made,
       all->model.reserved, all->model.cancelled, all->model.expired,
       all->model.lost);
    ok(all->payments.completed > run / 10 && all->payments.refunded > run / 10,
       "of %ld payments %ld completed an order and %ld were to be refunded",
       all->payments.made, all->payments.completed, all->payments.refunded);
}

static int run_many(void)
{
    apr_size_t size = sizeof(found_t) * (apr_size_t)(options.jobs + 1);
    found_t *found = mmap(NULL, size, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    found_t *all = &found[options.jobs];
    apr_int64_t begin = sim_world_real_ms();
    long run = 0;
    int i, k, shown = 0;

    if (found == MAP_FAILED) {
        perror("mmap");
        return 2;
    }
    run_jobs(found, all);
    for (i = 0; i < SIM_SCHEDULE_MODES; i++) {
        run += all->run[i];
        if (options.mode < 0 || options.mode == i)
            ok(all->run[i] > 0 && all->failed[i] == 0,
               "%ld schedules with %s: %ld broke a promise", all->run[i],
               sim_schedule_meanings[i], all->failed[i]);
    }
    for (i = 0; i < options.jobs; i++) {
        for (k = 0; k < MAX_SHOWN && shown < MAX_SHOWN; k++) {
            unsigned long long seed = found[i].broken[k];

            if (!seed)
                continue;
            shown++;
            sim_schedule_run(seed, mode_of(seed), 0, options.folder);
            show(seed, sim_world_verdict() ? sim_world_verdict()
                                           : "all is well now: not repeatable");
        }
    }
    check_repeatable(all, options.folder);
    if (options.mode < 0)
        check_eventful(all, run);
    printf("# %ld schedules, %ld steps, %.1f s\n", run, all->schedule.steps,
           (double)(sim_world_real_ms() - begin) / 1000);
    return tap_end();
}

static int run_one(void)
{
    unsigned long long seed = options.first;
    int kept = sim_schedule_run(seed, mode_of(seed), options.is_told,
                                options.folder);

    if (!kept && !options.is_told)
        show(seed, sim_world_verdict());
    printf("# digest %016llx\n", sim_world_digest());
    ok(kept, "seed %llu with %s keeps every promise%s%s", seed,
       sim_schedule_meanings[mode_of(seed)], kept ? "" : ": ",
       kept ? "" : sim_world_verdict());
    return tap_end();
}

/* --- the command line ------------------------------------------------------------------ */

static int usage(void)
{
    int i;

    fprintf(stderr, "usage: %s [--seed N [--trace] | --seeds A-B] [--jobs N] "
                    "[--mode NAME]\nmodes:", options.program);
    for (i = 0; i < SIM_SCHEDULE_MODES; i++)
        fprintf(stderr, " %s", sim_schedule_names[i]);
    fprintf(stderr, "\n");
    return 2;
}

static int read_mode(const char *name)
{
    int i;

    for (i = 0; i < SIM_SCHEDULE_MODES; i++) {
        if (strcmp(name, sim_schedule_names[i]) == 0)
            options.mode = i;
    }
    return options.mode >= 0;
}

static int read_option(const char *name, const char *value)
{
    if (strcmp(name, "--mode") == 0)
        return read_mode(value);
    if (strcmp(name, "--seeds") == 0)
        return sscanf(value, "%llu-%llu", &options.first, &options.last) == 2 &&
               options.first > 0;
    if (strcmp(name, "--jobs") == 0) {
        options.jobs = atoi(value);
        return options.jobs > 0 && options.jobs <= MAX_JOBS;
    }
    if (strcmp(name, "--seed") != 0)
        return 0;
    options.is_one = 1;
    options.first = options.last = strtoull(value, NULL, 10);
    return options.first > 0;
}

static int read_options(int argc, char **argv)
{
    const char *seeds = getenv("SEEDS");
    int i;

    options.program = argv[0];
    options.last = seeds && atoi(seeds) > 0 ? strtoull(seeds, NULL, 10) : 1000;
    options.jobs = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (options.jobs < 1 || options.jobs > MAX_JOBS)
        options.jobs = 1;
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0)
            options.is_told = 1;
        else if (i + 1 == argc || !read_option(argv[i], argv[i + 1]))
            return 0;
        else
            i++;
    }
    return 1;
}

int main(int argc, char **argv)
{
    apr_pool_t *pool;
    int rc;

    if (!read_options(argc, argv))
        return usage();
    apr_initialize();
    apr_pool_create(&pool, NULL);
    svc_db_setup(pool);
    signal(SIGPIPE, SIG_IGN); /* the folder is removed whoever stops reading */
    make_folder();
    rc = options.is_one ? run_one() : run_many();
    remove_folder();
    return rc;
}
