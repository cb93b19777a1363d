/* svc_outage: something that fails for a while and is tried on. The log has one
 * line when that begins, and one when it is over, with how long it was and how
 * often it was tried. One thread's.
 */
#ifndef SVC_OUTAGE_H
#define SVC_OUTAGE_H

#include <apr_pools.h>

/* All zero: it works. */
typedef struct svc_outage_t {
    apr_int64_t since; /* ticks of the first failure */
    int attempts;      /* that failed; 0: it works */
} svc_outage_t;

/* It failed. True when it worked before: that is news. */
int svc_outage_begins(svc_outage_t *outage);

/* It works. NULL when it did before; else the end of a sentence, "after 12.3 s
 * and 24 failures". */
const char *svc_outage_ends(svc_outage_t *outage, apr_pool_t *pool);

#endif
