/* tickets_service and tickets_events: every rule of selling: versions, who may
 * edit what and when, and what orders' events do to a ticket, whatever comes
 * twice, late, or from somebody else.
 * Of SQLite only: it asks and spoils in that dialect.
 */
#include "fixture.h"

#include "svc_id.h"
#include "tickets_events.h"
#include "tickets_schema.h"
#include "tickets_service.h"

#define SOURCE "urn:uuid:018f3a7e-0000-7abc-8def-0123456789ab"

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

static int events(void)
{
    return (int)fixture_int(db, "SELECT COUNT(*) FROM tickets_log");
}

/* The last event's subject and data, as text. */
static const char *last_event(void)
{
    return fixture_text(db, "SELECT subject || json_extract(event, '$.data') "
                            "FROM tickets_log ORDER BY position DESC LIMIT 1");
}

static ticket_t create(const char *title, const char *user)
{
    ticket_t ticket = { .title = title, .cents = 2000, .user_id = user };

    begin();
    must(tickets_service_create(&ticket, &tx, fixture.pool));
    commit();
    return ticket;
}

static ticket_t get(const char *id)
{
    ticket_t ticket;

    must(tickets_service_get(&ticket, db, id, fixture.pool));
    return ticket;
}

static svc_err_t *edit(ticket_t *out, const char *id, const char *user,
                       const char *if_match, const char *if_none_match)
{
    svc_etag_condition_t condition = { if_match, if_none_match };
    ticket_t ticket = { .id = id, .title = "new", .cents = 1999,
                        .user_id = user };
    svc_err_t *err;

    begin();
    err = tickets_service_edit(&ticket, &tx, &condition, fixture.pool);
    commit();
    *out = ticket;
    return err;
}

static void creating(void)
{
    ticket_t made = create("T", "seller"), got = get(made.id);

    ok(svc_id_parse(made.id, fixture.pool) != NULL, "a ticket gets an id");
    is_int(made.version, 0, "its version is 0");
    is_str(tickets_service_etag(&made, fixture.pool), "\"0\"",
           "its entity tag is the version");
    is_str(got.title, "T", "its title is stored");
    is_str(got.user_id, "seller", "... its seller");
    is_int(got.cents, 2000, "... its price");
    ok(!got.order_id, "it is not reserved");
    is_int(got.position, made.position, "it is at the position of its event");
    is_str(last_event(),
           apr_pstrcat(fixture.pool, "ticket:created{\"id\":\"", made.id,
                       "\",\"title\":\"T\",\"price\":20,\"userId\":\"seller\","
                       "\"version\":0}", NULL),
           "ticket:created tells exactly this");
    begin();
    must(tickets_service_create(&made, &tx, fixture.pool));
    svc_db_rollback(tx.db, tx.pool);
    is_int(events(), 1, "a rollback leaves no event");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM tickets"), 1, "... no ticket");
}

static void getting(void)
{
    ticket_t got;

    fails(tickets_service_get(&got, db, svc_id_new(fixture.pool),
                              fixture.pool), SVC_ERR_NOT_FOUND,
          "an unknown id is NOT_FOUND");
    fails(tickets_service_get(&got, db, "-1", fixture.pool), SVC_ERR_NOT_FOUND,
          "an id that is no UUID is NOT_FOUND");
    fails(tickets_service_get(&got, db, "", fixture.pool), SVC_ERR_NOT_FOUND,
          "an empty id is NOT_FOUND");
}

