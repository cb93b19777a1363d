/* svc_subscriber: see the header. */
#include "svc_subscriber.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "svc_log.h"
#include "svc_source.h"

#define MAX_BATCH 1000     /* events gathered for one transaction */
#define MAX_TAKEN 200      /* messages taken from a socket in one turn */
#define INTRODUCE_MS 200   /* between requests for the source's name */
#define RETRY_MS 300       /* when the database refused a batch */

typedef struct link_t {
    const svc_subscriber_peer_t *peer;
    svc_bus_socket_t *sub;
    svc_bus_socket_t *dealer; /* NULL: no replay */
    apr_int64_t ask_at;       /* when to ask for the source's name (again) */
    int introductions;        /* such requests that are not answered yet */
    int is_known;             /* it has said its source */
    int has_refused;          /* a replay, and that was said */
} link_t;

struct svc_subscriber_t {
    const svc_subscriber_config_t *config;
    apr_pool_t *pool;
    apr_array_header_t *links; /* link_t * */
    apr_hash_t *sources;       /* name -> svc_source_t * */
    svc_command_t *gathering;  /* the next batch; NULL: nothing gathered */
    svc_batch_t *batch;        /* its baton */
    svc_command_t *writing;    /* handed in; NULL: none */
    svc_batch_t *written;      /* its baton */
    apr_int64_t retry_at;      /* when to hand in `writing` again; 0: it is in */
    int is_failing;            /* the writer refuses, and that was said */
};

svc_subscriber_t *svc_subscriber_create(const svc_subscriber_config_t *config,
                                        svc_bus_t *bus, apr_pool_t *pool)
{
    svc_subscriber_t *subscriber = apr_pcalloc(pool, sizeof(*subscriber));
    svc_err_t *err;
    int i, k;

    subscriber->config = config;
    subscriber->pool = pool;
    subscriber->links = apr_array_make(pool, 4, sizeof(link_t *));
    subscriber->sources = apr_hash_make(pool);
    for (i = 0; i < config->peers->nelts; i++) {
        link_t *link = apr_pcalloc(pool, sizeof(*link));

        link->peer = &APR_ARRAY_IDX(config->peers, i, svc_subscriber_peer_t);
        err = svc_bus_open(&link->sub, bus, SVC_BUS_SUB, link->peer->publish,
                           pool);
        if (!err && link->peer->replay)
            err = svc_bus_open(&link->dealer, bus, SVC_BUS_DEALER,
                               link->peer->replay, pool);
        if (err) {
            svc_log(SVC_LOG_ERR, "SVC031: %s: %s", config->name, err->detail);
            continue;
        }
        for (k = 0; config->subjects[k]; k++)
            svc_bus_subscribe(link->sub, config->subjects[k]);
        svc_bus_subscribe(link->sub, SVC_EVENT_HEARTBEAT);
        APR_ARRAY_PUSH(subscriber->links, link_t *) = link;
    }
    return subscriber;
}

/* --- gathering --------------------------------------------------------------- */

static apr_pool_t *gather(svc_subscriber_t *subscriber)
{
    const svc_subscriber_config_t *config = subscriber->config;
    void *baton;

    if (!subscriber->gathering) {
        subscriber->gathering = svc_writer_command(
            &baton, sizeof(svc_batch_t), NULL, svc_batch_run);
        subscriber->batch = baton;
        subscriber->batch->inbox = config->inbox;
        subscriber->batch->apply = config->apply;
        subscriber->batch->stats = config->stats;
        subscriber->batch->name = config->name;
        svc_batch_init(subscriber->batch,
                       svc_writer_command_pool(subscriber->gathering));
    }
    return svc_writer_command_pool(subscriber->gathering);
}

static int is_full(const svc_subscriber_t *subscriber)
{
    return subscriber->gathering &&
           subscriber->batch->items->nelts >= MAX_BATCH;
}

/* Adds the event in FRAMES; SOURCE is NULL where there is no log. */
static void add_event(svc_subscriber_t *subscriber, svc_source_t *source,
                      const svc_bus_frame_t *frames)
{
    apr_pool_t *pool = gather(subscriber);
    const svc_event_t *event =
        svc_batch_add(subscriber->batch, frames[0].data, frames[1].data,
                      frames[1].length, pool);

    if (source) {
        svc_batch_move(subscriber->batch, source->name, &source->tail, pool);
        svc_source_take(source, event->position, event->id);
    }
}

