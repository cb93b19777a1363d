/* Payments: each either completes its order, waits for the ticket, or is to be
 * refunded, whatever it meets, and is told once; expiration:complete; and that
 * after each step every version has one event and no money is forgotten.
 * Of SQLite only: it asks and spoils in that dialect.
 */
#include "fixture.h"

#include "orders_events.h"
#include "orders_json.h"
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
static apr_int64_t later; /* ms that the clock is ahead */

static void begin(void)
{
    must(svc_stream_begin(&tx, db, stream, fixture.pool));
    tx.now += later;
}

static void commit(void)
{
    must(svc_stream_commit(&tx));
}

/* An event with DATA, a JSON object. */
static svc_err_t *hear(svc_inbox_outcome_t *outcome, const char *type,
                       const char *data)
{
    svc_inbox_context_t context = { &tx, inbox, 0 };
    svc_event_t event = { "e", SOURCE, type, NULL, 0, 0, NULL, "{}", NULL, 0,
                          { NULL, NULL } };
    svc_err_t *err;

    must(svc_json_parse(&event.data, data, strlen(data), fixture.pool));
    begin();
    err = orders_events_handler.apply(outcome, &context, &event);
    commit();
    return err;
}

static int heard(const char *type, const char *data)
{
    svc_inbox_outcome_t outcome = SVC_INBOX_EARLY;

    must(hear(&outcome, type, data));
    return (int)outcome;
}

static void ticket(const char *id, int version, const char *order_id)
{
    is_int(heard(version ? "ticket:updated" : "ticket:created",
                 apr_psprintf(fixture.pool,
                     "{\"id\":\"%s\",\"version\":%d,\"title\":\"T\","
                     "\"price\":20.5,\"userId\":\"seller\",\"orderId\":%s}",
                     id, version, order_id ? apr_psprintf(fixture.pool,
                                                 "\"%s\"", order_id)
                                           : "null")),
           SVC_INBOX_APPLIED, "a ticket is told, version %d", version);
}

/* What an order of a new ticket that costs 20.50 is made of. */
typedef struct sale_t {
    const char *ticket, *id;
} sale_t;

static sale_t made(void)
{
    sale_t sale = { svc_id_new(fixture.pool), NULL };
    order_t order = { .ticket_id = sale.ticket, .user_id = "buyer" };

    ticket(sale.ticket, 0, NULL);
    begin();
    must(orders_service_create(&order, &tx, &terms, fixture.pool));
    commit();
    sale.id = order.id;
    return sale;
}

static sale_t reserved(void)
{
    sale_t sale = made();

    ticket(sale.ticket, 1, sale.id);
    return sale;
}

/* AMOUNT is JSON; NULL: not said. */
static const char *payment(const char *id, const char *order_id,
                           const char *amount)
{
    return apr_pstrcat(fixture.pool, "{\"id\":\"", id, "\",\"orderId\":\"",
                       order_id, "\"", amount ? ",\"amount\":" : "",
                       amount ? amount : "", "}", NULL);
}

static int paid(const char *id, const char *order_id, const char *amount)
{
    return heard("payment:created", payment(id, order_id, amount));
}

/* What becomes of a payment that something stands in the way of; undone. */
static svc_err_t *prevented(const char *id, const char *order_id,
                            const char *amount)
{
    svc_inbox_context_t context = { &tx, inbox, 0 };
    svc_event_t event = { "e", SOURCE, "payment:created", NULL, 0, 0, NULL,
                          "{}", NULL, 0, { NULL, NULL } };
    const char *data = payment(id, order_id, amount);
    svc_inbox_outcome_t outcome;
    svc_err_t *err;

    must(svc_json_parse(&event.data, data, strlen(data), fixture.pool));
    begin();
    err = orders_events_handler.apply(&outcome, &context, &event);
    svc_db_rollback(db, fixture.pool);
    return err;
}

static svc_err_t *refused(const char *id, const char *order_id)
{
    svc_inbox_outcome_t outcome;

    return hear(&outcome, "payment:created", payment(id, order_id, NULL));
}

