/* svc_inbox: cursors move by compare and swap; events wait in their place; bad
 * ones are set aside; all of it is bounded.
 */
#include "fixture.h"

#include "svc_inbox.h"
#include "tickets_schema.h"

static svc_db_t *db;
static svc_stream_t *stream;
static svc_inbox_t *inbox;
static svc_stream_tx_t tx;

static void begin(void)
{
    must(svc_stream_begin(&tx, db, stream, fixture.pool));
}

static void commit(void)
{
    must(svc_stream_commit(&tx));
}

static int move(const char *source, apr_int64_t from, const char *from_id,
                apr_int64_t to, const char *to_id)
{
    svc_inbox_cursor_t a = { from, from_id }, b = { to, to_id };
    int moved = -1;

    must(svc_inbox_move_cursor(&moved, &tx, inbox, source, &a, &b));
    return moved;
}

static svc_inbox_cursor_t cursor(const char *source)
{
    svc_inbox_cursor_t at;

    must(svc_inbox_read_cursor(&at, db, inbox, source, fixture.pool));
    return at;
}

static void cursors(void)
{
    is_int(cursor("a").position, 0, "a source that is not known is at 0");
    is_str(cursor("a").event_id, "", "... without an event");
    begin();
    is_int(move("a", 5, "e5", 6, "e6"), 0,
           "a cursor that is not there cannot move from elsewhere");
    is_int(move("a", 0, "", 3, "e3"), 1, "it moves from 0");
    is_int(move("a", 0, "", 4, "e4"), 0, "... once");
    is_int(move("a", 3, "other", 4, "e4"), 0,
           "another event at its place does not move it");
    is_int(move("a", 2, "e2", 4, "e4"), 0, "a stale place does not move it");
    is_int(move("a", 3, "e3", 7, "e7"), 1, "its own place does");
    is_int(move("b", 0, "", 1, "x1"), 1, "each source has its own");
    commit();
    is_int(cursor("a").position, 7, "the place is kept");
    is_str(cursor("a").event_id, "e7", "... with its event");
    is_int(cursor("b").position, 1, "... for each source");
    begin();
    is_int(move("a", 7, "e7", 8, "e8"), 1, "a move counts at once");
    svc_db_rollback(tx.db, tx.pool);
    is_int(cursor("a").position, 7, "... and is undone with its transaction");
}

static int holds(const char *source, apr_int64_t from, const char *from_id)
{
    svc_inbox_cursor_t at = { from, from_id };
    int is_held = -1;

    must(svc_inbox_hold_cursor(&is_held, &tx, inbox, source, &at));
    return is_held;
}

static void holding(void)
{
    begin();
    is_int(holds("a", 7, "e7"), 1, "a cursor is held where it stands");
    is_int(cursor("a").position, 7, "... and stays there");
    is_int(holds("a", 7, "other"), 0, "not with another event");
    is_int(holds("a", 6, "e7"), 0, "... or elsewhere");
    is_int(holds("a", 8, "e7"), 0, "... be it ahead");
    is_int(holds("b", 7, "e7"), 0, "... or of another source");
    is_int(holds("new", 0, ""), 1, "one that is not there is held at 0");
    is_int(holds("new", 1, ""), 0, "... and nowhere else");
    is_int(holds("a", 0, ""), 0, "one that is there is not");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM tickets_cursor"), 2,
           "to hold a cursor makes none");
    is_int(move("a", 7, "e7", 4, "e4"), 1, "one that is held can be moved back");
    is_int(holds("a", 7, "e7"), 0, "... then it is no more where it was");
    is_int(holds("a", 4, "e4"), 1, "... but where it is");
    is_int(move("a", 4, "e4", 0, ""), 1, "... to the begin as well");
    is_int(holds("a", 0, ""), 1, "... and held there");
    is_int(move("a", 0, "", 1, "e1"), 1, "... and moved on");
    commit();
    is_str(cursor("a").event_id, "e1", "that is kept");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM tickets_cursor"), 2,
           "... in its one row");
}

static const char *unpark(const char *entity, apr_int64_t version)
{
    const char *subject = NULL, *text = NULL;

    must(svc_inbox_unpark(&subject, &text, &tx, inbox, entity, version));
    return text;
}

static int park(const char *entity, apr_int64_t version, const char *text)
{
    int kept = -1;

    must(svc_inbox_park(&kept, &tx, inbox, entity, version, "ticket:updated",
                        text));
    return kept;
}

static int has_parked(void)
{
    int has = -1;

    must(svc_inbox_has_parked(&has, &tx, inbox));
    return has;
}

static void parking(void)
{
    char text[SVC_INBOX_MAX_TEXT + 2];
    const char *subject = NULL, *got = NULL;

    begin();
    is_int(has_parked(), 0, "at first nothing waits");
    is_int(park("t1", 3, "three"), 1, "an event is kept");
    is_int(park("t1", 2, "two"), 1, "... an earlier one too");
    is_int(park("t1", 5, "five"), 1, "... and a later one");
    is_int(park("t1", 3, "three again"), 1, "a repeated one is no error");
    is_int(park("t2", 3, "other"), 1, "each entity has its own");
    is_int(has_parked(), 1, "now something waits");
    ok(!unpark("t1", 4), "version 4 is not there");
    is_str(unpark("t2", 3), "other", "t2 was not touched");
    ok(!unpark("t1", 3), "... and those before 4 are forgotten");
    must(svc_inbox_unpark(&subject, &got, &tx, inbox, "t1", 5));
    is_str(got, "five", "version 5 is taken out");
    is_str(subject, "ticket:updated", "... with its subject");
    ok(!unpark("t1", 5), "... once");
    memset(text, 'x', sizeof(text));
    text[SVC_INBOX_MAX_TEXT + 1] = '\0';
    is_int(park("t4", 1, text), 0, "an event that is too long is not kept");
    text[SVC_INBOX_MAX_TEXT] = '\0';
    is_int(park("t4", 1, text), 1, "the longest one that fits is");
    is_str(unpark("t4", 1), text, "... whole");
    commit();
}

