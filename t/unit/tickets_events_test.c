/* tickets_events in a snapshot: of an orders service, what its orders that are
 * not cancelled do to reserved tickets; and of this service, its own pages.
 * Of SQLite only: it asks and spoils in that dialect.
 */
#include "fixture.h"

#include "svc_id.h"
#include "tickets_events.h"
#include "tickets_schema.h"
#include "tickets_service.h"

#define ONE "urn:uuid:018f3a7e-0000-7abc-8def-000000000001"
#define TWO "urn:uuid:018f3a7e-0000-7abc-8def-000000000002"

static svc_db_t *db;
static svc_stream_t *stream;
static svc_inbox_t *inbox;
static svc_stream_tx_t tx;

/* Ids whose order is known. */
static const char *id_of(int n)
{
    return apr_psprintf(fixture.pool, "018f3a7e-0000-7abc-8def-%012d", n);
}

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
    return (int)fixture_int(db, "SELECT position FROM tickets_head");
}

static const char *create(void)
{
    ticket_t ticket = { .title = "T", .cents = 2000, .user_id = "seller" };

    begin();
    must(tickets_service_create(&ticket, &tx, fixture.pool));
    commit();
    return ticket.id;
}

static ticket_t get(const char *id)
{
    ticket_t ticket;

    must(tickets_service_get(&ticket, db, id, fixture.pool));
    return ticket;
}

/* orderId and version of a ticket, and the orders service that it is of. */
static const char *state(const char *id)
{
    return fixture_text(db, apr_psprintf(fixture.pool,
        "SELECT coalesce(order_id, 'free') || ' ' || version || "
        "coalesce(' ' || order_source, '') FROM tickets WHERE id = '%s'", id));
}

static const char *held(const char *order, int version, const char *source)
{
    return apr_psprintf(fixture.pool, "%s %d %s", order, version, source);
}

/* An order as a snapshot has it. */
static svc_event_t order_event(const char *source, const char *order,
                               const char *ticket, int version)
{
    svc_event_t event = { "e", source,
                          version ? "order:updated" : "order:created", order,
                          0, 9, NULL, "{}", NULL, 0,
                          { NULL, NULL } };
    svc_json_t *of = svc_json_object(fixture.pool);

    event.data = svc_json_object(fixture.pool);
    svc_json_set_string(event.data, "id", order);
    svc_json_set_int(event.data, "version", version);
    svc_json_set_string(of, "id", ticket);
    svc_json_set(event.data, "ticket", of);
    return event;
}

static void reserve(const char *source, const char *order, const char *ticket)
{
    svc_inbox_context_t context = { &tx, inbox, 1 };
    svc_event_t event = order_event(source, order, ticket, 0);
    svc_inbox_outcome_t outcome = SVC_INBOX_IGNORED;

    begin();
    must(tickets_events_handler.apply(&outcome, &context, &event));
    commit();
    if (outcome != SVC_INBOX_SETTLED)
        ok(0, "the ticket is reserved first");
}

static svc_err_t *replace(const char *source, const char *order,
                          const char *ticket, int version)
{
    svc_inbox_context_t context = { &tx, inbox, 1 };
    svc_event_t event = order_event(source, order, ticket, version);
    svc_err_t *err;

    begin();
    err = tickets_events_handler.replace(&context, &event);
    commit();
    return err;
}

/* The orders of SOURCE from AFTER to LAST are PRESENT (NULL: none of them). */
static void prune(const char *source, const char *after, const char *last,
                  const char *present)
{
    svc_inbox_context_t context = { &tx, inbox, 1 };
    svc_inbox_range_t range = { source, after, last,
                                apr_hash_make(fixture.pool) };

    if (present)
        apr_hash_set(range.present, present, APR_HASH_KEY_STRING, "");
    begin();
    must(tickets_events_handler.prune(&context, &range));
    commit();
}

/* --- an order that is there -------------------------------------------------------- */

