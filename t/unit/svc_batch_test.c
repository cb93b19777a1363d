/* svc_batch: a follower's events and its cursor in one transaction: events in
 * order, early ones kept for their time, bad ones set aside, and a cursor that
 * another has moved makes its events be passed by.
 */
#include "jobs.h"
#include "svc_batch.h"

#define SOURCE "urn:a"

static svc_db_t *db;
static svc_stream_t *stream;
static svc_inbox_t *inbox;
static svc_stats_t stats;
static int was_ordered; /* what the last event was told */
static const char *prune_origin; /* whose request the last pruning was of */

static svc_json_t *data_of(const svc_event_t *event)
{
    svc_json_t *data;

    must(svc_event_data(&data, event, fixture.pool));
    return data;
}

/* x_a holds the version of each entity; -1 is none. */
static svc_err_t *apply(svc_inbox_outcome_t *outcome,
                        const svc_inbox_context_t *context,
                        const svc_event_t *event)
{
    svc_stream_tx_t *tx = context->tx;
    svc_json_t *data = data_of(event);
    const char *what = svc_json_get_string(data, "do");
    apr_int64_t version = 0, known = -1;
    const char *id = svc_json_get_string(data, "id");
    const char *args[] = { id };
    job_t job = { .kind = JOB_COUNT, .id = id };

    was_ordered = context->is_ordered;
    *outcome = SVC_INBOX_IGNORED;
    if (what && strcmp(what, "ignore") == 0)
        return NULL;
    if (what && strcmp(what, "refuse") == 0)
        return svc_err_make(tx->pool, SVC_ERR_INVALID, "it is not liked");
    if (what && strcmp(what, "poison") == 0) {
        svc_stream_emit(tx, "x:never", id, NULL, NULL, NULL);
        must(job_count(&(job_t){ .id = "trace" }, tx));
        return job_poison(&job, tx);
    }
    if (what && strcmp(what, "away") == 0)
        return svc_err_ours(tx->pool, SVC_ERR_RETRY, "away", "away");
    if (what && strcmp(what, "early") == 0) {
        *outcome = SVC_INBOX_EARLY;
        return NULL;
    }
    svc_json_get_count(&version, data, "version");
    must(svc_db_get(&known, tx->db,
                    fixture_sql("SELECT n FROM x_a WHERE id = %s"), args,
                    tx->pool));
    *outcome = version <= known       ? SVC_INBOX_DUPLICATE
               : version == known + 1 ? SVC_INBOX_APPLIED
                                      : SVC_INBOX_EARLY;
    return *outcome == SVC_INBOX_APPLIED ? job_count(&job, tx) : NULL;
}

/* Brings an entity to the version in the event. */
static svc_err_t *replace(const svc_inbox_context_t *context,
                          const svc_event_t *event)
{
    svc_stream_tx_t *tx = context->tx;
    svc_json_t *data = data_of(event);
    const char *id = svc_json_get_string(data, "id");
    const char *what = svc_json_get_string(data, "do");
    apr_int64_t version = 0;

    if (what && strcmp(what, "refuse") == 0)
        return svc_err_make(tx->pool, SVC_ERR_INVALID, "it is not liked");
    svc_json_get_count(&version, data, "version");
    must(svc_db_text(tx->db, apr_psprintf(tx->pool, "DELETE FROM x_a WHERE "
                                          "id = '%s'", id), tx->pool));
    return svc_db_text(tx->db, apr_psprintf(
        tx->pool, "INSERT INTO x_a (id, n) VALUES ('%s', %d)", id,
        (int)version), tx->pool);
}

/* Gives up one entity: the one that is named "gone", if it is in the range. */
static svc_err_t *prune(const svc_inbox_context_t *context,
                        const svc_inbox_range_t *range)
{
    svc_stream_tx_t *tx = context->tx;

    prune_origin = tx->origin.request_id;
    if (strcmp("gone", range->after) <= 0 ||
        (*range->last && strcmp("gone", range->last) > 0) ||
        apr_hash_get(range->present, "gone", APR_HASH_KEY_STRING))
        return NULL;
    return svc_db_text(tx->db, "DELETE FROM x_a WHERE id = 'gone'", tx->pool);
}

static const svc_inbox_handler_t handler = { apply, NULL, replace, prune };

static svc_batch_t *new_batch(void)
{
    svc_batch_t *batch = apr_pcalloc(fixture.pool, sizeof(*batch));

    batch->inbox = inbox;
    batch->handler = &handler;
    batch->stats = &stats;
    batch->name = "test";
    svc_batch_init(batch, fixture.pool);
    return batch;
}

