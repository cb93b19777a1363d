/* sim_schedule: one seed's story: a shop is built, everything that can go wrong
 * goes wrong while people use it, then the network heals, all machines are
 * started, and when it is quiet the books must be right.
 */
#ifndef SIM_SCHEDULE_H
#define SIM_SCHEDULE_H

#include "sim_world.h"

typedef enum {
    SIM_SCHEDULE_ONE,       /* one tickets service, one orders service */
    SIM_SCHEDULE_TWO,       /* two orders services that compete */
    SIM_SCHEDULE_INSTANCES, /* two machines of each service on its database */
    SIM_SCHEDULE_SHARED,    /* both services on one database file */
    SIM_SCHEDULE_PLAIN,     /* no replay endpoints, and no losses */
    SIM_SCHEDULE_RETENTION, /* logs are kept for seconds */
    SIM_SCHEDULE_RESTORE,   /* databases are restored from backups */
    SIM_SCHEDULE_MODES
} sim_schedule_mode_t;

/* For --mode, and what it means. */
extern const char *const sim_schedule_names[SIM_SCHEDULE_MODES];
extern const char *const sim_schedule_meanings[SIM_SCHEDULE_MODES];

/* Runs it in FOLDER, which is empty and left empty. True when all promises were
 * kept; else sim_world_verdict says which was not. */
int sim_schedule_run(unsigned long long seed, sim_schedule_mode_t mode,
                     int is_told, const char *folder);

/* Since the program began. */
typedef struct sim_schedule_counts_t {
    long steps, kills, restarts, cuts, pauses, adjustments, restores;
} sim_schedule_counts_t;

extern sim_schedule_counts_t sim_schedule_counts;

#endif
