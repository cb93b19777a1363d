/* svc_source: when a followed log is believed, doubted, confirmed, given up for
 * a snapshot, and which page of a snapshot is taken. Time is a number here.
 */
#include "fixture.h"

#include "svc_source.h"

#define NOW 1000000 /* ms; any time will do */

static svc_source_t *source;

/* Begins anew from POSITION, heard of at NOW with HEAD. */
static void begin(apr_int64_t position, const char *event_id, apr_int64_t head)
{
    svc_inbox_cursor_t cursor = { position, event_id };

    source = svc_source_create("urn:a", fixture.pool);
    svc_source_load(source, &cursor);
    svc_source_hear(source, head, NOW);
}

/* The same, and it has confirmed that. */
static void begin_confirmed(apr_int64_t position, const char *event_id,
                            apr_int64_t head)
{
    begin(position, event_id, head);
    svc_source_confirm(source);
}

/* A page that leads to the event EVENT_ID at POSITION. */
static int page(apr_int64_t position, const char *event_id, const char *after,
                const char *last)
{
    svc_inbox_cursor_t at = { position, event_id };

    return svc_source_take_page(source, &at, after, last);
}

static int is_next(apr_int64_t position)
{
    return svc_source_place(source, position) == SVC_SOURCE_NEXT;
}

static void order(void)
{
    begin(0, "", 0);
    ok(is_next(1), "of a log that was never followed the first event is taken");
    is_int(svc_source_place(source, 2), SVC_SOURCE_LATER,
           "... a later one is not");
    ok(svc_source_is_complete(source), "an empty log is complete");
    svc_source_take(source, 1, "e1");
    is_int(source->tail.position, 1, "what is taken is known");
    is_str(source->tail.event_id, "e1", "... with its event");
    is_int(svc_source_place(source, 1), SVC_SOURCE_KNOWN,
           "... and not taken twice");
    ok(is_next(2), "then comes the next one");
}

static void doubt(void)
{
    begin(5, "e5", 5);
    ok(!is_next(6), "from a cursor nothing is taken before it is confirmed");
    ok(!svc_source_is_complete(source), "... nor is the log complete");
    is_int(svc_source_place(source, 5), SVC_SOURCE_KNOWN,
           "what is known stays known");
    svc_source_confirm(source);
    ok(is_next(6) && svc_source_is_complete(source), "confirmed, it goes on");

    svc_source_hear(source, 5, NOW + 3000);
    ok(is_next(6), "a silence of 3 s is no reason for doubt");
    svc_source_hear(source, 5, NOW + 6001);
    ok(!is_next(6), "a longer one is");
    svc_source_confirm(source);
    ok(is_next(6), "... until it is confirmed");

    svc_source_hear(source, 4, NOW + 6500);
    ok(!is_next(6), "a head before the tail is");
    svc_source_confirm(source);
    ok(!is_next(6), "who does not reach the tail cannot confirm it");
    svc_source_hear(source, 6, NOW + 7000);
    ok(!is_next(6), "a heartbeat alone confirms nothing");
    svc_source_confirm(source);
    ok(is_next(6), "an answer of one that reaches the tail does");

    svc_source_doubt(source);
    ok(!is_next(6), "a lost connection is a reason for doubt");
    svc_source_confirm(source);
    ok(is_next(6), "... until it is confirmed");

    begin(0, "", 0);
    svc_source_hear(source, 7, NOW + 60000);
    ok(is_next(1), "where nothing was taken a silence is no reason");
    svc_source_doubt(source);
    ok(!is_next(1), "... but a lost connection is");
    svc_source_confirm(source);
    ok(is_next(1), "... until it is confirmed");
}

static void asking(void)
{
    begin_confirmed(5, "e5", 5);
    ok(!svc_source_wants_more(source, NOW), "who has everything asks nothing");
    svc_source_hear(source, 8, NOW);
    ok(svc_source_wants_more(source, NOW), "who lacks something asks");
    ok(!svc_source_wants_more(source, NOW + 999), "... not at once again");
    ok(svc_source_wants_more(source, NOW + 1000), "... but after a second");
    begin(5, "e5", 5);
    ok(svc_source_wants_more(source, NOW), "so does who doubts");
    begin_confirmed(5, "e5", 5);
    is_int(page(9, "e9", "", "k"), 1, "a snapshot begins");
    ok(svc_source_wants_more(source, NOW), "the next page is asked for at once");
    source->is_loaded = 0;
    ok(!svc_source_wants_more(source, NOW + 5000),
       "for one whose cursor is not known nothing is asked");
}