static void reserving(void)
{
    const char *ticket = create(), *first = id_of(1), *second = id_of(2);
    int before = events();

    must(replace(ONE, first, ticket, 0));
    is_str(state(ticket), held(first, 1, ONE),
           "an order of a snapshot has its ticket, if that was free");
    is_int(events(), before + 1, "... which is told");
    is_str(fixture_text(db, "SELECT subject || json_extract(event, "
                            "'$.data.orderId') FROM tickets_log "
                            "ORDER BY position DESC LIMIT 1"),
           apr_pstrcat(fixture.pool, "ticket:updated", first, NULL),
           "... as ticket:updated with the order");
    must(replace(ONE, first, ticket, 1));
    is_int(events(), before + 1, "again: it has it already, nothing is told");
    must(replace(TWO, second, ticket, 1));
    is_str(state(ticket), held(first, 1, ONE),
           "an order of another service does not take it");
    is_int(events(), before + 1, "... nothing is told");
    must(replace(ONE, second, id_of(999), 0));
    is_int(events(), before + 1,
           "an order of an unknown ticket is passed by");
    is_int(fixture_logged("TKT020"), 0, "... without a word, it is no event");
}

/* What was cancelled and ordered anew while nobody looked. */
static void swapping(void)
{
    const char *ticket = create(), *old = id_of(11), *new = id_of(12);
    int before;

    reserve(ONE, old, ticket);
    before = events();
    must(replace(ONE, new, ticket, 1));
    is_str(state(ticket), held(new, 3, ONE),
           "a ticket goes over to another order of the same service");
    is_int(events(), before + 2, "... as a release and a reservation");
    is_str(fixture_text(db, apr_psprintf(fixture.pool,
               "SELECT coalesce(json_extract(event, '$.data.orderId'), 'free') "
               "FROM tickets_log WHERE entity_id = '%s' ORDER BY position",
               ticket)),
           apr_pstrcat(fixture.pool, "free ", old, " free ", new, NULL),
           "... each told in its turn");
    prune(ONE, "", "", new);
    is_str(state(ticket), held(new, 3, ONE),
           "the old order's absence does not release it then");
}

static void bad_orders(void)
{
    svc_inbox_context_t context = { &tx, inbox, 1 };
    svc_event_t event = order_event(ONE, id_of(21), create(), 0);
    int before = events();

    fails(replace(ONE, "x", id_of(22), 0), SVC_ERR_INVALID,
          "an order whose id is no UUID is bad");
    fails(replace(ONE, id_of(21), "x", 0), SVC_ERR_INVALID,
          "... and one without a ticket");
    fails(replace(ONE, id_of(21), id_of(22), -1), SVC_ERR_INVALID,
          "... or without a version");
    event.data = NULL;
    begin();
    fails(tickets_events_handler.replace(&context, &event), SVC_ERR_INVALID,
          "... or without data");
    commit();
    is_int(events(), before, "none of them does anything");
}

/* --- orders that are not there ------------------------------------------------------ */

static void releasing(void)
{
    const char *tickets[6];
    int i, before;

    for (i = 0; i < 5; i++) {
        tickets[i] = create();
        reserve(ONE, id_of(101 + i), tickets[i]);
    }
    tickets[5] = create();
    reserve(TWO, id_of(110), tickets[5]);
    before = events();
    prune(ONE, id_of(101), id_of(104), id_of(103));
    ok(get(tickets[0]).order_id != NULL,
       "the id after which a page begins is not in it");
    ok(!get(tickets[1]).order_id, "an order that is absent gives its ticket "
                                  "back");
    ok(get(tickets[2]).order_id != NULL, "one that is present does not");
    ok(!get(tickets[3]).order_id, "the last id is in the page");
    ok(get(tickets[4]).order_id != NULL, "what is after it is not");
    is_int(events(), before + 2, "each release is told");
    is_str(state(tickets[1]), "free 2", "... with the next version");
    prune(ONE, id_of(104), "", NULL);
    ok(!get(tickets[4]).order_id, "the last page goes on to the end");
    ok(get(tickets[5]).order_id != NULL,
       "what another service has reserved stays");
    prune(ONE, "", "", NULL);
    ok(!get(tickets[0]).order_id && !get(tickets[2]).order_id,
       "a service without orders has nothing reserved");
    is_str(state(tickets[5]), held(id_of(110), 1, TWO), "... the other has");
    before = events();
    prune(ONE, "", "", NULL);
    is_int(events(), before, "again: nothing is left to be told");
}

