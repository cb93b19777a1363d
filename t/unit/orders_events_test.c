/* orders_events in a snapshot: of a tickets service, what takes the place of the
 * replica, and what that does to orders; and of this service, its own pages.
 * Of SQLite only: it asks and spoils in that dialect.
 */
#include "fixture.h"

#include "orders_events.h"
#include "orders_schema.h"
#include "orders_service.h"
#include "orders_store.h"
#include "svc_id.h"

#define ONE "urn:uuid:018f3a7e-0000-7abc-8def-000000000001"
#define TWO "urn:uuid:018f3a7e-0000-7abc-8def-000000000002"
#define LONG 900000 /* ms to pay */

static const orders_terms_t terms = { LONG, 0 };
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
    return (int)fixture_int(db, "SELECT position FROM orders_head");
}

static const char *last_event(void)
{
    return fixture_text(db, "SELECT subject || json_extract(event, '$.data') "
                            "FROM orders_log ORDER BY position DESC LIMIT 1");
}

/* What is told of a ticket; ORDER may be NULL. */
static svc_event_t told(const char *source, const char *id, int version,
                        const char *title, const char *order)
{
    svc_event_t event = { "e", source,
                          version ? "ticket:updated" : "ticket:created", id, 0,
                          9, NULL, "{}", NULL, 0,
                          { NULL, NULL } };

    event.data = svc_json_object(fixture.pool);
    svc_json_set_string(event.data, "id", id);
    svc_json_set_int(event.data, "version", version);
    svc_json_set_string(event.data, "title", title);
    svc_json_set_cents(event.data, "price", 2000 + version);
    svc_json_set_string(event.data, "userId", "seller");
    svc_json_set_string(event.data, "orderId", order);
    return event;
}

/* A ticket as a snapshot has it. */
static svc_err_t *replace_from(const char *source, const char *id, int version,
                               const char *title, const char *order)
{
    svc_inbox_context_t context = { &tx, inbox, 1 };
    svc_event_t event = told(source, id, version, title, order);
    svc_err_t *err;

    begin();
    err = orders_events_handler.replace(&context, &event);
    commit();
    return err;
}

static void replace(const char *id, int version, const char *order)
{
    must(replace_from(ONE, id, version, "T", order));
}

/* The tickets of SOURCE from AFTER to LAST are PRESENT (NULL: none of them). */
static void prune(const char *source, const char *after, const char *last,
                  const char *present)
{
    svc_inbox_context_t context = { &tx, inbox, 1 };
    svc_inbox_range_t range = { source, after, last,
                                apr_hash_make(fixture.pool) };

    if (present)
        apr_hash_set(range.present, present, APR_HASH_KEY_STRING, "");
    begin();
    must(orders_events_handler.prune(&context, &range));
    commit();
}

/* title, version, orderId, price and source of the replica's row */
static const char *replica(const char *id)
{
    return fixture_text(db, apr_psprintf(fixture.pool,
        "SELECT title || ' ' || version || ' ' || coalesce(order_id, 'free') "
        "|| ' ' || cents || ' ' || substr(source, -1) FROM orders_tickets "
        "WHERE id = '%s'", id));
}

/* The numbers of the tickets that are there. */
static const char *tickets(void)
{
    return fixture_text(db, "SELECT CAST(substr(id, 25) AS INTEGER) "
                            "FROM orders_tickets ORDER BY id");
}

static svc_err_t *post(order_t *order, const char *ticket_id)
{
    svc_err_t *err;

    memset(order, 0, sizeof(*order));
    order->ticket_id = ticket_id;
    order->user_id = "buyer";
    begin();
    err = orders_service_create(order, &tx, &terms, fixture.pool);
    commit();
    return err;
}

static const char *buy(const char *ticket_id)
{
    order_t order;

    must(post(&order, ticket_id));
    return order.id;
}

/* status, version and cancelReason of an order */
static const char *state(const char *id)
{
    return fixture_text(db, apr_psprintf(fixture.pool,
        "SELECT status || ' ' || version || coalesce(' ' || cancel_reason, '')"
        " FROM orders WHERE id = '%s'", id));
}

/* The payment PAYMENT_ID arrives for an order; what becomes of it. */
static const char *pay(const char *id, const char *payment_id)
{
    orders_payment_t payment = { .id = payment_id, .order_id = id,
                                 .cents = 2000 };
    order_t order;
    int is_repeated;
    svc_err_t *err;

    begin();
    err = orders_service_pay(&is_repeated, &order, &payment, &tx, fixture.pool);
    if (err)
        svc_db_rollback(tx.db, tx.pool);
    else
        commit();
    return err ? err->detail ? err->detail : err->message : payment.status;
}