static svc_event_t event_of(const char *text)
{
    svc_event_t event;

    must(svc_event_decode(&event, "x:y", text, strlen(text), fixture.pool));
    return event;
}

static svc_event_t make_event(const char *id, int version, const char *what,
                              int position)
{
    return event_of(apr_psprintf(
        fixture.pool, "{\"specversion\":\"1.0\",\"id\":\"e%d\",\"source\":\""
        SOURCE "\",\"type\":\"x:y\",\"subject\":\"%s\","
        "\"sequence\":\"%020d\",\"data\":{"
        "\"id\":\"%s\",\"version\":%d%s%s%s}}",
        position, id, position, id, version, what ? ",\"do\":\"" : "",
        what ? what : "", what ? "\"" : ""));
}

/* Adds an event of entity ID; with FROM it is at the position after it. */
static void add(svc_batch_t *batch, const char *id, int version,
                const char *what, const svc_inbox_cursor_t *from)
{
    svc_event_t event = make_event(id, version, what,
                                   from ? (int)from->position + 1 : 0);

    svc_batch_add(batch, "x:y", &event, fixture.pool);
    if (from)
        svc_batch_move(batch, SOURCE, from, fixture.pool);
}

static svc_err_t *run(svc_batch_t *batch)
{
    svc_stream_tx_t tx;
    svc_err_t *err;

    must(svc_stream_begin(&tx, db, stream, fixture.pool));
    err = svc_batch_run(batch, &tx, fixture.pool);
    if (!err)
        err = svc_stream_commit(&tx);
    if (!err)
        svc_batch_report(batch);
    if (err)
        svc_db_rollback(tx.db, tx.pool);
    return err;
}

static int version_of(const char *id)
{
    return (int)fixture_int(db, apr_psprintf(
        fixture.pool, "SELECT n FROM x_a WHERE id = '%s'", id));
}

static int cursor(void)
{
    svc_inbox_cursor_t at;

    must(svc_inbox_read_cursor(&at, db, inbox, SOURCE, fixture.pool));
    return (int)at.position;
}

static int quarantined(void)
{
    return (int)fixture_int(db, "SELECT COUNT(*) FROM x_quarantine");
}

static void with_a_cursor(void)
{
    static const svc_inbox_cursor_t at[] = { { 0, "" }, { 1, "e1" },
                                             { 2, "e2" }, { 3, "e3" } };
    svc_batch_t *batch = new_batch();

    add(batch, "a", 0, NULL, &at[0]);
    add(batch, "a", 1, NULL, &at[1]);
    add(batch, "b", 0, NULL, &at[2]);
    succeeds(run(batch), "events of a log are applied");
    ok(was_ordered, "... and told that they are in order");
    ok(version_of("a") == 1 && version_of("b") == 0, "... each of them");
    is_int(cursor(), 3, "the cursor moves to the last");
    is_int(atomic_load(&stats.applied), 3, "... they are counted");
    ok(APR_ARRAY_IDX(batch->moves, 0, svc_batch_move_t).moved,
       "... and the follower is told");
    succeeds(run(batch), "the same batch again");
    ok(!APR_ARRAY_IDX(batch->moves, 0, svc_batch_move_t).moved,
       "... finds the cursor moved");
    is_int(atomic_load(&stats.duplicates), 0, "... and does not look at them");
    batch = new_batch();
    add(batch, "c", 0, NULL, &at[1]);
    succeeds(run(batch), "a batch with a stale cursor is no error");
    is_int(version_of("c"), -1, "... its events are passed by");
    is_int(cursor(), 3, "... and the cursor stays");
    batch = new_batch();
    add(batch, "c", 0, NULL, &at[0]);
    add(batch, "d", 0, NULL, NULL);
    succeeds(run(batch), "a stale source beside one without a log");
    ok(version_of("c") == -1 && version_of("d") == 0,
       "... only the stale one's events are passed by");
    ok(!was_ordered, "an event without a log is told that it has none");
    batch = new_batch();
    add(batch, "e", 0, NULL, &at[3]);
    add(batch, "f", 0, "away", NULL);
    fails(run(batch), SVC_ERR_RETRY, "a failure of the database fails it all");
    ok(cursor() == 3 && version_of("e") == -1,
       "... the cursor and the effects are undone together");
}