static void editing(void)
{
    ticket_t made = create("T", "seller"), got;
    int before = events();

    fails(edit(&got, svc_id_new(fixture.pool), "seller", NULL, NULL),
          SVC_ERR_NOT_FOUND, "an unknown ticket cannot be edited");
    fails(edit(&got, made.id, "other", "\"9\"", NULL), SVC_ERR_FORBIDDEN,
          "only the seller may edit, whatever the condition");
    fails(edit(&got, made.id, "Seller", NULL, NULL), SVC_ERR_FORBIDDEN,
          "... and case counts");
    fails(edit(&got, made.id, "seller", "\"1\"", NULL), SVC_ERR_PRECONDITION,
          "If-Match of another version is refused");
    fails(edit(&got, made.id, "seller", "W/\"0\"", NULL), SVC_ERR_PRECONDITION,
          "... and a weak one");
    fails(edit(&got, made.id, "seller", NULL, "*"), SVC_ERR_PRECONDITION,
          "If-None-Match * is refused");
    is_int(events(), before, "a refusal emits nothing");
    is_int(get(made.id).version, 0, "... and changes nothing");
    succeeds(edit(&got, made.id, "seller", "\"0\"", NULL),
             "If-Match of this version is taken");
    ok(got.version == 1 && strcmp(got.title, "new") == 0 && got.cents == 1999,
       "the answer is the ticket as it is now");
    is_int(get(made.id).version, 1, "the version grows by 1");
    is_int(events(), before + 1, "one event is emitted");
    is_str(last_event(),
           apr_pstrcat(fixture.pool, "ticket:updated{\"id\":\"", made.id,
                       "\",\"title\":\"new\",\"price\":19.99,"
                       "\"userId\":\"seller\",\"version\":1}", NULL),
           "ticket:updated tells exactly this");
    fails(edit(&got, made.id, "seller", "\"0\"", NULL), SVC_ERR_PRECONDITION,
          "the same condition a second time is refused");
    succeeds(edit(&got, made.id, "seller", NULL, NULL),
             "the same values again are an edit as well");
    is_int(got.version, 2, "... with a version of its own");
    is_int(get(made.id).position, made.position,
           "an edit keeps the place in the list");
}

static void in_one_transaction(void)
{
    ticket_t made = create("T", "seller"), ticket;
    svc_etag_condition_t none = { NULL, NULL }, stale = { "\"0\"", NULL };
    int i;

    begin();
    for (i = 0; i < 3; i++) {
        ticket = (ticket_t){ .id = made.id, .title = "x", .cents = 100 + i,
                             .user_id = "seller" };
        must(tickets_service_edit(&ticket, &tx, &none, fixture.pool));
        is_int(ticket.version, i + 1, "edit %d of one transaction", i + 1);
    }
    ticket = (ticket_t){ .id = made.id, .title = "x", .cents = 1,
                         .user_id = "seller" };
    fails(tickets_service_edit(&ticket, &tx, &stale, fixture.pool),
          SVC_ERR_PRECONDITION, "a condition sees the edits before it");
    commit();
    is_int(get(made.id).cents, 102, "the last of them stays");
    is_str(fixture_text(db, apr_psprintf(fixture.pool,
               "SELECT json_extract(event, '$.data.version') FROM tickets_log "
               "WHERE entity_id = '%s' ORDER BY position", made.id)),
           "0 1 2 3", "each change has one event, in order");
}

/* --- events ---------------------------------------------------------------------- */

static const char *told_status; /* of the orders in events; NULL: not told */

static svc_err_t *hear(svc_inbox_outcome_t *outcome, const char *type,
                       const char *order_id, int version,
                       const char *ticket_id, int is_ordered)
{
    svc_inbox_context_t context = { &tx, inbox, is_ordered };
    svc_event_t event = { svc_id_new(fixture.pool), SOURCE, type, order_id, 0,
                          1, NULL, "{}", NULL, 0,
                          { NULL, NULL } };
    svc_json_t *ticket = svc_json_object(fixture.pool);
    svc_err_t *err;

    event.data = svc_json_object(fixture.pool);
    svc_json_set_string(event.data, "id", order_id);
    svc_json_set_int(event.data, "version", version);
    svc_json_set_string(event.data, "status", told_status);
    svc_json_set_string(ticket, "id", ticket_id);
    svc_json_set(event.data, "ticket", ticket);
    begin();
    err = tickets_events_handler.apply(outcome, &context, &event);
    commit();
    return err;
}

static int applied(const char *type, const char *order_id, int version,
                   const char *ticket_id)
{
    svc_inbox_outcome_t outcome;

    must(hear(&outcome, type, order_id, version, ticket_id, 1));
    return (int)outcome;
}