static void cancel(const char *id)
{
    static const svc_etag_condition_t none = { NULL, NULL };

    begin();
    must(orders_service_cancel(&tx, id, "buyer", &none, fixture.pool));
    commit();
}

/* The texts that a query about ID gives, which stands between its halves. */
static const char *text(const char *query, const char *id, const char *rest)
{
    return fixture_text(db, apr_pstrcat(fixture.pool, query, id, rest, NULL));
}

/* status, version and cancelReason of an order */
static const char *state(const char *id)
{
    return text("SELECT status || ' ' || version || "
                "coalesce(' ' || cancel_reason, '') FROM orders "
                "WHERE id = '", id, "'");
}

/* What was told of it: subject, version, and what the subject is about. */
static const char *story(const char *id)
{
    return text("SELECT substr(subject, 7) || '/' || "
                "json_extract(event, '$.data.version') || '/' || coalesce("
                "json_extract(event, '$.data.status'), "
                "json_extract(event, '$.data.cancelReason'), "
                "json_extract(event, '$.data.paymentId') || '/' || "
                "json_extract(event, '$.data.reason')) "
                "FROM orders_log WHERE entity_id = '", id,
                "' ORDER BY position");
}

/* Its payments: id, status, reason, cents */
static const char *money(const char *id)
{
    return text("SELECT payment_id || '/' || status || "
                "coalesce('/' || reason, '') || coalesce('/' || cents, '') "
                "FROM orders_payments WHERE order_id = '", id,
                "' ORDER BY payment_id");
}

/* --- in time ------------------------------------------------------------------- */

static void in_time(void)
{
    sale_t sale = reserved();

    is_int(paid("a1", sale.id, NULL), SVC_INBOX_SETTLED,
           "a payment while the order awaits it");
    is_str(state(sale.id), "complete 2", "awaiting:payment -> complete");
    is_str(story(sale.id), "created/0/created updated/1/awaiting:payment "
                           "updated/2/complete",
           "one event tells it, order:updated");
    is_str(money(sale.id), "a1/paid", "the payment is kept as paid");
    is_int(paid("a1", sale.id, NULL), SVC_INBOX_DUPLICATE,
           "the same again is a duplicate");
    is_int(paid("a1", sale.id, "3"), SVC_INBOX_DUPLICATE,
           "... also with another amount");
    is_str(state(sale.id), "complete 2", "... that changes nothing");
    is_int(paid("a2", sale.id, NULL), SVC_INBOX_SETTLED,
           "a second payment for the order");
    is_str(state(sale.id), "complete 3", "... is a change of the order");
    is_int(paid("a2", sale.id, NULL), SVC_INBOX_DUPLICATE, "... once");
    is_str(story(sale.id), "created/0/created updated/1/awaiting:payment "
                           "updated/2/complete refund-required/3/a2/paid",
           "... and is to be refunded, which is told once");
    is_str(money(sale.id), "a1/paid a2/refunded/paid", "both are kept");
    ticket(sale.ticket, 2, svc_id_new(fixture.pool));
    is_str(state(sale.id), "complete 3",
           "a complete order is not lost, whoever has its ticket");
}

static void final(void)
{
    static const svc_etag_condition_t none = { NULL, NULL };
    sale_t sale = reserved();
    order_t other = { .ticket_id = sale.ticket, .user_id = "another" };
    apr_array_header_t *due;
    int swept = 0;

    is_int(paid("f1", sale.id, "20.5"), SVC_INBOX_SETTLED, "paid");
    later = 2 * LONG;
    begin();
    fails(orders_service_cancel(&tx, sale.id, "buyer", &none, fixture.pool),
          SVC_ERR_CONFLICT, "a complete order cannot be cancelled");
    fails(orders_service_create(&other, &tx, &terms, fixture.pool),
          SVC_ERR_CONFLICT, "nor its ticket ordered by another, ever");
    commit();
    is_int(heard("expiration:complete", apr_psprintf(fixture.pool,
               "{\"orderId\":\"%s\"}", sale.id)), SVC_INBOX_IGNORED,
           "nor does it expire, long after expiresAt");
    later = 0;
    must(orders_store_overdue(&due, db, APR_INT64_C(9999999999999), 10000,
                              fixture.pool));
    while (due->nelts)
        swept += strcmp(*(const char **)apr_array_pop(due), sale.id) == 0;
    is_int(swept, 0, "nor does the sweep ever find it");
    is_str(state(sale.id), "complete 2", "... it stays as it is");
}

