/* svc_time: see the header. */
#include "svc_time.h"

#include <time.h>

#include <apr_strings.h>
#include <apr_time.h>

const char *svc_time_format(apr_int64_t ms, apr_pool_t *pool)
{
    apr_time_exp_t when;

    apr_time_exp_gmt(&when, ms * 1000);
    return apr_psprintf(pool, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                        when.tm_year + 1900, when.tm_mon + 1, when.tm_mday,
                        when.tm_hour, when.tm_min, when.tm_sec,
                        when.tm_usec / 1000);
}

apr_int64_t svc_time_now(void)
{
    return apr_time_now() / 1000;
}

apr_int64_t svc_time_ticks(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (apr_int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

apr_int64_t svc_time_ticks_us(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (apr_int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
}
