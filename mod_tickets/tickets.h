/* tickets: the vocabulary of the tickets service. */
#ifndef TICKETS_H
#define TICKETS_H

#include <apr.h>

#define TICKETS_MAX_TITLE 255         /* characters */
#define TICKETS_MAX_CREATED 1000      /* tickets created by one request */
#define TICKETS_MAX_REFUSED 100       /* bad ones of them that are named */
#define TICKETS_REMEMBER_MS (7LL * 24 * 3600 * 1000) /* a cancelled order of a
                                                        service without a log */

/* A ticket. Every text lives in the pool of the call that filled it. */
typedef struct ticket_t {
    const char *id;
    const char *title;
    const char *user_id;  /* the seller */
    const char *order_id; /* whose it is; NULL while it is not reserved */
    apr_int64_t cents;    /* price in US cents */
    apr_int64_t version;  /* 0 when created, one more at every change */
    apr_int64_t position; /* of its ticket:created in the event log: the order
                             of creation */
} ticket_t;

#endif
