/* svc_replay: what is answered to those who missed something: events, RESET, a
 * snapshot page by page, or a sentence; at each edge of the log.
 * Of SQLite only: it asks and spoils in that dialect.
 */
#include "jobs.h"

#include "svc_replay.h"

static svc_db_t *db;
static svc_stream_t *stream;
static const char *source;
static apr_array_header_t *answer; /* svc_bus_frame_t */
static svc_replay_state_fn state_fn;

/* --- the log and the state ---------------------------------------------------------- */

static void write_events(int count)
{
    svc_stream_tx_t tx;

    must(svc_stream_begin(&tx, db, stream, fixture.pool));
    while (count-- > 0)
        svc_stream_emit(&tx, "x:y", "018f3a7e-1234-7abc-8def-0123456789ab",
                        NULL, NULL, NULL);
    must(svc_stream_commit(&tx));
}

/* Removes the events up to POSITION. */
static void trim_to(int position)
{
    svc_stream_tx_t tx;
    int removed = 0;

    fixture_do(db, apr_psprintf(fixture.pool, "UPDATE x_log SET recorded_at = "
                                "0 WHERE position <= %d", position));
    must(svc_stream_begin(&tx, db, stream, fixture.pool));
    must(svc_stream_trim(&removed, &tx, 1, 1000));
    must(svc_stream_commit(&tx));
}

static const char *id_at(int position)
{
    const char *id = NULL;

    must(svc_stream_event_id(&id, db, stream, position, fixture.pool));
    return id ? id : "unknown";
}

/* A new log, in the database FILE. */
static void begin_log(const char *file)
{
    apr_int64_t head;

    if (db)
        svc_db_close(db);
    db = fixture_database(file, &jobs_schema, stream);
    must(svc_stream_head(&source, &head, db, stream, fixture.pool));
}

typedef struct page_t {
    apr_array_header_t *events;
    const char *last;
    int rows;
} page_t;

static svc_err_t *take_row(void *baton, const svc_db_row_t *row)
{
    page_t *page = baton;
    svc_event_t *event;

    page->rows++;
    page->last = svc_db_row_text(row, 0);
    if (svc_db_row_int(row, 1) < 0)
        return NULL;
    event = apr_array_push(page->events);
    memset(event, 0, sizeof(*event));
    event->type = "x:state";
    event->entity = page->last;
    event->data = svc_json_object(fixture.pool);
    svc_json_set_int(event->data, "n", svc_db_row_int(row, 1));
    return NULL;
}

/* The rows of x_a; a follower need not have those whose n is negative. */
static svc_err_t *state(apr_array_header_t *events, const char **last,
                        svc_db_t *where, const char *after, int limit,
                        apr_pool_t *pool)
{
    static const svc_db_sql_t sql = {
        "state", SVC_DB_SAME("SELECT id, n FROM x_a WHERE id > %s ORDER BY id "
                             "LIMIT %lld")
    };
    const char *args[] = { after, svc_db_arg(limit, pool) };
    page_t page = { events, NULL, 0 };
    svc_err_t *err = svc_db_each(where, &sql, args, take_row, &page, pool);

    *last = page.rows == limit ? page.last : NULL;
    return err;
}

static svc_err_t *no_state(apr_array_header_t *events, const char **last,
                           svc_db_t *where, const char *after, int limit,
                           apr_pool_t *pool)
{
    (void)where;
    (void)after;
    (void)limit;
    apr_array_push(events);
    *last = "x";
    return svc_err_ours(pool, SVC_ERR_UNAVAILABLE, "away", "away");
}

/* --- asking ------------------------------------------------------------------------- */

static svc_err_t *try_frames(const char *const *texts, int count)
{
    svc_bus_frame_t frames[16];
    int i;

    for (i = 0; i < count; i++)
        frames[i] = svc_bus_text(texts[i]);
    answer = apr_array_make(fixture.pool, 8, sizeof(svc_bus_frame_t));
    return svc_replay_answer(answer, frames, count, db, stream, state_fn,
                             fixture.pool);
}

#define ask(...) \
    do { \
        const char *texts_[] = { __VA_ARGS__ }; \
        must(try_frames(texts_, (int)(sizeof(texts_) / sizeof(texts_[0])))); \
    } while (0)

static const char *number(apr_int64_t n)
{
    return svc_db_arg(n, fixture.pool);
}

static void replay(int position, const char *event_id, const char *limit)
{
    ask("REPLAY", source, number(position), event_id, limit);
}

static void snapshot(int position, const char *event_id, const char *after,
                     const char *limit)
{
    ask("SNAPSHOT", source, number(position), event_id, after, limit);
}