/* More than the store hands out at a time. */
static void releasing_many(void)
{
    int before;

    fixture_do(db, "WITH RECURSIVE c(n) AS (SELECT 1000 UNION ALL SELECT n + 1 "
                   "FROM c WHERE n < 2200) INSERT INTO tickets (id, position, "
                   "title, cents, user_id, version, order_id, order_source) "
                   "SELECT printf('018f3a7e-0001-7abc-8def-%012d', n), n + 9000,"
                   " 'T', 5, 'u', 1, printf('018f3a7e-0000-7abc-8def-%012d', n)"
                   ", '" ONE "' FROM c");
    before = events();
    prune(ONE, "", "", id_of(1600));
    is_int(events() - before, 1200, "1200 reservations are released");
    is_str(fixture_text(db, apr_psprintf(fixture.pool, "SELECT order_id FROM "
               "tickets WHERE order_source = '%s'", ONE)), id_of(1600),
           "... all but the one that is present");
}

/* --- the state of this service ------------------------------------------------------ */

static const char *state_page(int *count, const char **last, const char *after,
                              int limit)
{
    apr_array_header_t *list = apr_array_make(fixture.pool, 4,
                                              sizeof(svc_event_t));
    const char *text = "";
    int i;

    *last = NULL;
    must(tickets_events_state(list, last, db, after, limit, fixture.pool));
    for (i = 0; i < list->nelts; i++) {
        const svc_event_t *event = &APR_ARRAY_IDX(list, i, svc_event_t);

        text = apr_pstrcat(fixture.pool, text, i ? " " : "", event->type, ":",
                           event->entity + 34, NULL);
        if (strcmp(svc_json_get_string(event->data, "id"), event->entity) != 0)
            text = "an event of another entity";
    }
    *count = list->nelts;
    return text;
}

static void own_state(void)
{
    const char *last;
    int count;

    fixture_do(db, "DELETE FROM tickets");
    is_str(state_page(&count, &last, "", 5), "",
           "a service without tickets has an empty page");
    ok(!last, "... which is the last one");
    fixture_do(db, apr_psprintf(fixture.pool,
        "INSERT INTO tickets (id, position, title, cents, user_id, version, "
        "order_id, order_source) VALUES "
        "('%s', 901, 'c', 5, 'u', 0, NULL, NULL), "
        "('%s', 903, 'a', 5, 'u', 2, '%s', '" ONE "'), "
        "('%s', 902, 'b', 5, 'u', 1, NULL, NULL)",
        id_of(13), id_of(11), id_of(77), id_of(12)));
    is_str(state_page(&count, &last, "", 5),
           "ticket:updated:11 ticket:updated:12 ticket:created:13",
           "the state is all tickets in order of id, as events that suit "
           "their versions");
    ok(!last, "... and all of it is one page");
    is_str(state_page(&count, &last, "", 2),
           "ticket:updated:11 ticket:updated:12", "a page is limited");
    is_str(last, id_of(12), "... and says how far it goes");
    is_str(state_page(&count, &last, id_of(12), 2), "ticket:created:13",
           "the next begins after that");
    ok(!last, "... and is the last one");
    is_str(state_page(&count, &last, "", 3),
           "ticket:updated:11 ticket:updated:12 ticket:created:13",
           "a page that is just full");
    is_str(last, id_of(13), "... may be followed by one");
    is_str(state_page(&count, &last, id_of(13), 3), "", "... that is empty");
    ok(!last, "... and is the last one");
}

static void own_data(void)
{
    apr_array_header_t *list = apr_array_make(fixture.pool, 4,
                                              sizeof(svc_event_t));
    const char *last = NULL;

    must(tickets_events_state(list, &last, db, "", 1, fixture.pool));
    is_str(svc_json_text(NULL, APR_ARRAY_IDX(list, 0, svc_event_t).data,
                         fixture.pool),
           apr_pstrcat(fixture.pool, "{\"id\":\"", id_of(11),
                       "\",\"title\":\"a\",\"price\":0.05,\"userId\":\"u\","
                       "\"version\":2,\"orderId\":\"", id_of(77), "\"}", NULL),
           "a ticket is told as its last event would");
}

int main(void)
{
    fixture_begin();
    stream = svc_stream_create("tickets", "", fixture.pool);
    inbox = svc_inbox_create("tickets", fixture.pool);
    db = fixture_database("x.db", &tickets_schema, stream);
    reserving();
    swapping();
    bad_orders();
    releasing();
    releasing_many();
    own_state();
    own_data();
    svc_db_close(db);
    return fixture_end();
}
