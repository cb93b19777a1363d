/* svc_json: one object in valid JSON is taken, all else is refused; members
 * are read by type; amounts of money are written as clients expect.
 */
#include "fixture.h"

#include "svc_json.h"

static svc_err_t *parse(svc_json_t **out, const char *text)
{
    return svc_json_parse(out, text, strlen(text), fixture.pool);
}

static void refusals(void)
{
    static const struct {
        const char *text;
        const char *what;
    } table[] = {
        { "", "nothing" },
        { "   ", "white space" },
        { "null", "null" },
        { "7", "a number" },
        { "\"text\"", "a string" },
        { "[]", "an array" },
        { "true", "a boolean" },
        { "{", "half an object" },
        { "{\"a\":1", "an object that does not end" },
        { "{\"a\":1}}", "an object with a brace too many" },
        { "{\"a\":1} x", "an object with something behind it" },
        { "{\"a\":1}{}", "two objects" },
        { "{a:1}", "a key without quotes" },
        { "{'a':1}", "single quotes" },
        { "{\"a\":1,}", "a comma at the end" },
        { "{\"a\":01}", "a number with a leading zero" },
        { "{\"a\":NaN}", "NaN" },
        { "{\"a\":\"\t\"}", "a control character in a string" },
        { "{\"a\":1,\"a\":2}", "a duplicate key" },
        { "{\"x\":{\"a\":1,\"b\":2,\"a\":1}}", "a duplicate key further in" },
        { "{\"\\u0061\":1,\"a\":1}", "a duplicate key, escaped" },
        { "{\"a\":\"\xff\"}", "a byte that is never UTF-8" },
        { "{\"a\":\"\xc3\"}", "half a character" },
        { "{\"a\":\"\xc0\xaf\"}", "an overlong character" },
        { "{\"a\":\"\xed\xa0\x80\"}", "a surrogate in UTF-8" },
        { "{\"a\":\"\\ud800\"}", "half a surrogate pair, escaped" },
        { "{\"a\":\"\\u0000\"}", "a NUL in a string" },
        { "{\"a\\u0000\":1}", "a NUL in a key" },
        { "{\"\xff\":1}", "a key that is not UTF-8" }
    };
    svc_json_t *json = NULL;
    apr_size_t i;
    char deep[6000];

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        svc_err_t *err = parse(&json, table[i].text);

        ok(err && err->kind == SVC_ERR_INVALID && *err->message,
           "%s is refused with a sentence", table[i].what);
    }
    fails(svc_json_parse(&json, "{\"a\":1}\0", 8, fixture.pool),
          SVC_ERR_INVALID, "a NUL behind the object is refused");
    succeeds(svc_json_parse(&json, "{\"a\":1}garbage", 7, fixture.pool),
             "no more than LENGTH bytes are read");
    memset(deep, 0, sizeof(deep));
    strcpy(deep, "{\"a\":");
    memset(deep + 5, '[', 5000);
    fails(parse(&json, deep), SVC_ERR_INVALID,
          "an object 5000 levels deep is refused");
    memset(deep + 5 + 2900, ']', 2900);
    deep[5 + 2900] = '\0';
    fails(parse(&json, deep), SVC_ERR_INVALID, "... also when it does not end");
}

static void deep_end(void)
{
    svc_json_t *json = NULL;
    char deep[8000];

    memset(deep, 0, sizeof(deep));
    strcpy(deep, "{\"a\":");
    memset(deep + 5, '[', 3000);
    memset(deep + 5 + 3000, ']', 3000);
    strcpy(deep + 5 + 6000, "}");
    fails(parse(&json, deep), SVC_ERR_INVALID,
          "well formed JSON 3000 levels deep is refused");
}

static void types(void)
{
    static const char *const text =
        " {\"null\":null,\"true\":true,\"false\":false,\"int\":7,"
        "\"real\":7.5,\"huge\":123456789012345678901234567890,"
        "\"string\":\"caf\xc3\xa9 \\ud83c\\udfad\",\"empty\":\"\","
        "\"array\":[1],\"object\":{\"in\":1},\"T\":1} \n";
    svc_json_t *json = NULL;
    double number = -1;

    must(parse(&json, text));
    is_int(svc_json_type(json, "none"), SVC_JSON_MISSING, "a missing member");
    is_int(svc_json_type(json, "null"), SVC_JSON_NULL, "null");
    is_int(svc_json_type(json, "true"), SVC_JSON_BOOLEAN, "true");
    is_int(svc_json_type(json, "false"), SVC_JSON_BOOLEAN, "false");
    is_int(svc_json_type(json, "int"), SVC_JSON_NUMBER, "an integer");
    is_int(svc_json_type(json, "real"), SVC_JSON_NUMBER, "a real number");
    is_int(svc_json_type(json, "huge"), SVC_JSON_NUMBER,
           "a number too large for an integer is a number");
    is_int(svc_json_type(json, "string"), SVC_JSON_STRING, "a string");
    is_int(svc_json_type(json, "array"), SVC_JSON_ARRAY, "an array");
    is_int(svc_json_type(json, "object"), SVC_JSON_OBJECT, "an object");
    is_int(svc_json_type(json, "t"), SVC_JSON_MISSING,
           "keys are told apart by case");
    is_str(svc_json_get_string(json, "string"),
           "caf\xc3\xa9 \xf0\x9f\x8e\xad", "a string is read as UTF-8");
    is_str(svc_json_get_string(json, "empty"), "", "an empty string is one");
    ok(!svc_json_get_string(json, "int"), "a number is not read as a string");
    ok(!svc_json_get_string(json, "null"), "null is not read as a string");
    ok(!svc_json_get_string(json, "none"), "nor is what is missing");
    ok(svc_json_get_number(&number, json, "real") && number == 7.5,
       "a number is read");
    ok(svc_json_get_number(&number, json, "huge") && number > 1.2e29,
       "a huge number is read as the nearest double");
    ok(!svc_json_get_number(&number, json, "string"),
       "a string is not read as a number");
    ok(!svc_json_get_number(&number, json, "true"), "nor is true");
    ok(svc_json_type(svc_json_get_object(json, "object"), "in") ==
           SVC_JSON_NUMBER, "an object in an object is read");
    ok(!svc_json_get_object(json, "array"), "an array is not an object");
    ok(!svc_json_get_object(json, "none"), "what is missing is not either");
    is_int(svc_json_type(NULL, "a"), SVC_JSON_MISSING,
           "no object has no members");
}

