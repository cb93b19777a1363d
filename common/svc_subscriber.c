/* svc_subscriber: see the header. */
#include "svc_subscriber.h"

#include <string.h>

#include <apr_strings.h>

#include "svc_gather.h"
#include "svc_log.h"
#include "svc_sources.h"
#include "svc_time.h"

#define MAX_TAKEN 200      /* messages taken from a socket in one turn */

struct svc_subscriber_t {
    const svc_subscriber_config_t *config;
    apr_pool_t *pool;
    apr_array_header_t *links; /* svc_link_t * */
    svc_sources_t *sources;
    svc_gather_config_t gather_config;
    svc_gather_t *gather;
};

/* What every step of a turn needs. */
typedef struct turn_t {
    svc_subscriber_t *subscriber;
    svc_db_t *db;
    apr_int64_t now;
    apr_pool_t *scratch;
} turn_t;

static void written(void *baton, const svc_batch_move_t *move, const char *time)
{
    svc_subscriber_t *subscriber = baton;

    if (move->moved)
        svc_sources_wrote(subscriber->sources, move->source, move->to.position,
                          time);
    else
        svc_sources_overtaken(subscriber->sources, move->source);
}

svc_subscriber_t *svc_subscriber_create(const svc_subscriber_config_t *config,
                                        svc_bus_t *bus, apr_pool_t *pool)
{
    svc_subscriber_t *subscriber = apr_pcalloc(pool, sizeof(*subscriber));
    int i;

    subscriber->config = config;
    subscriber->pool = pool;
    subscriber->links = apr_array_make(pool, 4, sizeof(svc_link_t *));
    subscriber->sources = svc_sources_create(config->inbox, pool);
    subscriber->gather_config = (svc_gather_config_t){
        config->name, config->inbox, config->handler, config->writer,
        config->stats
    };
    subscriber->gather = svc_gather_create(&subscriber->gather_config,
                                           written, subscriber, pool);
    for (i = 0; i < config->peers->nelts; i++) {
        svc_link_t *link;
        svc_err_t *err = svc_link_open(
            &link, &APR_ARRAY_IDX(config->peers, i, svc_link_peer_t),
            config->subjects, bus, pool);

        if (err)
            svc_log(SVC_LOG_ERR, "SVC031: %s: %s", config->name, err->detail);
        else
            APR_ARRAY_PUSH(subscriber->links, svc_link_t *) = link;
    }
    for (i = 0; i < subscriber->links->nelts; i++)
        svc_link_tell(APR_ARRAY_IDX(subscriber->links, i, svc_link_t *), NULL,
                      config->stats, i, svc_time_ticks());
    return subscriber;
}

/* --- what arrives -------------------------------------------------------------- */

/* An event of the log of SOURCE, live or replayed. */
static void take_event(const turn_t *turn, svc_source_t *source,
                       const char *subject, const svc_event_t *event)
{
    svc_subscriber_t *subscriber = turn->subscriber;

    svc_source_hear(source, event->position > source->head ? event->position
                                                           : source->head,
                    turn->now);
    switch (svc_source_place(source, event->position)) {
    case SVC_SOURCE_NEXT:
        svc_gather_event(subscriber->gather, source, subject, event);
        break;
    case SVC_SOURCE_KNOWN:
        atomic_fetch_add(&subscriber->config->stats->duplicates, 1);
        break;
    case SVC_SOURCE_LATER: /* what is missing is asked for */
        break;
    }
}

static svc_err_t *take_message(const turn_t *turn, svc_link_t *link,
                               const svc_bus_frame_t *frames)
{
    svc_subscriber_t *subscriber = turn->subscriber;
    svc_source_t *source;
    svc_event_t event;
    svc_err_t *err = svc_event_decode(&event, frames[0].data, frames[1].data,
                                      frames[1].length, turn->scratch);

    link->event_at = turn->now;
    atomic_fetch_add(&subscriber->config->stats->received, 1);
    if (err) {
        svc_gather_bad(subscriber->gather, NULL, frames, 2, err->message);
        return NULL;
    }
    if ((err = svc_sources_find(&source, subscriber->sources, link,
                                event.source, turn->db, turn->scratch)))
        return err;
    if (source && event.position > 0)
        take_event(turn, source, frames[0].data, &event);
    else
        svc_gather_event(subscriber->gather, NULL, frames[0].data, &event);
    return NULL;
}