/* Adds something that is not an event, to be set aside. */
static void add_bad(svc_subscriber_t *subscriber,
                    const svc_bus_frame_t *frames, int count,
                    const char *reason)
{
    apr_pool_t *pool = gather(subscriber);

    svc_batch_add_bad(subscriber->batch, frames[0].data,
                      count > 1 ? frames[1].data : NULL, reason, pool);
}

/* --- what arrives -------------------------------------------------------------- */

static svc_err_t *find_source(svc_source_t **out, svc_subscriber_t *subscriber,
                              link_t *link, const char *name, svc_db_t *db,
                              apr_pool_t *scratch)
{
    svc_source_t *source = apr_hash_get(subscriber->sources, name,
                                    APR_HASH_KEY_STRING);
    svc_inbox_cursor_t cursor;
    svc_err_t *err;

    *out = NULL;
    if (!source && !link->dealer)
        return NULL; /* no log can be asked for it */
    if (!source) {
        source = svc_source_create(name, subscriber->pool);
        apr_hash_set(subscriber->sources, source->name, APR_HASH_KEY_STRING,
                     source);
    }
    if (link->dealer)
        source->link = link;
    if (!source->is_loaded) {
        if ((err = svc_inbox_read_cursor(&cursor, db,
                                         subscriber->config->inbox, name,
                                         scratch)))
            return err;
        svc_source_load(source, &cursor);
    }
    *out = source;
    return NULL;
}

/* One event, live or replayed. */
static svc_err_t *take_event(svc_subscriber_t *subscriber, link_t *link,
                             const svc_bus_frame_t *frames, svc_db_t *db,
                             apr_int64_t now, apr_pool_t *scratch)
{
    svc_stats_t *stats = subscriber->config->stats;
    svc_source_t *source;
    svc_event_t event;
    svc_err_t *err = svc_event_decode(&event, frames[0].data, frames[1].data,
                                      frames[1].length, scratch);

    atomic_fetch_add(&stats->received, 1);
    if (err) {
        add_bad(subscriber, frames, 2, err->message);
        return NULL;
    }
    if ((err = find_source(&source, subscriber, link, event.source, db,
                           scratch)))
        return err;
    if (!source || event.position == 0) {
        add_event(subscriber, NULL, frames);
        return NULL;
    }
    svc_source_hear(source, event.position > source->head ? event.position
                                                          : source->head, now);
    switch (svc_source_place(source, event.position)) {
    case SVC_SOURCE_NEXT:
        add_event(subscriber, source, frames);
        break;
    case SVC_SOURCE_KNOWN:
        atomic_fetch_add(&stats->duplicates, 1);
        break;
    case SVC_SOURCE_LATER: /* what is missing is asked for */
        break;
    }
    return NULL;
}

static svc_err_t *take_heartbeat(svc_subscriber_t *subscriber, link_t *link,
                                 const svc_bus_frame_t *frames, svc_db_t *db,
                                 apr_int64_t now, apr_pool_t *scratch)
{
    svc_source_t *source;
    svc_event_t event;
    svc_err_t *err = svc_event_decode(&event, frames[0].data, frames[1].data,
                                      frames[1].length, scratch);

    if (err) {
        add_bad(subscriber, frames, 2, err->message);
        return NULL;
    }
    err = find_source(&source, subscriber, link, event.source, db, scratch);
    if (source)
        svc_source_hear(source, event.position, now);
    return err;
}

static svc_err_t *take_live(int *again, svc_subscriber_t *subscriber,
                            link_t *link, svc_db_t *db, apr_int64_t now,
                            apr_pool_t *scratch)
{
    svc_bus_frame_t *frames;
    svc_err_t *err = NULL;
    int i, count;

    for (i = 0; i < MAX_TAKEN && !err && !is_full(subscriber); i++) {
        if ((count = svc_bus_receive(&frames, link->sub, scratch)) == 0)
            return NULL;
        if (count != 2)
            add_bad(subscriber, frames, count < 0 ? 1 : count,
                    "a message has two frames: subject and event");
        else if (strcmp(frames[0].data, SVC_EVENT_HEARTBEAT) == 0)
            err = take_heartbeat(subscriber, link, frames, db, now, scratch);
        else
            err = take_event(subscriber, link, frames, db, now, scratch);
    }
    *again = 1;
    return err;
}

