/* orders_service and orders_events: the states of an order: each transition and
 * each refusal, by request, by event and by time; the replica of tickets; and
 * that no order takes or gives back what is another's.
 * Of SQLite only: it asks and spoils in that dialect.
 */
#include "fixture.h"

#include "orders_events.h"
#include "orders_schema.h"
#include "orders_service.h"
#include "orders_store.h"
#include "svc_id.h"

#define SOURCE "urn:uuid:018f3a7e-0000-7abc-8def-0123456789ab"
#define LONG 900000 /* ms to pay */

static const orders_terms_t terms = { LONG, 0 };
static svc_db_t *db;
static svc_stream_t *stream;
static svc_inbox_t *inbox;
static svc_stream_tx_t tx;
static const svc_etag_condition_t none = { NULL, NULL };

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
    return (int)fixture_int(db, "SELECT COUNT(*) FROM orders_log");
}

static const char *last_event(void)
{
    return fixture_text(db, "SELECT subject || json_extract(event, '$.data') "
                            "FROM orders_log ORDER BY position DESC LIMIT 1");
}

static int is_ordered; /* do events come from a log? */

/* What is told of the ticket ID; ORDER_ID may be NULL. */
static svc_event_t told(const char *source, const char *id, int version,
                        const char *title, const char *order_id)
{
    svc_event_t event = { "e", source,
                          version ? "ticket:updated" : "ticket:created", id, 0,
                          1, NULL, "{}", NULL, 0,
                          { NULL, NULL } };

    event.data = svc_json_object(fixture.pool);
    svc_json_set_string(event.data, "id", id);
    svc_json_set_int(event.data, "version", version);
    svc_json_set_string(event.data, "title", title);
    svc_json_set_cents(event.data, "price", 2000 + version);
    svc_json_set_string(event.data, "userId", "seller");
    svc_json_set_string(event.data, "orderId", order_id);
    return event;
}

static svc_err_t *hear_from(svc_inbox_outcome_t *outcome, const char *source,
                            const char *id, int version, const char *title,
                            const char *order_id)
{
    svc_inbox_context_t context = { &tx, inbox, is_ordered };
    svc_event_t event = told(source, id, version, title, order_id);
    svc_err_t *err;

    begin();
    err = orders_events_handler.apply(outcome, &context, &event);
    commit();
    return err;
}

/* The ticket ID as a snapshot has it. */
static void find(const char *id, int version, const char *order_id)
{
    svc_inbox_context_t context = { &tx, inbox, 1 };
    svc_event_t event = told(SOURCE, id, version, "T", order_id);

    begin();
    must(orders_events_handler.replace(&context, &event));
    commit();
}

static int hear(const char *id, int version, const char *order_id)
{
    svc_inbox_outcome_t outcome = SVC_INBOX_IGNORED;

    must(hear_from(&outcome, SOURCE, id, version,
                   version ? "edited" : "T", order_id));
    return (int)outcome;
}

static const char *new_ticket(void)
{
    const char *id = svc_id_new(fixture.pool);

    if (hear(id, 0, NULL) != SVC_INBOX_APPLIED)
        ok(0, "a new ticket is taken");
    return id;
}

static svc_err_t *post(order_t *order, const char *ticket_id, const char *user,
                       apr_int64_t expiration_ms)
{
    orders_terms_t terms_now = { expiration_ms, 0 };
    svc_err_t *err;

    memset(order, 0, sizeof(*order));
    order->ticket_id = ticket_id;
    order->user_id = user;
    begin();
    err = orders_service_create(order, &tx, &terms_now, fixture.pool);
    commit();
    return err;
}

static order_t buy(const char *ticket_id, const char *user,
                   apr_int64_t expiration_ms)
{
    order_t order;

    must(post(&order, ticket_id, user, expiration_ms));
    return order;
}

static svc_err_t *cancel_if(const char *id, const char *user,
                            const char *if_match)
{
    svc_etag_condition_t condition = { if_match, NULL };
    svc_err_t *err;

    begin();
    err = orders_service_cancel(&tx, id, user, &condition, fixture.pool);
    commit();
    return err;
}

