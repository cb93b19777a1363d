/* svc_time: points in time are written as RFC 3339 in UTC with three decimals.
 */
#include "fixture.h"

#include <time.h>

#include "svc_time.h"

int main(void)
{
    static const struct {
        apr_int64_t ms;
        const char *text;
    } table[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 1, "1970-01-01T00:00:00.001Z" },
        { 999, "1970-01-01T00:00:00.999Z" },
        { 1000, "1970-01-01T00:00:01.000Z" },
        { APR_INT64_C(951782400050), "2000-02-29T00:00:00.050Z" },
        { APR_INT64_C(1778760000000), "2026-05-14T12:00:00.000Z" },
        { APR_INT64_C(4102444799999), "2099-12-31T23:59:59.999Z" },
        { APR_INT64_C(253402300799999), "9999-12-31T23:59:59.999Z" }
    };
    size_t i;
    apr_int64_t now;

    setenv("TZ", "America/New_York", 1); /* must not matter */
    tzset();
    fixture_begin();
    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        is_str(svc_time_format(table[i].ms, fixture.pool), table[i].text,
               "%" APR_INT64_T_FMT " ms is %s", table[i].ms, table[i].text);
    now = svc_time_now();
    ok(llabs(now / 1000 - (apr_int64_t)time(NULL)) <= 1,
       "now is in milliseconds since 1970");
    apr_sleep(3000);
    ok(svc_time_now() - now >= 2, "now goes on");
    return fixture_end();
}
