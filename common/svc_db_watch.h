/* svc_db_watch: ends what a database server that hangs keeps waiting.
 *
 * The drivers wait for an answer for ever. So each connection to a server says
 * before a statement until when it will wait, and a thread that looks now and
 * then shuts the socket of one that waits longer: its statement fails, as if the
 * connection had been lost.
 */
#ifndef SVC_DB_WATCH_H
#define SVC_DB_WATCH_H

#include <apr_pools.h>

typedef struct svc_db_watch_t svc_db_watch_t;

/* A connection to be watched until POOL goes, its own. Any thread. With
 * KEEPS_SOCKET its socket is the same for all its life. */
svc_db_watch_t *svc_db_watch_add(int keeps_socket, apr_pool_t *pool);

/* No longer, though its pool stays. Before its socket is closed. */
void svc_db_watch_remove(svc_db_watch_t *watch);

/* It waits on SOCKET from now on, LIMIT_MS at most (0: as long as it likes).
 * A socket that is closed, or unknown, cannot be ended. One thread at a time. */
void svc_db_watch_begin(svc_db_watch_t *watch, int socket, int limit_ms);

/* Who waits for mod_dbd, which may wait for an answer on a connection that nobody
 * uses just now: after LIMIT_MS all these are ended. */
void svc_db_watch_wait(svc_db_watch_t *watch, int limit_ms);

/* After either of these: it waits no longer. Was it ended? Then that is over: what
 * begins next is safe. */
int svc_db_watch_end(svc_db_watch_t *watch);

/* Looks at all of them. */
void svc_db_watch_turn(void);

#endif
