/* svc_origin: which traceparent and which request id are carried on, and that all
 * others are as if they had not been sent.
 */
#include "fixture.h"

#include "svc_origin.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
#define ZEROS "00000000000000000000000000000000"

static void traces(void)
{
    static const struct {
        const char *text;
        int is_taken;
        const char *what;
    } table[] = {
        { "00-" TRACE "-" PARENT "-01", 1, "a sampled trace" },
        { "00-" TRACE "-" PARENT "-00", 1, "one that is not sampled" },
        { "00-" TRACE "-" PARENT "-ff", 1, "flags of the future" },
        { "00-" TRACE "-0000000000000001-01", 1, "a parent of one" },
        { "00-00000000000000000000000000000001-" PARENT "-01", 1,
          "a trace of one" },
        { NULL, 0, "none" },
        { "", 0, "an empty one" },
        { "00", 0, "half of one" },
        { "00-" TRACE "-" PARENT, 0, "one without flags" },
        { "00-" TRACE "-" PARENT "-1", 0, "flags of one digit" },
        { "00-" TRACE "-" PARENT "-011", 0, "flags of three digits" },
        { "00-" TRACE "-" PARENT "-01-", 0, "a dash at the end" },
        { "00-" TRACE "-" PARENT "-0g", 0, "flags that are no digits" },
        { "00-" TRACE "-" PARENT "-01 ", 0, "a blank at the end" },
        { " 00-" TRACE "-" PARENT "-01", 0, "a blank at the begin" },
        { "01-" TRACE "-" PARENT "-01", 0, "a version of the future" },
        { "ff-" TRACE "-" PARENT "-01", 0, "the version that is none" },
        { "00-" ZEROS "-" PARENT "-01", 0, "a trace of zeros" },
        { "00-" TRACE "-0000000000000000-01", 0, "a parent of zeros" },
        { "00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01", 0,
          "upper case" },
        { "00-" TRACE "-00F067AA0BA902B7-01", 0, "a parent in upper case" },
        { "00-" TRACE "0-0f067aa0ba902b7-01", 0, "a dash too late" },
        { "00-" TRACE "_" PARENT "-01", 0, "no dash" },
        { "00-" TRACE "-" PARENT "-01, 00-" TRACE "-" PARENT "-01", 0,
          "two of them" }
    };
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        svc_origin_t origin = svc_origin(table[i].text, "r");

        is_str(origin.traceparent, table[i].is_taken ? table[i].text : NULL,
               "%s is %s", table[i].what,
               table[i].is_taken ? "taken" : "none");
    }
}

static void requests(void)
{
    char text[SVC_ORIGIN_MAX_REQUEST + 2];

    is_str(svc_origin(NULL, "aRb@-9Kq").request_id, "aRb@-9Kq",
           "an id of mod_unique_id is taken");
    is_str(svc_origin("x", "\"!~\\").request_id, "\"!~\\",
           "... and all that is visible ASCII, whatever the trace");
    is_str(svc_origin(NULL, NULL).request_id, NULL, "none is none");
    is_str(svc_origin(NULL, "").request_id, NULL, "an empty one is none");
    is_str(svc_origin(NULL, "a b").request_id, NULL, "nor one with a blank");
    is_str(svc_origin(NULL, "a\n").request_id, NULL, "... a line's end");
    is_str(svc_origin(NULL, "a\x7f").request_id, NULL, "... a DEL");
    is_str(svc_origin(NULL, "caf\xc3\xa9").request_id, NULL,
           "... or what is not ASCII");
    memset(text, 'x', sizeof(text));
    text[SVC_ORIGIN_MAX_REQUEST] = '\0';
    is_str(svc_origin(NULL, text).request_id, text, "64 bytes are taken");
    text[SVC_ORIGIN_MAX_REQUEST] = 'x';
    text[SVC_ORIGIN_MAX_REQUEST + 1] = '\0';
    is_str(svc_origin(NULL, text).request_id, NULL, "65 are not");
}

static void copies(void)
{
    char trace[] = "00-" TRACE "-" PARENT "-01", request[] = "r1";
    svc_origin_t origin = svc_origin(trace, request);
    svc_origin_t copy = svc_origin_copy(&origin, fixture.pool);
    svc_origin_t none = svc_origin(NULL, NULL);

    trace[3] = request[0] = 'x';
    is_str(copy.traceparent, "00-" TRACE "-" PARENT "-01",
           "a copy keeps the trace");
    is_str(copy.request_id, "r1", "... and the request");
    none = svc_origin_copy(&none, fixture.pool);
    ok(!none.traceparent && !none.request_id, "a copy of none is none");
}

int main(void)
{
    fixture_begin();
    traces();
    requests();
    copies();
    return fixture_end();
}