static const char *frame(int i)
{
    return i < answer->nelts ? APR_ARRAY_IDX(answer, i, svc_bus_frame_t).data
                             : "(none)";
}

/* The answer in one line: the first HEAD frames, without the source, then of
 * each event its position, or of a snapshot its entity. */
static const char *said(void)
{
    int is_page = strcmp(frame(0), "SNAPSHOT") == 0;
    int i, begin = is_page ? 6 : 3;
    const char *text = frame(0);

    for (i = 1; i < begin && i < answer->nelts; i++) {
        if (i > 1 || strcmp(frame(i), source) != 0)
            text = apr_pstrcat(fixture.pool, text, " ",
                               *frame(i) ? frame(i) : "-", NULL);
    }
    for (i = begin; i < answer->nelts; i += 2) {
        svc_event_t event;

        must(svc_event_decode(&event, frame(i), frame(i + 1),
                              strlen(frame(i + 1)), fixture.pool));
        text = apr_pstrcat(fixture.pool, text, i == begin ? ": " : " ",
                           is_page ? event.entity : number(event.position),
                           NULL);
        if (is_page && event.position != apr_atoi64(frame(2)))
            return "an entity of another position";
    }
    return text;
}

static int is_error(const char *sentence)
{
    return answer->nelts == 2 && strcmp(frame(0), "ERROR") == 0 &&
           strstr(frame(1), sentence);
}

/* --- requests ------------------------------------------------------------------------ */

static void sentences(void)
{
    static const char *const zero = "0", *const one = "1";
    static const char *const digits = "999999999999999999";
    int i;

    ask("REPLAY");
    ok(is_error("5 frames"), "a request of one frame is refused");
    ask("REPLAY", source, zero, "");
    ok(is_error("5 frames"), "... and REPLAY of four");
    ask("REPLAY", source, zero, "", one, "more");
    ok(is_error("5 frames"), "... and of six");
    ask("SNAPSHOT", source, zero, "", one);
    ok(is_error("or 6"), "... and SNAPSHOT of five");
    ask("SNAPSHOT", source, zero, "", "", one, "more");
    ok(is_error("or 6"), "... and of seven");
    ask("replay", source, zero, "", one);
    ok(is_error("5 frames"), "the word counts");
    ask("", source, zero, "", one);
    ok(is_error("5 frames"), "... and must be there");
    for (i = 0; i < 2; i++) {
        static const char *const bad[] = { "", "x", "-1", "1 ", "1.0", "0x1",
                                           "1000000000000000000", "+1" };
        size_t k;

        for (k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
            if (i == 0)
                ask("REPLAY", source, bad[k], "", one);
            else
                ask("SNAPSHOT", source, bad[k], "", "", one);
            ok(is_error("the position must be a number"),
               "'%s' is no position", bad[k]);
            if (i == 0)
                ask("REPLAY", source, zero, "", bad[k]);
            else
                ask("SNAPSHOT", source, zero, "", "", bad[k]);
            ok(is_error("the limit must be a number"), "'%s' is no limit",
               bad[k]);
        }
    }
    ask("SNAPSHOT", source, zero, "", "", zero);
    ok(is_error("at least 1"), "SNAPSHOT with limit 0 is refused");
    ask("SNAPSHOT", source, zero, "", "k", one);
    ok(is_error("names the position"),
       "SNAPSHOT from the middle without a position is refused");
    ask("SNAPSHOT", source, one, id_at(1),
        "0123456789012345678901234567890123456", one);
    ok(is_error("names the position"), "... and with an id that is too long");
    ask("SNAPSHOT", source, one, id_at(1), "\xff", one);
    ok(is_error("letters, digits and hyphens"), "... or is no id");
    ask("REPLAY", "urn:other", zero, "", one);
    ok(is_error(source), "another source is refused: whose log it is is said");
    ask("SNAPSHOT", "urn:other", zero, "", "", one);
    ok(is_error(source), "... of SNAPSHOT, too");
    ask("REPLAY", "", zero, "", zero);
    is_str(said(), "EVENTS 10", "an empty source is whatever log there is");
    ask("REPLAY", source, digits, "", digits);
    is_str(said(), "EVENTS 10", "the largest numbers are numbers");
}

