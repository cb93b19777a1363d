/* svc_writer: the one who writes. Request threads (and the bus thread) hand in
 * commands; one thread per process and database runs all that wait in one
 * transaction, commits, and only then wakes those who wait.
 *
 * Why: a commit costs one fsync however many commands it carries, and SQLite
 * has room for one writer only. Writers of different processes, and of two
 * modules on one file, take turns by a lock on DBFILE.lock, so that none of
 * them ever meets SQLITE_BUSY from another.
 *
 * Rules: a command owns its memory and is counted by both sides; an answer
 * that says no to one command (an error for which svc_err_is_domain is true)
 * does not touch its neighbours; a batch that fails for a reason of its own is
 * run again, one command at a time if need be.
 */
#ifndef SVC_WRITER_H
#define SVC_WRITER_H

#include "svc_schema.h"
#include "svc_stats.h"
#include "svc_stream.h"

#define SVC_WRITER_BUDGET_MS 10000 /* no request waits longer */

typedef struct svc_writer_t svc_writer_t;
typedef struct svc_command_t svc_command_t;

/* What a command does, in the writer's thread. It may be run more than once
 * (after a rollback): it must set everything it hands back anew. What it hands
 * back is allocated from POOL, the command's own. A domain error becomes the
 * command's answer, and what was written so far stays; any other error undoes
 * the transaction. */
typedef svc_err_t *(*svc_writer_run_fn)(void *baton, svc_stream_tx_t *tx,
                                        apr_pool_t *pool);

typedef struct svc_writer_config_t {
    const char *name;   /* for the log: "mod_tickets" */
    const char *driver; /* DBDriver */
    const char *params; /* DBDParams */
    const svc_schema_t *schema;
    int leaves_schema;  /* the tables are somebody else's to make and change */
    const svc_stream_t *stream;
    svc_stats_t *stats;
    void (*on_commit)(void *baton); /* events were committed; writer's thread */
    void *on_commit_baton;
} svc_writer_config_t;

/* POOL is the writer thread's own; it must outlive the thread. CONFIG and what
 * it points to must too. Nothing is opened before the first turn. */
svc_writer_t *svc_writer_create(const svc_writer_config_t *config,
                                apr_pool_t *pool);

/* The thread's body: turns, with waiting between them, until svc_writer_stop
 * and an empty queue. */
void svc_writer_work(svc_writer_t *writer);

/* One turn: opens the database and creates or upgrades its schema if that was
 * not done yet, carries out the commands that wait, and waits for no more of
 * them. The writer's thread. */
void svc_writer_turn(svc_writer_t *writer);

/* Tells the thread to end. Any thread. */
void svc_writer_stop(svc_writer_t *writer);

/* Waits up to TIMEOUT_MS while the database is being opened for the first
 * time. NULL when it has been; UNAVAILABLE when it could not be. Any thread. */
svc_err_t *svc_writer_ready(svc_writer_t *writer, int timeout_ms,
                            apr_pool_t *pool);

/* A new command with one reference, the caller's. KEY (copied; may be NULL) is
 * the id of the row that it will want first: rows are touched in that order,
 * and commands of equal key in the order they came. *BATON gets SIZE zeroed
 * bytes in the command's pool. Any thread. */
svc_command_t *svc_writer_command(void **baton, apr_size_t size,
                                  const char *key, svc_writer_run_fn run);

/* How much work the command is beside others, which have 1; before it is handed
 * in. It bounds what goes into one transaction. */
void svc_writer_command_weigh(svc_command_t *command, int weight);

/* What the command's events go back to; copied. Before it is handed in. */
void svc_writer_command_origin(svc_command_t *command,
                               const svc_origin_t *origin);

/* The command's pool; the maker may use it until the command is handed in. */
apr_pool_t *svc_writer_command_pool(const svc_command_t *command);

/* Hands in COMMAND and waits for its answer, up to SVC_WRITER_BUDGET_MS. The
 * error lives in the command's pool or in POOL. UNAVAILABLE when time ran out:
 * its message says whether the outcome is unknown, and what the command hands
 * back must not be looked at. Any thread but the writer's. */
svc_err_t *svc_writer_execute(svc_writer_t *writer, svc_command_t *command,
                              apr_pool_t *pool);

/* Hands in COMMAND without waiting; on_commit is called when it is done. */
void svc_writer_submit(svc_writer_t *writer, svc_command_t *command);

/* Has the submitted command been answered? ERR gets the answer then. */
int svc_writer_is_done(svc_err_t **err, svc_writer_t *writer,
                       svc_command_t *command);

/* Gives up the caller's reference. */
void svc_writer_release(svc_command_t *command);

#endif