static svc_err_t *take_heartbeat(const turn_t *turn, svc_link_t *link,
                                 const svc_bus_frame_t *frames)
{
    svc_source_t *source;
    svc_event_t event;
    svc_err_t *err = svc_event_decode(&event, frames[0].data, frames[1].data,
                                      frames[1].length, turn->scratch);

    if (err) {
        svc_gather_bad(turn->subscriber->gather, NULL, frames, 2,
                       err->message);
        return NULL;
    }
    err = svc_sources_find(&source, turn->subscriber->sources, link,
                           event.source, turn->db, turn->scratch);
    if (source)
        svc_source_hear(source, event.position, turn->now);
    return err;
}

static svc_err_t *take_live(int *again, const turn_t *turn, svc_link_t *link)
{
    svc_bus_frame_t *frames;
    svc_err_t *err = NULL;
    int i, count;

    for (i = 0; i < MAX_TAKEN && !err; i++) {
        if (svc_gather_is_full(turn->subscriber->gather) ||
            (count = svc_bus_receive(&frames, link->sub, turn->scratch)) == 0)
            return NULL;
        link->heard_at = turn->now;
        if (svc_bus_was_lost(link->sub))
            svc_sources_doubt(turn->subscriber->sources, link);
        if (count != 2)
            svc_gather_bad(turn->subscriber->gather, NULL, frames,
                           count < 0 ? 1 : count,
                           "a message has two frames: subject and event");
        else if (strcmp(frames[0].data, SVC_EVENT_HEARTBEAT) == 0)
            err = take_heartbeat(turn, link, frames);
        else
            err = take_message(turn, link, frames);
    }
    *again = 1;
    return err;
}

/* --- what is answered ------------------------------------------------------------ */

/* No good answer came: SENTENCE was, or something that is none. It is asked
 * again, but said only once. */
static void complain(const svc_subscriber_t *subscriber, svc_link_t *link,
                     const char *sentence)
{
    const char *name = subscriber->config->name;

    if (link->has_refused)
        return;
    link->has_refused = 1;
    if (sentence)
        svc_log(SVC_LOG_WARNING, "SVC033: %s: %s refuses a replay: %s", name,
                link->peer->replay, sentence);
    else
        svc_log(SVC_LOG_WARNING,
                "SVC034: %s: %s sent an answer that is none of EVENTS, "
                "SNAPSHOT, RESET and ERROR",
                name, link->peer->replay);
}

/* LINK speaks for the log NAME. */
static svc_err_t *introduce(svc_source_t **out, const turn_t *turn,
                            svc_link_t *link, const char *name)
{
    svc_err_t *err = svc_sources_find(out, turn->subscriber->sources, link,
                                      name, turn->db, turn->scratch);

    if (err || !*out)
        return err;
    link->source = *out;
    (*out)->link = link;
    return NULL;
}

static void take_reset(const turn_t *turn, const svc_bus_frame_t *frames)
{
    svc_source_t *source = svc_sources_get(turn->subscriber->sources,
                                           frames[1].data);

    if (source && source->is_loaded &&
        svc_source_reset(source, apr_atoi64(frames[2].data), turn->now))
        svc_log(SVC_LOG_WARNING,
                "SVC032: %s: the log of %s is not the one that was followed "
                "up to position %" APR_INT64_T_FMT " (restored from a "
                "backup?): its state is taken anew",
                turn->subscriber->config->name, source->name,
                source->tail.position);
}

/* A page of so many EVENTS came, the last of which is in FRAMES: the next one is
 * asked for before it is read, so that nobody waits for the other. */
static void ask_ahead(const turn_t *turn, svc_link_t *link,
                      svc_source_t *source, const svc_bus_frame_t *frames,
                      int events)
{
    svc_inbox_cursor_t from;
    svc_event_t last;

    source->ask_at = 0;
    if (svc_event_decode(&last, frames[0].data, frames[1].data,
                         frames[1].length, turn->scratch) ||
        source->is_doubtful || source->needs_snapshot ||
        last.position != source->tail.position + events ||
        last.position >= source->head)
        return; /* then it is asked when this page was read */
    from.position = last.position;
    from.event_id = last.id;
    svc_link_ask(link, source, &from, turn->scratch);
    svc_source_asked(source, turn->now);
}

/* Is what stands in FRAMES an event of the log of SOURCE? REASON says why not. */
static int is_of_log(svc_event_t *event, const char **reason,
                     const svc_bus_frame_t *frames, const svc_source_t *source,
                     apr_pool_t *scratch)
{
    svc_err_t *err = svc_event_decode(event, frames[0].data, frames[1].data,
                                      frames[1].length, scratch);

    *reason = err ? err->message
                  : "it is in a log, and its source and sequence are not of it";
    return !err && event->position > 0 &&
           strcmp(event->source, source->name) == 0;
}