/* An order that was passed by, and is told again. */
static void asking_again(void)
{
    ticket_t made = create("T", "seller");
    const char *first = svc_id_new(fixture.pool);
    const char *second = svc_id_new(fixture.pool);

    applied("order:created", first, 0, made.id);
    applied("order:created", second, 0, made.id);
    applied("order:cancelled", first, 1, made.id);
    told_status = "awaiting:payment";
    is_int(applied("order:updated", second, 1, made.id), SVC_INBOX_IGNORED,
           "order:updated of an order that waits no more does nothing");
    told_status = "created";
    is_int(applied("order:updated", second, 1, made.id), SVC_INBOX_SETTLED,
           "order:updated with the status created reserves a free ticket");
    is_str(get(made.id).order_id, second, "... for that order");
    is_int(applied("order:updated", second, 1, made.id), SVC_INBOX_DUPLICATE,
           "... once");
    told_status = NULL;
}

static void reserving(void)
{
    ticket_t made = create("T", "seller"), got;
    const char *first = svc_id_new(fixture.pool);
    const char *second = svc_id_new(fixture.pool);
    int before = events();

    is_int(applied("order:created", first, 0, made.id), SVC_INBOX_SETTLED,
           "order:created reserves a free ticket");
    got = get(made.id);
    ok(got.order_id && strcmp(got.order_id, first) == 0,
       "the ticket has the order's id");
    is_int(got.version, 1, "its version grows by 1");
    is_str(last_event(),
           apr_pstrcat(fixture.pool, "ticket:updated{\"id\":\"", made.id,
                       "\",\"title\":\"T\",\"price\":20,\"userId\":\"seller\","
                       "\"version\":1,\"orderId\":\"", first, "\"}", NULL),
           "ticket:updated tells the orderId");
    is_int(applied("order:created", first, 0, made.id), SVC_INBOX_DUPLICATE,
           "the same order again is a duplicate");
    is_int(applied("order:created", second, 0, made.id), SVC_INBOX_IGNORED,
           "another order does not get it");
    is_str(get(made.id).order_id, first, "... it stays with the first");
    is_int(get(made.id).version, 1, "... unchanged");
    is_int(events(), before + 1, "... and nothing is told");
    fails(edit(&got, made.id, "seller", NULL, NULL), SVC_ERR_CONFLICT,
          "a reserved ticket cannot be edited");
    fails(edit(&got, made.id, "seller", "\"0\"", NULL), SVC_ERR_PRECONDITION,
          "... the condition is judged before that");
    fails(edit(&got, made.id, "other", NULL, NULL), SVC_ERR_FORBIDDEN,
          "... and the seller before both");
    is_int(applied("order:cancelled", second, 1, made.id), SVC_INBOX_IGNORED,
           "the cancel of another order does not release it");
    is_str(get(made.id).order_id, first, "... it stays reserved");
    is_int(applied("order:cancelled", first, 2, made.id), SVC_INBOX_SETTLED,
           "the cancel of its order releases it");
    ok(!get(made.id).order_id && get(made.id).version == 2,
       "it is free, with a new version");
    ok(!strstr(last_event(), "orderId"), "ticket:updated has no orderId then");
    is_int(applied("order:cancelled", first, 2, made.id), SVC_INBOX_IGNORED,
           "the same cancel again does nothing");
    is_int(events(), before + 2, "... and tells nothing");
    is_int(applied("order:created", second, 0, made.id), SVC_INBOX_SETTLED,
           "the next order gets it");
    is_int(applied("order:cancelled", first, 2, made.id), SVC_INBOX_IGNORED,
           "a late cancel of the first does not release the second's");
    is_str(get(made.id).order_id, second, "... it stays the second's");
    is_int(applied("order:cancelled", second, 1, made.id), SVC_INBOX_SETTLED,
           "the second's own cancel does");
    succeeds(edit(&got, made.id, "seller", NULL, NULL),
             "a released ticket can be edited");
}

