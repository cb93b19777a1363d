/* orders: the vocabulary of the orders service. */
#ifndef ORDERS_H
#define ORDERS_H

#include <apr.h>

/* The states of an order, as they are on the wire and in the database. The
 * last two are final. */
#define ORDERS_CREATED "created"           /* made, ticket not yet reserved */
#define ORDERS_AWAITING "awaiting:payment" /* ticket reserved */
#define ORDERS_COMPLETE "complete"         /* reserved and paid */
#define ORDERS_CANCELLED "cancelled"

/* Why an order was cancelled. */
#define ORDERS_BY_USER "user"
#define ORDERS_EXPIRED "expired"
#define ORDERS_RESERVED "reserved" /* somebody else got the ticket */

/* What became of a payment. */
#define ORDERS_RECORDED "recorded" /* kept until the ticket is reserved */
#define ORDERS_PAID "paid"         /* its order is complete */
#define ORDERS_REFUNDED "refunded" /* it cannot pay its order: to be refunded */

/* Why a payment is to be refunded. */
#define ORDERS_REFUND_EXPIRED "expired"     /* the order is, as expired */
#define ORDERS_REFUND_CANCELLED "cancelled" /* the order is, for another reason */
#define ORDERS_REFUND_PAID "paid"           /* another payment was first */
#define ORDERS_REFUND_AMOUNT "amount"       /* it is not the price agreed */

/* The replica of a ticket of the tickets service. */
typedef struct orders_ticket_t {
    const char *id;
    const char *source;   /* the log it came from */
    const char *title;
    const char *user_id;  /* the seller */
    const char *order_id; /* the order that has it; NULL: not reserved */
    apr_int64_t cents;
    apr_int64_t version;
} orders_ticket_t;

/* An order. Every text lives in the pool of the call that filled it. */
typedef struct order_t {
    const char *id;
    const char *user_id;       /* the buyer */
    const char *status;
    const char *cancel_reason; /* NULL unless cancelled */
    const char *ticket_id;
    const char *ticket_title;  /* the replica's */
    apr_int64_t expires_at;    /* ms since 1970 */
    apr_int64_t cents;         /* the price agreed when it was made */
    apr_int64_t version;       /* 0 when made, one more at every change */
    apr_int64_t ticket_version; /* the replica's */
    apr_int64_t ticket_version_then; /* the replica's at the last change */
    apr_int64_t position;      /* of its order:created in the event log */
    const char *payment_id;    /* the payment that has paid it, or will when the
                                  ticket is reserved; NULL: none */
} order_t;

/* A payment for an order. */
typedef struct orders_payment_t {
    const char *id;       /* whatever the payments service calls it */
    const char *order_id;
    apr_int64_t cents;    /* 0: not said */
    const char *status;   /* ORDERS_RECORDED, ... */
    const char *reason;   /* ORDERS_REFUND_...; NULL unless to be refunded */
} orders_payment_t;

#endif
