/* svc_batch: see the header. */
#include "svc_batch.h"

#include <string.h>

#include <apr_strings.h>

#include "svc_log.h"
#include "svc_time.h"

void svc_batch_init(svc_batch_t *batch, apr_pool_t *pool)
{
    batch->moves = apr_array_make(pool, 2, sizeof(svc_batch_move_t));
    batch->items = apr_array_make(pool, 32, sizeof(svc_batch_item_t));
    batch->pages = apr_array_make(pool, 1, sizeof(svc_batch_page_t));
    batch->notes = apr_array_make(pool, 1, sizeof(const char *));
    batch->unknown = apr_array_make(pool, 1, sizeof(const char *));
}

static svc_batch_item_t *add_item(apr_array_header_t *items,
                                  const char *subject, apr_pool_t *pool)
{
    svc_batch_item_t *item = apr_array_push(items);

    memset(item, 0, sizeof(*item));
    item->move = -1;
    item->subject = apr_pstrdup(pool, subject);
    return item;
}

static void keep(svc_event_t *kept, const svc_event_t *event,
                 const char *subject, apr_pool_t *pool)
{
    *kept = *event;
    kept->id = apr_pstrdup(pool, event->id);
    kept->source = apr_pstrdup(pool, event->source);
    kept->type = subject;
    kept->entity = apr_pstrdup(pool, event->entity);
    kept->text = apr_pstrdup(pool, event->text);
    kept->origin = svc_origin_copy(&event->origin, pool);
    if (!event->data_text)
        return;
    kept->data_text = event->data_text >= event->text &&
                              event->data_text < event->text +
                                                     strlen(event->text)
                          ? kept->text + (event->data_text - event->text)
                          : apr_pstrmemdup(pool, event->data_text,
                                           event->data_length);
}

void svc_batch_add(svc_batch_t *batch, const char *subject,
                   const svc_event_t *event, apr_pool_t *pool)
{
    svc_batch_item_t *item = add_item(batch->items, subject, pool);

    keep(&item->event, event, item->subject, pool);
}

static void copy_cursor(svc_inbox_cursor_t *copy,
                        const svc_inbox_cursor_t *cursor, apr_pool_t *pool)
{
    copy->position = cursor->position;
    copy->event_id = apr_pstrdup(pool, cursor->event_id);
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
        copy_cursor(&move->from, from, pool);
    }
    item->move = i;
    if (item->bad) {
        item->event.source = move->source;
        item->event.position = from->position + 1;
        item->event.id = "";
    }
    move->to.position = item->event.position;
    move->to.event_id = item->event.id;
}

void svc_batch_add_bad(svc_batch_t *batch, const char *subject,
                       const char *text, const char *reason, apr_pool_t *pool)
{
    svc_batch_item_t *item = add_item(batch->items, subject, pool);

    item->bad = apr_pstrdup(pool, reason);
    item->event.text = apr_pstrdup(pool, text);
}

void svc_batch_add_page(svc_batch_t *batch, const svc_batch_move_t *move,
                        const char *after, const char *last, apr_pool_t *pool)
{
    svc_batch_page_t *page = apr_array_push(batch->pages);

    memset(page, 0, sizeof(*page));
    page->move.source = apr_pstrdup(pool, move->source);
    copy_cursor(&page->move.from, &move->from, pool);
    copy_cursor(&page->move.to, &move->to, pool);
    page->range.source = page->move.source;
    page->range.after = apr_pstrdup(pool, after);
    page->range.last = apr_pstrdup(pool, last);
    page->items = apr_array_make(pool, 32, sizeof(svc_batch_item_t));
}

void svc_batch_add_state(svc_batch_t *batch, const char *subject,
                         const svc_event_t *event, const char *bad,
                         apr_pool_t *pool)
{
    svc_batch_page_t *page = &APR_ARRAY_IDX(
        batch->pages, batch->pages->nelts - 1, svc_batch_page_t);
    svc_batch_item_t *item = add_item(page->items, subject, pool);

    item->bad = apr_pstrdup(pool, bad);
    if (bad)
        item->event.text = apr_pstrdup(pool, event->text);
    else
        keep(&item->event, event, item->subject, pool);
}