/* Where the page in COUNT frames begins, by the first event that can be read; 0
 * when none can. */
static apr_int64_t first_position(const svc_bus_frame_t *frames, int count,
                                  const svc_source_t *source,
                                  apr_pool_t *scratch)
{
    const char *reason;
    svc_event_t event;
    int i;

    for (i = 0; i + 1 < count; i += 2) {
        if (is_of_log(&event, &reason, &frames[i], source, scratch))
            return event.position - i / 2;
    }
    return 0;
}

/* What stands at POSITION of the log. Bad or not, the log goes on after it. */
static void take_replayed(const turn_t *turn, svc_source_t *source,
                          const svc_bus_frame_t *frames, apr_int64_t position)
{
    const char *reason;
    svc_event_t event;

    atomic_fetch_add(&turn->subscriber->config->stats->received, 1);
    if (is_of_log(&event, &reason, frames, source, turn->scratch))
        take_event(turn, source, frames[0].data, &event);
    else if (svc_source_place(source, position) == SVC_SOURCE_NEXT)
        svc_gather_bad(turn->subscriber->gather, source, frames, 2, reason);
}

/* EVENTS source head (subject event)* */
static svc_err_t *take_events(const turn_t *turn, svc_link_t *link,
                              const svc_bus_frame_t *frames, int count)
{
    svc_source_t *source;
    apr_int64_t position;
    svc_err_t *err = introduce(&source, turn, link, frames[1].data);
    int i;

    if (err || !source)
        return err;
    position = first_position(&frames[3], count - 3, source, turn->scratch);
    if (count > 3 && position == 0) {
        complain(turn->subscriber, link, NULL);
        return NULL;
    }
    if (!*source->tail.event_id &&
        apr_atoi64(frames[2].data) < source->tail.position) {
        take_reset(turn, frames); /* nothing was named that it could compare */
        return NULL;
    }
    svc_source_hear(source, apr_atoi64(frames[2].data), turn->now);
    link->has_refused = 0;
    if (link->introductions > 0)
        link->introductions--; /* that request named no event */
    else
        svc_source_confirm(source);
    if (count > 3)
        ask_ahead(turn, link, source, &frames[count - 2], (count - 3) / 2);
    for (i = 3; i + 1 < count; i += 2, position++)
        take_replayed(turn, source, &frames[i], position);
    return NULL;
}

/* SNAPSHOT source position event-id after last (subject event)* */
static void take_page(const turn_t *turn, const svc_bus_frame_t *frames,
                      int count)
{
    svc_subscriber_t *subscriber = turn->subscriber;
    svc_source_t *source = svc_sources_get(subscriber->sources,
                                           frames[1].data);
    const char *after = frames[4].data, *last = frames[5].data;
    svc_batch_move_t move = { .source = frames[1].data };

    if (!source || !source->is_loaded)
        return;
    move.from.position = source->tail.position;
    move.from.event_id = apr_pstrdup(turn->scratch, source->tail.event_id);
    move.to.position = apr_atoi64(frames[2].data);
    move.to.event_id = frames[3].data;
    if (!svc_source_take_page(source, &move.to, after, last))
        return; /* not what was asked for */
    svc_gather_page(subscriber->gather, &move, after, last, &frames[6],
                    count - 6, turn->scratch);
}

static svc_err_t *take_answer(const turn_t *turn, svc_link_t *link,
                              const svc_bus_frame_t *frames, int count)
{
    const char *kind = frames[0].data;

    if (strcmp(kind, "EVENTS") == 0 && count >= 3 && count % 2 == 1)
        return take_events(turn, link, frames, count);
    if (strcmp(kind, "SNAPSHOT") == 0 && count >= 6 && count % 2 == 0) {
        take_page(turn, frames, count);
        return NULL;
    }
    if (strcmp(kind, "RESET") == 0 && count == 3) {
        take_reset(turn, frames);
        return NULL;
    }
    complain(turn->subscriber, link,
             strcmp(kind, "ERROR") == 0 && count == 2 ? frames[1].data : NULL);
    return NULL;
}

/* Requests and answers were lost with the connection; what has come before that
 * may be of another log than what comes now. */
static void start_over(const turn_t *turn, svc_link_t *link)
{
    svc_bus_frame_t *frames;

    while (svc_bus_receive(&frames, link->dealer, turn->scratch))
        ;
    link->introductions = 0;
    svc_sources_doubt(turn->subscriber->sources, link);
}