static void events(void)
{
    replay(0, "", "500");
    is_str(said(), "EVENTS 10: 1 2 3 4 5 6 7 8 9 10",
           "from 0 the log comes from its begin");
    is_str(frame(1), source, "... with its source");
    replay(0, "", "3");
    is_str(said(), "EVENTS 10: 1 2 3", "... as many as were asked for");
    replay(3, id_at(3), "3");
    is_str(said(), "EVENTS 10: 4 5 6", "from its event it goes on");
    replay(9, id_at(9), "3");
    is_str(said(), "EVENTS 10: 10", "... to the head");
    replay(10, id_at(10), "3");
    is_str(said(), "EVENTS 10", "at the head there is nothing");
    replay(3, "", "2");
    is_str(said(), "EVENTS 10: 4 5", "who names no event is believed");
    replay(11, "", "2");
    is_str(said(), "EVENTS 10", "... beyond the head, too");
    replay(3, id_at(4), "3");
    is_str(said(), "RESET 10", "another event at the position: RESET");
    is_str(frame(1), source, "... with the source");
    is_int(answer->nelts, 3, "... and nothing else");
    replay(10, "another", "3");
    is_str(said(), "RESET 10", "... at the head, too");
    replay(11, "any", "3");
    is_str(said(), "RESET 10", "an event beyond the head: RESET");
    replay(0, "any", "1");
    is_str(said(), "EVENTS 10: 1", "at 0 there is no event to compare");
    replay(3, id_at(3), "0");
    is_str(said(), "EVENTS 10", "limit 0 brings the head alone");
    replay(3, "another", "0");
    is_str(said(), "RESET 10", "... if the event is right");
}

/* The log without its first 6 events. */
static void trimmed(void)
{
    const char *third = id_at(3), *fifth = id_at(5), *sixth = id_at(6);

    trim_to(6);
    is_str(fixture_text(db, "SELECT position FROM x_log ORDER BY position"),
           "7 8 9 10", "a log is trimmed");
    replay(6, sixth, "2");
    is_str(said(), "EVENTS 10: 7 8",
           "who has taken exactly what was removed goes on");
    replay(6, fifth, "2");
    is_str(said(), "RESET 10", "... unless its event was another one");
    replay(6, "", "2");
    is_str(said(), "EVENTS 10: 7 8", "... or is not named");
    replay(7, id_at(7), "2");
    is_str(said(), "EVENTS 10: 8 9", "who has more goes on as well");
    replay(5, fifth, "1");
    is_str(said(), apr_pstrcat(fixture.pool, "SNAPSHOT 10 ", id_at(10),
                               " - a: a", NULL),
           "who lacks one event gets a snapshot, as of the head");
    replay(5, "another", "1");
    is_str(frame(0), "SNAPSHOT", "... what is not kept cannot be compared");
    replay(3, third, "1");
    is_str(frame(0), "SNAPSHOT", "who lacks more does, too");
    replay(0, "", "1");
    is_str(frame(0), "SNAPSHOT", "... and who has nothing");
    replay(0, "", "0");
    is_str(said(), "EVENTS 10", "limit 0 brings the head alone");
    replay(5, fifth, "0");
    is_str(said(), "EVENTS 10", "... from anywhere");
    replay(11, "any", "1");
    is_str(said(), "RESET 10", "an event beyond the head: RESET");
}

/* --- snapshots ------------------------------------------------------------------------ */

static void pages(void)
{
    const char *head = id_at(10), *later;
    svc_event_t event;
    svc_json_t *data;

    snapshot(0, "", "", "2");
    is_str(said(), apr_pstrcat(fixture.pool, "SNAPSHOT 10 ", head,
                               " - b: a b", NULL),
           "a snapshot begins at the head, with the first ids");
    is_str(frame(1), source, "... of this source");
    must(svc_event_decode(&event, frame(6), frame(7), strlen(frame(7)),
                          fixture.pool));
    is_str(event.type, "x:state", "an entity is an event");
    is_str(event.source, source, "... of this source");
    is_int(event.position, 10, "... at the snapshot's position");
    must(svc_event_data(&data, &event, fixture.pool));
    ok(svc_json_type(data, "n") == SVC_JSON_NUMBER,
       "... with its data");
    ok(strlen(event.id) == 36, "... and an id");
    write_events(1);
    later = id_at(11);
    snapshot(10, head, "b", "2");
    is_str(said(), apr_pstrcat(fixture.pool, "SNAPSHOT 10 ", head,
                               " b d", NULL),
           "a page may have no entity; it says where it begins, how far it "
           "goes, and still where the snapshot leads");
    snapshot(10, head, "d", "2");
    is_str(said(), apr_pstrcat(fixture.pool, "SNAPSHOT 10 ", head,
                               " d f: e f", NULL),
           "the next page goes on");
    snapshot(10, head, "f", "2");
    is_str(said(), apr_pstrcat(fixture.pool, "SNAPSHOT 10 ", head,
                               " f -: g", NULL),
           "the last page says that it is the last one");
    snapshot(10, head, "e", "2");
    is_str(said(), apr_pstrcat(fixture.pool, "SNAPSHOT 10 ", head,
                               " e g: f g", NULL),
           "a page that is full may be followed by one");
    snapshot(10, head, "g", "2");
    is_str(said(), apr_pstrcat(fixture.pool, "SNAPSHOT 10 ", head, " g -",
                               NULL),
           "... that has nothing");
    snapshot(10, head, "", "500");
    is_str(said(), apr_pstrcat(fixture.pool, "SNAPSHOT 10 ", head,
                               " - -: a b e f g", NULL),
           "one may ask for all at once");
    snapshot(0, "", "", "1");
    is_str(said(), apr_pstrcat(fixture.pool, "SNAPSHOT 11 ", later, " - a: a",
                               NULL),
           "a new snapshot begins at the new head");
    snapshot(0, "any", "", "1");
    is_str(frame(2), "11", "... whatever event is named at 0");
}

