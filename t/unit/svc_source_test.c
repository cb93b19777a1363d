/* svc_source: a follower whose cursor was moved by another one, in the same
 * database, goes on from there without waiting to hear of the source.
 */
#include "tap.h"

#include <apr_general.h>

#include "svc_source.h"

static apr_pool_t *pool;

static svc_source_t *followed(apr_int64_t position, apr_int64_t now)
{
    svc_source_t *source = svc_source_create("urn:uuid:x", pool);
    svc_inbox_cursor_t cursor = { position, "at the cursor" };

    svc_source_load(source, &cursor);
    svc_source_hear(source, position, now);
    svc_source_confirm(source);
    return source;
}

static void overtaken(void)
{
    svc_source_t *source = followed(3, 10000);
    svc_inbox_cursor_t ahead = { 9, "nine" }, behind = { 8, "eight" };

    ok(svc_source_is_complete(source), "a log is taken to its end");
    svc_source_reload(source, &ahead, 10000);
    is_int(svc_source_place(source, 10), SVC_SOURCE_NEXT,
           "where another follower has moved the cursor, the next event is "
           "taken");
    is_int(svc_source_place(source, 9), SVC_SOURCE_KNOWN,
           "what the other one took is known");
    ok(svc_source_is_complete(source), "nothing is missing then");

    svc_source_hear(source, 12, 10000);
    ok(svc_source_wants_more(source, 10000), "what is missing is asked for");
    ok(!svc_source_wants_more(source, 10500), "not twice at once");
    svc_source_reload(source, &behind, 10500);
    ok(!svc_source_wants_more(source, 10500),
       "the other one is left a moment to take it");
    ok(svc_source_wants_more(source, 10600),
       "then it is asked for, though nothing was heard meanwhile");
    is_str(source->tail.event_id, "eight", "from the cursor as it is");
}

static void doubtful(void)
{
    svc_source_t *source = followed(3, 10000);
    svc_inbox_cursor_t cursor = { 4, "four" };

    svc_source_hear(source, 5, 60000); /* after a silence */
    svc_source_reload(source, &cursor, 60000);
    is_int(svc_source_place(source, 5), SVC_SOURCE_LATER,
           "a log that was in doubt still is");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    overtaken();
    doubtful();
    return tap_end();
}
