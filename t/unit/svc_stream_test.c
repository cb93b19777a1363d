/* svc_stream: the event log: contiguous positions in order of commit, whatever
 * is rolled back or written by whom; and what is read of it.
 */
#include "fixture.h"

#include "tickets_schema.h"

#define ID "018f3a7e-1234-7abc-8def-0123456789ab"

static svc_stream_t *one, *two; /* two instances on one log */
static svc_db_t *db, *other;

static svc_stream_tx_t begin(svc_db_t *where, const svc_stream_t *stream)
{
    svc_stream_tx_t tx;

    must(svc_stream_begin(&tx, where, stream, fixture.pool));
    return tx;
}

static void emit(svc_stream_tx_t *tx, const char *type, int number)
{
    svc_json_t *data = svc_json_object(fixture.pool);

    svc_json_set_int(data, "n", number);
    svc_stream_emit(tx, type, ID, data, NULL, NULL);
}

static const char *positions(void)
{
    return fixture_text(db, "SELECT position FROM tickets_log "
                            "ORDER BY position");
}

static void identity(void)
{
    const char *source = NULL, *again = NULL;
    apr_int64_t position = -1;
    svc_stream_t *none = svc_stream_create("orders", "", fixture.pool);

    must(svc_stream_head(&source, &position, db, one, fixture.pool));
    ok(strncmp(source, "urn:uuid:", 9) == 0 &&
           strlen(source) == SVC_EVENT_SOURCE_LENGTH,
       "a new log has an identity");
    is_int(position, 0, "... and is empty");
    must(svc_stream_setup(db, one, fixture.pool));
    must(svc_stream_head(&again, &position, other, two, fixture.pool));
    is_str(again, source, "setting up again keeps the identity");
    ok(svc_stream_head(&again, &position, db, none, fixture.pool) != NULL,
       "a log that is not there has no head");
}

static svc_err_t *note_position(void *baton, svc_stream_tx_t *tx,
                                apr_int64_t position)
{
    (void)tx;
    *(apr_int64_t *)baton = position;
    return NULL;
}

static svc_err_t *refuse_position(void *baton, svc_stream_tx_t *tx,
                                  apr_int64_t position)
{
    (void)baton;
    (void)position;
    return svc_err_make(tx->pool, SVC_ERR_INTERNAL, "no");
}

static void writing(void)
{
    svc_stream_tx_t tx = begin(db, one);
    apr_int64_t at[3] = { 0, 0, 0 };
    int has = -1;

    ok(tx.now > 0 && tx.now <= apr_time_now() / 1000 + 1,
       "a transaction has the time of its database");
    svc_stream_emit(&tx, "ticket:created", ID, NULL, note_position, &at[0]);
    svc_stream_emit(&tx, "ticket:updated", ID, NULL, note_position, &at[1]);
    is_int(at[0], 0, "nobody is told a position before the commit");
    succeeds(svc_stream_commit(&tx), "a transaction of two events commits");
    ok(at[0] == 1 && at[1] == 2, "... at positions 1 and 2");
    is_int(tx.last_position, 2, "the transaction knows its last position");
    must(svc_stream_has(&has, db, one, 2, tx.last_id, fixture.pool));
    is_int(has, 1, "one can ask whether it was committed");
    must(svc_stream_has(&has, db, one, 2, "another", fixture.pool));
    is_int(has, 0, "... another event there does not count");
    must(svc_stream_has(&has, db, one, 3, tx.last_id, fixture.pool));
    is_int(has, 0, "... nor does another position");

    tx = begin(db, one);
    emit(&tx, "ticket:updated", 3);
    svc_db_rollback(tx.db, tx.pool);
    tx = begin(db, one);
    emit(&tx, "ticket:updated", 3);
    svc_stream_emit(&tx, "ticket:updated", ID, NULL, refuse_position, NULL);
    fails(svc_stream_commit(&tx), SVC_ERR_INTERNAL,
          "an error of on_position fails the commit");
    svc_db_rollback(tx.db, tx.pool);
    tx = begin(db, one);
    succeeds(svc_stream_commit(&tx), "a transaction without events commits");
    is_int(tx.last_position, 0, "... and has no position");

    tx = begin(other, two);
    emit(&tx, "ticket:updated", 3);
    must(svc_stream_commit(&tx));
    tx = begin(db, one);
    emit(&tx, "ticket:updated", 4);
    emit(&tx, "ticket:updated", 5);
    must(svc_stream_commit(&tx));
    is_str(positions(), "1 2 3 4 5",
           "rollbacks leave no gap, and two writers share the numbers");
}