static void amounts(void)
{
    sale_t sale = reserved();

    is_int(paid("m1", sale.id, "20.49"), SVC_INBOX_SETTLED, "a cent too few");
    is_int(paid("m2", sale.id, "20.51"), SVC_INBOX_SETTLED, "a cent too many");
    is_int(paid("m3", sale.id, "2050"), SVC_INBOX_SETTLED,
           "the price in cents, taken for dollars");
    is_str(state(sale.id), "awaiting:payment 4", "none of these pays it");
    ticket(sale.ticket, 2, sale.id);
    is_int(paid("m4", sale.id, "20.50"), SVC_INBOX_SETTLED, "the price agreed");
    is_str(state(sale.id), "complete 5", "... does");
    is_int(paid("m5", sale.id, "1"), SVC_INBOX_SETTLED, "a wrong one after it");
    is_str(story(sale.id),
           "created/0/created updated/1/awaiting:payment "
           "refund-required/2/m1/amount refund-required/3/m2/amount "
           "refund-required/4/m3/amount updated/5/complete "
           "refund-required/6/m5/paid",
           "every other amount is to be refunded");
    is_str(money(sale.id), "m1/refunded/amount/2049 m2/refunded/amount/2051 "
                           "m3/refunded/amount/205000 m4/paid/2050 "
                           "m5/refunded/paid/100", "all amounts are kept");
    sale = made();
    is_int(paid("m6", sale.id, "20"), SVC_INBOX_SETTLED,
           "a wrong amount before the ticket is reserved");
    is_str(story(sale.id), "created/0/created refund-required/1/m6/amount",
           "... is not recorded, but to be refunded at once");
    is_int(paid("m7", sale.id, "20.5"), SVC_INBOX_SETTLED, "the right one");
    ticket(sale.ticket, 1, sale.id);
    is_str(state(sale.id), "complete 3", "... pays it all the same");
}

/* --- before the ticket is reserved --------------------------------------------- */

static void early(void)
{
    sale_t sale = made();

    is_int(paid("e1", sale.id, "20.5"), SVC_INBOX_SETTLED,
           "a payment before the ticket is reserved");
    is_str(state(sale.id), "created 0", "leaves the order as it is");
    is_str(money(sale.id), "e1/recorded/2050", "... but is recorded");
    is_int(paid("e1", sale.id, "20.5"), SVC_INBOX_DUPLICATE, "once");
    is_int(paid("e2", sale.id, "20.5"), SVC_INBOX_SETTLED, "another one");
    is_str(story(sale.id), "created/0/created refund-required/1/e2/paid",
           "... is to be refunded: the first one has the order");
    ticket(sale.ticket, 1, sale.id);
    is_str(story(sale.id), "created/0/created refund-required/1/e2/paid "
                           "updated/2/awaiting:payment updated/3/complete",
           "when the ticket is reserved the order awaits payment, then is "
           "complete: two changes, two events");
    is_str(state(sale.id), "complete 3", "it is complete");
    is_str(money(sale.id), "e1/paid/2050 e2/refunded/paid/2050",
           "the recorded payment has paid it");
    is_int(paid("e1", sale.id, "20.5"), SVC_INBOX_DUPLICATE,
           "and is known ever after");
    is_str(state(sale.id), "complete 3", "... without any effect");
}

