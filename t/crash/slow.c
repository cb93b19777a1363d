/* slow: a disk that takes its time: fsync and fdatasync of whoever it is
 * preloaded into (httpd for SQLite, else the database server) return later than
 * they would. A library for LD_PRELOAD; t/lib/TestSvc/Slow.pm is its other half.
 *
 * The file that SLOW_DISK names holds how many milliseconds; without it, or
 * while it is not there, nothing is changed.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void wait_for_disk(void)
{
    const char *name = getenv("SLOW_DISK");
    FILE *file = name ? fopen(name, "re") : NULL;
    struct timespec left;
    long ms = 0;

    if (!file)
        return;
    if (fscanf(file, "%ld", &ms) == 1 && ms > 0) {
        left.tv_sec = ms / 1000;
        left.tv_nsec = ms % 1000 * 1000000;
        while (nanosleep(&left, &left) != 0)
            ; /* a signal does not make a disk faster */
    }
    fclose(file);
}

static int sync_later(const char *name, int fd)
{
    int (*sync_now)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);

    if (!sync_now) {
        fprintf(stderr, "slow: there is no %s\n", name);
        abort();
    }
    wait_for_disk();
    return sync_now(fd);
}

int fsync(int fd)
{
    return sync_later("fsync", fd);
}

int fdatasync(int fd)
{
    return sync_later("fdatasync", fd);
}