/* --- RESET ------------------------------------------------------------------------ */

static void reset_that_reaches(void)
{
    begin_confirmed(5, "e5", 5);
    svc_source_wants_more(source, NOW);
    is_int(svc_source_reset(source, 5, NOW), 1,
           "RESET by a log that reaches the tail: a snapshot at once");
    ok(!is_next(6), "no event is taken before it");
    is_int(svc_source_place(source, 5), SVC_SOURCE_LATER, "... not a known one");
    ok(!svc_source_is_complete(source), "nothing is complete before it");
    ok(svc_source_wants_more(source, NOW), "it is asked for at once");
    is_int(svc_source_reset(source, 9, NOW), 0, "again: that is settled");
    svc_source_hear(source, 9, NOW);
    svc_source_confirm(source);
    ok(!is_next(6), "an answer that comes late does not undo that");
    begin_confirmed(5, "e5", 5);
    is_int(svc_source_reset(source, 6, NOW), 1, "... so by a longer one");
}

static void reset_that_is_shorter(void)
{
    begin_confirmed(5, "e5", 5);
    is_int(svc_source_reset(source, 4, NOW), 0,
           "RESET by a log that ends before the tail: it may lag");
    ok(!is_next(6), "nothing is taken meanwhile");
    is_int(svc_source_reset(source, 4, NOW + 2000), 0, "... nor settled");
    is_int(svc_source_reset(source, 4, NOW + SVC_SOURCE_LAG_MS - 1), 0,
           "... not a moment before the patience ends");
    is_int(svc_source_reset(source, 4, NOW + SVC_SOURCE_LAG_MS), 1,
           "then it is believed");
    begin_confirmed(5, "e5", 5);
    is_int(svc_source_reset(source, 4, NOW), 0, "a shorter one again");
    is_int(svc_source_reset(source, 5, NOW + 1), 1,
           "when it has grown to the tail it need not wait");
    begin_confirmed(5, "e5", 5);
    is_int(svc_source_reset(source, 0, NOW), 0, "a log that is empty waits too");
}

static void reset_while_another_confirms(void)
{
    apr_int64_t now;
    int settled = 0;

    begin_confirmed(5, "e5", 5);
    for (now = NOW; now < NOW + 60000; now += 2000) {
        settled += svc_source_reset(source, 4, now);
        svc_source_hear(source, 5, now + 1000); /* another machine's EVENTS */
        svc_source_confirm(source);
    }
    is_int(settled, 0, "a machine that lags for a minute causes no snapshot "
                       "while another confirms the tail");
    ok(is_next(6), "... and events are taken");
    settled += svc_source_reset(source, 4, now);
    settled += svc_source_reset(source, 4, now + 2000);
    settled += svc_source_reset(source, 4, now + 4000);
    is_int(settled, 0, "when the other falls silent the patience begins then");
    is_int(svc_source_reset(source, 4, now + 5000), 1, "... and ends");
}

static void reset_after_a_silence(void)
{
    begin_confirmed(5, "e5", 5);
    is_int(svc_source_reset(source, 4, NOW), 0, "a shorter log was there");
    is_int(svc_source_reset(source, 4, NOW + 3600000), 0,
           "comes back after an hour: it has the whole time to catch up");
    is_int(svc_source_reset(source, 4, NOW + 3600000 + 2000), 0, "... it has");
    svc_source_hear(source, 4, NOW + 3600000 + 4000);
    is_int(svc_source_reset(source, 4, NOW + 3600000 + 5000), 1,
           "... and no more");
}

/* --- pages ------------------------------------------------------------------------ */

