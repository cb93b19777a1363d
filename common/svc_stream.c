/* svc_stream: see the header. */
#include "svc_stream.h"

#include <string.h>

#include <apr_strings.h>

#include "svc_id.h"

struct svc_stream_t {
    const char *publisher;
    svc_db_sql_t create_head, raise_head, read_head;
    svc_db_rows_t insert;
    svc_db_sql_t read, read_own, read_entity, read_id;
    svc_db_sql_t read_oldest, trim, read_trimmed, update_trimmed, insert_trimmed;
    svc_db_sql_t read_published, update_published, insert_published;
};

typedef struct pending_t {
    svc_event_t event;
    svc_stream_position_fn on_position;
    void *baton;
} pending_t;

/* Rows that wait to be inserted by one statement. */
typedef struct insert_t {
    const svc_db_rows_t *statements;
    apr_array_header_t *rows; /* const char *const *: their arguments */
    int count;                /* of a row's */
} insert_t;

svc_stream_t *svc_stream_create(const char *service, const char *publisher,
                                apr_pool_t *pool)
{
    svc_stream_t *stream = apr_pcalloc(pool, sizeof(*stream));

    stream->publisher = publisher;
    stream->create_head = svc_db_sql(
        "svc_stream_create_head", service,
        "INSERT INTO #_head (id, source, position) VALUES (1, %s, 0) "
        "ON CONFLICT DO NOTHING", pool);
    stream->raise_head = svc_db_sql(
        "svc_stream_raise_head", service,
        "UPDATE #_head SET position = position + %lld WHERE id = 1", pool);
    stream->read_head = svc_db_sql(
        "svc_stream_read_head", service,
        "SELECT source, position FROM #_head WHERE id = 1", pool);
    stream->insert = svc_db_rows(
        "svc_stream_insert", service,
        "INSERT INTO #_log (position, event_id, subject, entity_id, "
        "recorded_at, publisher, event) VALUES ",
        "(%lld, %s, %s, %s, %lld, %s, %s)", pool);
    stream->read = svc_db_sql(
        "svc_stream_read", service,
        "SELECT position, subject, event FROM #_log WHERE position > %lld "
        "ORDER BY position LIMIT %lld", pool);
    stream->read_own = svc_db_sql(
        "svc_stream_read_own", service,
        "SELECT position, subject, event FROM #_log WHERE position > %lld "
        "AND publisher = %s ORDER BY position LIMIT %lld", pool);
    stream->read_entity = svc_db_sql(
        "svc_stream_read_entity", service,
        "SELECT position, subject, event FROM #_log WHERE entity_id = %s "
        "AND position > %lld ORDER BY position LIMIT %lld", pool);
    stream->read_id = svc_db_sql(
        "svc_stream_read_id", service,
        "SELECT event_id FROM #_log WHERE position = %lld UNION ALL "
        "SELECT event_id FROM #_trimmed WHERE position = %lld", pool);
    stream->read_oldest = svc_db_sql(
        "svc_stream_read_oldest", service,
        "SELECT position, event_id, recorded_at FROM #_log ORDER BY position "
        "LIMIT %lld", pool);
    stream->trim = svc_db_sql(
        "svc_stream_trim", service,
        "DELETE FROM #_log WHERE position <= %lld", pool);
    stream->read_trimmed = svc_db_sql(
        "svc_stream_read_trimmed", service,
        "SELECT position FROM #_trimmed WHERE id = 1", pool);
    stream->update_trimmed = svc_db_sql(
        "svc_stream_update_trimmed", service,
        "UPDATE #_trimmed SET position = %lld, event_id = %s "
        "WHERE id = 1 AND position < %lld", pool);
    stream->insert_trimmed = svc_db_sql(
        "svc_stream_insert_trimmed", service,
        "INSERT INTO #_trimmed (id, position, event_id) "
        "VALUES (1, %lld, %s) ON CONFLICT DO NOTHING", pool);
    stream->read_published = svc_db_sql(
        "svc_stream_read_published", service,
        "SELECT position FROM #_publisher WHERE endpoint = %s", pool);
    stream->update_published = svc_db_sql(
        "svc_stream_update_published", service,
        "UPDATE #_publisher SET position = %lld WHERE endpoint = %s", pool);
    stream->insert_published = svc_db_sql(
        "svc_stream_insert_published", service,
        "INSERT INTO #_publisher (position, endpoint) VALUES (%lld, %s)",
        pool);
    return stream;
}