static void early_and_cancelled(void)
{
    sale_t sale = made();

    is_int(paid("c1", sale.id, NULL), SVC_INBOX_SETTLED, "recorded");
    cancel(sale.id);
    is_str(story(sale.id), "created/0/created cancelled/1/user "
                           "refund-required/2/c1/cancelled",
           "an order that is cancelled by its user refunds what was recorded");
    is_str(state(sale.id), "cancelled 2 user", "in a change of its own");
    is_str(money(sale.id), "c1/refunded/cancelled", "which is kept");
    cancel(sale.id);
    is_int(paid("c1", sale.id, NULL), SVC_INBOX_DUPLICATE, "the payment again");
    ticket(sale.ticket, 1, sale.id);
    is_str(state(sale.id), "cancelled 2 user",
           "neither that, nor another DELETE, nor the ticket changes anything");

    sale = made();
    is_int(paid("c2", sale.id, NULL), SVC_INBOX_SETTLED, "recorded");
    ticket(sale.ticket, 1, svc_id_new(fixture.pool));
    is_str(story(sale.id), "created/0/created cancelled/1/reserved "
                           "refund-required/2/c2/cancelled",
           "so does one whose ticket went to somebody else");

    sale = made();
    is_int(paid("c3", sale.id, NULL), SVC_INBOX_SETTLED, "recorded");
    later = LONG + 1000;
    is_int(heard("expiration:complete", apr_psprintf(fixture.pool,
               "{\"orderId\":\"%s\"}", sale.id)), SVC_INBOX_SETTLED, "expired");
    later = 0;
    is_str(story(sale.id), "created/0/created cancelled/1/expired "
                           "refund-required/2/c3/expired",
           "and one that expires");

    sale = made();
    is_int(paid("c4", sale.id, NULL), SVC_INBOX_SETTLED, "recorded");
    later = LONG + 1000;
    is_int(paid("c5", sale.id, NULL), SVC_INBOX_SETTLED,
           "a second payment, after expiresAt");
    later = 0;
    is_str(story(sale.id), "created/0/created cancelled/1/expired "
                           "refund-required/2/c4/expired "
                           "refund-required/3/c5/expired",
           "refunds both");
}

/* Paid in time, but the ticket is reserved after expiresAt, before anybody has
 * looked at the clock. */
static void reserved_too_late(void)
{
    sale_t sale = made();

    is_int(paid("r1", sale.id, NULL), SVC_INBOX_SETTLED, "recorded in time");
    later = LONG + 1000;
    ticket(sale.ticket, 1, sale.id);
    is_str(state(sale.id), "awaiting:payment 1",
           "an overdue order is not completed when its ticket is reserved");
    is_int(heard("expiration:complete", apr_psprintf(fixture.pool,
               "{\"orderId\":\"%s\"}", sale.id)), SVC_INBOX_SETTLED, "expired");
    later = 0;
    is_str(story(sale.id), "created/0/created updated/1/awaiting:payment "
                           "cancelled/2/expired refund-required/3/r1/expired",
           "it expires, and the payment is to be refunded");
}

/* --- too late ------------------------------------------------------------------ */

static void too_late(void)
{
    sale_t sale = reserved();
    order_t order;
    int found;

    must(orders_store_get(&found, &order, db, sale.id, fixture.pool));
    later = LONG + 1000;
    is_int(paid("l1", sale.id, NULL), SVC_INBOX_SETTLED,
           "a payment after expiresAt, before the sweep");
    is_str(state(sale.id), "cancelled 3 expired", "it cancels the order");
    is_str(story(sale.id), "created/0/created updated/1/awaiting:payment "
                           "cancelled/2/expired refund-required/3/l1/expired",
           "first that is told, then the refund");
    is_int(paid("l1", sale.id, NULL), SVC_INBOX_DUPLICATE, "the same again");
    is_str(state(sale.id), "cancelled 3 expired", "... changes nothing");
    is_int(paid("l2", sale.id, NULL), SVC_INBOX_SETTLED, "another one");
    is_str(state(sale.id), "cancelled 4 expired", "... is one more change");
    is_str(money(sale.id), "l1/refunded/expired l2/refunded/expired",
           "each is to be refunded");
    later = 0;

    sale = reserved();
    cancel(sale.id);
    is_int(paid("l3", sale.id, "1"), SVC_INBOX_SETTLED,
           "a payment after DELETE, with a wrong amount too");
    is_str(story(sale.id), "created/0/created updated/1/awaiting:payment "
                           "cancelled/2/user refund-required/3/l3/cancelled",
           "the order's state is the reason, not the amount");
    ticket(sale.ticket, 2, NULL);
    order.ticket_id = sale.ticket;
    order.user_id = "next";
    begin();
    succeeds(orders_service_create(&order, &tx, &terms, fixture.pool),
             "the ticket of a refunded order can be ordered again");
    commit();
}