static void pages_in_order(void)
{
    begin_confirmed(5, "e5", 20);
    is_int(page(20, "e20", "", "k"), 1,
           "a first page answers a request for events that are not kept");
    ok(!is_next(6) && svc_source_place(source, 21) == SVC_SOURCE_LATER,
       "no event is taken before the snapshot's end");
    is_int(source->tail.position, 5, "the tail stays until then");
    is_str(source->after, "k", "what was covered is known");
    is_int(source->snapshot.position, 20, "... and where it leads");
    is_str(source->snapshot.event_id, "e20", "... with the event there");
    is_int(page(20, "e20", "k", "p"), 1, "the next page goes on");
    is_str(source->after, "p", "... from there");
    is_int(page(20, "e20", "p", ""), 1, "the last page ends it");
    is_int(source->tail.position, 20, "the tail is where it led");
    is_str(source->tail.event_id, "e20", "... with the event there");
    ok(is_next(21) && svc_source_is_complete(source), "events are taken again");
    is_int(source->snapshot.position, 0, "nothing is left of the snapshot");
    is_str(source->after, "", "... not what was covered");
    svc_source_take(source, 21, "e21");
    is_int(page(20, "e20", "p", ""), 0, "its last page again is refused");
    is_int(page(20, "e20", "", "k"), 0, "... and its first");
    is_int(page(21, "e21", "", ""), 0, "one that leads to the tail is, too");
    is_int(source->tail.position, 21, "... the tail stays");
    is_int(page(22, "e22", "", ""), 1, "one that leads on is another snapshot");
    is_int(source->tail.position, 22, "... a single page is all of it");
}

static void pages_that_are_refused(void)
{
    static const struct {
        apr_int64_t position;
        const char *event_id, *after, *last, *what;
    } table[] = {
        { 20, "e20", "", "k", "the first page again" },
        { 20, "e20", "p", "s", "one that leaves something out" },
        { 20, "e20", "j", "p", "one that begins before" },
        { 19, "e20", "k", "p", "one of another position" },
        { 20, "other", "k", "p", "one of another event" },
        { 21, "e21", "", "k", "the first page of another snapshot" },
        { 21, "e21", "", "", "... be it the only one" },
        { 21, "e21", "k", "", "the last page of another" },
        { 20, "e20", "k", "k", "one that covers nothing" },
        { 20, "e20", "k", "a", "one that leads back" }
    };
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        begin_confirmed(5, "e5", 20);
        is_int(page(20, "e20", "", "k"), 1, "a snapshot has begun");
        is_int(page(table[i].position, table[i].event_id, table[i].after,
                    table[i].last), 0, "%s is refused", table[i].what);
        ok(strcmp(source->after, "k") == 0 && source->tail.position == 5 &&
               source->snapshot.position == 20 && source->needs_snapshot,
           "... and changes nothing");
    }
    begin_confirmed(5, "e5", 20);
    is_int(page(20, "e20", "k", "p"), 0, "a page in the middle begins nothing");
    is_int(page(0, "", "", "k"), 0,
           "an empty log has no snapshot of several pages");
    is_int(page(5, "e5", "", ""), 0, "nobody asked for one that leads nowhere");
    is_int(page(4, "e4", "", "k"), 0, "... or back");
    ok(is_next(6), "events are taken on");
}

static void pages_after_reset(void)
{
    begin_confirmed(50, "e50", 50);
    svc_source_reset(source, 3, NOW);
    is_int(page(3, "n3", "", ""), 0,
           "before the patience ends no page leads back");
    svc_source_reset(source, 3, NOW + 2500);
    is_int(svc_source_reset(source, 3, NOW + SVC_SOURCE_LAG_MS), 1,
           "then the shorter log is believed");
    is_int(page(3, "n3", "", "k"), 1, "its snapshot leads back");
    is_int(svc_source_reset(source, 2, NOW + SVC_SOURCE_LAG_MS), 0,
           "it is replaced once more meanwhile");
    ok(source->snapshot.position == 0 && !*source->after,
       "... the snapshot begins anew");
    is_int(page(3, "n3", "k", ""), 0, "a page of the one before is refused");
    is_int(page(2, "m2", "", "k"), 1, "the new one begins");
    is_int(page(2, "m2", "k", ""), 1, "... and ends");
    is_int(source->tail.position, 2, "the tail is before where it was");
    is_str(source->tail.event_id, "m2", "... at another event");
    ok(is_next(3), "from there events are taken");
    svc_source_hear(source, 2, NOW + SVC_SOURCE_LAG_MS);
    is_int(svc_source_reset(source, 1, NOW + SVC_SOURCE_LAG_MS), 0,
           "a later shorter log has a patience of its own");

    begin_confirmed(50, "e50", 50);
    is_int(svc_source_reset(source, 50, NOW), 1, "a log that is another one");
    is_int(page(50, "n50", "", ""), 1,
           "... may have a snapshot at the same position");
    is_str(source->tail.event_id, "n50", "... with its own event");

    begin_confirmed(50, "e50", 50);
    svc_source_reset(source, 0, NOW);
    svc_source_reset(source, 0, NOW + 2500);
    is_int(svc_source_reset(source, 0, NOW + SVC_SOURCE_LAG_MS), 1,
           "a log that is empty now");
    is_int(page(0, "", "", ""), 1, "... has a snapshot of one page");
    is_int(source->tail.position, 0, "... that leads to its begin");
    svc_source_hear(source, 0, NOW + SVC_SOURCE_LAG_MS);
    ok(is_next(1) && svc_source_is_complete(source),
       "... from where it is followed");
}

