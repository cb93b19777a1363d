/* svc_id: identifiers are UUIDs of version 7, unique and in order of time, and
 * what is no UUID is refused.
 */
#include "fixture.h"

#include "svc_id.h"
#include "svc_time.h"

#define MANY 20000

static int is_form(const char *id)
{
    size_t i;

    if (strlen(id) != SVC_ID_LENGTH)
        return 0;
    for (i = 0; i < SVC_ID_LENGTH; i++) {
        int dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? id[i] != '-' : !strchr("0123456789abcdef", id[i]))
            return 0;
    }
    return 1;
}

static apr_int64_t time_of(const char *id)
{
    char hex[13];

    memcpy(hex, id, 8);
    memcpy(hex + 8, id + 9, 4);
    hex[12] = '\0';
    return strtoll(hex, NULL, 16);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void new_ids(void)
{
    const char **ids = apr_palloc(fixture.pool, MANY * sizeof(char *));
    apr_int64_t before = svc_time_now(), after;
    int i, bad_form = 0, bad_version = 0, bad_variant = 0, back = 0, twice = 0;
    int bad_time = 0;

    for (i = 0; i < MANY; i++)
        ids[i] = svc_id_new(fixture.pool);
    after = svc_time_now();
    for (i = 0; i < MANY; i++) {
        bad_form += !is_form(ids[i]);
        bad_version += ids[i][14] != '7';
        bad_variant += !strchr("89ab", ids[i][19]);
        bad_time += time_of(ids[i]) < before || time_of(ids[i]) > after;
        back += i > 0 && time_of(ids[i]) < time_of(ids[i - 1]);
    }
    is_int(bad_form, 0, "an id has 36 characters in lower case");
    is_int(bad_version, 0, "an id says that its version is 7");
    is_int(bad_variant, 0, "an id is of the variant of RFC 9562");
    is_int(bad_time, 0, "an id begins with the time in milliseconds");
    is_int(back, 0, "ids are in order of time");
    qsort(ids, MANY, sizeof(ids[0]), compare);
    for (i = 1; i < MANY; i++)
        twice += strcmp(ids[i - 1], ids[i]) == 0;
    is_int(twice, 0, "no id is given twice");
    apr_sleep(2000);
    ok(strcmp(svc_id_new(fixture.pool), ids[MANY - 1]) > 0,
       "an id of a later millisecond sorts after all before it");
}

static void parse(void)
{
    static const char *const good = "018f3a7e-1234-7abc-8def-0123456789ab";
    static const struct {
        const char *text;
        const char *what;
    } bad[] = {
        { NULL, "nothing" },
        { "", "an empty text" },
        { "018f3a7e-1234-7abc-8def-0123456789a", "one that is too short" },
        { "018f3a7e-1234-7abc-8def-0123456789abc", "one that is too long" },
        { "018f3a7e-1234-7abc-8def-0123456789ab\n", "one with a line end" },
        { " 018f3a7e-1234-7abc-8def-0123456789a", "one with a space" },
        { "018f3a7e-1234-7abc-8def-0123456789ag", "one with a letter g" },
        { "018f3a7e+1234-7abc-8def-0123456789ab", "one with a plus sign" },
        { "018f3a7e1-234-7abc-8def-0123456789ab", "one with a dash moved" },
        { "018f3a7e-1234-7abc-8def-01234567-9ab", "one with a dash too many" },
        { "{18f3a7e-1234-7abc-8def-0123456789a}", "one in braces" },
        { "018f3a7e12347abc8def0123456789ab", "one without dashes" },
        { "018f3a7e-1234-7abc-8def-0123456789\xc3\xa9", "one beyond ASCII" },
        { "5c0a7922c9d89830f4911426", "another kind of id" }
    };
    size_t i;

    is_str(svc_id_parse(good, fixture.pool), good, "a UUID is taken");
    is_str(svc_id_parse("018F3A7E-1234-7ABC-8DEF-0123456789AB", fixture.pool),
           good, "upper case becomes lower case");
    is_str(svc_id_parse("9b2d3b6e-7c1e-4f1a-9c55-1d8f5f0f6a11", fixture.pool),
           "9b2d3b6e-7c1e-4f1a-9c55-1d8f5f0f6a11",
           "a UUID of another version is taken");
    ok(svc_id_parse(good, fixture.pool) != good, "the result is a copy");
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ok(!svc_id_parse(bad[i].text, fixture.pool), "%s is refused",
           bad[i].what);
}

int main(void)
{
    fixture_begin();
    new_ids();
    parse();
    return fixture_end();
}