static const char *claim_of(const char *ticket_id)
{
    return fixture_text(db, apr_psprintf(fixture.pool, "SELECT claimed_by FROM "
                        "orders_tickets WHERE id = '%s'", ticket_id));
}

/* --- a ticket that is there -------------------------------------------------------- */

static void replacing(void)
{
    const char *id = id_of(1);

    must(replace_from(ONE, id, 7, "seven", NULL));
    is_str(replica(id), "seven 7 free 2007 1",
           "a ticket that was not known is there then, at its version");
    must(replace_from(ONE, id, 3, "three", id_of(99)));
    is_str(replica(id),
           apr_pstrcat(fixture.pool, "three 3 ", id_of(99), " 2003 1", NULL),
           "one that was gets the state of the snapshot, be it older");
    must(replace_from(ONE, id, 3, "other three", NULL));
    is_str(replica(id), "other three 3 free 2003 1",
           "... or another one at the same version");
    must(replace_from(ONE, id, 0, "begin", NULL));
    is_str(replica(id), "begin 0 free 2000 1", "... or the first one");
    fails(replace_from(TWO, id, 9, "theirs", NULL), SVC_ERR_INVALID,
          "a ticket that belongs to another source is bad");
    is_str(replica(id), "begin 0 free 2000 1", "... and stays as it is");
    fails(replace_from(ONE, id, 9, "", NULL), SVC_ERR_INVALID,
          "so is one that cannot be read");
    fails(replace_from(ONE, "x", 9, "T", NULL), SVC_ERR_INVALID,
          "... or has no id");
    is_str(replica(id), "begin 0 free 2000 1", "... and stays as it is");
    is_int(events(), 0, "nothing of that is told");
}

static void reacting(void)
{
    const char *mine = id_of(2), *lost = id_of(3), *late = id_of(4);
    const char *order, *other;
    svc_etag_condition_t none = { NULL, NULL };
    order_t again;
    int before;

    replace(mine, 5, NULL);
    order = buy(mine);
    is_str(claim_of(mine), order, "an order claims its ticket");
    replace(mine, 4, NULL);
    is_str(state(order), "created 1",
           "a snapshot may show the ticket of an order free: it is told again");
    ok(strncmp(last_event(), "order:updated{", 14) == 0, "... as updated");
    is_str(claim_of(mine), order, "... its claim stays");
    fails(post(&again, mine), SVC_ERR_CONFLICT, "... and counts");
    before = events();
    replace(mine, 5, order);
    is_str(state(order), "awaiting:payment 2",
           "it says that an order has its ticket: that awaits payment");
    is_int(events(), before + 1, "... which is told");
    replace(mine, 6, order);
    is_int(events(), before + 1, "... once");
    replace(mine, 2, NULL);
    is_str(state(order), "awaiting:payment 2",
           "a state from before the reservation does not undo it");

    replace(mine, 7, id_of(97));
    is_str(state(order), "cancelled 3 reserved",
           "an order that awaits payment loses a ticket that has gone to an "
           "order of another service");
    ok(strncmp(last_event(), "order:cancelled{", 16) == 0, "... which is told");

    replace(lost, 5, NULL);
    order = buy(lost);
    replace(lost, 6, id_of(98));
    is_str(state(order), "cancelled 1 reserved",
           "a ticket of an unknown order is lost to the one that hoped for it");
    ok(strncmp(last_event(), "order:cancelled{", 16) == 0, "... which is told");
    is_str(claim_of(lost), "NULL", "... its claim is given up");

    replace(late, 5, NULL);
    order = buy(late);
    begin();
    must(orders_service_cancel(&tx, order, "buyer", &none, fixture.pool));
    commit();
    other = buy(late);
    replace(late, 6, order);
    is_str(state(other), "created 0",
           "a ticket of a cancelled order of ours is not lost: its release is "
           "on the way");
}

/* --- tickets that are not there ---------------------------------------------------- */

static void in_range(void)
{
    int i;

    fixture_do(db, "DELETE FROM orders_tickets");
    for (i = 101; i <= 106; i++)
        replace(id_of(i), 0, NULL);
    must(replace_from(TWO, id_of(107), 0, "theirs", NULL));
    prune(ONE, id_of(101), id_of(104), id_of(103));
    is_str(tickets(), "101 103 105 106 107",
           "of a page's range what is not present is gone, and no more");
    prune(ONE, id_of(104), "", id_of(105));
    is_str(tickets(), "101 103 105 107",
           "the last page goes on to the end; another source's ticket stays");
    prune(ONE, "", id_of(101), NULL);
    is_str(tickets(), "103 105 107", "the first page begins at the begin");
    prune(ONE, "", "", NULL);
    is_str(tickets(), "107", "a service without tickets leaves nothing");
}