static void replaced_meanwhile(void)
{
    const char *head = id_at(11);

    snapshot(11, "another", "b", "2");
    is_str(said(), "RESET 11",
           "a log that was replaced during the snapshot: RESET");
    snapshot(12, "any", "b", "2");
    is_str(said(), "RESET 11", "... by a shorter one, too");
    write_events(2);
    trim_to(12);
    snapshot(11, head, "b", "2");
    is_str(said(), apr_pstrcat(fixture.pool, "SNAPSHOT 11 ", head,
                               " b d", NULL),
           "a snapshot whose event was removed meanwhile goes on");
    snapshot(12, "another", "b", "2");
    is_str(said(), "RESET 13", "the last that was removed is compared");
    trim_to(13);
    replay(13, id_at(13), "5");
    is_str(said(), "EVENTS 13", "who has all of a log that is all removed has "
                                "everything");
    replay(12, "any", "1");
    is_str(said(), apr_pstrcat(fixture.pool, "SNAPSHOT 13 ", id_at(13),
                               " - a: a", NULL),
           "who has not gets a snapshot, as of its last event");
    write_events(1);
    replay(13, id_at(13), "5");
    is_str(said(), "EVENTS 14: 14", "positions go on");
}

static void bounded(void)
{
    int i;

    fixture_do(db, "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 "
                   "FROM c WHERE n < 1100) INSERT INTO x_a "
                   "SELECT printf('z%05d', n), n FROM c");
    snapshot(0, "", "", "999999999");
    is_int((answer->nelts - 6) / 2, SVC_REPLAY_MAX_PAGE - 2,
           "a page is bounded, whatever is asked for");
    is_str(frame(5), "z00493", "... it says how far it goes");
    for (i = 0; i < 700; i += 100)
        write_events(100);
    replay(14, id_at(14), "999999999");
    is_int((answer->nelts - 3) / 2, SVC_REPLAY_MAX_PAGE,
           "so is a page of events");
}

static void without_state(void)
{
    const char *texts[] = { "SNAPSHOT", "", "0", "", "", "5" };

    state_fn = NULL;
    replay(13, id_at(13), "1");
    is_str(said(), "EVENTS 714: 14", "a service without snapshots has events");
    replay(12, "", "1");
    ok(is_error("no snapshots"), "where they are not kept it says so");
    snapshot(0, "", "", "5");
    ok(is_error("no snapshots"), "... and when a snapshot is asked for");
    snapshot(15, "another", "", "5");
    is_str(said(), "RESET 714", "... but not of another log");
    state_fn = no_state;
    fails(try_frames(texts, 6), SVC_ERR_UNAVAILABLE,
          "an error of the database is handed on");
    is_int(answer->nelts, 0, "... and nothing is answered");
    state_fn = state;
}

static void empty_log(void)
{
    begin_log("empty.db");
    replay(0, "", "5");
    is_str(said(), "EVENTS 0", "an empty log has no events");
    replay(5, "any", "5");
    is_str(said(), "RESET 0", "... nor the one that somebody has taken");
    snapshot(0, "", "", "5");
    is_str(said(), "SNAPSHOT 0 - - -",
           "its snapshot is one page, which leads to its begin");
    snapshot(5, "any", "k", "5");
    is_str(said(), "RESET 0", "... a snapshot of another log ends there");
}

int main(void)
{
    fixture_begin();
    state_fn = state;
    stream = svc_stream_create("x", "", fixture.pool);
    begin_log("x.db");
    write_events(10);
    fixture_do(db, "INSERT INTO x_a (id, n) VALUES ('a', 1), ('b', 2), "
                   "('c', -1), ('d', -1), ('e', 5), ('f', 6), ('g', 7)");
    sentences();
    events();
    trimmed();
    pages();
    replaced_meanwhile();
    bounded();
    without_state();
    empty_log();
    svc_db_close(db);
    return fixture_end();
}
