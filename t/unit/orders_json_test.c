/* orders_json: what may be ordered, how an order and its events are written,
 * and which tickets are taken from events.
 */
#include "fixture.h"

#include "orders_json.h"

#define ID "018f3a7e-1234-7abc-8def-0123456789ab"
#define OTHER "018f3a7e-1234-7abc-8def-0123456789ac"

static svc_json_t *json_of(const char *text)
{
    svc_json_t *json = NULL;

    must(svc_json_parse(&json, text, strlen(text), fixture.pool));
    return json;
}

static void bodies(void)
{
    static const char *const bad[] = {
        "{}", "{\"ticketId\":null}", "{\"ticketId\":\"\"}", "{\"ticketId\":7}",
        "{\"ticketId\":true}", "{\"ticketId\":[\"" ID "\"]}",
        "{\"ticketId\":{\"id\":\"" ID "\"}}", "{\"ticketId\":\"-1\"}",
        "{\"ticketId\":\"5c0a7922c9d89830f4911426\"}",
        "{\"ticketId\":\" " ID "\"}", "{\"ticketid\":\"" ID "\"}"
    };
    const char *id = NULL;
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        svc_err_t *err = orders_json_read(&id, json_of(bad[i]), fixture.pool);

        ok(err && err->kind == SVC_ERR_INVALID && err->fields &&
               strcmp(err->fields->field, "ticketId") == 0 &&
               !err->fields->next,
           "%s is refused and ticketId is named, once", bad[i]);
    }
    succeeds(orders_json_read(&id, json_of("{\"x\":1,\"ticketId\":"
                                           "\"018F3A7E-1234-7ABC-8DEF-"
                                           "0123456789AB\"}"), fixture.pool),
             "a UUID is taken, in capitals too");
    is_str(id, ID, "... and becomes lower case");
}

static void writing(void)
{
    order_t order = { .id = ID, .user_id = "u", .status = ORDERS_AWAITING,
                      .ticket_id = OTHER, .ticket_title = "T",
                      .expires_at = APR_INT64_C(1778760000000),
                      .cents = 1999, .version = 1, .ticket_version = 4 };
    orders_payment_t payment = { .id = "p\"1", .reason = "expired" };

    is_str(svc_json_text(NULL, orders_json_write(&order, fixture.pool),
                         fixture.pool),
           "{\"id\":\"" ID "\",\"userId\":\"u\","
           "\"status\":\"awaiting:payment\","
           "\"expiresAt\":\"2026-05-14T12:00:00.000Z\","
           "\"ticketId\":\"" OTHER "\",\"version\":1,\"ticket\":{"
           "\"id\":\"" OTHER "\",\"title\":\"T\",\"price\":19.99,"
           "\"version\":4}}",
           "an order is written with its ticket, without a cancelReason");
    is_str(svc_json_text(NULL, orders_json_write_event(&order, fixture.pool),
                         fixture.pool),
           "{\"id\":\"" ID "\",\"version\":1,\"status\":\"awaiting:payment\","
           "\"userId\":\"u\",\"expiresAt\":\"2026-05-14T12:00:00.000Z\","
           "\"ticket\":{\"id\":\"" OTHER "\",\"price\":19.99}}",
           "order:created and order:updated carry what was promised");
    order.status = ORDERS_CANCELLED;
    order.cancel_reason = ORDERS_EXPIRED;
    order.version = 2;
    ok(strstr(svc_json_text(NULL, orders_json_write(&order, fixture.pool),
                            fixture.pool), "\"cancelReason\":\"expired\""),
       "a cancelled order says why");
    is_str(svc_json_text(NULL,
                         orders_json_write_cancelled(&order, fixture.pool),
                         fixture.pool),
           "{\"id\":\"" ID "\",\"version\":2,\"cancelReason\":\"expired\","
           "\"ticket\":{\"id\":\"" OTHER "\"}}",
           "order:cancelled carries what was promised");
    is_str(svc_json_text(NULL,
                         orders_json_write_refund(&order, &payment,
                                                  fixture.pool),
                         fixture.pool),
           "{\"id\":\"" ID "\",\"version\":2,\"paymentId\":\"p\\\"1\","
           "\"reason\":\"expired\"}",
           "order:refund-required carries what was promised");
}

#define TICKET(id, version, title, price, user, order) \
    "{\"id\":" id ",\"version\":" version ",\"title\":" title ",\"price\":" \
    price ",\"userId\":" user order "}"

