/* tickets_json: what may be said of a ticket, with one entry for each bad field,
 * and how a ticket is written.
 */
#include "fixture.h"

#include "tickets_json.h"

static svc_err_t *read_body(ticket_t *out, const char *body)
{
    svc_json_t *json = NULL;

    memset(out, 0, sizeof(*out));
    must(svc_json_parse(&json, body, strlen(body), fixture.pool));
    return tickets_json_read(out, json, fixture.pool);
}

/* The names of the bad fields, with spaces between. */
static const char *fields_of(const svc_err_t *err)
{
    const svc_err_field_t *field = err ? err->fields : NULL;
    const char *all = "";

    for (; field; field = field->next)
        all = apr_pstrcat(fixture.pool, all, *all ? " " : "", field->field,
                          NULL);
    return all;
}

static void bad_fields(void)
{
    static const struct {
        const char *body, *fields, *says, *what;
    } table[] = {
        { "{}", "title price", "required", "an empty object" },
        { "{\"price\":5}", "title", "required", "no title" },
        { "{\"title\":null,\"price\":5}", "title", "required", "title null" },
        { "{\"title\":\"\",\"price\":5}", "title", "required", "title \"\"" },
        { "{\"title\":\" \\t\\n\",\"price\":5}", "title", "required",
          "a title of white space" },
        { "{\"title\":\"\\u00a0\\ufeff\\u3000\\u2028\",\"price\":5}", "title",
          "required", "a title of what JavaScript trims" },
        { "{\"title\":2,\"price\":5}", "title", "string", "title 2" },
        { "{\"title\":true,\"price\":5}", "title", "string", "title true" },
        { "{\"title\":[\"a\"],\"price\":5}", "title", "string",
          "title an array" },
        { "{\"title\":{},\"price\":5}", "title", "string", "title an object" },
        { "{\"title\":\"a\"}", "price", "required", "no price" },
        { "{\"title\":\"a\",\"price\":null}", "price", "required",
          "price null" },
        { "{\"title\":\"a\",\"price\":0}", "price", "greater than 0",
          "price 0" },
        { "{\"title\":\"a\",\"price\":\"0\"}", "price", "greater than 0",
          "price \"0\"" },
        { "{\"title\":\"a\",\"price\":\"0.00\"}", "price", "greater than 0",
          "price \"0.00\"" },
        { "{\"title\":\"a\",\"price\":-10}", "price", "greater than 0",
          "price -10" },
        { "{\"title\":\"a\",\"price\":\"-10\"}", "price", "greater than 0",
          "price \"-10\"" },
        { "{\"title\":\"a\",\"price\":\"\"}", "price", "number",
          "price \"\"" },
        { "{\"title\":\"a\",\"price\":\"XX\"}", "price", "number",
          "price \"XX\"" },
        { "{\"title\":\"a\",\"price\":\" 5\"}", "price", "number",
          "price \" 5\"" },
        { "{\"title\":\"a\",\"price\":\"1e2\"}", "price", "number",
          "price \"1e2\"" },
        { "{\"title\":\"a\",\"price\":true}", "price", "number",
          "price true" },
        { "{\"title\":\"a\",\"price\":[5]}", "price", "number",
          "price an array" },
        { "{\"title\":\"a\",\"price\":{}}", "price", "number",
          "price an object" },
        { "{\"title\":\"a\",\"price\":0.001}", "price", "decimals",
          "price 0.001" },
        { "{\"title\":\"a\",\"price\":19.999}", "price", "decimals",
          "price 19.999" },
        { "{\"title\":\"a\",\"price\":10000000}", "price", "9999999.99",
          "price 10000000" },
        { "{\"title\":\"a\",\"price\":1e30}", "price", "9999999.99",
          "price 1e30" },
        { "{\"title\":\"a\",\"price\":123456789012345678901234567890}",
          "price", "9999999.99", "a price beyond 64 bits" },
        { "{\"title\":\"\",\"price\":-1}", "title price", "required",
          "both bad" },
        { "{\"price\":-1,\"title\":\"\"}", "title price", "required",
          "both bad, the other way round" },
        { "{\"Title\":\"a\",\"Price\":5}", "title price", "required",
          "keys in capitals" }
    };
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        ticket_t ticket;
        svc_err_t *err = read_body(&ticket, table[i].body);

        ok(err && err->kind == SVC_ERR_INVALID, "%s is refused",
           table[i].what);
        is_str(fields_of(err), table[i].fields, "... and names %s",
               table[i].fields);
        ok(err && err->fields && strstr(err->fields->message, table[i].says),
           "... and says \"%s\"", table[i].says);
    }
}

