/* svc_money: amounts of money are integer cents; here they are read. Pure. */
#ifndef SVC_MONEY_H
#define SVC_MONEY_H

#include <apr.h>

#define SVC_MONEY_MAX_CENTS 999999999 /* 9999999.99 */

/* TEXT, which must match ^[0-9]{1,7}(\.[0-9]{1,2})?$, as cents; -1 when it does
 * not. */
apr_int64_t svc_money_of_text(const char *text);

/* NUMBER as cents; -1 when it is not greater than 0 and at most 9999999.99, or
 * not the double nearest to a whole number of cents. */
apr_int64_t svc_money_of_number(double number);

#endif
