/* tickets_list: the use case of looking through the tickets, page by page.
 *
 * State and seller are looked up in indexes, so every page costs the same. A
 * title, or prices that many tickets have, are searched for: the list is walked
 * in windows of positions, and when the time is over the page is as short as it
 * is, with the place where the next one goes on.
 */
#ifndef TICKETS_LIST_H
#define TICKETS_LIST_H

#include "tickets_list_store.h"

#define TICKETS_LIST_BUDGET_MS 250 /* a page is searched for */
#define TICKETS_LIST_WINDOW 20000  /* positions, at the beginning */
#define TICKETS_LIST_PRICED 2000   /* so many tickets are read by their price */

/* The tickets that FILTER shows, created after position AFTER, in order of
 * creation; OUT is an array of up to LIMIT ticket_t, in POOL. NEXT is where the
 * next page begins; 0: there is none. After BUDGET_MS no other window is begun,
 * but the first always is: also with 0 the next page begins later than this. */
svc_err_t *tickets_list_page(apr_array_header_t **out, apr_int64_t *next,
                             svc_db_t *db, const tickets_list_filter_t *filter,
                             apr_int64_t after, int limit,
                             apr_int64_t budget_ms, apr_pool_t *pool);

#endif