static void loading_again(void)
{
    svc_inbox_cursor_t cursor = { 30, "e30" };

    begin_confirmed(5, "e5", 20);
    is_int(page(20, "e20", "", "k"), 1, "a snapshot has begun");
    svc_source_load(source, &cursor);
    ok(!source->needs_snapshot && source->snapshot.position == 0 &&
           !*source->after && !*source->snapshot.event_id,
       "another follower was faster: the cursor is loaded, and nothing is left "
       "of the snapshot");
    is_int(page(20, "e20", "k", ""), 0, "... its pages are refused");
    ok(!is_next(31), "... and the cursor is to be confirmed");
    begin_confirmed(50, "e50", 50);
    is_int(svc_source_reset(source, 4, NOW), 0, "a log is shorter");
    svc_source_load(source, &cursor);
    is_int(svc_source_reset(source, 4, NOW + SVC_SOURCE_LAG_MS), 0,
           "to load the cursor is to begin to wait anew");
    begin_confirmed(50, "e50", 50);
    is_int(svc_source_reset(source, 50, NOW), 1, "a log is another one");
    svc_source_load(source, &cursor);
    svc_source_hear(source, 50, NOW);
    svc_source_confirm(source);
    ok(is_next(31), "after loading it is judged anew");
}

static void too_long_a_name(void)
{
    char id[300];

    memset(id, 'x', 256);
    id[256] = '\0';
    begin_confirmed(5, "e5", 20);
    is_int(page(20, id, "", ""), 0,
           "a snapshot that leads to an id that cannot be kept is refused");
}

static void long_names(void)
{
    char id[256];

    memset(id, 'x', 255);
    id[255] = '\0';
    begin_confirmed(5, id, 20);
    is_str(source->tail.event_id, id, "the longest event id is kept whole");
    is_int(page(20, id, "", "k"), 1, "a snapshot may lead to it");
    is_int(page(20, id, "k", ""), 1, "... to its end");
}

/* --- another follower of the same database has moved the cursor ------------------- */

static void overtaken(void)
{
    svc_inbox_cursor_t ahead = { 9, "nine" }, behind = { 8, "eight" };

    begin_confirmed(3, "three", 3);
    ok(svc_source_is_complete(source), "a log is taken to its end");
    svc_source_reload(source, &ahead, NOW);
    is_int(svc_source_place(source, 10), SVC_SOURCE_NEXT,
           "where another follower has moved the cursor, the next event is "
           "taken");
    is_int(svc_source_place(source, 9), SVC_SOURCE_KNOWN,
           "what the other one took is known");
    ok(svc_source_is_complete(source), "nothing is missing then");

    svc_source_hear(source, 12, NOW);
    ok(svc_source_wants_more(source, NOW), "what is missing is asked for");
    ok(!svc_source_wants_more(source, NOW + 500), "not twice at once");
    svc_source_reload(source, &behind, NOW + 500);
    ok(!svc_source_wants_more(source, NOW + 500),
       "the other one is left a moment to take it");
    ok(svc_source_wants_more(source, NOW + 600),
       "then it is asked for, though nothing was heard meanwhile");
    is_str(source->tail.event_id, "eight", "from the cursor as it is");
}

static void overtaken_in_doubt(void)
{
    svc_inbox_cursor_t cursor = { 4, "four" };

    begin_confirmed(3, "three", 3);
    svc_source_hear(source, 5, NOW + 60000); /* after a silence */
    svc_source_reload(source, &cursor, NOW + 60000);
    is_int(svc_source_place(source, 5), SVC_SOURCE_LATER,
           "a log that was in doubt still is");
}

int main(void)
{
    fixture_begin();
    order();
    doubt();
    asking();
    reset_that_reaches();
    reset_that_is_shorter();
    reset_while_another_confirms();
    reset_after_a_silence();
    pages_in_order();
    pages_that_are_refused();
    pages_after_reset();
    loading_again();
    long_names();
    too_long_a_name();
    overtaken();
    overtaken_in_doubt();
    return fixture_end();
}