void svc_batch_report(const svc_batch_t *batch)
{
    svc_stats_t *stats = batch->stats;
    int i;

    for (i = 0; i < batch->notes->nelts; i++)
        svc_log(SVC_LOG_WARNING, "SVC030: %s: %s", batch->name,
                APR_ARRAY_IDX(batch->notes, i, const char *));
    if (batch->parked)
        svc_log(SVC_LOG_INFO, "SVC036: %s: %d event(s) came before an earlier "
                              "version of their entity, and wait for it",
                batch->name, batch->parked);
    atomic_fetch_add(&stats->quarantined, batch->notes->nelts);
    if (batch->notes->nelts)
        atomic_store(&stats->quarantined_at, svc_time_ticks());
    atomic_fetch_add(&stats->applied, batch->applied);
    atomic_fetch_add(&stats->duplicates, batch->duplicates);
    atomic_fetch_add(&stats->parked, batch->parked);
}

/* --- in the transaction -------------------------------------------------------- */

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

/* The entity that ITEM is about, and its version; false when it does not say. */
static int read_version(const char **entity, apr_int64_t *version,
                        const svc_batch_item_t *item, apr_pool_t *pool)
{
    svc_json_t *data;

    if (svc_event_data(&data, &item->event, pool))
        return 0;
    *entity = svc_json_get_string(data, "id");
    return *entity && svc_json_get_count(version, data, "version");
}

static svc_err_t *park(svc_batch_t *batch, svc_stream_tx_t *tx,
                       const svc_batch_item_t *item)
{
    apr_int64_t version;
    const char *entity;
    int kept = 0;
    svc_err_t *err;

    if (!read_version(&entity, &version, item, tx->pool))
        return set_aside(batch, tx, item, "it has no id and version");
    err = svc_inbox_park(&kept, tx, batch->inbox, entity, version,
                         item->subject, item->event.text);
    batch->parked += !err && kept;
    batch->has_parked |= !err && kept;
    if (err || kept)
        return err;
    return set_aside(batch, tx, item,
                     "it waits for an earlier version, and there is no room");
}

/* Another follower has moved the cursor, and applied ITEM. */
static int is_passed_by(const svc_batch_t *batch, const svc_batch_item_t *item)
{
    return item->move >= 0 &&
           !APR_ARRAY_IDX(batch->moves, item->move, svc_batch_move_t).moved;
}

/* What became of ITEM. */
static svc_err_t *note(svc_batch_t *batch, svc_stream_tx_t *tx,
                       svc_batch_item_t *item, svc_inbox_outcome_t outcome)
{
    switch (outcome) {
    case SVC_INBOX_APPLIED:
    case SVC_INBOX_SETTLED:
        item->took_effect = 1;
        batch->applied++;
        break;
    case SVC_INBOX_EARLY:
        return park(batch, tx, item);
    case SVC_INBOX_DUPLICATE:
        batch->duplicates++;
        break;
    case SVC_INBOX_UNKNOWN:
        APR_ARRAY_PUSH(batch->unknown, const char *) =
            apr_pstrdup(batch->unknown->pool, item->subject);
        break;
    case SVC_INBOX_IGNORED:
        break;
    }
    return NULL;
}

/* Applies ITEM alone, whatever may be waiting for it. */
static svc_err_t *apply_one(svc_inbox_outcome_t *outcome, svc_batch_t *batch,
                            svc_stream_tx_t *tx, svc_batch_item_t *item)
{
    svc_inbox_context_t context = { tx, batch->inbox, item->move >= 0 };
    svc_err_t *err;

    *outcome = SVC_INBOX_IGNORED;
    if (item->bad)
        return set_aside(batch, tx, item, item->bad);
    tx->origin = item->event.origin;
    err = batch->handler->apply(outcome, &context, &item->event);
    if (!err)
        return note(batch, tx, item, *outcome);
    *outcome = SVC_INBOX_IGNORED;
    return svc_err_is_domain(err) ? set_aside(batch, tx, item, err->message)
                                  : err;
}

