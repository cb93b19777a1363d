/* svc_event: an event survives the wire, and what is not a CloudEvents 1.0
 * object of ours is refused with a sentence.
 */
#include "fixture.h"

#include "svc_event.h"

#define ID "018f3a7e-1234-7abc-8def-0123456789ab"
#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define GOOD(more) \
    "{\"specversion\":\"1.0\",\"id\":\"e1\",\"source\":\"urn:x\"," \
    "\"type\":\"ticket:created\"" more "}"

static svc_err_t *decode(svc_event_t *out, const char *subject,
                         const char *text)
{
    return svc_event_decode(out, subject, text, strlen(text), fixture.pool);
}

static svc_json_t *data_of(const svc_event_t *event)
{
    svc_json_t *data;

    must(svc_event_data(&data, event, fixture.pool));
    return data;
}

static void round_trip(void)
{
    svc_event_t event = { "e1", "urn:uuid:" ID, "ticket:created", ID,
                          APR_INT64_C(1778760000123), 42, NULL, NULL, NULL, 0,
                          { NULL, NULL } };
    svc_event_t got;
    svc_json_t *data;
    const char *text;

    event.data = svc_json_object(fixture.pool);
    svc_json_set_string(event.data, "title", "caf\xc3\xa9 \"x\"");
    text = svc_event_encode(&event, fixture.pool);
    ok(strstr(text, "\"specversion\":\"1.0\""), "an event says its version");
    ok(strstr(text, "\"sequence\":\"00000000000000000042\""),
       "its sequence has 20 digits");
    ok(strstr(text, "\"time\":\"2026-05-14T12:00:00.123Z\""),
       "its time is RFC 3339");
    ok(strstr(text, "\"datacontenttype\":\"application/json\""),
       "its data is said to be JSON");
    ok(strstr(text, "\"subject\":\"" ID "\""),
       "its CloudEvents subject is the entity");
    must(decode(&got, "ticket:created", text));
    is_str(got.id, "e1", "the id arrives");
    is_str(got.source, "urn:uuid:" ID, "the source arrives");
    is_str(got.type, "ticket:created", "the type arrives");
    is_str(got.entity, ID, "the entity arrives");
    is_int(got.position, 42, "the position arrives");
    is_str(svc_json_get_string(data_of(&got), "title"), "caf\xc3\xa9 \"x\"",
           "the data arrives");
    ok(got.text == text, "the text is kept as it arrived");
    is_int(strlen(event.source), SVC_EVENT_SOURCE_LENGTH,
           "a source has the length that is said");
    event.position = APR_INT64_MAX - 1;
    event.data = NULL;
    event.entity = NULL;
    text = svc_event_encode(&event, fixture.pool);
    must(decode(&got, "ticket:created", text));
    is_int(got.position, APR_INT64_MAX - 1, "the highest position arrives");
    fails(svc_event_data(&data, &got, fixture.pool), SVC_ERR_INVALID,
          "an event may have no data");
    ok(!got.entity, "... and no entity");
}

/* What REQUEST and TRACE become on the wire, and what arrives of it. */
static void survives(const char *trace, const char *request, const char *text)
{
    svc_event_t event = { .id = "e1", .source = "urn:x", .type = "t",
                          .origin = { trace, request } };
    const char *wire;
    svc_event_t got;

    event.data = svc_json_object(fixture.pool);
    wire = svc_event_encode(&event, fixture.pool);
    ok(strstr(wire, apr_pstrcat(fixture.pool, "\"sequence\":\""
                                "00000000000000000000\"", text,
                                ",\"data\":{}}", NULL)),
       "an event is written with \"%s\"", text);
    must(decode(&got, "t", wire));
    is_str(got.origin.traceparent, trace, "... its trace arrives");
    is_str(got.origin.request_id, request, "... its request arrives");
    ok(data_of(&got), "... as do the data");
}

static void origins(void)
{
    svc_event_t got;

    survives(NULL, NULL, "");
    survives(TRACE, NULL, ",\"traceparent\":\"" TRACE "\"");
    survives(NULL, "r@1-", ",\"requestid\":\"r@1-\"");
    survives(TRACE, "r1", ",\"traceparent\":\"" TRACE "\","
                          "\"requestid\":\"r1\"");
    survives(TRACE, "a\"b", ",\"traceparent\":\"" TRACE "\","
                            "\"requestid\":\"a\\\"b\"");
    must(decode(&got, "ticket:created",
                GOOD(",\"traceparent\":\"00-1\",\"requestid\":\"a b\"")));
    ok(!got.origin.traceparent && !got.origin.request_id,
       "an event with a malformed origin is taken, without it");
    must(decode(&got, "ticket:created",
                GOOD(",\"traceparent\":7,\"requestid\":{\"a\":1}")));
    ok(!got.origin.traceparent && !got.origin.request_id,
       "... or one that is no text");
}