/* status, version and cancelReason of an order */
static const char *state(const char *id)
{
    return fixture_text(db, apr_psprintf(fixture.pool,
        "SELECT status || ' ' || version || coalesce(' ' || cancel_reason, '')"
        " FROM orders WHERE id = '%s'", id));
}

static order_t get(const char *id, const char *user)
{
    order_t order;

    must(orders_service_get(&order, db, id, user, fixture.pool));
    return order;
}

/* --- the replica --------------------------------------------------------------- */

static void replica(void)
{
    const char *id = svc_id_new(fixture.pool);
    orders_ticket_t ticket;
    svc_inbox_outcome_t outcome;
    int found, before = events();

    is_int(hear(id, 1, NULL), SVC_INBOX_EARLY,
           "an update of an unknown ticket waits");
    is_int(hear(id, 0, NULL), SVC_INBOX_APPLIED, "ticket:created is applied");
    is_int(hear(id, 0, NULL), SVC_INBOX_DUPLICATE, "... once");
    is_int(hear(id, 2, NULL), SVC_INBOX_EARLY,
           "an update that skips a version waits");
    is_int(hear(id, 1, NULL), SVC_INBOX_APPLIED, "the next version is applied");
    is_int(hear(id, 1, NULL), SVC_INBOX_DUPLICATE, "... once");
    is_int(hear(id, 2, NULL), SVC_INBOX_APPLIED, "... and the one after it");
    is_int(hear(id, 1, NULL), SVC_INBOX_DUPLICATE, "an old version is dropped");
    is_int(hear(id, 0, NULL), SVC_INBOX_DUPLICATE,
           "ticket:created of a known ticket is dropped");
    must(orders_store_get_ticket(&found, &ticket, db, id, fixture.pool));
    ok(found && ticket.version == 2 && ticket.cents == 2002 &&
           strcmp(ticket.title, "edited") == 0 &&
           strcmp(ticket.user_id, "seller") == 0 && !ticket.order_id,
       "the replica equals the last event, field by field");
    fails(hear_from(&outcome, "urn:other", id, 3, "stolen", NULL),
          SVC_ERR_INVALID, "another source cannot change it");
    fails(hear_from(&outcome, "urn:other", id, 0, "stolen", NULL),
          SVC_ERR_INVALID, "... nor create it again");
    must(orders_store_get_ticket(&found, &ticket, db, id, fixture.pool));
    is_int(ticket.version, 2, "... and does not");
    is_ordered = 1;
    is_int(hear(id, 4, NULL), SVC_INBOX_APPLIED,
           "in a log nothing is missing: a version that was bad is passed over");
    is_int(hear(id, 3, NULL), SVC_INBOX_DUPLICATE, "... for ever");
    is_int(hear(svc_id_new(fixture.pool), 1, NULL), SVC_INBOX_EARLY,
           "an update of an unknown ticket waits there, too");
    is_ordered = 0;
    is_int(events(), before, "a ticket nobody ordered tells nothing");
}

static void bad_events(void)
{
    static const struct {
        const char *type, *data, *what;
    } table[] = {
        { "ticket:created", "\"version\":1", "ticket:created of version 1" },
        { "ticket:updated", "\"version\":0", "ticket:updated of version 0" },
        { "ticket:created", "\"version\":\"0\"", "a version that is a text" }
    };
    svc_inbox_context_t context = { &tx, inbox, 1 };
    svc_event_t event = { "e", SOURCE, NULL, NULL, 0, 1, NULL, "", NULL, 0,
                          { NULL, NULL } };
    svc_inbox_outcome_t outcome;
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *data = apr_psprintf(
            fixture.pool, "{\"id\":\"%s\",%s,\"title\":\"T\",\"price\":5,"
            "\"userId\":\"u\"}", svc_id_new(fixture.pool), table[i].data);

        event.type = table[i].type;
        must(svc_json_parse(&event.data, data, strlen(data), fixture.pool));
        begin();
        fails(orders_events_handler.apply(&outcome, &context, &event),
              SVC_ERR_INVALID, apr_pstrcat(fixture.pool, table[i].what,
                                           " is refused", NULL));
        commit();
    }
    event.data = NULL;
    begin();
    fails(orders_events_handler.apply(&outcome, &context, &event), SVC_ERR_INVALID,
          "an event without data is refused");
    event.type = "ticket:painted";
    succeeds(orders_events_handler.apply(&outcome, &context, &event),
             "an unknown type is no error");
    is_int(outcome, SVC_INBOX_UNKNOWN, "... and is passed by");
    commit();
}

