/* sim_client: the people at the other end: they put tickets up for sale, edit,
 * order and cancel, as mod_tickets_http and mod_orders_http would hand it to
 * the writer, and hold the services to their answers.
 */
#ifndef SIM_CLIENT_H
#define SIM_CLIENT_H

#include "sim_node.h"

/* Forgets the requests of the schedule before. */
void sim_client_begin(int max_tickets);

/* Somebody asks NODE for something. */
void sim_client_ask(sim_node_t *node);

/* Somebody orders a ticket that is free: that must succeed. */
void sim_client_order(sim_node_t *node, const char *ticket_id);

/* Takes the answers that NODE has given. */
void sim_client_look(sim_node_t *node);

/* NODE died: its requests get no answer. */
void sim_client_lose(const sim_node_t *node);

/* Is nobody waiting for an answer? */
int sim_client_is_idle(void);

/* Since the program began. */
typedef struct sim_client_counts_t {
    long asked, granted, refused, unknown;
} sim_client_counts_t;

extern sim_client_counts_t sim_client_counts;

#endif