static void reading(void)
{
    apr_array_header_t *rows = NULL;
    const svc_stream_entry_t *row;
    svc_event_t event;
    const char *id = NULL, *source;
    apr_int64_t head;

    must(svc_stream_read(&rows, db, one, 0, 0, 100, fixture.pool));
    is_int(rows->nelts, 5, "all events are read");
    row = &APR_ARRAY_IDX(rows, 4, svc_stream_entry_t);
    must(svc_event_decode(&event, row->subject, row->text, strlen(row->text),
                          fixture.pool));
    must(svc_stream_head(&source, &head, db, one, fixture.pool));
    is_int(head, 5, "the head is the last position");
    is_str(event.source, source, "an event names the log");
    is_int(event.position, 5, "... and its position");
    is_str(event.entity, ID, "... and its entity");
    must(svc_stream_event_id(&id, db, one, 5, fixture.pool));
    is_str(id, event.id, "its id is found by its position");
    must(svc_stream_event_id(&id, db, one, 6, fixture.pool));
    ok(!id, "... and none where there is no event");
    must(svc_stream_read(&rows, db, one, 2, 0, 2, fixture.pool));
    ok(rows->nelts == 2 &&
           APR_ARRAY_IDX(rows, 0, svc_stream_entry_t).position == 3 &&
           APR_ARRAY_IDX(rows, 1, svc_stream_entry_t).position == 4,
       "a page begins after a position and is limited");
    must(svc_stream_read(&rows, db, two, 0, 1, 100, fixture.pool));
    ok(rows->nelts == 1 &&
           APR_ARRAY_IDX(rows, 0, svc_stream_entry_t).position == 3,
       "one may read what this instance wrote alone");
    must(svc_stream_read(&rows, db, one, 5, 0, 100, fixture.pool));
    is_int(rows->nelts, 0, "after the head there is nothing");
}

static void published(void)
{
    apr_int64_t position = -1;
    svc_stream_tx_t tx;

    must(svc_stream_published(&position, db, one, fixture.pool));
    is_int(position, 0, "at first nothing was published");
    tx = begin(db, one);
    must(svc_stream_set_published(&tx, 2));
    must(svc_stream_commit(&tx));
    tx = begin(db, one);
    must(svc_stream_set_published(&tx, 5));
    must(svc_stream_commit(&tx));
    must(svc_stream_published(&position, other, one, fixture.pool));
    is_int(position, 5, "how far one has published is kept");
    must(svc_stream_published(&position, db, two, fixture.pool));
    is_int(position, 0, "... for each instance by itself");
    tx = begin(db, one);
    must(svc_stream_set_published(&tx, 9));
    svc_db_rollback(tx.db, tx.pool);
    must(svc_stream_published(&position, db, one, fixture.pool));
    is_int(position, 5, "... and rolled back with its transaction");
}

/* --- trimming ---------------------------------------------------------------------- */

/* Removes what was recorded before BEFORE; how many. */
static int trim(apr_int64_t before, int limit)
{
    svc_stream_tx_t tx = begin(db, one);
    int removed = -1;

    must(svc_stream_trim(&removed, &tx, before, limit));
    must(svc_stream_commit(&tx));
    return removed;
}

static apr_int64_t trimmed_to(void)
{
    apr_int64_t position = -1;

    must(svc_stream_trimmed(&position, other, two, fixture.pool));
    return position;
}

static const char *id_at(apr_int64_t position)
{
    const char *id = NULL;

    must(svc_stream_event_id(&id, db, one, position, fixture.pool));
    return id;
}

