/* svc_money: see the header. */
#include "svc_money.h"

#include <math.h>
#include <string.h>

apr_int64_t svc_money_of_text(const char *text)
{
    size_t whole = strspn(text, "0123456789");
    size_t decimals = 0;
    apr_int64_t cents = 0;
    size_t i;

    if (text[whole] == '.') {
        decimals = strspn(text + whole + 1, "0123456789");
        if (decimals == 0)
            return -1;
    }
    if (whole < 1 || whole > 7 || decimals > 2 ||
        text[whole + (decimals ? decimals + 1 : 0)] != '\0')
        return -1;
    for (i = 0; i < whole; i++)
        cents = cents * 10 + (text[i] - '0');
    for (i = 0; i < 2; i++)
        cents = cents * 10 + (i < decimals ? text[whole + 1 + i] - '0' : 0);
    return cents;
}

apr_int64_t svc_money_of_number(double number)
{
    double cents = round(number * 100);

    /* Division is correctly rounded (IEEE 754): the comparison is exact. */
    if (!(number > 0) || cents > SVC_MONEY_MAX_CENTS || cents / 100 != number)
        return -1;
    return (apr_int64_t)cents;
}
