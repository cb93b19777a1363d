/* svc_gather: see the header. */
#include "svc_gather.h"

#include <apr_strings.h>

#include "svc_log.h"
#include "svc_outage.h"
#include "svc_recent.h"

#define MAX_BATCH 2000   /* events gathered for one transaction */
#define RETRY_MS 300     /* when the database refused a batch */
#define MAX_SAID 64      /* unknown subjects that are remembered as said */

struct svc_gather_t {
    const svc_gather_config_t *config;
    svc_gather_written_fn on_written;
    void *baton;
    apr_pool_t *pool;
    svc_command_t *gathering; /* the next batch; NULL: nothing gathered */
    svc_batch_t *batch;       /* its baton */
    svc_command_t *writing;   /* handed in; NULL: none */
    svc_batch_t *written;     /* its baton */
    apr_int64_t retry_at;     /* when to hand in `writing` again; 0: it is in */
    apr_hash_t *said;         /* unknown subjects that were logged */
    svc_outage_t outage;      /* the writer refuses */
};

svc_gather_t *svc_gather_create(const svc_gather_config_t *config,
                                svc_gather_written_fn on_written, void *baton,
                                apr_pool_t *pool)
{
    svc_gather_t *gather = apr_pcalloc(pool, sizeof(*gather));

    gather->config = config;
    gather->on_written = on_written;
    gather->baton = baton;
    gather->pool = pool;
    gather->said = apr_hash_make(pool);
    return gather;
}

int svc_gather_is_full(const svc_gather_t *gather)
{
    return gather->gathering &&
           (gather->batch->pages->nelts > 0 ||
            gather->batch->items->nelts >= MAX_BATCH);
}

int svc_gather_is_idle(const svc_gather_t *gather)
{
    return !gather->gathering && !gather->writing;
}

/* --- adding -------------------------------------------------------------------- */

/* The batch to add to, and its pool. */
static svc_batch_t *open_batch(apr_pool_t **pool, svc_gather_t *gather)
{
    const svc_gather_config_t *config = gather->config;
    void *baton;

    if (!gather->gathering) {
        gather->gathering = svc_writer_command(&baton, sizeof(svc_batch_t),
                                               NULL, svc_batch_run);
        gather->batch = baton;
        gather->batch->inbox = config->inbox;
        gather->batch->handler = config->handler;
        gather->batch->stats = config->stats;
        gather->batch->name = config->name;
        svc_batch_init(gather->batch,
                       svc_writer_command_pool(gather->gathering));
    }
    *pool = svc_writer_command_pool(gather->gathering);
    return gather->batch;
}

void svc_gather_event(svc_gather_t *gather, svc_source_t *source,
                      const char *subject, const svc_event_t *event)
{
    apr_pool_t *pool;
    svc_batch_t *batch = open_batch(&pool, gather);

    svc_batch_add(batch, subject, event, pool);
    if (!source)
        return;
    svc_batch_move(batch, source->name, &source->tail, pool);
    svc_source_take(source, event->position, event->id);
}

void svc_gather_bad(svc_gather_t *gather, svc_source_t *source,
                    const svc_bus_frame_t *frames, int count,
                    const char *reason)
{
    apr_pool_t *pool;
    svc_batch_t *batch = open_batch(&pool, gather);

    svc_batch_add_bad(batch, frames[0].data, count > 1 ? frames[1].data : NULL,
                      reason, pool);
    if (!source)
        return;
    svc_batch_move(batch, source->name, &source->tail, pool);
    svc_source_take(source, source->tail.position + 1, "");
}

void svc_gather_page(svc_gather_t *gather, const svc_batch_move_t *move,
                     const char *after, const char *last,
                     const svc_bus_frame_t *frames, int count,
                     apr_pool_t *scratch)
{
    apr_pool_t *pool;
    svc_batch_t *batch = open_batch(&pool, gather);
    int i;

    svc_batch_add_page(batch, move, after, last, pool);
    for (i = 0; i + 1 < count; i += 2) {
        svc_event_t event;
        svc_err_t *err = svc_event_decode(&event, frames[i].data,
                                          frames[i + 1].data,
                                          frames[i + 1].length, scratch);

        svc_batch_add_state(batch, frames[i].data, &event,
                            err ? err->message : NULL, pool);
    }
}

/* --- writing ------------------------------------------------------------------- */