static void tickets(void)
{
    static const struct {
        const char *data, *says, *what;
    } bad[] = {
        { "{}", "id", "no data" },
        { TICKET("7", "0", "\"T\"", "5", "\"u\"", ""), "id", "id 7" },
        { TICKET("\"x\"", "0", "\"T\"", "5", "\"u\"", ""), "id", "id x" },
        { TICKET("\"" ID "\"", "-1", "\"T\"", "5", "\"u\"", ""), "version",
          "version -1" },
        { TICKET("\"" ID "\"", "1.5", "\"T\"", "5", "\"u\"", ""), "version",
          "version 1.5" },
        { TICKET("\"" ID "\"", "\"1\"", "\"T\"", "5", "\"u\"", ""), "version",
          "version as a text" },
        { TICKET("\"" ID "\"", "1e30", "\"T\"", "5", "\"u\"", ""), "version",
          "version 1e30" },
        { TICKET("\"" ID "\"", "0", "\"\"", "5", "\"u\"", ""), "title",
          "an empty title" },
        { TICKET("\"" ID "\"", "0", "7", "5", "\"u\"", ""), "title",
          "title 7" },
        { TICKET("\"" ID "\"", "0", "\"T\"", "0", "\"u\"", ""), "price",
          "price 0" },
        { TICKET("\"" ID "\"", "0", "\"T\"", "-5", "\"u\"", ""), "price",
          "price -5" },
        { TICKET("\"" ID "\"", "0", "\"T\"", "5.001", "\"u\"", ""), "price",
          "price 5.001" },
        { TICKET("\"" ID "\"", "0", "\"T\"", "\"5\"", "\"u\"", ""), "price",
          "price as a text" },
        { TICKET("\"" ID "\"", "0", "\"T\"", "1e300", "\"u\"", ""), "price",
          "price 1e300" },
        { TICKET("\"" ID "\"", "0", "\"T\"", "5", "null", ""), "userId",
          "userId null" },
        { TICKET("\"" ID "\"", "0", "\"T\"", "5", "7", ""), "userId",
          "userId 7" },
        { TICKET("\"" ID "\"", "0", "\"T\"", "5", "\"u\"",
                 ",\"orderId\":\"x\""), "orderId", "orderId x" },
        { TICKET("\"" ID "\"", "0", "\"T\"", "5", "\"u\"", ",\"orderId\":7"),
          "orderId", "orderId 7" },
        { TICKET("\"" ID "\"", "0", "\"T\"", "5", "\"u\"",
                 ",\"orderId\":\"\""), "orderId", "an empty orderId" }
    };
    orders_ticket_t ticket;
    char text[1100], data[1400];
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        svc_err_t *err = orders_json_read_ticket(&ticket,
                                                 json_of(bad[i].data),
                                                 fixture.pool);

        ok(err && err->kind == SVC_ERR_INVALID &&
               strstr(err->message, bad[i].says),
           "%s is refused, and the sentence names %s", bad[i].what,
           bad[i].says);
    }
    must(orders_json_read_ticket(
        &ticket, json_of(TICKET("\"" ID "\"", "4", "\"T \xc3\xa9\"", "19.99",
                                "\"u\"", ",\"orderId\":\"" OTHER "\"")),
        fixture.pool));
    is_str(ticket.id, ID, "a ticket's id is read");
    is_int(ticket.version, 4, "... its version");
    is_str(ticket.title, "T \xc3\xa9", "... its title");
    is_int(ticket.cents, 1999, "... its price in cents");
    is_str(ticket.user_id, "u", "... its seller");
    is_str(ticket.order_id, OTHER, "... its order");
    must(orders_json_read_ticket(
        &ticket, json_of(TICKET("\"" ID "\"", "5", "\"T\"", "5", "\"u\"",
                                ",\"orderId\":null")), fixture.pool));
    ok(!ticket.order_id, "orderId null means not reserved");
    must(orders_json_read_ticket(
        &ticket, json_of("{\"id\":\"" ID "\",\"version\":0,\"title\":\"T\","
                         "\"price\":5}"), fixture.pool));
    is_str(ticket.user_id, "", "a seller that is not told is no obstacle");
    for (i = 0; i < 255; i++)
        memcpy(text + 4 * i, "\xf0\x9f\x8e\xad", 4);
    text[255 * 4] = '\0';
    sprintf(data, "{\"id\":\"" ID "\",\"version\":0,\"title\":\"%s\","
                  "\"price\":5,\"userId\":\"u\"}", text);
    succeeds(orders_json_read_ticket(&ticket, json_of(data), fixture.pool),
             "a title of 255 characters of 4 bytes is taken");
    memset(text, 'x', 256);
    text[256] = '\0';
    sprintf(data, "{\"id\":\"" ID "\",\"version\":0,\"title\":\"%s\","
                  "\"price\":5,\"userId\":\"u\"}", text);
    fails(orders_json_read_ticket(&ticket, json_of(data), fixture.pool),
          SVC_ERR_INVALID,
          "a title of 256 characters is refused: its column holds 255");
    sprintf(data, "{\"id\":\"" ID "\",\"version\":0,\"title\":\"T\","
                  "\"price\":5,\"userId\":\"%s\"}", text);
    fails(orders_json_read_ticket(&ticket, json_of(data), fixture.pool),
          SVC_ERR_INVALID, "a userId of 256 bytes is refused");
}

int main(void)
{
    fixture_begin();
    bodies();
    writing();
    tickets();
    return fixture_end();
}