static void orders_of_them(void)
{
    const char *orders[5];
    order_t got;
    svc_etag_condition_t none = { NULL, NULL };
    int i, before;

    for (i = 0; i < 5; i++) {
        replace(id_of(201 + i), 0, NULL);
        orders[i] = buy(id_of(201 + i));
    }
    replace(id_of(202), 1, orders[1]);
    replace(id_of(203), 1, orders[2]);
    is_str(pay(orders[2], "p2"), ORDERS_PAID, "one of five orders is paid");
    before = events();
    prune(ONE, id_of(200), id_of(203), NULL);
    is_str(state(orders[0]), "cancelled 1 reserved",
           "an order for a ticket that is no more is cancelled");
    is_str(state(orders[1]), "cancelled 2 reserved",
           "... also one that awaits payment");
    is_str(state(orders[2]), "complete 2", "one that is paid is kept");
    is_str(state(orders[3]), "created 0", "one for another ticket stays");
    is_int(events(), before + 2, "each is told once");
    is_str(fixture_text(db, apr_psprintf(fixture.pool,
               "SELECT subject || json_extract(event, '$.data.cancelReason') "
               "|| json_extract(event, '$.data.ticket.id') FROM orders_log "
               "WHERE position > %d ORDER BY position", before)),
           apr_pstrcat(fixture.pool, "order:cancelledreserved", id_of(201),
                       " order:cancelledreserved", id_of(202), NULL),
           "... as order:cancelled, with the reason and the ticket");
    is_str(tickets(), "107 204 205", "the tickets are gone");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM orders WHERE "
               "(status = 'cancelled') <> (active_ticket_id IS NULL)"), 0,
           "cancelled orders are active no more");
    must(orders_service_get(&got, db, orders[0], "buyer", fixture.pool));
    ok(got.ticket_id && !got.ticket_title,
       "an order without its ticket can be read");
    begin();
    succeeds(orders_service_cancel(&tx, orders[0], "buyer", &none,
                                   fixture.pool), "... and cancelled again");
    fails(orders_service_cancel(&tx, orders[2], "buyer", &none, fixture.pool),
          SVC_ERR_CONFLICT, "the paid one cannot be cancelled");
    commit();
    fails(post(&got, id_of(201)), SVC_ERR_NOT_FOUND,
          "a ticket that is no more cannot be ordered");
    before = events();
    prune(ONE, id_of(200), id_of(203), NULL);
    is_int(events(), before, "again: there is nothing to tell");
    is_str(pay(orders[0], "p0"), ORDERS_REFUNDED,
           "a payment that comes late is given back");
    is_str(pay(orders[2], "p3"), ORDERS_REFUNDED,
           "... so is a second one of the order that is paid");
    is_int(events(), before + 2, "... which is told");
    is_str(pay(orders[4], "p4"), ORDERS_RECORDED,
           "a payment is recorded before the ticket is reserved");
    prune(ONE, id_of(204), id_of(205), NULL);
    is_str(state(orders[4]), "cancelled 2 reserved",
           "... then the ticket is no more: the order is cancelled");
    ok(strncmp(last_event(), "order:refund-required{", 22) == 0 &&
           strstr(last_event(), "\"p4\""), "... and the payment given back");
    replace(id_of(201), 4, NULL);
    succeeds(post(&got, id_of(201)), "a ticket that is back can be ordered");
    replace(id_of(203), 4, NULL);
    fails(post(&got, id_of(203)), SVC_ERR_CONFLICT,
          "... unless it is sold");
    is_str(claim_of(id_of(203)), orders[2], "... to the order that has paid");
}

/* Events that are applied together: what follows of each goes back to what that
 * one does. */
static void origins(void)
{
    static const char *const requests[] = { "r0", NULL, "r2" };
    svc_inbox_context_t context = { &tx, inbox, 1 };
    svc_inbox_item_t items[3];
    svc_event_t events[3], got;
    int i;

    for (i = 0; i < 3; i++) {
        replace(id_of(700 + i), 0, NULL);
        events[i] = told(ONE, id_of(700 + i), 1, "T", buy(id_of(700 + i)));
        events[i].origin.request_id = requests[i];
        items[i].event = &events[i];
        items[i].is_done = 0;
    }
    begin();
    must(orders_events_handler.apply_many(&context, items, 3));
    commit();
    for (i = 0; i < 3; i++) {
        const char *text = fixture_text(db, apr_psprintf(
            fixture.pool, "SELECT event FROM orders_log ORDER BY position DESC "
                          "LIMIT 1 OFFSET %d", 2 - i));

        must(svc_event_decode(&got, "order:updated", text, strlen(text),
                              fixture.pool));
        ok(items[i].is_done, "ticket %d is applied with the others", i);
        is_str(got.origin.request_id, requests[i],
               "... and its order tells whose request that was");
    }
}