static void others(void)
{
    svc_event_t got;

    must(decode(&got, "ticket:created", GOOD("")));
    is_int(got.position, 0, "an event without a sequence has no position");
    must(decode(&got, "ticket:created", GOOD(",\"sequence\":\"7\"")));
    is_int(got.position, 7, "a sequence may be short");
    must(decode(&got, "ticket:created", GOOD(",\"future\":[1]")));
    is_str(got.id, "e1", "unknown attributes are passed by");
    must(decode(&got, "ticket:created",
                GOOD(",\"data\":{},\"time\":\"whenever\"")));
    ok(data_of(&got) && got.time == 0,
       "empty data is data, and time is not read");
    must(decode(&got, "ticket:created",
                GOOD(",\"data\":null,\"subject\":null,\"sequence\":null")));
    ok(!got.data_text && !got.entity && got.position == 0,
       "what is optional and null is as if it were not there");
}

static int is_same(const char *a, const char *b)
{
    return !a == !b && (!a || strcmp(a, b) == 0);
}

/* The layout that svc_event_encode writes is read in another way than any other;
 * what is read must be the same. Each row is a piece of it and what it becomes:
 * the second layout is the first with a space after the brace. */
static void layouts(void)
{
    static const char usual[] =
        "{\"specversion\":\"1.0\",\"id\":\"e1\",\"source\":\"urn:a\","
        "\"type\":\"t\",\"subject\":\"s\",\"time\":\"2026-05-14T12:00:00.123Z\","
        "\"datacontenttype\":\"application/json\","
        "\"sequence\":\"00000000000000000042\",\"traceparent\":\"" TRACE
        "\",\"requestid\":\"r1\",\"data\":{\"n\":1}}";
    static const struct {
        const char *from, *to;
    } table[] = {
        { "", "" },
        { "\"e1\"", "\"e\\n1\"" },          { "\"e1\"", "\"caf\xc3\xa9\"" },
        { "\"e1\"", "\"\xff\"" },            { "\"e1\"", "\"\"" },
        { "\"e1\"", "7" },                    { "\"urn:a\"", "null" },
        { "\"type\":\"t\"", "\"type\":\"u\"" }, { "\"subject\":\"s\",", "" },
        { "\"s\"", "null" },                  { "\"1.0\"", "\"2.0\"" },
        { "00000000000000000042", "42" },     { "00000000000000000042", "x" },
        { "00000000000000000042", "99999999999999999999" },
        { "{\"n\":1}", "null" },              { "{\"n\":1}", "[]" },
        { "{\"n\":1}", "{\"n\":}" },          { "{\"n\":1}", "{\"n\":1},\"x\":{}" },
        { "{\"n\":1}}", "{\"n\":1}" },        { "{\"n\":1}}", "{\"n\":1}} " },
        { "{\"n\":1}", "{\"n\":1}}" },        { "\"application/json\"", "\"x\"" },
        { "-01\"", "-0x\"" },                { "-01\"", "\"" },
        { "\"" TRACE "\"", "\"\"" },        { "\"" TRACE "\"", "null" },
        { "\"traceparent\":\"" TRACE "\",", "" },
        { "\"requestid\":\"r1\",", "" },   { "\"r1\"", "\"r\\\\1\"" },
        { "\"r1\"", "\"r 1\"" },           { "\"r1\"", "7" },
        { "\"r1\"", "\"r1\",\"requestid\":\"r2\"" },
        { "\"traceparent\":\"" TRACE "\",\"requestid\":\"r1\"",
          "\"requestid\":\"r1\",\"traceparent\":\"" TRACE "\"" },
        { "\"traceparent\":\"" TRACE "\",\"requestid\":\"r1\",\"data\":"
          "{\"n\":1}",
          "\"data\":{\"n\":1},\"requestid\":\"r1\"" }
    };
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *at = strstr(usual, table[i].from);
        const char *one = apr_pstrcat(
            fixture.pool, apr_pstrmemdup(fixture.pool, usual,
                                         (apr_size_t)(at - usual)),
            table[i].to, at + strlen(table[i].from), NULL);
        const char *two = apr_pstrcat(fixture.pool, "{ ", one + 1, NULL);
        svc_event_t a, b;
        svc_json_t *data_a = NULL, *data_b = NULL;
        int good_a = !decode(&a, "t", one) &&
                     !svc_event_data(&data_a, &a, fixture.pool);
        int good_b = !decode(&b, "t", two) &&
                     !svc_event_data(&data_b, &b, fixture.pool);

        ok(good_a == good_b &&
               (!good_a ||
                (is_same(a.origin.traceparent, b.origin.traceparent) &&
                 is_same(a.origin.request_id, b.origin.request_id) &&
                 is_same(a.entity, b.entity) &&
                 strcmp(a.id, b.id) == 0 && strcmp(a.source, b.source) == 0 &&
                 strcmp(a.type, b.type) == 0 && a.position == b.position &&
                 strcmp(svc_json_text(NULL, data_a, fixture.pool),
                        svc_json_text(NULL, data_b, fixture.pool)) == 0)),
           "%s for %s is read alike in both layouts", table[i].to,
           table[i].from);
    }
}