/* At expiresAt exactly it is too late, a millisecond before it is not. */
static void to_the_millisecond(void)
{
    sale_t sale = reserved(), other = reserved();
    orders_payment_t payment = { .id = "t1" };
    order_t order;
    int found, repeated;

    must(orders_store_get(&found, &order, db, sale.id, fixture.pool));
    begin();
    tx.now = order.expires_at - 1;
    payment.order_id = sale.id;
    must(orders_service_pay(&repeated, &order, &payment, &tx, fixture.pool));
    is_str(payment.status, ORDERS_PAID,
           "a millisecond before expiresAt an order can be paid");
    must(orders_store_get(&found, &order, db, other.id, fixture.pool));
    tx.now = order.expires_at;
    payment.id = "t2";
    payment.order_id = other.id;
    must(orders_service_pay(&repeated, &order, &payment, &tx, fixture.pool));
    is_str(payment.status, ORDERS_REFUNDED, "at expiresAt it cannot");
    commit();
}

static void swept(void)
{
    sale_t sale = made();
    int changed;

    is_int(paid("s1", sale.id, NULL), SVC_INBOX_SETTLED, "recorded");
    later = LONG + 1000;
    begin();
    must(orders_service_create(&(order_t){ .ticket_id = sale.ticket,
                                           .user_id = "next" },
                               &tx, &terms, fixture.pool));
    commit();
    later = 0;
    is_str(story(sale.id), "created/0/created cancelled/1/expired "
                           "refund-required/2/s1/expired",
           "the POST of another that meets an overdue order refunds it too");
    begin();
    must(orders_store_cancel(&changed, &tx, sale.id, ORDERS_BY_USER, 0));
    is_int(changed, 0, "it is not cancelled twice");
    commit();
}

/* --- expiration:complete --------------------------------------------------------- */

static void expirations(void)
{
    sale_t sale = reserved();
    const char *data = apr_psprintf(fixture.pool, "{\"orderId\":\"%s\"}",
                                    sale.id);
    svc_inbox_outcome_t outcome;

    is_int(heard("expiration:complete", data), SVC_INBOX_IGNORED,
           "expiration:complete before expiresAt is ignored");
    is_str(state(sale.id), "awaiting:payment 1", "... the order stays");
    later = LONG + 1000;
    is_int(heard("expiration:complete", data), SVC_INBOX_SETTLED,
           "after it, it is honoured");
    is_str(state(sale.id), "cancelled 2 expired", "... the order has expired");
    is_int(heard("expiration:complete", data), SVC_INBOX_IGNORED, "once");
    later = 0;
    is_str(story(sale.id), "created/0/created updated/1/awaiting:payment "
                           "cancelled/2/expired", "one event tells it");
    is_int(heard("expiration:complete", apr_psprintf(fixture.pool,
               "{\"orderId\":\"%s\"}", svc_id_new(fixture.pool))),
           SVC_INBOX_IGNORED, "of an unknown order it is ignored");
    fails(hear(&outcome, "expiration:complete", "{\"orderId\":7}"),
          SVC_ERR_INVALID, "an orderId that is no UUID is refused");
    is_int(heard("expiration:soon", "{}"), SVC_INBOX_UNKNOWN,
           "another type under expiration: is passed by");
    is_int(heard("payment:failed", "{}"), SVC_INBOX_UNKNOWN,
           "... so is one under payment:");
}

/* --- bad ones -------------------------------------------------------------------- */

