/* svc_outage: what fails for a while is said once, and once more when it is over.
 */
#include <apr_time.h>

#include "fixture.h"

#include "svc_outage.h"

int main(void)
{
    svc_outage_t outage = { 0, 0 };
    const char *said;

    fixture_begin();
    ok(!svc_outage_ends(&outage, fixture.pool), "what works is no news");
    is_int(svc_outage_begins(&outage), 1, "a first failure is");
    is_int(svc_outage_begins(&outage), 0, "the next one is not");
    is_int(svc_outage_begins(&outage), 0, "nor is one after it");
    apr_sleep(150 * 1000);
    said = svc_outage_ends(&outage, fixture.pool);
    ok(said && strncmp(said, "after ", 6) == 0 &&
           strcmp(strchr(said, 's'), "s and 3 failures") == 0,
       "its end tells how often: %s", said ? said : "nothing");
    ok(said && strncmp(said + 6, "0.0", 3) != 0, "... and how long");
    ok(!svc_outage_ends(&outage, fixture.pool), "... once");
    is_int(svc_outage_begins(&outage), 1, "another failure is news again");
    said = svc_outage_ends(&outage, fixture.pool);
    ok(said && strstr(said, " and 1 failure") && !strstr(said, "failures"),
       "of one: %s", said ? said : "nothing");
    return fixture_end();
}
