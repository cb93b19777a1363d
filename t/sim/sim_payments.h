/* sim_payments: a payments service as anybody might write it: a plain PUB socket
 * without a log. It takes money for orders in whatever state they are, tells of
 * it more than once if need be, and keeps what must come of it: each payment
 * completes its order or is refunded, once.
 */
#ifndef SIM_PAYMENTS_H
#define SIM_PAYMENTS_H

#include "sim_model.h"

#define SIM_PAYMENTS_ENDPOINT "sim://payments"

typedef struct sim_payments_one_t {
    char id[12];
    char order_id[SVC_ID_LENGTH + 1];
    apr_int64_t cents; /* 0: not said */
    int refunds;       /* events that asked for one */
    int is_settled;    /* the orders service says what became of it */
} sim_payments_one_t;

/* No payments yet. */
void sim_payments_begin(void);

/* Somebody pays for a recent order of STORE, or a payment is told again. */
void sim_payments_act(const sim_store_t *store, apr_pool_t *pool);

/* Tells again of every payment that is not settled. */
void sim_payments_repeat(apr_pool_t *pool);

/* Is it known of each what became of it? */
int sim_payments_are_settled(void);

/* NULL: there is none. */
sim_payments_one_t *sim_payments_find(const char *id);

/* Order ORDER is complete now; AT is when. */
void sim_payments_judge_complete(const sim_model_order_t *order,
                                 apr_int64_t at);

/* A refund of PAYMENT_ID was asked for. */
void sim_payments_judge_refund(const sim_model_order_t *order,
                               const char *payment_id);

/* STORE says that payment ID is STATUS. */
void sim_payments_judge_row(sim_store_t *store, const char *id,
                            const char *order_id, const char *status);

/* All rows were looked at: is each complete order paid once? */
void sim_payments_judge_orders(const sim_store_t *store);

/* Since the program began. */
typedef struct sim_payments_counts_t {
    long made, completed, refunded;
} sim_payments_counts_t;

extern sim_payments_counts_t sim_payments_counts;

#endif
