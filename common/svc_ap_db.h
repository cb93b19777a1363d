/* svc_ap_db: connections for reading, from mod_dbd's pool; the only file that
 * knows mod_dbd.
 *
 * mod_dbd waits for ever when all of its DBDMax connections are in use, so a
 * gate of as many places stands before it, which gives up after a while. Both
 * modules share the gate of a database, as they share mod_dbd's pool.
 */
#ifndef SVC_AP_DB_H
#define SVC_AP_DB_H

#include <httpd.h>

#include "svc_db.h"

#define SVC_AP_DB_WAIT_MS 5000 /* for a connection */
#define SVC_AP_DB_MAX 10       /* mod_dbd's DBDMax unless it is set */

typedef struct svc_ap_db_gate_t svc_ap_db_gate_t;

/* A borrowed connection. */
typedef struct svc_ap_db_loan_t {
    svc_db_t *db;
    void *record; /* mod_dbd's ap_dbd_t */
    svc_ap_db_gate_t *gate;
    server_rec *server;
} svc_ap_db_loan_t;

/* Is mod_dbd loaded? At configuration time and later. */
int svc_ap_db_is_loaded(void);

/* The gate of a database in this process, made when first asked for. MAX is
 * DBDMax, 0 where it is not set. In child_init, POOL being its pool. */
svc_ap_db_gate_t *svc_ap_db_gate(const char *driver, const char *params,
                                 int max, apr_pool_t *pool);

/* Borrows a connection of SERVER's database. UNAVAILABLE when there is none or
 * none gets free in time. SERVICE tells the two modules' statements apart. */
svc_err_t *svc_ap_db_borrow(svc_ap_db_loan_t *loan, svc_ap_db_gate_t *gate,
                            server_rec *server, const char *service,
                            apr_pool_t *pool);

/* Gives it back; as soon as its results are read, so that a slow client does
 * not hold it. */
void svc_ap_db_give_back(svc_ap_db_loan_t *loan);

#endif