/* --- making -------------------------------------------------------------------- */

static void making(void)
{
    const char *ticket = new_ticket();
    order_t order, other;
    int before;

    is_int(hear(ticket, 1, NULL), SVC_INBOX_APPLIED, "the ticket was edited");
    before = events();
    succeeds(post(&order, ticket, "buyer", LONG), "a free ticket is ordered");
    ok(svc_id_parse(order.id, fixture.pool) != NULL, "the order has an id");
    is_str(state(order.id), "created 0", "it is created, at version 0");
    is_int(order.cents, 2001, "at the replica's price");
    is_str(order.ticket_title, "edited", "with the replica's title");
    is_int(order.ticket_version, 1, "... and version");
    is_int(order.expires_at, tx.now + LONG,
           "it expires the given time after the database's now");
    is_int(events(), before + 1, "one event is told");
    ok(strncmp(last_event(), "order:created{", 14) == 0 &&
           strstr(last_event(), ticket) && strstr(last_event(), "20.01") &&
           strstr(last_event(), "\"status\":\"created\""),
       "order:created tells the ticket, the price and the status");
    is_str(orders_service_etag(&order, fixture.pool), "\"0\"",
           "its entity tag is its version");
    fails(post(&other, ticket, "another", LONG), SVC_ERR_CONFLICT,
          "a ticket with a live order cannot be ordered");
    fails(post(&other, ticket, "buyer", LONG), SVC_ERR_CONFLICT,
          "... by its own buyer neither");
    fails(post(&other, svc_id_new(fixture.pool), "buyer", LONG),
          SVC_ERR_NOT_FOUND, "an unknown ticket is NOT_FOUND");
    is_int(events(), before + 1, "a refusal tells nothing");
    is_int(hear(ticket, 2, order.id), SVC_INBOX_APPLIED, "reserved");
    fails(post(&other, ticket, "another", LONG), SVC_ERR_CONFLICT,
          "a reserved ticket cannot be ordered");
    ticket = new_ticket();
    is_int(hear(ticket, 1, svc_id_new(fixture.pool)), SVC_INBOX_APPLIED,
           "a ticket is reserved for an order that is not known here");
    fails(post(&other, ticket, "buyer", LONG), SVC_ERR_CONFLICT,
          "it cannot be ordered");
    is_int(hear(ticket, 2, NULL), SVC_INBOX_APPLIED, "it is released");
    succeeds(post(&other, ticket, "buyer", LONG), "then it can");
}

/* The client is answered after the transaction, whose memory is used again. */
static void outlives(void)
{
    order_t order = { .ticket_id = new_ticket(), .user_id = "buyer" };
    apr_pool_t *scratch;
    const char *title;

    apr_pool_create(&scratch, fixture.pool);
    must(svc_stream_begin(&tx, db, stream, scratch));
    must(orders_service_create(&order, &tx, &terms, fixture.pool));
    title = apr_pstrdup(fixture.pool, order.ticket_title);
    commit();
    apr_pool_clear(scratch);
    memset(apr_palloc(scratch, 4000), '?', 4000);
    is_str(order.ticket_title, title, "an order outlives its transaction");
    apr_pool_destroy(scratch);
}

static void at_most_one(void)
{
    const char *ticket = new_ticket();
    order_t orders[8];
    int i, made = 0, refused = 0;
    svc_err_t *err;

    begin();
    for (i = 0; i < 8; i++) {
        memset(&orders[i], 0, sizeof(orders[i]));
        orders[i].ticket_id = ticket;
        orders[i].user_id = "buyer";
        err = orders_service_create(&orders[i], &tx, &terms, fixture.pool);
        made += !err;
        refused += err && err->kind == SVC_ERR_CONFLICT;
    }
    commit();
    ok(made == 1 && refused == 7,
       "of 8 buyers in one transaction one gets the ticket");
    err = svc_db_run(NULL, db, fixture_sql(apr_psprintf(fixture.pool,
        "INSERT INTO orders SELECT 'second', position + 1000, user_id, "
        "ticket_id, cents, status, cancel_reason, expires_at, version, "
        "ticket_version, active_ticket_id, due_at, NULL FROM orders WHERE "
        "id = '%s'", orders[0].id)), NULL, fixture.pool);
    ok(err && strstr(err->detail, "active_ticket_id"),
           "the database itself refuses a second live order");
}