/* EVENTS source head (subject event)* */
static svc_err_t *take_page(svc_subscriber_t *subscriber, link_t *link,
                            const svc_bus_frame_t *frames, int count,
                            svc_db_t *db, apr_int64_t now, apr_pool_t *scratch)
{
    svc_source_t *source;
    svc_err_t *err = find_source(&source, subscriber, link, frames[1].data,
                                 db, scratch);
    int i;

    if (err)
        return err;
    link->is_known = 1;
    link->has_refused = 0;
    svc_source_hear(source, apr_atoi64(frames[2].data), now);
    if (link->introductions > 0)
        link->introductions--; /* that request named no event */
    else
        svc_source_confirm(source);
    if (count > 3)
        source->ask_at = 0; /* answered: ask on at once, if there is more */
    for (i = 3; i + 1 < count && !err; i += 2)
        err = take_event(subscriber, link, &frames[i], db, now, scratch);
    return err;
}

static void take_reset(const char *name, svc_source_t *source,
                       apr_int64_t head, apr_int64_t now)
{
    if (svc_source_reset(source, head, now))
        svc_log(SVC_LOG_ERR,
                "SVC032: %s: the log of %s is not the one that was followed "
                "up to position %" APR_INT64_T_FMT " (restored from a "
                "backup?): %s", name, source->name, source->tail.position,
                source->has_diverged ? "it is followed no further"
                                     : "it ends before that, and is asked "
                                       "again");
}

static svc_err_t *take_answer(svc_subscriber_t *subscriber, link_t *link,
                              const svc_bus_frame_t *frames, int count,
                              svc_db_t *db, apr_int64_t now,
                              apr_pool_t *scratch)
{
    const char *name = subscriber->config->name;
    const char *kind = frames[0].data;
    svc_source_t *source;

    if (strcmp(kind, "EVENTS") == 0 && count >= 3 && count % 2 == 1)
        return take_page(subscriber, link, frames, count, db, now, scratch);
    if (strcmp(kind, "RESET") == 0 && count == 3) {
        source = apr_hash_get(subscriber->sources, frames[1].data,
                              APR_HASH_KEY_STRING);
        if (source)
            take_reset(name, source, apr_atoi64(frames[2].data), now);
        return NULL;
    }
    if (link->has_refused)
        return NULL; /* it is asked again, but said only once */
    link->has_refused = 1;
    if (strcmp(kind, "ERROR") == 0 && count == 2)
        svc_log(SVC_LOG_WARNING, "SVC033: %s: %s refuses a replay: %s", name,
                link->peer->replay, frames[1].data);
    else
        svc_log(SVC_LOG_WARNING,
                "SVC034: %s: %s sent an answer that is none of EVENTS, RESET "
                "and ERROR",
                name, link->peer->replay);
    return NULL;
}

static svc_err_t *take_answers(int *again, svc_subscriber_t *subscriber,
                               link_t *link, svc_db_t *db, apr_int64_t now,
                               apr_pool_t *scratch)
{
    svc_bus_frame_t *frames;
    svc_err_t *err = NULL;
    int count;

    while (!err && !is_full(subscriber)) {
        if ((count = svc_bus_receive(&frames, link->dealer, scratch)) == 0)
            return NULL;
        if (count > 0)
            err = take_answer(subscriber, link, frames, count, db, now,
                              scratch);
    }
    *again = 1;
    return err;
}

/* --- what is asked ------------------------------------------------------------- */

/* False when nobody is there to be asked. */
static int ask(link_t *link, const char *source, const svc_inbox_cursor_t *from,
               int limit, apr_pool_t *scratch)
{
    svc_bus_frame_t frames[] = {
        svc_bus_text("REPLAY"), svc_bus_text(source),
        svc_bus_text(svc_db_arg(from->position, scratch)),
        svc_bus_text(from->event_id),
        svc_bus_text(apr_itoa(scratch, limit))
    };

    return svc_bus_send(link->dealer, frames, 5);
}

static void ask_links(svc_subscriber_t *subscriber, apr_int64_t now,
                      apr_pool_t *scratch)
{
    static const svc_inbox_cursor_t nothing = { 0, "" };
    int i;

    for (i = 0; i < subscriber->links->nelts; i++) {
        link_t *link = APR_ARRAY_IDX(subscriber->links, i, link_t *);

        if (link->dealer && !link->is_known && now >= link->ask_at) {
            link->introductions += ask(link, "", &nothing, 0, scratch);
            link->ask_at = now + INTRODUCE_MS;
        }
    }
}

