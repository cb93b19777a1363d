/* svc_batch: see the header. */
#include "svc_batch.h"

#include <string.h>

#include <apr_strings.h>

#include "svc_log.h"

void svc_batch_init(svc_batch_t *batch, apr_pool_t *pool)
{
    batch->moves = apr_array_make(pool, 2, sizeof(svc_batch_move_t));
    batch->items = apr_array_make(pool, 32, sizeof(svc_batch_item_t));
    batch->notes = apr_array_make(pool, 1, sizeof(const char *));
}

static svc_batch_item_t *add_item(svc_batch_t *batch, const char *subject,
                                  apr_pool_t *pool)
{
    svc_batch_item_t *item = apr_array_push(batch->items);

    memset(item, 0, sizeof(*item));
    item->move = -1;
    item->subject = apr_pstrdup(pool, subject);
    return item;
}

const svc_event_t *svc_batch_add(svc_batch_t *batch, const char *subject,
                                 const char *text, apr_size_t length,
                                 apr_pool_t *pool)
{
    svc_batch_item_t *item = add_item(batch, subject, pool);

    svc_event_decode(&item->event, item->subject,
                     apr_pstrmemdup(pool, text, length), length, pool);
    return &item->event;
}

void svc_batch_move(svc_batch_t *batch, const char *source,
                    const svc_inbox_cursor_t *from, apr_pool_t *pool)
{
    svc_batch_item_t *item = &APR_ARRAY_IDX(
        batch->items, batch->items->nelts - 1, svc_batch_item_t);
    svc_batch_move_t *move = NULL;
    int i;

    for (i = 0; i < batch->moves->nelts; i++) {
        move = &APR_ARRAY_IDX(batch->moves, i, svc_batch_move_t);
        if (strcmp(move->source, source) == 0)
            break;
    }
    if (i == batch->moves->nelts) {
        move = apr_array_push(batch->moves);
        memset(move, 0, sizeof(*move));
        move->source = apr_pstrdup(pool, source);
        move->from.position = from->position;
        move->from.event_id = apr_pstrdup(pool, from->event_id);
    }
    item->move = i;
    move->to.position = item->event.position;
    move->to.event_id = item->event.id;
}

void svc_batch_add_bad(svc_batch_t *batch, const char *subject,
                       const char *text, const char *reason, apr_pool_t *pool)
{
    svc_batch_item_t *item = add_item(batch, subject, pool);

    item->bad = apr_pstrdup(pool, reason);
    item->event.text = apr_pstrdup(pool, text);
}

static svc_err_t *set_aside(const svc_batch_t *batch, svc_stream_tx_t *tx,
                            const svc_batch_item_t *item, const char *reason)
{
    APR_ARRAY_PUSH(batch->notes, const char *) = apr_psprintf(
        batch->notes->pool,
        "an event %s of %s at position %" APR_INT64_T_FMT
        " was set aside: %s",
        item->subject,
        item->event.source ? item->event.source : "an unknown source",
        item->event.position, reason);
    return svc_inbox_quarantine(tx, batch->inbox, item->event.source,
                                item->event.position, item->subject,
                                item->event.text, reason);
}

static svc_err_t *park(const svc_batch_t *batch, svc_stream_tx_t *tx,
                       const svc_batch_item_t *item)
{
    apr_int64_t version = 0;
    const char *entity = item->event.data
                             ? svc_json_get_string(item->event.data, "id")
                             : NULL;
    int kept = 0;
    svc_err_t *err;

    if (!entity ||
        !svc_json_get_count(&version, item->event.data, "version"))
        return set_aside(batch, tx, item, "it has no id and version");
    err = svc_inbox_park(&kept, tx, batch->inbox, entity, version,
                         item->subject, item->event.text);
    if (err || kept)
        return err;
    return set_aside(batch, tx, item,
                     "it waits for an earlier version, and there is no room");
}

static svc_err_t *apply(const svc_batch_t *batch, svc_stream_tx_t *tx,
                        const svc_batch_item_t *item);