static void without_a_log(void)
{
    ticket_t made = create("T", "seller"), got;
    const char *first = svc_id_new(fixture.pool);
    const char *second = svc_id_new(fixture.pool);
    svc_inbox_outcome_t outcome;
    int before;

    must(hear(&outcome, "order:cancelled", first, 1, made.id, 0));
    is_int(get(made.id).version, 0,
           "without a log a cancel may come before its order");
    must(hear(&outcome, "order:created", first, 0, made.id, 0));
    is_int(outcome, SVC_INBOX_DUPLICATE,
           "the order that was cancelled already reserves nothing");
    ok(!get(made.id).order_id, "... the ticket stays free");
    must(hear(&outcome, "order:created", second, 0, made.id, 0));
    is_int(outcome, SVC_INBOX_SETTLED, "another order gets it");
    must(hear(&outcome, "order:created", second, 0, made.id, 0));
    is_int(outcome, SVC_INBOX_DUPLICATE, "... once");
    must(hear(&outcome, "order:cancelled", second, 2, made.id, 0));
    is_int(outcome, SVC_INBOX_SETTLED, "its cancel releases it");
    before = events();
    must(hear(&outcome, "order:created", second, 0, made.id, 0));
    got = get(made.id);
    ok(!got.order_id && got.version == 2,
       "its order:created, repeated after that, reserves nothing");
    must(hear(&outcome, "order:cancelled", second, 2, made.id, 0));
    is_int(events(), before, "... and neither repetition tells anything");
    fixture_do(db, "UPDATE tickets_cancelled SET recorded_at = recorded_at - "
                   "8 * 24 * 3600 * 1000");
    must(hear(&outcome, "order:cancelled", svc_id_new(fixture.pool), 1,
              made.id, 0));
    is_int(fixture_int(db, "SELECT COUNT(*) FROM tickets_cancelled"), 1,
           "cancelled orders are remembered for a week, not for ever");
}

static void bad_events(void)
{
    static const char *const bad[] = {
        "{}", "{\"id\":7}", "{\"id\":\"x\",\"version\":0}",
        "{\"id\":\"018f3a7e-1234-7abc-8def-0123456789ab\"}",
        "{\"id\":\"018f3a7e-1234-7abc-8def-0123456789ab\",\"version\":-1}",
        "{\"id\":\"018f3a7e-1234-7abc-8def-0123456789ab\",\"version\":0}",
        "{\"id\":\"018f3a7e-1234-7abc-8def-0123456789ab\",\"version\":0,"
        "\"ticket\":{}}",
        "{\"id\":\"018f3a7e-1234-7abc-8def-0123456789ab\",\"version\":0,"
        "\"ticket\":{\"id\":\"x\"}}",
        "{\"id\":\"018f3a7e-1234-7abc-8def-0123456789ab\",\"version\":0,"
        "\"ticket\":\"018f3a7e-1234-7abc-8def-0123456789ab\"}"
    };
    svc_inbox_context_t context = { &tx, inbox, 1 };
    svc_event_t event = { "e", SOURCE, "order:created", NULL, 0, 1, NULL, "",
                          NULL, 0, { NULL, NULL } };
    svc_inbox_outcome_t outcome;
    ticket_t made = create("T", "seller");
    const char *order = svc_id_new(fixture.pool);
    int before = events();
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        must(svc_json_parse(&event.data, bad[i], strlen(bad[i]),
                            fixture.pool));
        begin();
        ok(tickets_events_handler.apply(&outcome, &context, &event) != NULL,
           "order:created with %s is refused", bad[i]);
        commit();
    }
    event.data = NULL;
    begin();
    fails(tickets_events_handler.apply(&outcome, &context, &event), SVC_ERR_INVALID,
          "order:created without data is refused");
    commit();
    is_int(applied("order:updated", order, 1, made.id), SVC_INBOX_IGNORED,
           "order:updated concerns nothing here");
    is_int(applied("order:refund-required", order, 1, made.id),
           SVC_INBOX_IGNORED, "nor does order:refund-required");
    is_int(applied("order:created", order, 0, svc_id_new(fixture.pool)),
           SVC_INBOX_IGNORED, "an order of an unknown ticket is passed by");
    is_int(applied("order:cancelled", order, 1, svc_id_new(fixture.pool)),
           SVC_INBOX_IGNORED, "... so is its cancel");
    is_int(events(), before, "none of these tells anything");
}

int main(void)
{
    fixture_begin();
    stream = svc_stream_create("tickets", "", fixture.pool);
    inbox = svc_inbox_create("tickets", fixture.pool);
    db = fixture_database("x.db", &tickets_schema, stream);
    creating();
    getting();
    editing();
    in_one_transaction();
    reserving();
    asking_again();
    without_a_log();
    bad_events();
    svc_db_close(db);
    return fixture_end();
}