svc_err_t *svc_stream_begin(svc_stream_tx_t *tx, svc_db_t *db,
                            const svc_stream_t *stream, apr_pool_t *pool)
{
    svc_err_t *err;

    memset(tx, 0, sizeof(*tx));
    tx->db = db;
    tx->stream = stream;
    tx->pool = pool;
    tx->pending = apr_array_make(pool, 16, sizeof(pending_t));
    tx->inserts = apr_array_make(pool, 4, sizeof(insert_t));
    if ((err = svc_db_begin(db, pool)))
        return err;
    return svc_db_now(&tx->now, db, pool);
}

void svc_stream_emit(svc_stream_tx_t *tx, const char *type, const char *entity,
                     svc_json_t *data, svc_stream_position_fn on_position,
                     void *baton)
{
    pending_t *pending = apr_array_push(tx->pending);

    memset(pending, 0, sizeof(*pending));
    pending->event.id = svc_id_new(tx->pool);
    pending->event.type = type;
    pending->event.entity = entity;
    pending->event.time = tx->now;
    pending->event.data = data;
    pending->event.origin = tx->origin;
    pending->on_position = on_position;
    pending->baton = baton;
}

typedef struct head_t {
    const char *source;
    apr_int64_t position;
} head_t;

static svc_err_t *take_head(void *baton, const svc_db_row_t *row)
{
    head_t *head = baton;

    head->source = svc_db_row_text(row, 0);
    head->position = svc_db_row_int(row, 1);
    return NULL;
}

svc_err_t *svc_stream_head(const char **source, apr_int64_t *position,
                           svc_db_t *db, const svc_stream_t *stream,
                           apr_pool_t *pool)
{
    head_t head = { NULL, 0 };
    svc_err_t *err = svc_db_each(db, &stream->read_head, NULL, take_head,
                                 &head, pool);

    if (!err && !head.source)
        err = svc_err_ours(pool, SVC_ERR_UNAVAILABLE,
                           "The database is not available",
                           "the event log has no identity yet");
    *source = head.source;
    *position = head.position;
    return err;
}

svc_err_t *svc_stream_setup(svc_db_t *db, const svc_stream_t *stream,
                            apr_pool_t *pool)
{
    const char *args[] = { apr_pstrcat(pool, "urn:uuid:", svc_id_new(pool),
                                       NULL) };
    head_t head = { NULL, 0 };
    svc_err_t *err = svc_db_each(db, &stream->read_head, NULL, take_head,
                                 &head, pool);

    if (err || head.source) /* no wait for a transaction that counts up */
        return err;
    return svc_db_run(NULL, db, &stream->create_head, args, pool);
}

void svc_stream_insert(svc_stream_tx_t *tx, const svc_db_rows_t *statements,
                       const char *const *args, int count)
{
    insert_t *insert = NULL;
    int i;

    for (i = 0; i < tx->inserts->nelts; i++) {
        insert = &APR_ARRAY_IDX(tx->inserts, i, insert_t);
        if (insert->statements == statements)
            break;
    }
    if (i == tx->inserts->nelts) {
        insert = apr_array_push(tx->inserts);
        insert->statements = statements;
        insert->rows = apr_array_make(tx->pool, 16, sizeof(args));
        insert->count = count;
    }
    APR_ARRAY_PUSH(insert->rows, const char *const *) =
        apr_pmemdup(tx->pool, args, (apr_size_t)count * sizeof(*args));
}

svc_err_t *svc_stream_insert_now(svc_stream_tx_t *tx)
{
    svc_err_t *err = NULL;
    int i;

    for (i = 0; i < tx->inserts->nelts && !err; i++) {
        const insert_t *insert = &APR_ARRAY_IDX(tx->inserts, i, insert_t);

        err = svc_db_rows_insert(tx->db, insert->statements, insert->rows,
                                 insert->count, tx->pool);
        apr_array_clear(insert->rows);
    }
    return err;
}