/* --- by event ------------------------------------------------------------------ */

static void reserved(void)
{
    const char *ticket = new_ticket();
    order_t order = buy(ticket, "buyer", LONG), got;
    int before = events();

    is_int(hear(ticket, 1, order.id), SVC_INBOX_APPLIED,
           "the ticket is reserved for the order");
    is_str(state(order.id), "awaiting:payment 1", "created -> awaiting:payment");
    is_int(events(), before + 1, "one event is told");
    ok(strncmp(last_event(), "order:updated{", 14) == 0 &&
           strstr(last_event(), "\"status\":\"awaiting:payment\"") &&
           strstr(last_event(), "\"version\":1"),
       "order:updated tells the status and the version");
    is_int(hear(ticket, 1, order.id), SVC_INBOX_DUPLICATE, "again: a duplicate");
    is_str(state(order.id), "awaiting:payment 1", "... the order stays");
    got = get(order.id, "buyer");
    is_str(orders_service_etag(&got, fixture.pool), "\"1\"",
           "its entity tag is its version");
    is_int(hear(ticket, 2, order.id), SVC_INBOX_APPLIED,
           "the ticket changes once more");
    is_str(state(order.id), "awaiting:payment 1", "... the order stays");
    is_int(events(), before + 1, "... and tells nothing");
    got = get(order.id, "buyer");
    is_str(orders_service_etag(&got, fixture.pool), "\"1.2\"",
           "its entity tag names the ticket's version then");
    is_int(got.cents, 2000, "the price stays the one agreed");
    is_int(hear(ticket, 3, svc_id_new(fixture.pool)), SVC_INBOX_APPLIED,
           "the ticket goes to an unknown order");
    is_str(state(order.id), "awaiting:payment 1",
           "an order that awaits payment is not lost by that");
}

static void lost_race(void)
{
    const char *ticket = new_ticket();
    order_t order = buy(ticket, "buyer", LONG), next;
    int before = events();

    is_int(hear(ticket, 1, svc_id_new(fixture.pool)), SVC_INBOX_APPLIED,
           "the ticket is reserved for an order of another service");
    is_str(state(order.id), "cancelled 1 reserved",
           "created -> cancelled, as reserved");
    is_int(events(), before + 1, "one event is told");
    ok(strncmp(last_event(), "order:cancelled{", 16) == 0 &&
           strstr(last_event(), "\"cancelReason\":\"reserved\"") &&
           strstr(last_event(), ticket),
       "order:cancelled tells why, and of which ticket");
    fails(post(&next, ticket, "buyer", LONG), SVC_ERR_CONFLICT,
          "the ticket cannot be ordered meanwhile");
    is_int(hear(ticket, 2, NULL), SVC_INBOX_APPLIED, "it is released");
    succeeds(post(&next, ticket, "buyer", LONG), "then it can");
}

static void old_event(void)
{
    const char *ticket = new_ticket();
    order_t first = buy(ticket, "first", LONG), second;

    must(cancel_if(first.id, "first", NULL));
    second = buy(ticket, "second", LONG);
    is_int(hear(ticket, 1, first.id), SVC_INBOX_APPLIED,
           "an old event says that the first buyer has the ticket");
    is_str(state(first.id), "cancelled 1 user", "the first stays cancelled");
    is_str(state(second.id), "created 0",
           "the second is not lost: the first's release is on its way");
    is_int(hear(ticket, 2, NULL), SVC_INBOX_APPLIED, "... there it is");
    is_int(hear(ticket, 3, second.id), SVC_INBOX_APPLIED, "... and the second");
    is_str(state(second.id), "awaiting:payment 1", "the second has it");
    ticket = new_ticket();
    first = buy(ticket, "first", LONG);
    is_int(hear(ticket, 1, first.id), SVC_INBOX_APPLIED, "reserved");
    must(cancel_if(first.id, "first", NULL));
    succeeds(post(&second, ticket, "second", LONG),
             "a ticket still reserved for a cancelled order can be ordered");
}