static void strangers(void)
{
    sale_t sale = reserved(), other = reserved();
    const char *unknown = svc_id_new(fixture.pool);
    svc_err_t *err = refused("u1", unknown);

    fails(err, SVC_ERR_NOT_FOUND, "a payment for an unknown order is refused");
    ok(err && strstr(err->message, unknown), "... with a sentence that names it");
    is_str(money(unknown), "", "... and nothing is kept of it");
    is_int(paid("u1", sale.id, NULL), SVC_INBOX_SETTLED,
           "its id is free for an order that exists");
    fails(refused("u1", other.id), SVC_ERR_CONFLICT,
          "then it cannot be for another order");
    fails(refused("u1", svc_id_new(fixture.pool)), SVC_ERR_CONFLICT,
          "... nor for one that is unknown");
    is_str(state(other.id), "awaiting:payment 1", "... which stays as it is");
    is_str(money(other.id), "", "... and has no payment");
}

static void bad_data(void)
{
    static const char id[] = "018f3a7e-1234-7abc-8def-0123456789ab";
    static const struct {
        const char *data, *says;
    } bad[] = {
        { "{}", "data.id" },
        { "{\"id\":7,\"orderId\":\"%s\"}", "data.id" },
        { "{\"id\":\"\",\"orderId\":\"%s\"}", "data.id" },
        { "{\"id\":\"p\"}", "data.orderId" },
        { "{\"id\":\"p\",\"orderId\":\"x%s\"}", "data.orderId" },
        { "{\"id\":\"p\",\"orderId\":\"%s\",\"amount\":0}", "data.amount" },
        { "{\"id\":\"p\",\"orderId\":\"%s\",\"amount\":-5}", "data.amount" },
        { "{\"id\":\"p\",\"orderId\":\"%s\",\"amount\":5.001}",
          "data.amount" },
        { "{\"id\":\"p\",\"orderId\":\"%s\",\"amount\":1e300}",
          "data.amount" },
        { "{\"id\":\"p\",\"orderId\":\"%s\",\"amount\":\"5\"}",
          "data.amount" },
        { "{\"id\":\"p\",\"orderId\":\"%s\",\"amount\":true}",
          "data.amount" }
    };
    char name[257];
    orders_payment_t got;
    svc_inbox_outcome_t outcome;
    svc_json_t *json;
    const char *data;
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *cut = strstr(bad[i].data, "%s");
        svc_err_t *err;

        data = !cut ? bad[i].data
                    : apr_pstrcat(fixture.pool,
                                  apr_pstrmemdup(fixture.pool, bad[i].data,
                                                 cut - bad[i].data),
                                  id, cut + 2, NULL);
        err = hear(&outcome, "payment:created", data);
        ok(err && err->kind == SVC_ERR_INVALID &&
               strncmp(err->message, bad[i].says, strlen(bad[i].says)) == 0,
           "%s is refused, and the sentence names %s", data, bad[i].says);
    }
    memset(name, 'x', 256);
    name[256] = '\0';
    fails(hear(&outcome, "payment:created", payment(name, id, NULL)),
          SVC_ERR_INVALID, "an id of 256 bytes is refused");
    data = payment(name + 1, id, "null");
    must(svc_json_parse(&json, data, strlen(data), fixture.pool));
    succeeds(orders_json_read_payment(&got, json, fixture.pool),
             "one of 255 is taken, with amount null");
    ok(strlen(got.id) == 255 && strcmp(got.order_id, id) == 0 &&
           got.cents == 0, "... and read");
}

/* --- the use case ------------------------------------------------------------------ */

