/* bench: what every helper program needs. */
#ifndef BENCH_H
#define BENCH_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <sys/resource.h>

/* Nanoseconds of the clock that all processes of one machine share. */
static inline int64_t bench_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Seconds of processor time that this process has used. */
static inline double bench_cpu(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

__attribute__((format(printf, 1, 2), noreturn)) static inline void
bench_die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

/* Memory that grows: room for COUNT + 1 elements of SIZE. */
static inline void *bench_grow(void *list, size_t count, size_t size)
{
    if (count == 0 || (count & (count - 1)) == 0) /* a power of two: double */
        list = realloc(list, (count ? 2 * count : 1) * size);
    if (!list)
        bench_die("out of memory");
    return list;
}

#endif
