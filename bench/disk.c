/* disk FILE COUNT: how long a write of two pages and its fdatasync take, as a
 * commit does them to a write-ahead log that has its size already. Prints one
 * number of microseconds per line.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define PAGE 4096
#define PAGES 1024

int main(int argc, char **argv)
{
    char block[2 * PAGE];
    int fd, i, count;

    if (argc != 3)
        bench_die("disk FILE COUNT");
    count = atoi(argv[2]);
    fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        bench_die("disk: cannot make %s", argv[1]);
    memset(block, 'x', sizeof(block));
    for (i = 0; i < PAGES; i += 2)
        if (pwrite(fd, block, sizeof(block), (off_t)i * PAGE) < 0)
            bench_die("disk: cannot write %s", argv[1]);
    fsync(fd);
    for (i = 0; i < count; i++) {
        int64_t begin = bench_now();

        if (pwrite(fd, block, sizeof(block), (off_t)(2 * i % PAGES) * PAGE) <
                0 ||
            fdatasync(fd) != 0)
            bench_die("disk: cannot write %s", argv[1]);
        printf("%.1f\n", (double)(bench_now() - begin) / 1e3);
    }
    unlink(argv[1]);
    return 0;
}