static svc_err_t *take_answers(int *again, const turn_t *turn,
                               svc_link_t *link)
{
    svc_bus_frame_t *frames;
    svc_err_t *err = NULL;
    int i, count;

    if (svc_bus_was_lost(link->dealer))
        start_over(turn, link);
    for (i = 0; i < MAX_TAKEN && !err; i++) {
        if (svc_gather_is_full(turn->subscriber->gather) ||
            (count = svc_bus_receive(&frames, link->dealer, turn->scratch)) ==
                0)
            return NULL;
        link->heard_at = turn->now;
        if (count > 0)
            err = take_answer(turn, link, frames, count);
    }
    *again = 1;
    return err;
}

/* --- what is asked ------------------------------------------------------------- */

/* Who to ask: who spoke for it last; but the next one that does, if a request
 * brought nothing: the machine that was asked may lag, or be gone. */
static svc_link_t *choose_link(const svc_subscriber_t *subscriber,
                               const svc_source_t *source)
{
    const apr_array_header_t *links = subscriber->links;
    int i, at = 0;

    if (!source->is_unanswered)
        return source->link;
    while (at < links->nelts &&
           APR_ARRAY_IDX(links, at, svc_link_t *) != source->asked)
        at++;
    for (i = 1; i <= links->nelts; i++) {
        svc_link_t *link = APR_ARRAY_IDX(links, (at + i) % links->nelts,
                                         svc_link_t *);

        if (link->source == source)
            return link;
    }
    return source->link;
}

/* Asks for what is missing of SOURCE, the first of its machines that is there. */
static void ask(const turn_t *turn, svc_source_t *source)
{
    const svc_subscriber_t *subscriber = turn->subscriber;
    int was_sent = 0, i;

    for (i = 0; i < subscriber->links->nelts && !was_sent; i++) {
        source->asked = choose_link(subscriber, source);
        source->is_unanswered = 1;
        was_sent = source->needs_snapshot
                       ? svc_link_ask_snapshot(source->asked, source,
                                               turn->scratch)
                       : svc_link_ask(source->asked, source, &source->tail,
                                      turn->scratch);
    }
}

/* Asks for what is missing; returns whether everything known is there. */
static int ask_sources(const turn_t *turn)
{
    svc_subscriber_t *subscriber = turn->subscriber;
    const apr_array_header_t *all = svc_sources_all(subscriber->sources);
    int i, is_complete = 1;

    for (i = 0; i < all->nelts; i++) {
        svc_source_t *source = APR_ARRAY_IDX(all, i, svc_source_t *);

        is_complete = is_complete && svc_source_is_complete(source);
        if (svc_gather_is_full(subscriber->gather) ||
            !svc_source_wants_more(source, turn->now))
            continue;
        ask(turn, source);
    }
    return is_complete;
}

svc_err_t *svc_subscriber_turn(int *again, svc_subscriber_t *subscriber,
                               svc_db_t *db, apr_int64_t now,
                               apr_pool_t *scratch)
{
    turn_t turn = { subscriber, db, now, scratch };
    svc_err_t *err;
    int i, is_complete, is_full;

    svc_gather_look(subscriber->gather, now);
    err = svc_sources_reload(subscriber->sources, db, now, scratch);
    for (i = 0; i < subscriber->links->nelts && !err; i++) {
        svc_link_t *link = APR_ARRAY_IDX(subscriber->links, i, svc_link_t *);

        err = take_live(again, &turn, link);
        if (!err && link->dealer)
            err = take_answers(again, &turn, link);
    }
    svc_gather_hand_in(subscriber->gather, now);
    is_complete = ask_sources(&turn);
    is_full = svc_gather_is_full(subscriber->gather);
    for (i = 0; i < subscriber->links->nelts; i++) {
        svc_link_t *link = APR_ARRAY_IDX(subscriber->links, i, svc_link_t *);

        svc_link_introduce(link, now, scratch);
        svc_link_listen(link, !is_full); /* there is no room for more */
        svc_link_tell(link, svc_sources_of(subscriber->sources, link),
                      subscriber->config->stats, i, now);
    }
    if (!err && is_complete && svc_gather_is_idle(subscriber->gather) &&
        svc_sources_all(subscriber->sources)->nelts > 0)
        atomic_store(&subscriber->config->stats->caught_up_at, now);
    return err;
}

void svc_subscriber_destroy(svc_subscriber_t *subscriber)
{
    svc_gather_destroy(subscriber->gather);
}