static void titles(void)
{
    char text[255 * 4 + 8], body[255 * 4 + 64];
    ticket_t ticket;
    int i;

    succeeds(read_body(&ticket, "{\"title\":\" \\u00a0Les Mis \\u00e9 "
                                "\\u2003\\n\",\"price\":5}"),
             "white space around a title is no reason to refuse it");
    is_str(ticket.title, "Les Mis \xc3\xa9",
           "a title is trimmed outside and kept inside");
    for (i = 0; i < 255; i++)
        memcpy(text + 4 * i, "\xf0\x9f\x8e\xad", 4);
    text[255 * 4] = '\0';
    sprintf(body, "{\"title\":\"%s\",\"price\":5}", text);
    succeeds(read_body(&ticket, body),
             "255 characters of 4 bytes each are a title");
    is_str(ticket.title, text, "... kept whole");
    sprintf(body, "{\"title\":\"  %s  \",\"price\":5}", text);
    succeeds(read_body(&ticket, body), "they are counted after trimming");
    sprintf(body, "{\"title\":\"%sx\",\"price\":5}", text);
    is_str(fields_of(read_body(&ticket, body)), "title",
           "256 characters are refused");
    memset(text, 'x', 256);
    text[256] = '\0';
    sprintf(body, "{\"title\":\"%s\",\"price\":5}", text);
    is_str(fields_of(read_body(&ticket, body)), "title",
           "256 characters of one byte each are refused as well");
    sprintf(body, "{\"title\":\"%s\",\"price\":5}", text + 1);
    succeeds(read_body(&ticket, body), "255 of them are a title");
}

static void prices(void)
{
    static const struct {
        const char *price;
        apr_int64_t cents;
    } table[] = {
        { "20", 2000 },       { "20.5", 2050 },     { "20.50", 2050 },
        { "\"20.00\"", 2000 },{ "\"101\"", 10100 }, { "777.77", 77777 },
        { "0.01", 1 },        { "9999999.99", 999999999 },
        { "\"9999999.99\"", 999999999 },            { "2e1", 2000 },
        { "20.000", 2000 },   { "19.990000000000000001", 1999 }
    };
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        ticket_t ticket;

        succeeds(read_body(&ticket,
                           apr_pstrcat(fixture.pool, "{\"title\":\"a\","
                                       "\"other\":[1],\"price\":",
                                       table[i].price, "}", NULL)),
                 apr_pstrcat(fixture.pool, "the price ", table[i].price,
                             " is taken", NULL));
        is_int(ticket.cents, table[i].cents, "... exactly");
    }
}

static void writing(void)
{
    ticket_t ticket = { "i", "T \"x\"", "u", NULL, 2050, 3, 9 };

    is_str(svc_json_text(NULL, tickets_json_write(&ticket, fixture.pool),
                         fixture.pool),
           "{\"id\":\"i\",\"title\":\"T \\\"x\\\"\",\"price\":20.5,"
           "\"userId\":\"u\",\"version\":3}",
           "a free ticket is written without orderId");
    ticket.order_id = "o";
    ok(strstr(svc_json_text(NULL, tickets_json_write(&ticket, fixture.pool),
                            fixture.pool), "\"orderId\":\"o\""),
       "a reserved one with it");
}

int main(void)
{
    fixture_begin();
    bad_fields();
    titles();
    prices();
    writing();
    return fixture_end();
}