static void trimming(void)
{
    const char *second, *third, *fifth, *source;
    svc_stream_tx_t tx;
    apr_array_header_t *rows = NULL;
    apr_int64_t head = -1;
    int removed = -1;

    is_int(trimmed_to(), 0, "at first nothing is removed");
    fixture_do(db, "UPDATE tickets_log SET recorded_at = position * 1000");
    is_int(trim(1000, 100), 0, "what is not older than the limit stays");
    is_int(trimmed_to(), 0, "... and nothing is noted");
    is_str(positions(), "1 2 3 4 5", "... all is there");
    second = id_at(2);
    third = id_at(3);
    fifth = id_at(5);
    is_int(trim(4000, 2), 2, "as many as are allowed are removed");
    is_str(positions(), "3 4 5", "... from the begin");
    is_int(trimmed_to(), 2, "the last one that was is noted");
    is_str(id_at(2), second, "... with its id");
    ok(!id_at(1), "of the one before nothing is known");
    is_int(trim(4000, 100), 1, "then the rest that is too old");
    is_str(positions(), "4 5", "... and no more");
    is_str(id_at(3), third, "the last one is noted");
    ok(!id_at(2), "... in place of the one before");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM tickets_trimmed"), 1,
           "... once");
    tx = begin(db, one);
    must(svc_stream_trim(&removed, &tx, 5000, 100));
    svc_db_rollback(tx.db, tx.pool);
    ok(removed == 1 && trimmed_to() == 3 && strcmp(positions(), "4 5") == 0,
       "a rollback brings back what was removed");
    fixture_do(db, "UPDATE tickets_log SET recorded_at = 9000 "
                   "WHERE position = 4");
    is_int(trim(6000, 100), 0,
           "one that is young keeps what follows, however old its clock");
    is_str(positions(), "4 5", "... so that no gap arises");
    is_int(trim(10000, 100), 2, "all may be too old");
    is_str(positions(), "", "... then the log is empty");
    is_str(id_at(5), fifth, "... and its last event is known");
    must(svc_stream_head(&source, &head, db, one, fixture.pool));
    is_int(head, 5, "... and its head stays");
    is_int(trim(10000, 100), 0, "from an empty log nothing is removed");
    is_int(trimmed_to(), 5, "... what is noted stays");
    must(svc_stream_read(&rows, db, one, 0, 0, 100, fixture.pool));
    is_int(rows->nelts, 0, "nothing can be read");
    tx = begin(other, two);
    emit(&tx, "ticket:updated", 6);
    must(svc_stream_commit(&tx));
    is_str(positions(), "6", "positions go on");
    is_int(tx.last_position, 6, "... as if nothing had been removed");
    must(svc_stream_read(&rows, db, one, 5, 0, 100, fixture.pool));
    is_int(rows->nelts, 1, "what follows can be read");
    is_str(id_at(5), fifth, "... and the event before it compared");
}

/* Another machine has removed more than this one is about to. */
static void trimmed_late(void)
{
    svc_stream_tx_t late;
    int count;

    fixture_do(db, "DELETE FROM tickets_log");
    fixture_do(db, "UPDATE tickets_trimmed SET position = 900");
    late = begin(db, one);
    emit(&late, "ticket:updated", 1);
    must(svc_stream_commit(&late));
    fixture_do(db, "UPDATE tickets_log SET recorded_at = 0");
    late = begin(db, one);
    must(svc_stream_trim(&count, &late, 5000, 100));
    must(svc_stream_commit(&late));
    is_int(count, 1, "a machine that comes late removes less");
    is_int(trimmed_to(), 900, "... what another has noted does not go back");
}

int main(void)
{
    fixture_begin();
    one = svc_stream_create("tickets", "tcp://127.0.0.1:1", fixture.pool);
    two = svc_stream_create("tickets", "tcp://127.0.0.1:2", fixture.pool);
    db = fixture_database("x.db", &tickets_schema, one);
    other = fixture_open("x.db");
    identity();
    writing();
    reading();
    published();
    trimming();
    trimmed_late();
    svc_db_close(other);
    svc_db_close(db);
    return fixture_end();
}
