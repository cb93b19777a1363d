/* svc_door: a key on the list comes in, another one does not; a question that is
 * none is no reason to let somebody in; refusals do not flood the log.
 */
#include "fixture.h"

#include "svc_door.h"

static apr_array_header_t *allowed;
static svc_door_t *door;
static apr_int64_t now = 5;

/* A key of 32 equal bytes. */
static svc_bus_key_t key_of(int byte)
{
    svc_bus_key_t key;

    memset(key.bytes, byte, sizeof(key.bytes));
    return key;
}

static const char *key_text(int byte)
{
    svc_bus_key_t key = key_of(byte);

    return svc_bus_key_text(&key, fixture.pool);
}

/* Asks for the client with KEY; frame CHANGED (-1: none) is BY. */
static const char *asked(int key, int changed, svc_bus_frame_t by)
{
    svc_bus_key_t bytes = key_of(key);
    svc_bus_frame_t frames[] = {
        svc_bus_text("1.0"), svc_bus_text("7"), svc_bus_text(SVC_DOOR_DOMAIN),
        svc_bus_text("192.0.2.1"), svc_bus_text(""), svc_bus_text("CURVE"),
        { (const char *)bytes.bytes, sizeof(bytes.bytes) }
    };

    if (changed >= 0)
        frames[changed] = by;
    return svc_door_judge(door, frames, 7, now, fixture.pool);
}

static const char *judged(int key)
{
    return asked(key, -1, svc_bus_text(""));
}

static void judging(void)
{
    static const struct {
        int frame;
        const char *text, *what;
    } table[] = {
        { 0, "2.0", "another version" },
        { 0, "", "no version" },
        { 2, "", "no domain" },
        { 2, "other", "another domain" },
        { 5, "PLAIN", "another mechanism" },
        { 5, "NULL", "no mechanism" },
        { 6, "", "no key" },
        { 6, "short", "a short key" },
        { 6, "0123456789012345678901234567890123456789", "a key as text" }
    };
    svc_bus_frame_t frames[7] = { svc_bus_text("1.0") };
    size_t i;

    is_str(judged(1), "200", "the first key of the list comes in");
    is_str(judged(3), "200", "so does the last one");
    is_str(judged(4), "400", "another one does not");
    is_str(judged(0), "400", "nor does a key of zeroes");
    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        is_str(asked(1, table[i].frame, svc_bus_text(table[i].text)), "500",
               "%s is no question that can be answered", table[i].what);
    is_str(svc_door_judge(door, frames, 1, now, fixture.pool), "500",
           "nor is one frame");
    is_str(svc_door_judge(door, frames, -1, now, fixture.pool), "500",
           "nor are too many");
    door = svc_door_create("test", apr_array_make(fixture.pool, 1,
                                                  sizeof(svc_bus_key_t)),
                           fixture.pool);
    is_str(judged(1), "400", "with an empty list nobody comes in");
}

static int said(void)
{
    return fixture_logged("SVC070: test: ");
}

static void saying(void)
{
    int i, before;

    door = svc_door_create("test", allowed, fixture.pool);
    now += 100000;
    before = said();
    judged(1);
    is_int(said(), before, "who comes in is not logged");
    judged(10);
    is_int(said(), before + 1, "who is refused is");
    ok(strstr(fixture_line("SVC070"), key_text(10)) &&
           strstr(fixture_line("SVC070"), "192.0.2.1"),
       "... with the public key and the address");
    judged(10);
    judged(11);
    is_int(said(), before + 1, "not twice in a second");
    now += 1000;
    judged(11);
    is_int(said(), before + 2, "another client is named a second later");
    ok(strstr(fixture_line("SVC070"), key_text(11)) != NULL, "... by its key");
    for (i = 0; i < 58; i++) {
        now += 1000;
        judged(10);
    }
    is_int(said(), before + 2, "who tries on is not named again");
    now += 1000;
    judged(10);
    is_int(said(), before + 3, "... for a minute");
    for (i = 100; i < 200; i++) {
        now += 1000;
        judged(i);
    }
    is_int(said(), before + 103, "a hundred clients are all named");
    ok(strstr(fixture_line("SVC070"), "refusal 163") != NULL,
       "the line counts the refusals");
}

int main(void)
{
    int i;

    fixture_begin();
    fixture_expect("SVC070: test: a client at 192.0.2.1 was refused");
    allowed = apr_array_make(fixture.pool, 4, sizeof(svc_bus_key_t));
    for (i = 1; i <= 3; i++)
        APR_ARRAY_PUSH(allowed, svc_bus_key_t) = key_of(i);
    door = svc_door_create("test", allowed, fixture.pool);
    judging();
    saying();
    return fixture_end();
}
