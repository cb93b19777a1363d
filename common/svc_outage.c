/* svc_outage: see the header. */
#include "svc_outage.h"

#include <limits.h>

#include <apr_strings.h>

#include "svc_time.h"

int svc_outage_begins(svc_outage_t *outage)
{
    if (outage->attempts < INT_MAX)
        outage->attempts++;
    if (outage->attempts > 1)
        return 0;
    outage->since = svc_time_ticks();
    return 1;
}

const char *svc_outage_ends(svc_outage_t *outage, apr_pool_t *pool)
{
    apr_int64_t ms = svc_time_ticks() - outage->since;
    int attempts = outage->attempts;

    outage->attempts = 0;
    return attempts == 0
               ? NULL
               : apr_psprintf(pool, "after %.1f s and %d failure%s",
                              (double)ms / 1000, attempts,
                              attempts == 1 ? "" : "s");
}
