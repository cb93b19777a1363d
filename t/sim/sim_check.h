/* sim_check: compares the databases with what their event logs say, after every
 * commit: each change has its event and each event its change; and at rest:
 * the replicas are equal to their source, and nothing is left undone.
 */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include "sim_model.h"

/* Something was committed to STORE. */
void sim_check_commit(sim_store_t *store);

/* Has every service taken all that it follows? */
int sim_check_is_quiet(void);

/* It is quiet. With CAN_WAIT an order may be `created` until it expires. */
void sim_check_quiet(int can_wait);

/* What the tables hold goes into the digest. */
void sim_check_digest(void);

/* Closes the connection that looks on. */
void sim_check_close(sim_store_t *store);

#endif