/* --- by request ---------------------------------------------------------------- */

static void cancelling(void)
{
    const char *ticket = new_ticket();
    order_t order = buy(ticket, "buyer", LONG), next;
    int before = events();

    fails(cancel_if(svc_id_new(fixture.pool), "buyer", NULL),
          SVC_ERR_NOT_FOUND, "an unknown order is NOT_FOUND");
    fails(cancel_if("x", "buyer", NULL), SVC_ERR_NOT_FOUND,
          "... so is an id that is no UUID");
    fails(cancel_if(order.id, "other", "\"9\""), SVC_ERR_FORBIDDEN,
          "another user's order is FORBIDDEN, whatever the condition");
    fails(cancel_if(order.id, "buyer", "\"9\""), SVC_ERR_PRECONDITION,
          "a condition that does not hold is refused");
    is_str(state(order.id), "created 0", "none of these changes it");
    is_int(events(), before, "... or tells anything");
    succeeds(cancel_if(order.id, "buyer", "\"0\""), "its owner cancels it");
    is_str(state(order.id), "cancelled 1 user", "created -> cancelled, by user");
    ok(strncmp(last_event(), "order:cancelled{", 16) == 0 &&
           strstr(last_event(), "\"cancelReason\":\"user\"") &&
           strstr(last_event(), "\"version\":1"), "order:cancelled tells it");
    succeeds(cancel_if(order.id, "buyer", NULL), "again: a success");
    is_str(state(order.id), "cancelled 1 user", "... that changes nothing");
    is_int(events(), before + 1, "... and tells nothing");
    is_int(hear(ticket, 1, order.id), SVC_INBOX_APPLIED, "reserved, too late");
    is_str(state(order.id), "cancelled 1 user", "cancelled is final");
    succeeds(post(&next, ticket, "other", LONG), "the ticket can be ordered");
    is_str(get(order.id, "buyer").cancel_reason, "user",
           "the cancelled order stays readable");
    is_int(hear(ticket, 2, next.id), SVC_INBOX_APPLIED, "reserved");
    succeeds(cancel_if(next.id, "other", NULL),
             "an order that awaits payment can be cancelled");
    is_str(state(next.id), "cancelled 2 user",
           "awaiting:payment -> cancelled, by user");
    next = buy(ticket, "other", LONG);
    fixture_do(db, apr_psprintf(fixture.pool, "UPDATE orders SET "
               "status = 'complete', due_at = NULL WHERE id = '%s'", next.id));
    before = events();
    fails(cancel_if(next.id, "other", NULL), SVC_ERR_CONFLICT,
          "a complete order cannot be cancelled");
    is_str(state(next.id), "complete 0", "... and stays");
    is_int(hear(ticket, 3, next.id), SVC_INBOX_APPLIED, "an event about it");
    is_str(state(next.id), "complete 0", "complete is final");
    is_int(hear(ticket, 4, svc_id_new(fixture.pool)), SVC_INBOX_APPLIED,
           "... even if another order has the ticket");
    is_str(state(next.id), "complete 0", "... it stays complete");
    fails(post(&order, ticket, "x", LONG), SVC_ERR_CONFLICT,
          "a sold ticket cannot be ordered");
    is_int(events(), before, "none of these tells anything");
}

/* --- by time ------------------------------------------------------------------- */