/* More than the store hands out at a time. */
static void many(void)
{
    int i;

    fixture_do(db, "DELETE FROM orders_tickets");
    begin();
    for (i = 0; i < 1201; i++) {
        orders_ticket_t ticket = { id_of(2000 + i), ONE, "T", "s", NULL, 5, 0 };
        int changed;

        must(orders_store_insert_ticket(&changed, &tx, &ticket));
    }
    commit();
    prune(ONE, "", "", id_of(2600));
    is_str(tickets(), "2600",
           "of 1201 tickets those that are not present are gone");
}

/* --- the state of this service ------------------------------------------------------ */

static const char *state_page(const char **last, const char *after, int limit)
{
    apr_array_header_t *list = apr_array_make(fixture.pool, 4,
                                              sizeof(svc_event_t));
    const char *text = "";
    int i;

    *last = NULL;
    must(orders_events_state(list, last, db, after, limit, fixture.pool));
    for (i = 0; i < list->nelts; i++) {
        const svc_event_t *event = &APR_ARRAY_IDX(list, i, svc_event_t);

        text = apr_pstrcat(fixture.pool, text, i ? " " : "", event->type, ":",
                           event->entity + 34, NULL);
        if (strcmp(svc_json_get_string(event->data, "id"), event->entity) != 0)
            text = "an event of another entity";
    }
    return text;
}

static void own_state(void)
{
    const char *last;
    int i;

    fixture_do(db, "DELETE FROM orders");
    is_str(state_page(&last, "", 5), "",
           "a service without orders has an empty page");
    ok(!last, "... which is the last one");
    for (i = 1; i <= 9; i++) {
        int is_cancelled = (i >= 3 && i <= 6) || i == 9;

        fixture_do(db, apr_psprintf(fixture.pool,
            "INSERT INTO orders (id, position, user_id, ticket_id, cents, "
            "status, cancel_reason, expires_at, version, ticket_version, "
            "active_ticket_id, due_at) VALUES ('%s', %d, 'u', '%s', 5, '%s', "
            "%s, 1, %d, 0, NULL, NULL)", id_of(i), 1000 - i, id_of(500 + i),
            is_cancelled ? "cancelled" : i == 1 ? "created" : i == 2
                ? "awaiting:payment" : "complete",
            is_cancelled ? "'user'" : "NULL", i - 1));
    }
    is_str(state_page(&last, "", 50),
           "order:created:01 order:updated:02 order:updated:07 "
           "order:updated:08",
           "the state is all orders that are not cancelled, in order of id");
    ok(!last, "... all of it is one page");
    is_str(state_page(&last, "", 2), "order:created:01 order:updated:02",
           "a page is limited");
    is_str(last, id_of(2), "... and says how far it goes");
    is_str(state_page(&last, id_of(2), 2), "",
           "a page of cancelled orders has none of them");
    is_str(last, id_of(4), "... and goes as far all the same");
    is_str(state_page(&last, id_of(4), 3), "order:updated:07",
           "a page may have fewer than it covers");
    is_str(last, id_of(7), "... and says how far it goes");
    is_str(state_page(&last, id_of(7), 2), "order:updated:08",
           "a page that ends with a cancelled order");
    is_str(last, id_of(9), "... goes as far as that");
    is_str(state_page(&last, id_of(9), 2), "", "then there is nothing");
    ok(!last, "... and that is the last page");
    is_str(state_page(&last, id_of(7), 3), "order:updated:08",
           "a page that is not full");
    ok(!last, "... is the last one");
}

static void own_data(void)
{
    apr_array_header_t *list = apr_array_make(fixture.pool, 4,
                                              sizeof(svc_event_t));
    const char *last = NULL;

    must(orders_events_state(list, &last, db, "", 2, fixture.pool));
    is_str(svc_json_text(NULL, APR_ARRAY_IDX(list, 1, svc_event_t).data,
                         fixture.pool),
           apr_pstrcat(fixture.pool, "{\"id\":\"", id_of(2), "\",\"version\":1,"
                       "\"status\":\"awaiting:payment\",\"userId\":\"u\","
                       "\"expiresAt\":\"1970-01-01T00:00:00.001Z\",\"ticket\":"
                       "{\"id\":\"", id_of(502), "\",\"price\":0.05}}", NULL),
           "an order is told as its last event would");
}

int main(void)
{
    fixture_begin();
    stream = svc_stream_create("orders", "", fixture.pool);
    inbox = svc_inbox_create("orders", fixture.pool);
    db = fixture_database("x.db", &orders_schema, stream);
    replacing();
    reacting();
    in_range();
    orders_of_them();
    origins();
    many();
    own_state();
    own_data();
    svc_db_close(db);
    return fixture_end();
}