static void use_case(void)
{
    sale_t sale = made();
    orders_payment_t payment = { .id = "h1", .order_id = sale.id,
                                 .cents = 2050 };
    order_t order;
    int repeated;

    begin();
    must(orders_service_pay(&repeated, &order, &payment, &tx, fixture.pool));
    ok(!repeated && strcmp(payment.status, ORDERS_RECORDED) == 0 &&
           strcmp(order.status, ORDERS_CREATED) == 0,
       "the use case says that a payment was recorded, and for what order");
    must(orders_service_pay(&repeated, &order, &payment, &tx, fixture.pool));
    ok(repeated && strcmp(payment.status, ORDERS_RECORDED) == 0,
       "... that it is known");
    commit();
    ticket(sale.ticket, 1, sale.id);
    begin();
    must(orders_service_pay(&repeated, &order, &payment, &tx, fixture.pool));
    ok(repeated && strcmp(payment.status, ORDERS_PAID) == 0 &&
           strcmp(order.status, ORDERS_COMPLETE) == 0,
       "... that it has paid meanwhile");
    payment.id = "h2";
    must(orders_service_pay(&repeated, &order, &payment, &tx, fixture.pool));
    ok(!repeated && strcmp(payment.status, ORDERS_REFUNDED) == 0 &&
           strcmp(payment.reason, ORDERS_REFUND_PAID) == 0 &&
           order.version == 3,
       "... that one is to be refunded, and why");
    must(orders_service_pay(&repeated, &order, &payment, &tx, fixture.pool));
    ok(repeated && strcmp(payment.status, ORDERS_REFUNDED) == 0 &&
           strcmp(payment.reason, ORDERS_REFUND_PAID) == 0 &&
           order.version == 3, "... also when it is known");
    payment.order_id = "no-uuid";
    fails(orders_service_pay(&repeated, &order, &payment, &tx, fixture.pool),
          SVC_ERR_NOT_FOUND, "an order's id that is no UUID is NOT_FOUND");
    commit();
}

/* --- a database of the version before ---------------------------------------------- */

static void upgraded(void)
{
    svc_schema_t before = { orders_schema.service, 1, orders_schema.steps,
                            orders_schema.read_version };
    svc_db_t *old = fixture_database("old.db", &before, stream);

    fixture_do(old, "INSERT INTO orders VALUES ('o', 1, 'u', 't', 5, "
                    "'created', NULL, 1, 0, 0, 't', 1)");
    succeeds(svc_schema_migrate(old, &orders_schema, fixture.pool),
             "a database of the version before is upgraded");
    is_int(fixture_int(old, "SELECT COUNT(*) FROM orders WHERE id = 'o' AND "
                            "payment_id IS NULL"), 1,
           "... its orders have no payment");
    is_int(fixture_int(old, "SELECT COUNT(*) FROM orders_payments"), 0,
           "... and there is none");
    svc_db_close(old);
}

/* --- at the end -------------------------------------------------------------------- */

static void truth(void)
{
    is_int(fixture_int(db, "SELECT COUNT(*) FROM orders o WHERE "
               "o.version + 1 <> (SELECT COUNT(*) FROM orders_log l "
               "WHERE l.entity_id = o.id)"), 0,
           "at the end each order has one event for each version");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM (SELECT json_extract(event, "
               "'$.data.version') v, row_number() OVER (PARTITION BY entity_id "
               "ORDER BY position) n FROM orders_log) WHERE v <> n - 1"), 0,
           "... in order");
    ok(fixture_int(db, "SELECT COUNT(*) FROM orders_payments") > 20,
       "there were many payments");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM orders_payments p WHERE "
               "(p.status = 'refunded') <> (SELECT COUNT(*) FROM orders_log l "
               "WHERE l.entity_id = p.order_id AND "
               "l.subject = 'order:refund-required' AND "
               "json_extract(l.event, '$.data.paymentId') = p.payment_id AND "
               "json_extract(l.event, '$.data.reason') = p.reason)"), 0,
           "what is to be refunded was told once, with its reason, and "
           "nothing else was");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM orders_payments p JOIN "
               "orders o ON o.id = p.order_id WHERE "
               "(p.status = 'paid') <> (o.status = 'complete' AND "
               "o.payment_id = p.payment_id)"), 0,
           "a payment is kept as paid exactly if its order is complete by it");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM orders_payments p JOIN "
               "orders o ON o.id = p.order_id WHERE p.status = 'recorded' AND "
               "(o.status <> 'created' OR o.payment_id <> p.payment_id)"), 0,
           "and waits only for a ticket");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM orders WHERE "
               "status IN ('complete', 'cancelled') AND due_at IS NOT NULL"),
           0, "what is final does not expire");
}