static svc_err_t *write_event(svc_stream_tx_t *tx, const pending_t *pending)
{
    const svc_event_t *event = &pending->event;
    const char *args[] = { svc_db_arg(event->position, tx->pool),
                           event->id,
                           event->type,
                           event->entity,
                           svc_db_arg(event->time, tx->pool),
                           tx->stream->publisher,
                           svc_event_encode(event, tx->pool) };

    svc_stream_insert(tx, &tx->stream->insert, args,
                      sizeof(args) / sizeof(args[0]));
    return pending->on_position
               ? pending->on_position(pending->baton, tx, event->position)
               : NULL;
}

static svc_err_t *write_events(svc_stream_tx_t *tx)
{
    pending_t *pending = (pending_t *)tx->pending->elts;
    int count = tx->pending->nelts;
    const char *args[] = { svc_db_arg(count, tx->pool) };
    const char *source;
    apr_int64_t head;
    svc_err_t *err;
    int i;

    if ((err = svc_db_run(NULL, tx->db, &tx->stream->raise_head, args,
                          tx->pool)) ||
        (err = svc_stream_head(&source, &head, tx->db, tx->stream, tx->pool)))
        return err;
    for (i = 0; i < count; i++) {
        pending[i].event.source = source;
        pending[i].event.position = head - count + 1 + i;
        if ((err = write_event(tx, &pending[i])))
            return err;
    }
    tx->last_position = head;
    tx->last_id = pending[count - 1].event.id;
    return NULL;
}

void svc_stream_vouch(svc_stream_tx_t *tx)
{
    tx->vouches = 1;
}

/* Changes nothing in the end, but needs the counter, there and back: to what it is
 * already would be no change that other nodes of Galera hear of. Its commit needs
 * all commits before. */
static svc_err_t *touch_head(svc_db_t *db, const svc_stream_t *stream,
                             apr_pool_t *pool)
{
    const char *there[] = { "1" }, *back[] = { "-1" };
    svc_err_t *err = svc_db_run(NULL, db, &stream->raise_head, there, pool);

    return err ? err : svc_db_run(NULL, db, &stream->raise_head, back, pool);
}

svc_err_t *svc_stream_commit(svc_stream_tx_t *tx)
{
    svc_err_t *err = NULL;

    if (tx->pending->nelts)
        err = write_events(tx);
    else if (tx->vouches && svc_db_engine(tx->db) == SVC_DB_PGSQL)
        err = touch_head(tx->db, tx->stream, tx->pool);
    if (!err)
        err = svc_stream_insert_now(tx);
    return err ? err : svc_db_commit(tx->db, tx->pool);
}

static svc_err_t *take_text(void *baton, const svc_db_row_t *row)
{
    *(const char **)baton = svc_db_row_text(row, 0);
    return NULL;
}

svc_err_t *svc_stream_event_id(const char **out, svc_db_t *db,
                               const svc_stream_t *stream,
                               apr_int64_t position, apr_pool_t *pool)
{
    const char *at = svc_db_arg(position, pool);
    const char *args[] = { at, at };

    *out = NULL;
    return svc_db_each(db, &stream->read_id, args, take_text, out, pool);
}

/* A server that was slow may carry out a COMMIT that it got long ago, even one
 * whose connection is gone. Until then that transaction holds the counter. */
svc_err_t *svc_stream_has(int *out, svc_db_t *db, const svc_stream_t *stream,
                          apr_int64_t position, const char *event_id,
                          apr_pool_t *pool)
{
    const char *found = NULL;
    svc_err_t *err = svc_db_begin(db, pool);

    if (!err)
        err = touch_head(db, stream, pool);
    if (!err)
        err = svc_stream_event_id(&found, db, stream, position, pool);
    if (!err)
        err = svc_db_commit(db, pool);
    if (err)
        svc_db_rollback(db, pool);
    *out = !err && found && strcmp(found, event_id) == 0;
    return err;
}

svc_err_t *svc_stream_trimmed(apr_int64_t *out, svc_db_t *db,
                              const svc_stream_t *stream, apr_pool_t *pool)
{
    *out = 0;
    return svc_db_get(out, db, &stream->read_trimmed, NULL, pool);
}

