/* sim_backup: copies of a store's files, and of what is known about them, that
 * can be put back: what an operator does after a disaster.
 */
#ifndef SIM_BACKUP_H
#define SIM_BACKUP_H

#include "sim_model.h"

/* No copies yet. */
void sim_backup_begin(void);

/* Keeps a copy of STORE as it is; the one before is forgotten. No transaction
 * may be open. */
void sim_backup_take(const sim_store_t *store, apr_pool_t *pool);

/* Puts the copy back: nobody may have the files open. False when there is none.
 */
int sim_backup_restore(sim_store_t *store);

#endif
