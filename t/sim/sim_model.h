/* sim_model: what must be true. For each database a model that is built from
 * its event log alone, event by event; each is judged: is it the next version,
 * and is it allowed by what the other services did?
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include <apr_pools.h>

#include "svc_db.h"
#include "svc_event.h"
#include "svc_id.h"

#define SIM_MODEL_STORES 3
#define SIM_MODEL_USERS 4 /* "u0", "u1", ...; they buy and sell */
#define SIM_MODEL_TICKETS 12
#define SIM_MODEL_VERSIONS 160 /* of one ticket */
#define SIM_MODEL_ORDERS 160
#define SIM_MODEL_POSITIONS 2000
#define SIM_MODEL_PROMPT_MS 2000 /* an overdue order is cancelled by then */

typedef enum { SIM_MODEL_OF_TICKETS, SIM_MODEL_OF_ORDERS } sim_model_kind_t;

/* A ticket at one version. */
typedef struct sim_model_state_t {
    char title[24], seller[12];
    char order_id[SVC_ID_LENGTH + 1]; /* "": free */
    apr_int64_t cents;
} sim_model_state_t;

typedef struct sim_model_ticket_t {
    char id[SVC_ID_LENGTH + 1];
    int version;
    sim_model_state_t at[SIM_MODEL_VERSIONS]; /* by version */
} sim_model_ticket_t;

typedef struct sim_model_order_t {
    char id[SVC_ID_LENGTH + 1], ticket_id[SVC_ID_LENGTH + 1];
    char user[12], status[20], reason[12];
    apr_int64_t cents, expires_at;
    int version;
    int was_reserved;  /* how often a ticket was reserved for it */
    int is_cancel_asked; /* by its buyer */
    int paid;            /* payments that say that they have paid it */
} sim_model_order_t;

/* What a database holds; may be copied. */
typedef struct sim_model_t {
    char source[64];      /* the log's identity; "": none yet */
    apr_int64_t position; /* the log's head */
    char last_id[SVC_ID_LENGTH + 1]; /* of the event there */
    int ticket_count, order_count;
    sim_model_ticket_t tickets[SIM_MODEL_TICKETS];
    sim_model_order_t orders[SIM_MODEL_ORDERS];
    char is_published[SIM_MODEL_POSITIONS + 1]; /* by position */
} sim_model_t;

/* A service's database. */
typedef struct sim_store_t {
    sim_model_kind_t kind;
    const char *name;  /* for the trace */
    const char *path;
    svc_db_t *db;      /* a connection that only looks; NULL: no file yet */
    apr_pool_t *pool;  /* of that connection */
    sim_model_t model;
} sim_store_t;

typedef struct sim_model_world_t {
    sim_store_t stores[SIM_MODEL_STORES];
    int count;
    int is_torn; /* a database went back in time, and its followers may not
                    know: what spans databases is not judged */
} sim_model_world_t;

extern sim_model_world_t sim_model_world;

/* What orders went through, since the program began. */
typedef struct sim_model_counts_t {
    long made, reserved, cancelled, expired, lost;
} sim_model_counts_t;

extern sim_model_counts_t sim_model_counts;

/* Forgets the stores of the schedule before. */
void sim_model_begin(void);

/* A new, empty store; the tickets service's comes first. */
sim_store_t *sim_model_add(sim_model_kind_t kind, const char *name);

/* The tickets service's. */
sim_store_t *sim_model_tickets(void);

/* A store's model went back in time; and: all know. */
void sim_model_tear(void);
void sim_model_heal(void);

/* NULL: there is none. */
sim_model_ticket_t *sim_model_ticket(sim_store_t *store, const char *id);
sim_model_order_t *sim_model_order(sim_store_t *store, const char *id);
sim_model_order_t *sim_model_order_anywhere(const char *id);

/* An order that is neither cancelled nor complete. */
int sim_model_is_pending(const sim_model_order_t *order);

/* The order that has a claim on the ticket; "": none. */
const char *sim_model_claim(const sim_store_t *store, const char *ticket_id);

/* The next event of STORE's log; AT is when it was recorded. */
void sim_model_take_ticket(sim_store_t *store, const svc_event_t *event,
                           apr_int64_t version);
void sim_model_take_order(sim_store_t *store, const svc_event_t *event,
                          apr_int64_t version, apr_int64_t at);

/* What must hold between orders, at every instant. */
void sim_model_judge_orders(void);

/* STORE's service has run without a pause since SINCE, by sim_world_now. */
void sim_model_judge_prompt(const sim_store_t *store, apr_int64_t since);

/* The event at POSITION was handed to a PUB socket. */
void sim_model_publish(sim_store_t *store, apr_int64_t position);

#endif
