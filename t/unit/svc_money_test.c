/* svc_money: every amount of cents is read exactly, from a number and from a
 * text, and what is no amount is refused.
 */
#include "fixture.h"

#include <float.h>
#include <math.h>

#include "svc_json.h"
#include "svc_money.h"

/* Is CENTS read from each of its texts and numbers, and written as itself? */
static int goes_round(apr_int64_t cents, apr_pool_t *pool)
{
    const char *text = apr_psprintf(pool, "%" APR_INT64_T_FMT ".%02d",
                                    cents / 100, (int)(cents % 100));
    const char *document = apr_psprintf(pool, "{\"price\":%s}", text);
    svc_json_t *json, *written = svc_json_object(pool);
    const char *out;
    double number = 0;

    if (svc_money_of_text(text) != cents ||
        svc_money_of_number(strtod(text, NULL)) != cents ||
        svc_money_of_number((double)cents / 100) != cents)
        return 0;
    if (cents % 10 == 0 &&
        svc_money_of_text(apr_pstrmemdup(pool, text, strlen(text) - 1)) != cents)
        return 0;
    if (svc_json_parse(&json, document, strlen(document), pool) ||
        !svc_json_get_number(&number, json, "price") ||
        svc_money_of_number(number) != cents)
        return 0;
    svc_json_set_cents(written, "price", cents);
    out = svc_json_text(NULL, written, pool);
    return svc_money_of_number(strtod(out + strlen("{\"price\":"), NULL)) ==
               cents &&
           strlen(out) <= strlen(document);
}

static void round_trips(void)
{
    apr_int64_t cents;
    int wrong = 0;
    apr_pool_t *pool;

    apr_pool_create(&pool, fixture.pool);
    for (cents = 1; cents <= 20000; cents++) {
        wrong += !goes_round(cents, pool);
        if (cents % 500 == 0)
            apr_pool_clear(pool);
    }
    is_int(wrong, 0, "every amount from 0.01 to 200.00 survives each way");
    for (cents = SVC_MONEY_MAX_CENTS; cents > SVC_MONEY_MAX_CENTS - 20000;
         cents--) {
        wrong += !goes_round(cents, pool);
        if (cents % 500 == 0)
            apr_pool_clear(pool);
    }
    is_int(wrong, 0, "so do the 20000 highest amounts");
    for (cents = 1; cents < SVC_MONEY_MAX_CENTS; cents += 7919 * 101) {
        wrong += !goes_round(cents, pool);
        apr_pool_clear(pool);
    }
    is_int(wrong, 0, "... and amounts between them");
}

static void texts(void)
{
    static const struct {
        const char *text;
        apr_int64_t cents;
    } table[] = {
        { "20", 2000 },          { "20.5", 2050 },      { "20.50", 2050 },
        { "0.01", 1 },           { "0", 0 },            { "0.00", 0 },
        { "0000020", 2000 },     { "9999999.99", 999999999 },
        { "9999999", 999999900 },{ "10000000", -1 },    { "00000020", -1 },
        { "", -1 },              { ".", -1 },           { ".5", -1 },
        { "5.", -1 },            { "5.123", -1 },       { "5.000", -1 },
        { "-5", -1 },            { "+5", -1 },          { " 5", -1 },
        { "5 ", -1 },            { "5\n", -1 },         { "1e2", -1 },
        { "0x10", -1 },          { "1,5", -1 },         { "1.2.3", -1 },
        { "NaN", -1 },           { "Infinity", -1 },    { "$5", -1 },
        { "5.1a", -1 },          { "99999999999999999999999999", -1 },
        { "\xd9\xa5", -1 }
    };
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        is_int(svc_money_of_text(table[i].text), table[i].cents,
               "the text \"%s\" is %s",
               strchr(table[i].text, '\n') ? "5<line end>" : table[i].text,
               table[i].cents < 0 ? "refused" : "taken exactly");
}

static void numbers(void)
{
    ok(svc_money_of_number(0) == -1, "0 is refused");
    ok(svc_money_of_number(-0.0) == -1, "-0 is refused");
    ok(svc_money_of_number(-0.01) == -1, "a negative number is refused");
    ok(svc_money_of_number(-20) == -1, "... a larger one too");
    ok(svc_money_of_number(0.001) == -1, "a tenth of a cent is refused");
    ok(svc_money_of_number(0.009) == -1, "... nine tenths too");
    ok(svc_money_of_number(19.999) == -1, "three decimals are refused");
    ok(svc_money_of_number(1e-300) == -1, "a tiny number is refused");
    ok(svc_money_of_number(9999999.99) == 999999999,
       "the highest price is taken");
    ok(svc_money_of_number(10000000) == -1, "a higher price is refused");
    ok(svc_money_of_number(9999999.991) == -1, "... a little higher too");
    ok(svc_money_of_number(1e300) == -1, "a huge number is refused");
    ok(svc_money_of_number(DBL_MAX) == -1, "the largest number is refused");
    ok(svc_money_of_number(INFINITY) == -1, "infinity is refused");
    ok(svc_money_of_number(NAN) == -1, "what is not a number is refused");
    ok(svc_money_of_number(nextafter(19.99, 20)) == -1,
       "the double next to a price is refused");
    ok(svc_money_of_number(nextafter(19.99, 19)) == -1,
       "... on the other side too");
    ok(svc_money_of_number(0.1 + 0.2) == -1,
       "a sum that is not the nearest double is refused");
}

int main(void)
{
    fixture_begin();
    round_trips();
    texts();
    numbers();
    return fixture_end();
}