static void early(void)
{
    svc_batch_t *batch = new_batch();

    add(batch, "p", 2, NULL, NULL);
    add(batch, "p", 3, NULL, NULL);
    add(batch, "p", 1, NULL, NULL);
    add(batch, "p", 3, NULL, NULL);
    succeeds(run(batch), "events may come before their time");
    is_int(version_of("p"), -1, "... nothing is applied");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM x_parked"), 3,
           "... each is kept, once");
    batch = new_batch();
    add(batch, "p", 0, NULL, NULL);
    succeeds(run(batch), "the missing one comes");
    is_int(version_of("p"), 3, "... all that waited for it take effect");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM x_parked"), 0,
           "... and nothing waits any more");
    batch = new_batch();
    add(batch, "p", 1, NULL, NULL);
    succeeds(run(batch), "an old one comes again");
    is_int(version_of("p"), 3, "... and is dropped");
    is_int(atomic_load(&stats.duplicates), 1, "... and counted");
    batch = new_batch();
    add(batch, "q", 0, "ignore", NULL);
    succeeds(run(batch), "an event that concerns nothing is passed by");
}

#define TRACE(n) "00-0000000000000000000000000000000" #n "-00f067aa0ba902b7-01"

/* An event without a log of entity ID, with these attributes besides. */
static svc_event_t traced(const char *id, int version, const char *more)
{
    return event_of(apr_psprintf(
        fixture.pool, "{\"specversion\":\"1.0\",\"id\":\"t\",\"source\":"
        "\"urn:t\",\"type\":\"x:y\"%s,\"data\":{\"id\":\"%s\","
        "\"version\":%d}}", more, id, version));
}

/* Of the last COUNT events that were emitted, what their origins are: a trace by
 * its number, and the request. */
static const char *emitted(int count)
{
    int head = (int)fixture_int(db, "SELECT position FROM x_head");
    const char *all = "";

    while (count--) {
        const char *text = fixture_text(db, apr_psprintf(
            fixture.pool, "SELECT event FROM x_log WHERE position = %d",
            head - count));
        svc_event_t event;

        must(svc_event_decode(&event, "x:counted", text, strlen(text),
                              fixture.pool));
        all = apr_psprintf(fixture.pool, "%s%s%c%s", all, *all ? " " : "",
                           event.origin.traceparent
                               ? event.origin.traceparent[34] : '-',
                           event.origin.request_id ? event.origin.request_id
                                                   : "-");
    }
    return all;
}

static void origins(void)
{
    svc_batch_t *batch = new_batch();
    svc_event_t event = traced("o", 1, ",\"traceparent\":\"" TRACE(2) "\","
                                       "\"requestid\":\"r2\"");

    svc_batch_add(batch, "x:y", &event, fixture.pool);
    succeeds(run(batch), "an event with an origin waits for an earlier one");
    batch = new_batch();
    event = traced("l", 0, ",\"traceparent\":\"" TRACE(3) "\"");
    svc_batch_add(batch, "x:y", &event, fixture.pool);
    event = traced("n", 0, "");
    svc_batch_add(batch, "x:y", &event, fixture.pool);
    event = traced("o", 0, ",\"requestid\":\"r1\"");
    svc_batch_add(batch, "x:y", &event, fixture.pool);
    event = traced("m", 0, ",\"traceparent\":\"bad\",\"requestid\":\"\"");
    svc_batch_add(batch, "x:y", &event, fixture.pool);
    succeeds(run(batch), "events with and without one are applied together");
    is_str(emitted(5), "3- -- -r1 2r2 --",
           "what they make happen goes back to what they do, each its own");
}

static void many_early(void)
{
    svc_batch_t *batch = new_batch();
    int i;

    for (i = 900; i > 0; i--)
        add(batch, "many", i, NULL, NULL);
    add(batch, "many", 0, NULL, NULL);
    succeeds(run(batch), "900 events in the wrong order");
    is_int(version_of("many"), 900, "... all take effect");
}

static void bad(void)
{
    svc_batch_t *batch = new_batch();
    int before = quarantined();

    add(batch, "r", 0, NULL, NULL);
    add(batch, "r", 1, "refuse", NULL);
    svc_batch_add_bad(batch, "x:y", "no event", "it cannot be read",
                      fixture.pool);
    svc_batch_add_bad(batch, "\xff", NULL, "it has one frame", fixture.pool);
    add(batch, "s", 0, NULL, NULL);
    succeeds(run(batch), "bad events do not stop the stream");
    ok(version_of("r") == 0 && version_of("s") == 0,
       "... those around them take effect");
    is_int(quarantined() - before, 3, "... they are set aside");
    is_int(atomic_load(&stats.quarantined), 3, "... and counted");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM x_quarantine WHERE reason = "
                           "'it is not liked' AND event IS NOT NULL"), 1,
           "... with the reason and the event");
    is_int(fixture_logged("SVC030"), 3, "... and a line in the log for each");
}

