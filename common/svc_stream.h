/* svc_stream: the event log of a service, and the transaction that writes it.
 *
 * Every change of an entity and its event are written in one transaction.
 * Positions in the log are contiguous and in commit order: the counter row
 * <service>_head is raised by the writing transaction itself, as the last row
 * that others may want too, so that its lock is held for as short as can be.
 *
 * Tables: <service>_head   the log's identity and its last position
 *         <service>_log    one row per event, as it goes on the wire
 *         <service>_trimmed  the last event that was removed from its begin
 *         <service>_publisher  how far each publishing endpoint has got
 */
#ifndef SVC_STREAM_H
#define SVC_STREAM_H

#include <apr_tables.h>

#include "svc_db.h"
#include "svc_db_rows.h"
#include "svc_event.h"

typedef struct svc_stream_t svc_stream_t;

/* A transaction of one writer. Its memory is POOL. */
typedef struct svc_stream_tx_t {
    svc_db_t *db;
    const svc_stream_t *stream;
    apr_int64_t now;             /* the database's clock at its begin, ms */
    apr_pool_t *pool;
    svc_origin_t origin;         /* of what is emitted from now on: set by who
                                    runs a command or applies an event; its
                                    texts live until the commit */
    apr_array_header_t *pending; /* private to svc_stream.c */
    int vouches;                 /* the same: see svc_stream_vouch */
    apr_array_header_t *inserts; /* alike */
    apr_int64_t last_position;   /* after commit: of its last event; 0: none */
    const char *last_id;         /* after commit: its last event's id */
    int expired; /* orders that it cancels because they are overdue: counted when
                    it has committed */
} svc_stream_tx_t;

/* Called at commit with the position that an event got; an error undoes the
 * transaction. New rows that carry a position are inserted here: nobody else
 * can want them, so the counter may be locked already. */
typedef svc_err_t *(*svc_stream_position_fn)(void *baton, svc_stream_tx_t *tx,
                                             apr_int64_t position);

/* A row of the log. */
typedef struct svc_stream_entry_t {
    apr_int64_t position;
    const char *subject;
    const char *text; /* the event in JSON */
} svc_stream_entry_t;

/* What the log still has of one entity. */
typedef struct svc_stream_history_t {
    apr_array_header_t *entries; /* svc_stream_entry_t, oldest first */
    int is_complete; /* the log goes back to the entity's first event */
} svc_stream_history_t;

/* SERVICE is the table prefix. PUBLISHER names this instance in the rows that
 * it writes: its PUB endpoint, "" when it does not publish. The result is
 * read-only afterwards, for any thread; POOL must outlive all connections. */
svc_stream_t *svc_stream_create(const char *service, const char *publisher,
                                apr_pool_t *pool);

/* Gives a new database its log identity. Under the writers' lock. */
svc_err_t *svc_stream_setup(svc_db_t *db, const svc_stream_t *stream,
                            apr_pool_t *pool);

svc_err_t *svc_stream_begin(svc_stream_tx_t *tx, svc_db_t *db,
                            const svc_stream_t *stream, apr_pool_t *pool);

/* Records that entity ENTITY changed: TYPE and DATA as in DESIGN's table of
 * events. ON_POSITION may be NULL. */
void svc_stream_emit(svc_stream_tx_t *tx, const char *type, const char *entity,
                     svc_json_t *data, svc_stream_position_fn on_position,
                     void *baton);

/* What this transaction answers an earlier one has done, and nothing more is: its
 * commit ends when that one's has, also on a standby that is waited for. There
 * what can be seen may still be lost. */
void svc_stream_vouch(svc_stream_tx_t *tx);

/* Inserts a row by STATEMENTS, together with others: when the transaction is
 * committed, or at svc_stream_insert_now. Of ARGS, COUNT of them, the texts are
 * not copied. For rows that nothing in this transaction looks at. */
void svc_stream_insert(svc_stream_tx_t *tx, const svc_db_rows_t *statements,
                       const char *const *args, int count);
svc_err_t *svc_stream_insert_now(svc_stream_tx_t *tx);

/* Writes the events and commits. After an error: svc_db_rollback. */
svc_err_t *svc_stream_commit(svc_stream_tx_t *tx);

/* Did the transaction whose last event this was commit? For a COMMIT that was
 * sent and not answered: waits until it can no longer be carried out; and, if it
 * was, as svc_stream_vouch says. Outside of a transaction. */
svc_err_t *svc_stream_has(int *out, svc_db_t *db, const svc_stream_t *stream,
                          apr_int64_t position, const char *event_id,
                          apr_pool_t *pool);

/* The log's identity ("urn:uuid:...") and its last position (0: empty). */
svc_err_t *svc_stream_head(const char **source, apr_int64_t *position,
                           svc_db_t *db, const svc_stream_t *stream,
                           apr_pool_t *pool);

/* The position of the last event that was removed; 0: all are there. */
svc_err_t *svc_stream_trimmed(apr_int64_t *out, svc_db_t *db,
                              const svc_stream_t *stream, apr_pool_t *pool);

/* Removes up to LIMIT events from the begin of the log, those recorded before
 * BEFORE (ms). REMOVED gets their number. */
svc_err_t *svc_stream_trim(int *removed, svc_stream_tx_t *tx,
                           apr_int64_t before, int limit);

/* The id of the event at POSITION; NULL when it is not known: never written, or
 * removed, and not the last that was. */
svc_err_t *svc_stream_event_id(const char **out, svc_db_t *db,
                               const svc_stream_t *stream,
                               apr_int64_t position, apr_pool_t *pool);

/* Up to LIMIT rows after position AFTER, in order, as svc_stream_entry_t; with
 * OWN only those that this instance wrote. */
svc_err_t *svc_stream_read(apr_array_header_t **out, svc_db_t *db,
                           const svc_stream_t *stream, apr_int64_t after,
                           int own, int limit, apr_pool_t *pool);

/* Up to LIMIT events of ENTITY, whose first was at position CREATED, after
 * position AFTER. */
svc_err_t *svc_stream_history(svc_stream_history_t *out, svc_db_t *db,
                              const svc_stream_t *stream, const char *entity,
                              apr_int64_t created, apr_int64_t after,
                              int limit, apr_pool_t *pool);

/* How far this instance had published when it last said so; 0: never. */
svc_err_t *svc_stream_published(apr_int64_t *out, svc_db_t *db,
                                const svc_stream_t *stream, apr_pool_t *pool);
svc_err_t *svc_stream_set_published(svc_stream_tx_t *tx, apr_int64_t position);

#endif