static void counts(void)
{
    static const struct {
        const char *text;
        apr_int64_t count; /* -1: refused */
    } table[] = {
        { "0", 0 }, { "1", 1 }, { "7.0", 7 }, { "1e3", 1000 },
        { "9007199254740992", APR_INT64_C(9007199254740992) },
        { "9007199254740991", APR_INT64_C(9007199254740991) },
        { "9007199254740994", -1 }, { "-1", -1 }, { "0.5", -1 },
        { "1e30", -1 }, { "-1e30", -1 }, { "18446744073709551617", -1 },
        { "\"1\"", -1 }, { "true", -1 }, { "null", -1 }, { "[1]", -1 }
    };
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        apr_int64_t count = -1;
        svc_json_t *json = NULL;
        int is_count;

        must(parse(&json, apr_pstrcat(fixture.pool, "{\"n\":", table[i].text,
                                      "}", NULL)));
        is_count = svc_json_get_count(&count, json, "n");
        ok(is_count == (table[i].count >= 0) && count == table[i].count,
           "%s %s a count", table[i].text, is_count ? "is" : "is not");
    }
}

static void money(void)
{
    static const struct {
        apr_int64_t cents;
        const char *text;
    } table[] = {
        { 2000, "20" },    { 2050, "20.5" }, { 1999, "19.99" },
        { 1, "0.01" },     { 10, "0.1" },    { 100, "1" },
        { 999999999, "9999999.99" },         { 999999900, "9999999" },
        { 999999998, "9999999.98" },         { 1000000, "10000" },
        { 33, "0.33" },    { 101, "1.01" },  { 0, "0" }
    };
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        svc_json_t *json = svc_json_object(fixture.pool);

        svc_json_set_cents(json, "p", table[i].cents);
        is_str(svc_json_text(NULL, json, fixture.pool),
               apr_pstrcat(fixture.pool, "{\"p\":", table[i].text, "}", NULL),
               "%" APR_INT64_T_FMT " cents are written %s", table[i].cents,
               table[i].text);
    }
}

static void writing(void)
{
    svc_json_t *json = svc_json_object(fixture.pool);
    svc_json_t *inner = svc_json_object(fixture.pool);
    svc_json_t *array = svc_json_array(fixture.pool);
    apr_size_t length = 0;
    const char *text;

    svc_json_set_string(json, "id", "a\"b\\\n\xc3\xa9");
    svc_json_set_string(json, "none", NULL);
    svc_json_set_int(json, "big", APR_INT64_C(9007199254740993));
    svc_json_set(json, "void", NULL);
    svc_json_set(json, "ticket", inner);
    svc_json_set_int(inner, "version", 3);
    text = svc_json_text(&length, json, fixture.pool);
    is_str(text, "{\"id\":\"a\\\"b\\\\\\n\xc3\xa9\",\"big\":9007199254740993,"
                 "\"ticket\":{\"version\":3}}",
           "members are written in order, compactly; a value stays usable "
           "after it was put in; NULL adds nothing");
    is_int(length, strlen(text), "the length is the text's");
    svc_json_append(array, json);
    svc_json_append(array, inner);
    text = svc_json_text(NULL, array, fixture.pool);
    ok(text[0] == '[' && strstr(text, ",{\"version\":3}]"),
       "an array is written with what was appended");
    is_str(svc_json_text(NULL, svc_json_array(fixture.pool), fixture.pool),
           "[]", "an empty array is []");
}

static void utf8(void)
{
    ok(svc_json_is_utf8(""), "nothing is UTF-8");
    ok(svc_json_is_utf8("caf\xc3\xa9 \xf0\x9f\x8e\xad"), "all planes are");
    ok(!svc_json_is_utf8("\xc0\xaf"), "an overlong form is not");
    ok(!svc_json_is_utf8("\xed\xa0\x80"), "a surrogate is not");
    ok(!svc_json_is_utf8("\xf4\x90\x80\x80"), "what is beyond U+10FFFF is not");
    ok(!svc_json_is_utf8("a\xe2\x82"), "a character cut short is not");
    ok(!svc_json_is_utf8("\x80"), "a byte out of place is not");
}

int main(void)
{
    fixture_begin();
    refusals();
    deep_end();
    types();
    counts();
    money();
    writing();
    utf8();
    return fixture_end();
}