/* The event that waits for the version of ITEM; FOUND is 0 when none does. */
static svc_err_t *take_waiting(int *found, svc_batch_item_t *out,
                               svc_batch_t *batch, svc_stream_tx_t *tx,
                               const svc_batch_item_t *item)
{
    svc_batch_item_t next = { .move = -1 };
    const char *entity, *text = NULL;
    apr_int64_t version;
    svc_err_t *err = NULL;

    *found = 0;
    if (batch->has_parked < 0)
        err = svc_inbox_has_parked(&batch->has_parked, tx, batch->inbox);
    if (err || !batch->has_parked ||
        !read_version(&entity, &version, item, tx->pool) ||
        (err = svc_inbox_unpark(&next.subject, &text, tx, batch->inbox, entity,
                                version + 1)) ||
        !text)
        return err;
    if ((err = svc_event_decode(&next.event, next.subject, text, strlen(text),
                                tx->pool)))
        next.bad = err->message;
    *found = 1;
    *out = next;
    return NULL;
}

/* The entity of ITEM has its version now: what waited for that follows. */
static svc_err_t *apply_waiting(svc_batch_t *batch, svc_stream_tx_t *tx,
                                const svc_batch_item_t *item)
{
    svc_inbox_outcome_t outcome = SVC_INBOX_APPLIED;
    svc_batch_item_t next = *item;
    svc_err_t *err = NULL;
    int found = 1;

    while (!err && outcome == SVC_INBOX_APPLIED) {
        err = take_waiting(&found, &next, batch, tx, &next);
        if (err || !found)
            break;
        err = apply_one(&outcome, batch, tx, &next);
    }
    return err;
}

static svc_err_t *apply(svc_batch_t *batch, svc_stream_tx_t *tx,
                        svc_batch_item_t *item)
{
    svc_inbox_outcome_t outcome;
    svc_err_t *err = apply_one(&outcome, batch, tx, item);

    return err || outcome != SVC_INBOX_APPLIED ? err
                                               : apply_waiting(batch, tx, item);
}

/* One event between savepoints: if the database refuses it, only it is lost to
 * the quarantine. */
static svc_err_t *apply_carefully(svc_batch_t *batch, svc_stream_tx_t *tx,
                                  svc_batch_item_t *item)
{
    int emitted = tx->pending->nelts, noted = batch->notes->nelts;
    int expired = tx->expired;
    svc_batch_t before = *batch;
    svc_err_t *err = svc_db_text(tx->db, "SAVEPOINT one_event", tx->pool);
    svc_err_t *refused;

    if (err)
        return err;
    refused = apply(batch, tx, item);
    if (refused && refused->kind != SVC_ERR_INTERNAL)
        return refused;
    if (refused) {
        tx->pending->nelts = emitted;
        tx->expired = expired;
        *batch = before;
        batch->notes->nelts = noted;
        item->took_effect = 0;
        if ((err = svc_db_text(tx->db, "ROLLBACK TO SAVEPOINT one_event",
                               tx->pool)) ||
            (err = set_aside(batch, tx, item, refused->detail)))
            return err;
    }
    return svc_db_text(tx->db, "RELEASE SAVEPOINT one_event", tx->pool);
}

/* The entity of ITEM, which is in a snapshot of SOURCE. */
static svc_err_t *replace(svc_batch_t *batch, svc_stream_tx_t *tx,
                          const svc_batch_item_t *item)
{
    svc_inbox_context_t context = { tx, batch->inbox, 1 };
    svc_err_t *err;

    if (item->bad)
        return set_aside(batch, tx, item, item->bad);
    tx->origin = item->event.origin;
    err = batch->handler->replace(&context, &item->event);
    if (err && svc_err_is_domain(err))
        return set_aside(batch, tx, item, err->message);
    return err ? err : apply_waiting(batch, tx, item);
}

static int is_last(const svc_batch_page_t *page)
{
    return !*page->range.last;
}

