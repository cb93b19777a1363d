/* svc_etag: If-Match and If-None-Match as RFC 9110 section 13 has them: lists,
 * "*", weak and strong comparison, suffixes of content codings, garbage.
 */
#include "tap.h"

#include "svc_etag.h"

static void lists(void)
{
    static const struct {
        const char *list;
        int strong, weak; /* does it name "7"? */
        const char *what;
    } table[] = {
        { "\"7\"", 1, 1, "the tag itself" },
        { "\"8\"", 0, 0, "another tag" },
        { "\"77\"", 0, 0, "a longer tag that begins like it" },
        { "\"\"", 0, 0, "an empty tag" },
        { "\"07\"", 0, 0, "a tag that ends like it" },
        { "*", 1, 1, "a star" },
        { " * ", 1, 1, "a star among spaces" },
        { "\"1\", \"7\"", 1, 1, "a list that holds it last" },
        { "\"7\",\"1\"", 1, 1, "a list without spaces" },
        { ",, \"1\" ,\t\"7\",", 1, 1, "a list with empty elements" },
        { "\"1\", \"2\"", 0, 0, "a list without it" },
        { "W/\"7\"", 0, 1, "its weak form" },
        { "W/\"7\", \"7\"", 1, 1, "both forms" },
        { "w/\"7\"", 0, 0, "a weak form in lower case" },
        { "\"7-gzip\"", 1, 1, "the tag that mod_deflate suffixed" },
        { "\"7-br\"", 1, 1, "the tag that mod_brotli suffixed" },
        { "W/\"7-gzip\"", 0, 1, "the weak form of a suffixed tag" },
        { "\"7-zip\"", 0, 0, "an unknown suffix" },
        { "\"7-gzip-gzip\"", 0, 0, "a suffix twice" },
        { "\"7gzip\"", 0, 0, "a suffix without its dash" },
        { "\"1,7\"", 0, 0, "a tag with a comma inside" },
        { "\"a, \"7\"", 0, 0, "quotes that pair up otherwise" },
        { "", 0, 0, "an empty list" },
        { " , ", 0, 0, "a list of nothing" },
        { "7", 0, 0, "a tag without quotes" },
        { "\"7", 0, 0, "a tag that does not end" },
        { "W/", 0, 0, "a weak sign alone" },
        { "W/7", 0, 0, "a weak sign without a tag" },
        { "7, \"7\"", 0, 0, "garbage before the tag" },
        { "\"1\" \"7", 0, 0, "a tag and half of one" }
    };
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        is_int(svc_etag_list_has(table[i].list, "\"7\"", 0), table[i].strong,
               "strong: %s %s", table[i].what,
               table[i].strong ? "matches" : "does not match");
        is_int(svc_etag_list_has(table[i].list, "\"7\"", 1), table[i].weak,
               "weak: %s %s", table[i].what,
               table[i].weak ? "matches" : "does not match");
    }
    ok(svc_etag_list_has("\"1.3\"", "\"1.3\"", 0), "a tag with a dot matches");
    ok(!svc_etag_list_has("\"1\"", "\"1.3\"", 0),
       "the order's version alone does not match once its ticket has changed");
    ok(!svc_etag_list_has("\"1.3\"", "\"1\"", 0), "nor the other way round");
}

static void conditions(void)
{
    static const struct {
        svc_etag_condition_t condition;
        int allows;
        const char *what;
    } table[] = {
        { { NULL, NULL }, 1, "no condition allows" },
        { { "\"7\"", NULL }, 1, "If-Match of this version allows" },
        { { "\"6\"", NULL }, 0, "If-Match of another version refuses" },
        { { "*", NULL }, 1, "If-Match * allows" },
        { { "W/\"7\"", NULL }, 0, "If-Match compares strongly" },
        { { "", NULL }, 0, "an empty If-Match refuses" },
        { { "7", NULL }, 0, "an If-Match that is no tag refuses" },
        { { NULL, "\"7\"" }, 0, "If-None-Match of this version refuses" },
        { { NULL, "W/\"7\"" }, 0, "If-None-Match compares weakly" },
        { { NULL, "*" }, 0, "If-None-Match * refuses what exists" },
        { { NULL, "\"6\"" }, 1, "If-None-Match of another version allows" },
        { { "\"7\"", "\"7\"" }, 0, "both must allow" },
        { { "\"7\"", "\"6\"" }, 1, "both may allow" }
    };
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        is_int(svc_etag_allows(&table[i].condition, "\"7\""), table[i].allows,
               "%s", table[i].what);
}

int main(void)
{
    lists();
    conditions();
    return tap_end();
}