static void poisonous(int with_cursor)
{
    svc_inbox_cursor_t at[3] = { { 3, "e3" }, { 4, "e4" }, { 5, "e5" } };
    const char *first = with_cursor ? "t" : "u";
    const char *last = with_cursor ? "v" : "w";
    svc_batch_t *batch = new_batch();
    int before = quarantined();
    int events = (int)fixture_int(db, "SELECT COUNT(*) FROM x_log");

    add(batch, first, 0, NULL, with_cursor ? &at[0] : NULL);
    add(batch, "poor", 0, "poison", with_cursor ? &at[1] : NULL);
    add(batch, last, 0, NULL, with_cursor ? &at[2] : NULL);
    fails(run(batch), SVC_ERR_INTERNAL,
          "an event that the database refuses fails the batch");
    ok(version_of(first) == -1 && version_of(last) == -1 &&
           cursor() == (with_cursor ? 3 : 6), "... all of it is undone");
    batch->is_careful = 1;
    succeeds(run(batch), "with care it is set aside alone");
    ok(version_of(first) == 0 && version_of(last) == 0,
       "... the others take effect");
    is_int(version_of("trace"), -1, "... what it had written is undone");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM x_log") - events, 2,
           "... and what it had told");
    is_int(quarantined() - before, 1, "... it is in the quarantine");
    is_int(cursor(), 6, "... the cursor is behind it");
    is_int(fixture_int(db, "SELECT COUNT(*) - MAX(position) FROM x_log"), 0,
           "... and the log has no gap");
}

static void no_room(void)
{
    static const char *const nameless =
        "{\"specversion\":\"1.0\",\"id\":\"e\",\"source\":\"urn:a\","
        "\"type\":\"x:y\",\"data\":{\"do\":\"early\"}}";
    svc_batch_t *batch = new_batch();
    svc_event_t event;
    int before;

    fixture_do(db, "INSERT INTO x_parked WITH RECURSIVE c(n) AS (SELECT 1 "
                   "UNION ALL SELECT n + 1 FROM c WHERE n < 10000) "
                   "SELECT 'full', n, 's', 'x' FROM c");
    before = quarantined();
    add(batch, "y", 5, NULL, NULL);
    succeeds(run(batch), "an early event without room");
    is_int(quarantined() - before, 1, "... is set aside");
    batch = new_batch();
    event = event_of(nameless);
    svc_batch_add(batch, "x:y", &event, fixture.pool);
    succeeds(run(batch), "an early event without id and version");
    is_int(quarantined() - before, 2, "... is set aside");
}

/* A page that leads from the cursor at FROM to position TO. */
static svc_batch_t *new_page(int from, int to, const char *after,
                             const char *last)
{
    svc_batch_t *batch = new_batch();
    svc_batch_move_t move = {
        SOURCE, { from, apr_psprintf(fixture.pool, "e%d", from) },
        { to, apr_psprintf(fixture.pool, "e%d", to) }, 0
    };

    svc_batch_add_page(batch, &move, after, last, fixture.pool);
    return batch;
}

static void add_state(svc_batch_t *batch, const char *id, int version,
                      const char *what)
{
    svc_event_t event = make_event(id, version, what, 0);

    svc_batch_add_state(batch, "x:y", &event, NULL, fixture.pool);
}

