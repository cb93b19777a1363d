/* svc_time: points in time. In the program and the database a time is an
 * apr_int64_t of milliseconds since 1970-01-01T00:00:00Z; on the wire it is
 * RFC 3339 in UTC with exactly three decimals.
 */
#ifndef SVC_TIME_H
#define SVC_TIME_H

#include <apr_pools.h>

/* "2026-05-14T12:00:00.000Z", allocated from POOL. */
const char *svc_time_format(apr_int64_t ms, apr_pool_t *pool);

/* This machine's clock, in milliseconds. What is stored is taken from the
 * database's clock (svc_db_now) instead. */
apr_int64_t svc_time_now(void);

/* Milliseconds that only ever go on, whoever sets the clock: for intervals and
 * deadlines. Comparable between the processes of one machine. */
apr_int64_t svc_time_ticks(void);

/* The same in microseconds. */
apr_int64_t svc_time_ticks_us(void);

#endif