static void overdue(void)
{
    const char *ticket = new_ticket();
    order_t first = buy(ticket, "first", 0), second, other;
    int before = events();

    succeeds(post(&second, ticket, "second", LONG),
             "who meets an overdue order may order its ticket");
    is_str(state(first.id), "cancelled 1 expired",
           "created -> cancelled, as expired, by the POST of another");
    is_str(fixture_text(db, apr_psprintf(fixture.pool,
               "SELECT subject FROM orders_log WHERE position > "
               "(SELECT position FROM orders WHERE id = '%s') "
               "ORDER BY position", first.id)),
           "order:cancelled order:created",
           "the cancel is told before the new order");
    is_int(events(), before + 2, "one event each");

    ticket = new_ticket();
    first = buy(ticket, "first", 0);
    is_int(hear(ticket, 1, first.id), SVC_INBOX_APPLIED, "reserved");
    succeeds(post(&second, ticket, "second", LONG),
             "so may one who meets an overdue order that awaits payment");
    is_str(state(first.id), "cancelled 2 expired",
           "awaiting:payment -> cancelled, as expired");

    ticket = new_ticket();
    first = buy(ticket, "first", 0);
    succeeds(cancel_if(first.id, "first", NULL),
             "DELETE of an overdue order succeeds");
    is_str(state(first.id), "cancelled 1 expired", "... it had expired");

    ticket = new_ticket();
    first = buy(ticket, "first", 5000);
    fails(post(&other, ticket, "second", LONG), SVC_ERR_CONFLICT,
          "an order does not expire before its time");
    is_str(state(first.id), "created 0", "... it stays");
}

static int has_id(const apr_array_header_t *ids, const char *id)
{
    int i;

    for (i = 0; i < ids->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(ids, i, const char *), id) == 0)
            return 1;
    }
    return 0;
}

static void due_exactly(void)
{
    order_t order = buy(new_ticket(), "buyer", LONG);
    apr_array_header_t *ids = NULL;
    int changed = -1;

    must(orders_store_overdue(&ids, db, order.expires_at - 1, 100,
                              fixture.pool));
    ok(!has_id(ids, order.id),
       "a millisecond before expiresAt it is not overdue");
    must(orders_store_overdue(&ids, db, order.expires_at, 100, fixture.pool));
    ok(has_id(ids, order.id), "at expiresAt it is");
    begin();
    must(orders_store_cancel(&changed, &tx, order.id, ORDERS_EXPIRED,
                             order.expires_at - 1));
    is_int(changed, 0, "it cannot expire a millisecond before");
    must(orders_store_cancel(&changed, &tx, order.id, ORDERS_EXPIRED,
                             order.expires_at));
    is_int(changed, 1, "it can at expiresAt");
    svc_db_rollback(tx.db, tx.pool);
}

/* --- reading ------------------------------------------------------------------- */

static void reading(void)
{
    const char *t1 = new_ticket(), *t2 = new_ticket(), *t3 = new_ticket();
    order_t a = buy(t1, "reader", LONG), b = buy(t2, "reader", LONG), got;
    apr_array_header_t *list = NULL;
    order_t c;

    buy(t3, "somebody", LONG);
    must(orders_service_list(&list, db, "reader", ORDERS_LIST_LIVE, 0, 10,
                             fixture.pool));
    ok(list->nelts == 2 &&
           strcmp(APR_ARRAY_IDX(list, 0, order_t).id, a.id) == 0 &&
           strcmp(APR_ARRAY_IDX(list, 1, order_t).id, b.id) == 0 &&
           strcmp(APR_ARRAY_IDX(list, 0, order_t).ticket_title, "T") == 0,
       "a user's orders are listed in order of creation, with their tickets");
    must(cancel_if(a.id, "reader", NULL));
    must(orders_service_list(&list, db, "reader", ORDERS_LIST_LIVE, 0, 10,
                             fixture.pool));
    is_int(list->nelts, 1, "a cancelled order is not listed");
    c = buy(t1, "reader", LONG);
    must(orders_service_list(&list, db, "reader", ORDERS_LIST_LIVE,
                             b.position, 10, fixture.pool));
    ok(list->nelts == 1 &&
           strcmp(APR_ARRAY_IDX(list, 0, order_t).id, c.id) == 0,
       "a page begins after a position");
    must(orders_service_list(&list, db, "reader", ORDERS_LIST_LIVE, 0, 1,
                             fixture.pool));
    is_int(list->nelts, 1, "... and is limited");
    fails(orders_service_get(&got, db, a.id, "other", fixture.pool),
          SVC_ERR_FORBIDDEN, "another user's order is FORBIDDEN");
    fails(orders_service_get(&got, db, svc_id_new(fixture.pool), "reader",
                             fixture.pool), SVC_ERR_NOT_FOUND,
          "an unknown order is NOT_FOUND");
    fails(orders_service_get(&got, db, "1 OR 1=1", "reader", fixture.pool),
          SVC_ERR_NOT_FOUND, "an id that is no UUID is NOT_FOUND");
}

