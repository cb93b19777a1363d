/* disk FILE COUNT MICROSECONDS: how long a write of two pages and its fdatasync
 * take, as a commit does them to a write-ahead log that has its size already;
 * COUNT times, or until SIGTERM, with a pause after each. Prints one number of
 * microseconds per line.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define PAGE 4096
#define PAGES 1024

static volatile sig_atomic_t is_over;

static void stop(int signal)
{
    (void)signal;
    is_over = 1;
}

int main(int argc, char **argv)
{
    char block[2 * PAGE];
    int fd, i, count;

    if (argc != 4)
        bench_die("disk FILE COUNT MICROSECONDS");
    count = atoi(argv[2]);
    signal(SIGTERM, stop);
    fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        bench_die("disk: cannot make %s", argv[1]);
    memset(block, 'x', sizeof(block));
    for (i = 0; i < PAGES; i += 2)
        if (pwrite(fd, block, sizeof(block), (off_t)i * PAGE) < 0)
            bench_die("disk: cannot write %s", argv[1]);
    fsync(fd);
    for (i = 0; i < count && !is_over; i++) {
        int64_t begin = bench_now();

        if (pwrite(fd, block, sizeof(block), (off_t)(2 * i % PAGES) * PAGE) <
                0 ||
            fdatasync(fd) != 0)
            bench_die("disk: cannot write %s", argv[1]);
        printf("%.1f\n", (double)(bench_now() - begin) / 1e3);
        usleep((useconds_t)atoi(argv[3]));
    }
    unlink(argv[1]);
    return 0;
}
