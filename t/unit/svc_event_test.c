/* svc_event: an event survives the wire, and what is not a CloudEvents 1.0
 * object of ours is refused with a sentence.
 */
#include "fixture.h"

#include "svc_event.h"

#define ID "018f3a7e-1234-7abc-8def-0123456789ab"
#define GOOD(more) \
    "{\"specversion\":\"1.0\",\"id\":\"e1\",\"source\":\"urn:x\"," \
    "\"type\":\"ticket:created\"" more "}"

static svc_err_t *decode(svc_event_t *out, const char *subject,
                         const char *text)
{
    return svc_event_decode(out, subject, text, strlen(text), fixture.pool);
}

static void round_trip(void)
{
    svc_event_t event = { "e1", "urn:uuid:" ID, "ticket:created", ID,
                          APR_INT64_C(1778760000123), 42, NULL, NULL };
    svc_event_t got;
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
    is_str(svc_json_get_string(got.data, "title"), "caf\xc3\xa9 \"x\"",
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
    ok(!got.data && !got.entity, "an event may have no data and no entity");
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
    ok(got.data && got.time == 0, "empty data is data, and time is not read");
    must(decode(&got, "ticket:created",
                GOOD(",\"data\":null,\"subject\":null,\"sequence\":null")));
    ok(!got.data && !got.entity && got.position == 0,
       "what is optional and null is as if it were not there");
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
    others();
    refusals();
    return fixture_end();
}
