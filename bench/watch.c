/* watch DATABASE SQL TARGET MICROSECONDS OUT: reads the one integer that SQL
 * gives, on a connection of its own, every so many MICROSECONDS, until it is
 * TARGET or SIGTERM comes. OUT gets a line "nanoseconds value" for each new
 * value: when the read that first saw it had ended, so that a value was
 * visible then at the latest. Prints "reads N cpu SECONDS". Waits for a
 * database or table that is not there yet.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>
#include <sys/prctl.h>

#include "bench.h"

typedef struct seen_t {
    int64_t at, value;
} seen_t;

static volatile sig_atomic_t is_over;

static void stop(int signal)
{
    (void)signal;
    is_over = 1;
}

static sqlite3 *open_database(sqlite3_stmt **statement, const char *file,
                              const char *sql)
{
    sqlite3 *db = NULL;

    while (!is_over) {
        if (access(file, F_OK) == 0 &&
            sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL) ==
                SQLITE_OK &&
            sqlite3_prepare_v2(db, sql, -1, statement, NULL) == SQLITE_OK)
            return db;
        sqlite3_close(db);
        db = NULL;
        usleep(200);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    sqlite3_stmt *statement = NULL;
    seen_t *seen = NULL;
    int64_t target, value = 0, reads = 0;
    size_t i, count = 0;
    useconds_t pause;
    sqlite3 *db;
    FILE *out;

    if (argc != 6)
        bench_die("watch DATABASE SQL TARGET MICROSECONDS OUT");
    target = atoll(argv[3]);
    pause = (useconds_t)atoi(argv[4]);
    signal(SIGTERM, stop);
    prctl(PR_SET_TIMERSLACK, 1000UL);
    db = open_database(&statement, argv[1], argv[2]);
    while (db && !is_over && (target == 0 || value < target)) {
        int rc = sqlite3_step(statement);
        int64_t now = sqlite3_column_int64(statement, 0);

        sqlite3_reset(statement);
        reads++;
        if (rc == SQLITE_ROW && now != value) {
            seen = bench_grow(seen, count, sizeof(*seen));
            seen[count++] = (seen_t){ bench_now(), now };
            value = now;
        } else if (rc != SQLITE_ROW && rc != SQLITE_DONE && rc != SQLITE_BUSY)
            bench_die("watch: %s", sqlite3_errmsg(db));
        usleep(pause);
    }
    if (!(out = fopen(argv[5], "w")))
        bench_die("watch: cannot write %s", argv[5]);
    for (i = 0; i < count; i++)
        fprintf(out, "%lld %lld\n", (long long)seen[i].at,
                (long long)seen[i].value);
    fclose(out);
    printf("reads %lld cpu %.3f\n", (long long)reads, bench_cpu());
    sqlite3_finalize(statement);
    sqlite3_close(db);
    free(seen);
    return 0;
}