/* The begin of the log, as far as it is too old. */
typedef struct oldest_t {
    apr_int64_t before;
    int count;
    int is_over; /* one that stays was met */
    apr_int64_t position;
    const char *event_id;
} oldest_t;

static svc_err_t *take_oldest(void *baton, const svc_db_row_t *row)
{
    oldest_t *oldest = baton;

    oldest->is_over |= svc_db_row_int(row, 2) >= oldest->before;
    if (oldest->is_over)
        return NULL;
    oldest->count++;
    oldest->position = svc_db_row_int(row, 0);
    oldest->event_id = svc_db_row_text(row, 1);
    return NULL;
}

svc_err_t *svc_stream_trim(int *removed, svc_stream_tx_t *tx,
                           apr_int64_t before, int limit)
{
    const svc_stream_t *stream = tx->stream;
    const char *at_most[] = { svc_db_arg(limit, tx->pool) };
    oldest_t oldest = { .before = before };
    const char *args[3];
    int changed = 0;
    svc_err_t *err = svc_db_each(tx->db, &stream->read_oldest, at_most,
                                 take_oldest, &oldest, tx->pool);

    *removed = oldest.count;
    if (err || oldest.count == 0)
        return err;
    args[0] = svc_db_arg(oldest.position, tx->pool);
    args[1] = oldest.event_id;
    args[2] = args[0]; /* another machine may have removed more meanwhile */
    if ((err = svc_db_run(NULL, tx->db, &stream->trim, args, tx->pool)) ||
        (err = svc_db_run(&changed, tx->db, &stream->update_trimmed, args,
                          tx->pool)) || changed)
        return err;
    return svc_db_run(NULL, tx->db, &stream->insert_trimmed, args, tx->pool);
}

static svc_err_t *take_entry(void *baton, const svc_db_row_t *row)
{
    svc_stream_entry_t *entry = apr_array_push(baton);

    entry->position = svc_db_row_int(row, 0);
    entry->subject = svc_db_row_text(row, 1);
    entry->text = svc_db_row_text(row, 2);
    return NULL;
}

svc_err_t *svc_stream_read(apr_array_header_t **out, svc_db_t *db,
                           const svc_stream_t *stream, apr_int64_t after,
                           int own, int limit, apr_pool_t *pool)
{
    const char *all[] = { svc_db_arg(after, pool), svc_db_arg(limit, pool) };
    const char *mine[] = { all[0], stream->publisher, all[1] };

    *out = apr_array_make(pool, 32, sizeof(svc_stream_entry_t));
    return svc_db_each(db, own ? &stream->read_own : &stream->read,
                       own ? mine : all, take_entry, *out, pool);
}

svc_err_t *svc_stream_history(svc_stream_history_t *out, svc_db_t *db,
                              const svc_stream_t *stream, const char *entity,
                              apr_int64_t created, apr_int64_t after,
                              int limit, apr_pool_t *pool)
{
    const char *args[] = { entity, svc_db_arg(after, pool),
                           svc_db_arg(limit, pool) };
    apr_int64_t trimmed;
    svc_err_t *err;

    out->entries = apr_array_make(pool, 16, sizeof(svc_stream_entry_t));
    if ((err = svc_db_each(db, &stream->read_entity, args, take_entry,
                           out->entries, pool)))
        return err;
    /* Afterwards: what is removed meanwhile must not look as if it were there. */
    err = svc_stream_trimmed(&trimmed, db, stream, pool);
    out->is_complete = trimmed < created;
    return err;
}

svc_err_t *svc_stream_published(apr_int64_t *out, svc_db_t *db,
                                const svc_stream_t *stream, apr_pool_t *pool)
{
    const char *args[] = { stream->publisher };

    *out = 0;
    return svc_db_get(out, db, &stream->read_published, args, pool);
}

svc_err_t *svc_stream_set_published(svc_stream_tx_t *tx, apr_int64_t position)
{
    const char *args[] = { svc_db_arg(position, tx->pool),
                           tx->stream->publisher };
    int changed = 0;
    svc_err_t *err = svc_db_run(&changed, tx->db,
                                &tx->stream->update_published, args, tx->pool);

    if (err || changed)
        return err;
    return svc_db_run(NULL, tx->db, &tx->stream->insert_published, args,
                      tx->pool);
}