/* A payments service whose log was trimmed tells its payments in a snapshot. */
static void in_a_snapshot(void)
{
    sale_t sale = reserved();
    svc_inbox_context_t context = { &tx, inbox, 1 };
    svc_event_t event = { "e", SOURCE, "payment:created", "snap", 0, 9, NULL,
                          "{}", NULL, 0, { NULL, NULL } };
    const char *data = payment("snap", sale.id, "20.5");
    int i;

    must(svc_json_parse(&event.data, data, strlen(data), fixture.pool));
    for (i = 0; i < 2; i++) {
        begin();
        succeeds(orders_events_handler.replace(&context, &event),
                 "a payment in a snapshot is taken, also again");
        commit();
        is_str(state(sale.id), "complete 2", "... and pays its order, once");
    }
    is_str(money(sale.id), "snap/paid/2050", "... and is kept as paid");
}

/* Two machines hear of one payment at once: the other one takes the order between
 * the look for the payment and the UPDATE here; a trigger is that machine. */
static void heard_by_two(void)
{
    sale_t sale;

    db = fixture_database("two.db", &orders_schema, stream);
    sale = reserved();
    fixture_do(db, "CREATE TRIGGER other BEFORE UPDATE OF payment_id ON orders "
                   "BEGIN INSERT INTO orders_payments (payment_id, order_id, "
                   "status, recorded_at) VALUES ('both', OLD.id, 'paid', 1); "
                   "SELECT RAISE(IGNORE); END");
    svc_db_close(db);
    db = fixture_open("two.db"); /* statements end with a changed schema */
    is_int(paid("both", sale.id, NULL), SVC_INBOX_DUPLICATE,
           "a payment that another machine takes meanwhile is a repeated one");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM orders_log WHERE subject = "
                           "'order:refund-required'"), 0,
           "... and not to be refunded");
    svc_db_close(db);
}

/* The same with a payment that is refused by both, between the second look for
 * it and its INSERT here. */
static void refused_by_two(void)
{
    sale_t sale;

    db = fixture_database("refused.db", &orders_schema, stream);
    sale = reserved();
    fixture_do(db, "CREATE TRIGGER other BEFORE UPDATE OF version ON orders "
                   "BEGIN INSERT INTO orders_payments (payment_id, order_id, "
                   "cents, status, reason, recorded_at) VALUES ('both', "
                   "OLD.id, 100, 'refunded', 'amount', 1); END");
    svc_db_close(db);
    db = fixture_open("refused.db");
    fails(prevented("both", sale.id, "1"), SVC_ERR_RETRY,
          "a payment that another machine refuses meanwhile is tried again");
    fixture_do(db, "DROP TRIGGER other");
    svc_db_close(db);
    db = fixture_open("refused.db");
    fixture_do(db, apr_psprintf(fixture.pool,
                   "INSERT INTO orders_payments (payment_id, order_id, cents, "
                   "status, reason, recorded_at) VALUES ('both', '%s', 100, "
                   "'refunded', 'amount', 1)", sale.id));
    is_int(paid("both", sale.id, "1"), SVC_INBOX_DUPLICATE,
           "... and is a repeated one then");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM orders_log WHERE subject = "
                           "'order:refund-required'"), 0,
           "... which is told by one of them alone");
    svc_db_close(db);
}

int main(void)
{
    fixture_begin();
    stream = svc_stream_create("orders", "", fixture.pool);
    inbox = svc_inbox_create("orders", fixture.pool);
    db = fixture_database("x.db", &orders_schema, stream);
    in_time();
    final();
    amounts();
    early();
    early_and_cancelled();
    reserved_too_late();
    too_late();
    to_the_millisecond();
    swept();
    expirations();
    strangers();
    bad_data();
    use_case();
    upgraded();
    in_a_snapshot();
    truth();
    svc_db_close(db);
    heard_by_two();
    refused_by_two();
    return fixture_end();
}