/* An event took effect: the next version of its entity may be waiting. */
static svc_err_t *apply_next(const svc_batch_t *batch, svc_stream_tx_t *tx,
                             const svc_batch_item_t *item)
{
    const char *entity = svc_json_get_string(item->event.data, "id");
    svc_batch_item_t next = { .move = -1 };
    const char *text = NULL;
    apr_int64_t version;
    svc_err_t *err;

    if (!entity || !svc_json_get_count(&version, item->event.data, "version"))
        return NULL;
    err = svc_inbox_unpark(&next.subject, &text, tx, batch->inbox, entity,
                           version + 1);
    if (err || !text)
        return err;
    err = svc_event_decode(&next.event, next.subject, text, strlen(text),
                           tx->pool);
    return err ? err : apply(batch, tx, &next);
}

static svc_err_t *apply(const svc_batch_t *batch, svc_stream_tx_t *tx,
                        const svc_batch_item_t *item)
{
    svc_inbox_context_t context = { tx, batch->inbox, item->move >= 0 };
    svc_inbox_outcome_t outcome = SVC_INBOX_IGNORED;
    svc_err_t *err;
    int parked;

    if (item->bad)
        return set_aside(batch, tx, item, item->bad);
    err = batch->apply(&outcome, &context, &item->event);
    if (err && svc_err_is_domain(err))
        return set_aside(batch, tx, item, err->message);
    if (err)
        return err;
    if (outcome == SVC_INBOX_EARLY)
        return park(batch, tx, item);
    if (outcome == SVC_INBOX_DUPLICATE)
        atomic_fetch_add(&batch->stats->duplicates, 1);
    if (outcome != SVC_INBOX_APPLIED)
        return NULL;
    atomic_fetch_add(&batch->stats->applied, 1);
    if ((err = svc_inbox_has_parked(&parked, tx, batch->inbox)) || !parked)
        return err;
    return apply_next(batch, tx, item);
}

/* One event between savepoints: if the database refuses it, only it is lost to
 * the quarantine. */
static svc_err_t *apply_carefully(const svc_batch_t *batch,
                                  svc_stream_tx_t *tx,
                                  const svc_batch_item_t *item)
{
    int emitted = tx->pending->nelts;
    svc_err_t *err = svc_db_text(tx->db, "SAVEPOINT one_event", tx->pool);
    svc_err_t *refused;

    if (err)
        return err;
    refused = apply(batch, tx, item);
    if (refused && refused->kind != SVC_ERR_INTERNAL)
        return refused;
    if (refused) {
        tx->pending->nelts = emitted;
        if ((err = svc_db_text(tx->db, "ROLLBACK TO SAVEPOINT one_event",
                               tx->pool)) ||
            (err = set_aside(batch, tx, item, refused->detail)))
            return err;
    }
    return svc_db_text(tx->db, "RELEASE SAVEPOINT one_event", tx->pool);
}

void svc_batch_report(const svc_batch_t *batch)
{
    int i;

    for (i = 0; i < batch->notes->nelts; i++)
        svc_log(SVC_LOG_WARNING, "SVC030: %s: %s", batch->name,
                APR_ARRAY_IDX(batch->notes, i, const char *));
    atomic_fetch_add(&batch->stats->quarantined, batch->notes->nelts);
}

svc_err_t *svc_batch_run(void *baton, svc_stream_tx_t *tx, apr_pool_t *pool)
{
    svc_batch_t *batch = baton;
    svc_batch_move_t *moves = (svc_batch_move_t *)batch->moves->elts;
    svc_err_t *err = NULL;
    int i;

    (void)pool;
    apr_array_clear(batch->notes); /* of a run that was undone */
    for (i = 0; i < batch->moves->nelts && !err; i++)
        err = svc_inbox_move_cursor(&moves[i].moved, tx, batch->inbox,
                                    moves[i].source, &moves[i].from,
                                    &moves[i].to);
    for (i = 0; i < batch->items->nelts && !err; i++) {
        const svc_batch_item_t *item =
            &APR_ARRAY_IDX(batch->items, i, svc_batch_item_t);

        if (item->move >= 0 && !moves[item->move].moved)
            continue; /* another follower has applied it */
        err = batch->is_careful ? apply_carefully(batch, tx, item)
                                : apply(batch, tx, item);
    }
    return err;
}