static void versions(void)
{
    is_int(fixture_int(db, "SELECT COUNT(*) FROM orders o WHERE "
               "o.id <> 'second' AND o.version + 1 <> (SELECT COUNT(*) FROM "
               "orders_log l WHERE l.entity_id = o.id)"), 0,
           "at the end each order has one event for each version");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM (SELECT json_extract(event, "
               "'$.data.version') v, row_number() OVER (PARTITION BY entity_id "
               "ORDER BY position) n FROM orders_log) WHERE v <> n - 1"), 0,
           "... in order");
    is_int(fixture_int(db, "SELECT COUNT(*) - MAX(position) FROM orders_log"),
           0, "... and the log has no gap");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM (SELECT ticket_id FROM orders "
               "WHERE status <> 'cancelled' GROUP BY ticket_id "
               "HAVING COUNT(*) > 1)"), 0,
           "... and no ticket has two orders that are not cancelled");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM orders WHERE "
               "(status = 'cancelled') <> (active_ticket_id IS NULL)"), 0,
           "... and the unique column is NULL exactly once cancelled");
}

/* What happened before a snapshot is not told any more. */
static void snapshots(void)
{
    const char *ticket = new_ticket();
    const char *foreign = svc_id_new(fixture.pool);
    order_t order = buy(ticket, "u", 60000);
    int before = events();

    find(ticket, 4, NULL);
    is_str(state(order.id), "created 1", "an order that finds its ticket free "
           "in a snapshot is told once more");
    ok(strncmp(last_event(), "order:updated", 13) == 0 &&
           strstr(last_event(), "\"status\":\"created\""),
       "... as order:updated, with its status");
    is_int(events(), before + 1, "... by one event");
    find(ticket, 5, order.id);
    is_str(state(order.id), "awaiting:payment 2",
           "an order that finds its ticket reserved for it awaits payment");
    find(ticket, 6, NULL);
    is_str(state(order.id), "awaiting:payment 2",
           "... and is not told once more");
    ticket = new_ticket();
    order = buy(ticket, "u", 60000);
    find(ticket, 3, foreign);
    is_str(state(order.id), "cancelled 1 reserved",
           "an order that finds its ticket somebody else's is cancelled");
    before = events();
    find(ticket, 4, NULL);
    is_int(events(), before, "a free ticket that nobody waits for tells "
           "nothing");
}

/* Another machine may make an order between the first count and the lock of
 * the log's counter. */
static void limits_across_machines(void)
{
    const orders_terms_t one = { LONG, 1 };
    const char *t1 = new_ticket(), *t2 = new_ticket();
    order_t order = { .ticket_id = t1, .user_id = "limited" }, second = order;

    begin();
    succeeds(orders_service_create(&order, &tx, &one, fixture.pool),
             "a user may hold one order");
    second.ticket_id = t2;
    fails(orders_service_create(&second, &tx, &one, fixture.pool),
          SVC_ERR_CONFLICT, "... not two, though the first is not written yet");
    must(svc_db_text(db, "INSERT INTO orders (id, position, user_id, "
                         "ticket_id, cents, status, expires_at, version, "
                         "ticket_version, due_at) VALUES ('other', 999999, "
                         "'limited', 'x', 1, 'created', 9999999999999, 0, 0, "
                         "9999999999999)", fixture.pool));
    fails(svc_stream_commit(&tx), SVC_ERR_RETRY,
          "an order that another machine has made meanwhile is seen at the "
          "commit, and all is judged again");
    svc_db_rollback(db, fixture.pool);
}

int main(void)
{
    fixture_begin();
    stream = svc_stream_create("orders", "", fixture.pool);
    inbox = svc_inbox_create("orders", fixture.pool);
    db = fixture_database("x.db", &orders_schema, stream);
    ok(svc_etag_allows(&none, "\"0\""), "no condition, no refusal");
    replica();
    bad_events();
    making();
    outlives();
    at_most_one();
    reserved();
    lost_race();
    old_event();
    cancelling();
    overdue();
    due_exactly();
    reading();
    versions();
    snapshots();
    limits_across_machines();
    svc_db_close(db);
    return fixture_end();
}