/* Asks for what is missing; returns whether everything known is there. */
static int ask_sources(svc_subscriber_t *subscriber, apr_int64_t now,
                       apr_pool_t *scratch)
{
    apr_hash_index_t *at;
    int is_complete = 1;

    for (at = apr_hash_first(scratch, subscriber->sources); at;
         at = apr_hash_next(at)) {
        svc_source_t *source = apr_hash_this_val(at);

        is_complete = is_complete && svc_source_is_complete(source);
        if (!is_full(subscriber) && svc_source_wants_more(source, now))
            ask(source->link, source->name, &source->tail, MAX_BATCH / 2,
                scratch);
    }
    return is_complete;
}

/* --- what is written ----------------------------------------------------------- */

/* A cursor that another follower had moved is read again. At once, not when
 * next something is heard: the other one may be dead by now. */
static svc_err_t *reload_stale(svc_subscriber_t *subscriber,
                               const svc_batch_t *written, svc_db_t *db,
                               apr_int64_t now, apr_pool_t *scratch)
{
    svc_inbox_cursor_t cursor;
    svc_err_t *err = NULL;
    int i;

    for (i = 0; i < written->moves->nelts; i++) {
        const svc_batch_move_t *move = &APR_ARRAY_IDX(written->moves, i,
                                                      svc_batch_move_t);
        svc_source_t *source = apr_hash_get(subscriber->sources, move->source,
                                        APR_HASH_KEY_STRING);

        if (move->moved || !source)
            continue;
        source->is_loaded = 0; /* should reading fail */
        if (!err)
            err = svc_inbox_read_cursor(&cursor, db, subscriber->config->inbox,
                                        source->name, scratch);
        if (!err)
            svc_source_reload(source, &cursor, now);
    }
    return err;
}

static svc_err_t *look_after(svc_subscriber_t *subscriber, svc_db_t *db,
                             apr_int64_t now, apr_pool_t *scratch)
{
    svc_err_t *err;

    if (!subscriber->writing || subscriber->retry_at ||
        !svc_writer_is_done(&err, subscriber->config->writer,
                            subscriber->writing))
        return NULL;
    if (err) {
        if (!subscriber->is_failing)
            svc_log(SVC_LOG_WARNING,
                    "SVC035: %s: events cannot be applied, trying on: %s",
                    subscriber->config->name,
                    err->detail ? err->detail : err->message);
        subscriber->is_failing = 1;
        subscriber->written->is_careful |= err->kind == SVC_ERR_INTERNAL;
        subscriber->retry_at = now + RETRY_MS;
        return NULL;
    }
    subscriber->is_failing = 0;
    svc_batch_report(subscriber->written);
    err = reload_stale(subscriber, subscriber->written, db, now, scratch);
    svc_writer_release(subscriber->writing);
    subscriber->writing = NULL;
    return err;
}

static void hand_in(svc_subscriber_t *subscriber, apr_int64_t now)
{
    if (subscriber->writing && subscriber->retry_at &&
        now >= subscriber->retry_at) {
        subscriber->retry_at = 0;
        svc_writer_submit(subscriber->config->writer, subscriber->writing);
    }
    if (!subscriber->writing && subscriber->gathering) {
        subscriber->writing = subscriber->gathering;
        subscriber->written = subscriber->batch;
        subscriber->gathering = NULL;
        svc_writer_submit(subscriber->config->writer, subscriber->writing);
    }
}

svc_err_t *svc_subscriber_turn(int *again, svc_subscriber_t *subscriber,
                               svc_db_t *db, apr_int64_t now,
                               apr_pool_t *scratch)
{
    svc_err_t *err = look_after(subscriber, db, now, scratch);
    int i, is_complete;

    for (i = 0; i < subscriber->links->nelts && !err; i++) {
        link_t *link = APR_ARRAY_IDX(subscriber->links, i, link_t *);

        err = take_live(again, subscriber, link, db, now, scratch);
        if (!err && link->dealer)
            err = take_answers(again, subscriber, link, db, now, scratch);
    }
    hand_in(subscriber, now);
    ask_links(subscriber, now, scratch);
    is_complete = ask_sources(subscriber, now, scratch);
    if (is_complete && !subscriber->writing &&
        apr_hash_count(subscriber->sources) > 0)
        atomic_store(&subscriber->config->stats->caught_up_at, now);
    return err;
}

void svc_subscriber_destroy(svc_subscriber_t *subscriber)
{
    if (subscriber->gathering)
        svc_writer_release(subscriber->gathering);
    if (subscriber->writing)
        svc_writer_release(subscriber->writing);
}