/* The cursor at INDEX of the batch that was written. */
static void check_move(svc_gather_t *gather, int index)
{
    const apr_array_header_t *items = gather->written->items;
    svc_stats_event_t event = { .time = "" };
    int i = items->nelts - 1;

    while (i >= 0 && APR_ARRAY_IDX(items, i, svc_batch_item_t).move != index)
        i--;
    if (i >= 0)
        svc_recent_read(&event, APR_ARRAY_IDX(items, i,
                                              svc_batch_item_t).event.text,
                        svc_writer_command_pool(gather->writing));
    gather->on_written(gather->baton,
                       &APR_ARRAY_IDX(gather->written->moves, index,
                                      svc_batch_move_t),
                       *event.time ? event.time : NULL);
}

/* The last events that took effect. */
static void remember(svc_gather_t *gather)
{
    const apr_array_header_t *items = gather->written->items;
    int i = items->nelts > SVC_STATS_RECENT ? items->nelts - SVC_STATS_RECENT
                                            : 0;

    for (; i < items->nelts; i++) {
        const svc_batch_item_t *item =
            &APR_ARRAY_IDX(items, i, svc_batch_item_t);

        if (item->took_effect)
            svc_recent_remember(gather->config->stats, 0, item->event.text,
                                svc_writer_command_pool(gather->writing));
    }
}

static void check_page(svc_gather_t *gather, const svc_batch_page_t *page)
{
    if (!page->move.moved || !*page->range.last)
        gather->on_written(gather->baton, &page->move, NULL);
    if (!page->move.moved || *page->range.last)
        return;
    atomic_fetch_add(&gather->config->stats->snapshots, 1);
    svc_log(SVC_LOG_NOTICE, "SVC038: %s: the state of %s was taken, as of "
                            "position %" APR_INT64_T_FMT,
            gather->config->name, page->move.source, page->move.to.position);
}

/* A subject that is not known is said once. */
static void note_unknown(svc_gather_t *gather, const char *subject)
{
    atomic_fetch_add(&gather->config->stats->unknown, 1);
    if (apr_hash_count(gather->said) >= MAX_SAID ||
        apr_hash_get(gather->said, subject, APR_HASH_KEY_STRING))
        return;
    subject = apr_pstrdup(gather->pool, subject);
    apr_hash_set(gather->said, subject, APR_HASH_KEY_STRING, subject);
    svc_log(SVC_LOG_NOTICE, "SVC037: %s: events %s are passed by: their "
                            "subject is not known here",
            gather->config->name, subject);
}

static void conclude(svc_gather_t *gather)
{
    const svc_batch_t *batch = gather->written;
    int i;

    svc_batch_report(batch);
    remember(gather);
    for (i = 0; i < batch->moves->nelts; i++)
        check_move(gather, i);
    for (i = 0; i < batch->pages->nelts; i++)
        check_page(gather, &APR_ARRAY_IDX(batch->pages, i, svc_batch_page_t));
    for (i = 0; i < batch->unknown->nelts; i++)
        note_unknown(gather, APR_ARRAY_IDX(batch->unknown, i, const char *));
    svc_writer_release(gather->writing);
    gather->writing = NULL;
}

static void note_end(svc_gather_t *gather)
{
    const char *outage = svc_outage_ends(
        &gather->outage, svc_writer_command_pool(gather->writing));

    if (outage)
        svc_log(SVC_LOG_NOTICE, "SVC039: %s: events are applied again, %s",
                gather->config->name, outage);
}

void svc_gather_look(svc_gather_t *gather, apr_int64_t now)
{
    const svc_gather_config_t *config = gather->config;
    svc_err_t *err;

    if (!gather->writing || gather->retry_at ||
        !svc_writer_is_done(&err, config->writer, gather->writing))
        return;
    if (!err) {
        note_end(gather);
        conclude(gather);
        return;
    }
    if (svc_outage_begins(&gather->outage))
        svc_log(SVC_LOG_WARNING,
                "SVC035: %s: events cannot be applied, trying on: %s",
                config->name, err->detail ? err->detail : err->message);
    gather->written->is_careful |= err->kind == SVC_ERR_INTERNAL;
    gather->retry_at = now + RETRY_MS;
}

void svc_gather_hand_in(svc_gather_t *gather, apr_int64_t now)
{
    svc_writer_t *writer = gather->config->writer;

    if (gather->writing && gather->retry_at && now >= gather->retry_at) {
        gather->retry_at = 0;
        svc_writer_submit(writer, gather->writing);
    }
    if (!gather->writing && gather->gathering) {
        gather->writing = gather->gathering;
        gather->written = gather->batch;
        gather->gathering = NULL;
        svc_writer_submit(writer, gather->writing);
    }
}

void svc_gather_destroy(svc_gather_t *gather)
{
    if (gather->gathering)
        svc_writer_release(gather->gathering);
    if (gather->writing)
        svc_writer_release(gather->writing);
}