static svc_err_t *apply_page(svc_batch_t *batch, svc_stream_tx_t *tx,
                             svc_batch_page_t *page)
{
    svc_inbox_context_t context = { tx, batch->inbox, 1 };
    svc_batch_move_t *move = &page->move;
    svc_err_t *err = svc_inbox_hold_cursor(&move->moved, tx, batch->inbox,
                                           move->source, &move->from);
    int i;

    if (err || !move->moved)
        return err; /* another follower has gone on */
    page->range.present = apr_hash_make(tx->pool);
    for (i = 0; i < page->items->nelts && !err; i++) {
        const svc_batch_item_t *item =
            &APR_ARRAY_IDX(page->items, i, svc_batch_item_t);

        if (item->event.entity)
            apr_hash_set(page->range.present, item->event.entity,
                         APR_HASH_KEY_STRING, item);
        if (!item->bad && strcmp(item->event.source, move->source) != 0)
            err = set_aside(batch, tx, item,
                            "it is in a snapshot of another source");
        else
            err = replace(batch, tx, item); /* as a whole or not at all: what
                                               is left out would stay as it was */
    }
    tx->origin = svc_origin(NULL, NULL); /* what is missing says no origin */
    if (err || (err = batch->handler->prune(&context, &page->range)) ||
        !is_last(page))
        return err;
    if (move->from.position == move->to.position &&
        strcmp(move->from.event_id, move->to.event_id) == 0)
        return NULL;
    return svc_inbox_move_cursor(&move->moved, tx, batch->inbox, move->source,
                                 &move->from, &move->to);
}

/* Applies together what can be; DONE gets whether the item of that index was. */
static svc_err_t *apply_many(svc_batch_t *batch, svc_stream_tx_t *tx, char *done)
{
    svc_inbox_context_t context = { tx, batch->inbox, 1 };
    int count = batch->items->nelts, taken = 0, i;
    svc_inbox_item_t *items = apr_pcalloc(tx->pool,
                                          (apr_size_t)count * sizeof(*items));
    int *index = apr_palloc(tx->pool, (apr_size_t)count * sizeof(*index));
    svc_batch_item_t *item;
    svc_err_t *err;

    for (i = 0; i < count; i++) {
        item = &APR_ARRAY_IDX(batch->items, i, svc_batch_item_t);
        if (!is_passed_by(batch, item) && item->move >= 0 && !item->bad) {
            items[taken].event = &item->event;
            index[taken++] = i;
        }
    }
    err = batch->handler->apply_many(&context, items, taken);
    for (i = 0; i < taken && !err; i++) {
        if (!items[i].is_done)
            continue;
        done[index[i]] = 1;
        item = &APR_ARRAY_IDX(batch->items, index[i], svc_batch_item_t);
        err = note(batch, tx, item, items[i].outcome);
        if (!err && items[i].outcome == SVC_INBOX_APPLIED)
            err = apply_waiting(batch, tx, item);
    }
    return err;
}

static svc_err_t *apply_items(svc_batch_t *batch, svc_stream_tx_t *tx)
{
    int count = batch->items->nelts, i;
    char *done = apr_pcalloc(tx->pool, (apr_size_t)count + 1);
    svc_err_t *err = NULL;

    if (batch->handler->apply_many && !batch->is_careful && count > 1)
        err = apply_many(batch, tx, done);
    for (i = 0; i < count && !err; i++) {
        svc_batch_item_t *item =
            &APR_ARRAY_IDX(batch->items, i, svc_batch_item_t);

        if (!done[i] && !is_passed_by(batch, item))
            err = batch->is_careful ? apply_carefully(batch, tx, item)
                                    : apply(batch, tx, item);
    }
    return err;
}

svc_err_t *svc_batch_run(void *baton, svc_stream_tx_t *tx, apr_pool_t *pool)
{
    svc_batch_t *batch = baton;
    svc_batch_move_t *moves = (svc_batch_move_t *)batch->moves->elts;
    svc_err_t *err = NULL;
    int i;

    (void)pool;
    apr_array_clear(batch->notes); /* of a run that was undone */
    apr_array_clear(batch->unknown);
    batch->applied = batch->duplicates = batch->parked = 0;
    batch->has_parked = -1;
    for (i = 0; i < batch->items->nelts; i++)
        APR_ARRAY_IDX(batch->items, i, svc_batch_item_t).took_effect = 0;
    for (i = 0; i < batch->moves->nelts && !err; i++)
        err = svc_inbox_move_cursor(&moves[i].moved, tx, batch->inbox,
                                    moves[i].source, &moves[i].from,
                                    &moves[i].to);
    if (!err)
        err = apply_items(batch, tx);
    for (i = 0; i < batch->pages->nelts && !err; i++)
        err = apply_page(batch, tx,
                         &APR_ARRAY_IDX(batch->pages, i, svc_batch_page_t));
    return err;
}