static void bounds(void)
{
    int i, bad = 0;

    fixture_do(db, "DELETE FROM tickets_parked");
    fixture_do(db, "INSERT INTO tickets_parked WITH RECURSIVE c(n) AS "
                   "(SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 9999) "
                   "SELECT 'many', n, 's', 'x' FROM c");
    begin();
    is_int(park("t5", 1, "x"), 1, "there is room for 10000 events");
    is_int(park("t5", 2, "x"), 0, "... and not for one more");
    ok(!unpark("many", 10000), "forgetting them");
    is_int(park("t5", 2, "x"), 1, "... makes room again");
    commit();

    begin();
    for (i = 0; i < SVC_INBOX_MAX_QUARANTINED + 5; i++)
        must(svc_inbox_quarantine(&tx, inbox, "src", i, "ticket:created", "{}",
                                  "bad"));
    commit();
    is_int(fixture_int(db, "SELECT COUNT(*) FROM tickets_quarantine"),
           SVC_INBOX_MAX_QUARANTINED, "the quarantine is bounded");
    apr_sleep(3000);
    fixture_do(db, "DELETE FROM tickets_quarantine WHERE position < 500");
    begin();
    for (i = 0; i < SVC_INBOX_MAX_QUARANTINED; i++)
        must(svc_inbox_quarantine(&tx, inbox, "new", 5000 + i, "s", "{}",
                                  "bad"));
    commit();
    bad = (int)fixture_int(db, "SELECT COUNT(*) FROM tickets_quarantine "
                               "WHERE position < 5000");
    is_int(bad, 0, "the oldest go first");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM tickets_quarantine"),
           SVC_INBOX_MAX_QUARANTINED, "... and the newest stay");
}

static void quarantine(void)
{
    char text[SVC_INBOX_MAX_TEXT + 2];

    fixture_do(db, "DELETE FROM tickets_quarantine");
    memset(text, 'x', sizeof(text));
    text[SVC_INBOX_MAX_TEXT + 1] = '\0';
    begin();
    must(svc_inbox_quarantine(&tx, inbox, NULL, 1, "s", NULL, "no text"));
    must(svc_inbox_quarantine(&tx, inbox, "src", 2, "s", text, "too long"));
    must(svc_inbox_quarantine(&tx, inbox, "src", 3, "s", "\xff", "not UTF-8"));
    must(svc_inbox_quarantine(&tx, inbox, "src", 4, "\xff", "{}", "subject"));
    must(svc_inbox_quarantine(&tx, inbox, "src", 5,
                              "a subject of more than forty bytes, which has "
                              "no room", "{}", "subject"));
    must(svc_inbox_quarantine(&tx, inbox, "src", 6, "s", "{\"a\":1}", "why"));
    commit();
    is_str(fixture_text(db, "SELECT position || coalesce(event, '-') FROM "
                            "tickets_quarantine ORDER BY position"),
           "1- 2- 3- 4{} 5{} 6{\"a\":1}",
           "texts that are too long or not UTF-8 are left out");
    is_str(fixture_text(db, "SELECT subject FROM tickets_quarantine "
                            "ORDER BY position"),
           "s s s (unreadable) (unreadable) s", "... and subjects replaced");
    is_str(fixture_text(db, "SELECT reason FROM tickets_quarantine "
                            "WHERE position = 6"), "why",
           "the reason is kept");
    ok(fixture_int(db, "SELECT recorded_at FROM tickets_quarantine "
                       "WHERE position = 6") > 0, "... and the time");
}

static void forgetting(void)
{
    fixture_do(db, "DELETE FROM tickets_quarantine");
    begin();
    must(svc_inbox_quarantine(&tx, inbox, "src", 1, "s", "{}", "why"));
    must(svc_inbox_quarantine(&tx, inbox, "src", 2, "s", "{}", "why"));
    must(svc_inbox_quarantine(&tx, inbox, "src", 3, "s", "{}", "why"));
    commit();
    fixture_do(db, "UPDATE tickets_quarantine SET recorded_at = position");
    begin();
    must(svc_inbox_forget(&tx, inbox, 2));
    commit();
    is_str(fixture_text(db, "SELECT position FROM tickets_quarantine "
                            "ORDER BY position"), "2 3",
           "what was set aside before a time is forgotten, and no more");
    begin();
    must(svc_inbox_forget(&tx, inbox, 9));
    must(svc_inbox_forget(&tx, inbox, 9));
    commit();
    is_int(fixture_int(db, "SELECT COUNT(*) FROM tickets_quarantine"), 0,
           "... all of it, if it is old");
}

int main(void)
{
    fixture_begin();
    stream = svc_stream_create("tickets", "", fixture.pool);
    inbox = svc_inbox_create("tickets", fixture.pool);
    db = fixture_database("x.db", &tickets_schema, stream);
    cursors();
    holding();
    parking();
    quarantine();
    bounds();
    forgetting();
    svc_db_close(db);
    return fixture_end();
}