static void pages(void)
{
    svc_event_t unread = { .text = "no event" }, foreign;
    svc_batch_t *batch = new_page(6, 50, "", "k");
    int before = quarantined();

    fixture_do(db, "DELETE FROM x_parked");
    fixture_do(db, "INSERT INTO x_a (id, n) VALUES ('gone', 3)");
    fixture_do(db, "UPDATE x_a SET n = 9 WHERE id = 'a'");
    add_state(batch, "a", 4, NULL);
    add_state(batch, "b", 5, "refuse");
    svc_batch_add_state(batch, "x:y", &unread, "it cannot be read",
                        fixture.pool);
    foreign = make_event("f", 0, NULL, 0);
    foreign.source = "urn:b";
    svc_batch_add_state(batch, "x:y", &foreign, NULL, fixture.pool);
    add_state(batch, "c", 7, NULL);
    succeeds(run(batch), "a page of a snapshot is applied");
    ok(version_of("a") == 4 && version_of("c") == 7,
       "... each entity has its state, be it older than what was here");
    is_int(version_of("gone"), -1, "... what is not in its range is given up");
    is_int(quarantined() - before, 3, "... what is bad is set aside");
    is_int(version_of("f"), -1, "... so is what is of another source");
    is_int(version_of("b"), 0, "... and left as it was");
    is_int(cursor(), 6, "the cursor stays before the last page");
    is_int(APR_ARRAY_IDX(batch->pages, 0, svc_batch_page_t).move.moved, 1,
           "... where it was held");
    fixture_do(db, "INSERT INTO x_a (id, n) VALUES ('gone', 3)");
    add(batch = new_batch(), "z", 9, NULL, NULL);
    succeeds(run(batch), "an event comes early");
    batch = new_page(6, 50, "k", "");
    add_state(batch, "z", 8, NULL);
    succeeds(run(batch), "the last page is applied");
    is_int(version_of("z"), 9, "... what waited for its state follows it");
    is_int(version_of("gone"), 3, "... what is before its range stays");
    is_int(cursor(), 50, "the cursor moves with the last page");
    batch = new_page(6, 60, "", "");
    add_state(batch, "a", 1, NULL);
    succeeds(run(batch), "a page for a cursor that has moved is no error");
    is_int(version_of("a"), 4, "... it has no effect");
    ok(!APR_ARRAY_IDX(batch->pages, 0, svc_batch_page_t).move.moved,
       "... and the follower is told");
    succeeds(run(new_page(50, 50, "", "")), "a snapshot may lead nowhere else");
    is_int(cursor(), 50, "... the cursor stays");
    succeeds(run(new_page(50, 0, "", "")), "a log may be empty again");
    is_int(cursor(), 0, "... the cursor is at its begin");
}

/* What is left of a page whose transaction was undone: nothing, and it is
 * applied anew. */
static void origins_of_pages(void)
{
    svc_batch_t *batch = new_page(cursor(), 70, "", "a");
    svc_event_t event = traced("s", 3, ",\"requestid\":\"r3\"");

    event.source = SOURCE;
    svc_batch_add_state(batch, "x:y", &event, NULL, fixture.pool);
    prune_origin = "not called";
    succeeds(run(batch), "a page whose entity has an origin is applied");
    is_int(version_of("s"), 3, "... with its entity");
    is_str(prune_origin, NULL, "... what it does not have goes back to nothing");
}

static void page_again(void)
{
    svc_batch_t *batch = new_page(0, 70, "", "");
    int before = quarantined();
    svc_stream_tx_t tx;

    APR_ARRAY_IDX(batch->pages, 0, svc_batch_page_t).move.from.event_id = "";
    fixture_do(db, "INSERT INTO x_a (id, n) SELECT 'gone', 3 WHERE NOT EXISTS "
                   "(SELECT 1 FROM x_a WHERE id = 'gone')");
    fixture_do(db, "UPDATE x_cursor SET position = 0, event_id = ''");
    add_state(batch, "a", 11, NULL);
    add_state(batch, "b", 12, "refuse");
    must(svc_stream_begin(&tx, db, stream, fixture.pool));
    succeeds(svc_batch_run(batch, &tx, fixture.pool), "a page is applied");
    svc_db_rollback(tx.db, tx.pool);
    ok(cursor() == 0 && version_of("a") == 4 && version_of("gone") == 3,
       "... and undone with its transaction");
    succeeds(run(batch), "it is applied again");
    ok(cursor() == 70 && version_of("a") == 11 && version_of("gone") == -1,
       "... with all its effects");
    is_int(quarantined() - before, 1, "... and what is bad is set aside once");
    is_int(batch->notes->nelts, 1, "... and said once");
    is_int(batch->pages->nelts, 1, "... it is still one page");
}

int main(void)
{
    fixture_begin();
    fixture_expect("SVC030: test: an event");
    stream = svc_stream_create("x", "", fixture.pool);
    inbox = svc_inbox_create("x", fixture.pool);
    db = fixture_database("x.db", &jobs_schema, stream);
    with_a_cursor();
    early();
    origins();
    many_early();
    bad();
    poisonous(1);
    poisonous(0);
    no_room();
    pages();
    origins_of_pages();
    page_again();
    svc_db_close(db);
    return fixture_end();
}