static void refusals(void)
{
    static const struct {
        const char *text, *says, *what;
    } table[] = {
        { "", "", "nothing" },
        { "{", "", "half an object" },
        { "[]", "", "an array" },
        { "{\"id\":\"e\"}", "specversion", "no specversion" },
        { "{\"specversion\":1.0,\"id\":\"e\"}", "specversion",
          "a specversion that is a number" },
        { "{\"specversion\":\"0.3\",\"id\":\"e1\",\"source\":\"urn:x\","
          "\"type\":\"ticket:created\"}", "specversion",
          "another specversion" },
        { "{\"specversion\":\"1.0\",\"source\":\"urn:x\","
          "\"type\":\"ticket:created\"}", "\"id\"", "no id" },
        { "{\"specversion\":\"1.0\",\"id\":\"\",\"source\":\"urn:x\","
          "\"type\":\"ticket:created\"}", "\"id\"", "an empty id" },
        { "{\"specversion\":\"1.0\",\"id\":7,\"source\":\"urn:x\","
          "\"type\":\"ticket:created\"}", "\"id\"", "an id that is a number" },
        { "{\"specversion\":\"1.0\",\"id\":\"e1\","
          "\"type\":\"ticket:created\"}", "source", "no source" },
        { "{\"specversion\":\"1.0\",\"id\":\"e1\",\"source\":null,"
          "\"type\":\"ticket:created\"}", "source", "a source of null" },
        { "{\"specversion\":\"1.0\",\"id\":\"e1\",\"source\":\"urn:x\"}",
          "type", "no type" },
        { "{\"specversion\":\"1.0\",\"id\":\"e1\",\"source\":\"urn:x\","
          "\"type\":\"ticket:updated\"}", "type",
          "a type that is not the message's subject" },
        { GOOD(",\"subject\":7"), "subject", "a subject that is a number" },
        { GOOD(",\"subject\":\"\""), "subject", "an empty subject" },
        { GOOD(",\"sequence\":7"), "sequence", "a sequence that is a number" },
        { GOOD(",\"sequence\":\"\""), "sequence", "an empty sequence" },
        { GOOD(",\"sequence\":\"-1\""), "sequence", "a negative sequence" },
        { GOOD(",\"sequence\":\"1x\""), "sequence", "a sequence with letters" },
        { GOOD(",\"sequence\":\" 1\""), "sequence", "a sequence with a space" },
        { GOOD(",\"sequence\":\"99999999999999999999\""), "sequence",
          "a sequence beyond 64 bits" },
        { GOOD(",\"sequence\":\"000000000000000000001\""), "sequence",
          "a sequence of 21 digits" },
        { GOOD(",\"data\":\"x\""), "data", "data that is a text" },
        { GOOD(",\"data\":[]"), "data", "data that is an array" },
        { GOOD(",\"id\":\"e2\""), "", "an id twice" },
        { GOOD(",\"data\":{\"a\":\"\xff\"}"), "", "data that is not UTF-8" }
    };
    svc_event_t got;
    svc_err_t *err;
    size_t i;
    char long_id[300];

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        err = decode(&got, "ticket:created", table[i].text);
        ok(err && err->kind == SVC_ERR_INVALID &&
               strstr(err->message, table[i].says),
           "%s is refused, and the sentence names it", table[i].what);
    }
    err = svc_event_decode(&got, "t", "{}\0{}", 5, fixture.pool);
    ok(err && strstr(err->message, "NUL"), "a NUL byte is refused");
    memset(long_id, 'i', sizeof(long_id));
    long_id[256] = '\0';
    err = decode(&got, "t", apr_psprintf(
        fixture.pool, "{\"specversion\":\"1.0\",\"id\":\"%s\","
        "\"source\":\"urn:x\",\"type\":\"t\"}", long_id));
    ok(err && strstr(err->message, "255"), "an id of 256 bytes is refused");
    long_id[255] = '\0';
    succeeds(decode(&got, "t", apr_psprintf(
        fixture.pool, "{\"specversion\":\"1.0\",\"id\":\"%s\","
        "\"source\":\"urn:x\",\"type\":\"t\"}", long_id)),
        "an id of 255 bytes is taken");
    fails(svc_event_decode(&got, "ticket:created", GOOD(""), 20, fixture.pool),
          SVC_ERR_INVALID, "no more than LENGTH bytes are read");
}

int main(void)
{
    fixture_begin();
    round_trip();
    origins();
    others();
    layouts();
    refusals();
    return fixture_end();
}
