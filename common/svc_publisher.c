/* svc_publisher: see the header. */
#include "svc_publisher.h"

#include <string.h>

#include <apr_strings.h>

#include "svc_id.h"
#include "svc_log.h"
#include "svc_outage.h"
#include "svc_recent.h"
#include "svc_time.h"

#define HEARTBEAT_MS 1000
#define BIND_AGAIN_MS 500
#define LOOK_MS 200    /* a process may be killed between its commit and the sign
                          of it in the counters */
#define MAX_REQUESTS 4 /* answered in one turn, so that publishing goes on; a
                          ROUTER takes them from its peers in turn */

struct svc_publisher_t {
    const svc_publisher_config_t *config;
    svc_bus_t *bus;
    svc_bus_socket_t *pub;    /* NULL: not bound yet */
    svc_bus_socket_t *router; /* NULL: not bound yet */
    apr_int64_t bind_at;      /* when to try to bind again */
    apr_int64_t heartbeat_at;
    apr_int64_t position;     /* published up to here; -1: not known yet */
    apr_pool_t *pool;         /* cleared for: */
    const char *event_id;     /* of the event there; NULL: see the next */
    svc_stream_entry_t last;  /* the event that was published last */
    int is_doubtful;          /* is that still in the log? */
    int is_astray;            /* it is not */
    apr_int64_t logged;       /* svc_stats_t's, when the log was looked at */
    apr_int64_t look_at;      /* when to look at it in any case */
    svc_outage_t outage;      /* binding fails */
};

svc_publisher_t *svc_publisher_create(const svc_publisher_config_t *config,
                                      svc_bus_t *bus, apr_pool_t *pool)
{
    svc_publisher_t *publisher = apr_pcalloc(pool, sizeof(*publisher));

    publisher->config = config;
    publisher->bus = bus;
    publisher->position = -1;
    apr_pool_create(&publisher->pool, pool);
    return publisher;
}

void svc_publisher_doubt(svc_publisher_t *publisher)
{
    publisher->is_doubtful = 1;
}

int svc_publisher_is_astray(const svc_publisher_t *publisher)
{
    return publisher->is_astray;
}

static svc_err_t *bind_one(svc_bus_socket_t **socket,
                           svc_publisher_t *publisher, svc_bus_kind_t kind,
                           const char *endpoint, apr_pool_t *scratch)
{
    if (*socket || !endpoint)
        return NULL;
    return svc_bus_open(socket, publisher->bus, kind, endpoint, NULL, scratch);
}

/* The last leader may not have let go of the ports yet, so a port in use is
 * tried again and said only once. */
static void bind_sockets(svc_publisher_t *publisher, apr_int64_t now,
                         apr_pool_t *scratch)
{
    const svc_publisher_config_t *config = publisher->config;
    svc_err_t *err;

    if (now < publisher->bind_at)
        return;
    err = bind_one(&publisher->pub, publisher, SVC_BUS_PUB, config->publish,
                   scratch);
    if (!err)
        err = bind_one(&publisher->router, publisher, SVC_BUS_ROUTER,
                       config->replay, scratch);
    if (err) {
        if (svc_outage_begins(&publisher->outage)) {
            svc_log(SVC_LOG_ERR, "SVC020: %s: %s; trying on", config->name,
                    err->detail);
            atomic_store(&config->stats->bind_failed_at, now);
        }
        publisher->bind_at = now + BIND_AGAIN_MS;
    } else {
        const char *outage = svc_outage_ends(&publisher->outage, scratch);

        atomic_store(&config->stats->bind_failed_at, 0);
        if (outage)
            svc_log(SVC_LOG_NOTICE, "SVC021: %s: endpoints bound, %s",
                    config->name, outage);
        publisher->bind_at = APR_INT64_MAX;
    }
}

/* What other processes of this httpd published counts, and what was stored,
 * unless the log is another one now (it was replaced by a shorter one). */
static svc_err_t *find_position(svc_publisher_t *publisher, svc_db_t *db,
                                apr_pool_t *scratch)
{
    const svc_stream_t *stream = publisher->config->stream;
    apr_int64_t shared = atomic_load(&publisher->config->stats->published_to);
    apr_int64_t stored, head, last;
    const char *source;
    svc_err_t *err = svc_stream_published(&stored, db, stream, scratch);

    if (err || (err = svc_stream_head(&source, &head, db, stream, scratch)))
        return err;
    if (shared > head)
        shared = 0;
    if (stored > head)
        stored = head;
    last = shared > stored ? shared : stored;
    err = svc_stream_event_id(&publisher->event_id, db, stream, last,
                              publisher->pool);
    if (!err)
        publisher->position = last;
    return err;
}

/* Which event was published last; NULL when there was none, or none that can be
 * known. It is read when it is needed, not whenever one is published. */
static const char *last_id(svc_publisher_t *publisher, apr_pool_t *scratch)
{
    svc_event_t event;

    if (!publisher->event_id && publisher->last.text &&
        !svc_event_decode(&event, publisher->last.subject,
                          publisher->last.text, strlen(publisher->last.text),
                          scratch))
        publisher->event_id = apr_pstrdup(publisher->pool, event.id);
    return publisher->event_id;
}

/* While the log is shorter than what was published nothing can be compared: it may
 * be of a machine that lags, and followers see it by the heartbeat. */
static svc_err_t *verify(svc_publisher_t *publisher, svc_db_t *db,
                         apr_pool_t *scratch)
{
    const svc_stream_t *stream = publisher->config->stream;
    const char *known = last_id(publisher, scratch), *found = NULL;
    apr_int64_t trimmed = 0;
    svc_err_t *err = NULL;

    if (known)
        err = svc_stream_event_id(&found, db, stream, publisher->position,
                                  scratch);
    if (!err && known && !found)
        err = svc_stream_trimmed(&trimmed, db, stream, scratch);
    if (err)
        return err;
    publisher->is_astray = known && found && strcmp(known, found) != 0;
    publisher->is_doubtful = known && !found && trimmed < publisher->position;
    return NULL;
}

/* Keeps what was published last. */
static void keep(svc_publisher_t *publisher, const svc_stream_entry_t *row)
{
    apr_pool_clear(publisher->pool);
    publisher->event_id = NULL;
    publisher->last.position = publisher->position = row->position;
    publisher->last.subject = apr_pstrdup(publisher->pool, row->subject);
    publisher->last.text = apr_pstrdup(publisher->pool, row->text);
}

static void tell(svc_publisher_t *publisher, const svc_stream_entry_t *row)
{
    svc_bus_frame_t frames[] = { svc_bus_text(row->subject),
                                 svc_bus_text(row->text) };

    svc_bus_send(publisher->pub, frames, 2);
}

static svc_err_t *publish_new(int *again, svc_publisher_t *publisher,
                              svc_db_t *db, apr_int64_t now,
                              apr_pool_t *scratch)
{
    svc_stats_t *stats = publisher->config->stats;
    apr_int64_t logged = atomic_load(&stats->logged); /* before it is read */
    apr_array_header_t *rows;
    svc_err_t *err = NULL;
    int i;

    if (publisher->position < 0)
        err = find_position(publisher, db, scratch);
    if (!err)
        err = svc_stream_read(&rows, db, publisher->config->stream,
                              publisher->position, 1, SVC_REPLAY_MAX_PAGE,
                              scratch);
    if (!err && publisher->is_doubtful) /* of the log that they were read from,
                                           or a later one */
        err = verify(publisher, db, scratch);
    if (err || publisher->is_astray)
        return err;
    for (i = 0; i < rows->nelts; i++) {
        const svc_stream_entry_t *row =
            &APR_ARRAY_IDX(rows, i, svc_stream_entry_t);

        tell(publisher, row);
        if (i >= rows->nelts - SVC_STATS_RECENT)
            svc_recent_remember(stats, 1, row->text, scratch);
    }
    if (rows->nelts)
        keep(publisher, &APR_ARRAY_IDX(rows, rows->nelts - 1,
                                       svc_stream_entry_t));
    atomic_fetch_add(&stats->published, rows->nelts);
    atomic_store(&stats->published_to, publisher->position);
    if (rows->nelts && publisher->position > atomic_load(&stats->head))
        atomic_store(&stats->head, publisher->position);
    if (rows->nelts == SVC_REPLAY_MAX_PAGE) {
        *again = 1;
    } else {
        publisher->logged = logged;
        publisher->look_at = now + LOOK_MS;
    }
    return NULL;
}

static svc_err_t *send_heartbeat(svc_publisher_t *publisher, svc_db_t *db,
                                 apr_int64_t now, apr_pool_t *scratch)
{
    svc_event_t event = { .id = svc_id_new(scratch),
                          .type = SVC_EVENT_HEARTBEAT,
                          .time = svc_time_now(),
                          .data = svc_json_object(scratch) };
    svc_bus_frame_t frames[2];
    svc_err_t *err = svc_stream_head(&event.source, &event.position, db,
                                     publisher->config->stream, scratch);

    if (err)
        return err;
    svc_json_set_int(event.data, "head", event.position);
    frames[0] = svc_bus_text(SVC_EVENT_HEARTBEAT);
    frames[1] = svc_bus_text(svc_event_encode(&event, scratch));
    svc_bus_send(publisher->pub, frames, 2);
    publisher->heartbeat_at = now + HEARTBEAT_MS;
    return NULL;
}

/* --- those who missed something ------------------------------------------------ */

static void add_text(apr_array_header_t *answer, const char *text)
{
    APR_ARRAY_PUSH(answer, svc_bus_frame_t) = svc_bus_text(text);
}

static svc_err_t *answer_request(svc_publisher_t *publisher, svc_db_t *db,
                                 const svc_bus_frame_t *frames, int count,
                                 apr_pool_t *scratch)
{
    const svc_publisher_config_t *config = publisher->config;
    apr_array_header_t *answer =
        apr_array_make(scratch, 8, sizeof(svc_bus_frame_t));
    int skip = count > 1 && frames[1].length == 0 ? 2 : 1; /* REQ's delimiter */
    svc_err_t *err;
    int i;

    for (i = 0; i < skip; i++)
        APR_ARRAY_PUSH(answer, svc_bus_frame_t) = frames[i];
    err = svc_replay_answer(answer, frames + skip, count - skip, db,
                            config->stream, config->state, scratch);
    if (err) {
        add_text(answer, "ERROR");
        add_text(answer, err->message);
    }
    svc_bus_send(publisher->router, (svc_bus_frame_t *)answer->elts,
                 answer->nelts);
    atomic_fetch_add(&config->stats->replays, 1);
    return err;
}

static svc_err_t *answer_requests(int *again, svc_publisher_t *publisher,
                                  svc_db_t *db, apr_pool_t *scratch)
{
    svc_bus_frame_t *frames;
    int i;

    for (i = 0; i < MAX_REQUESTS; i++) {
        int count = svc_bus_receive(&frames, publisher->router, scratch);
        svc_err_t *err;

        if (count == 0)
            return NULL;
        if (count < 0)
            continue; /* dropped: its sender's frames are not even kept */
        err = answer_request(publisher, db, frames, count, scratch);
        if (err)
            return err;
    }
    *again = 1;
    return NULL;
}

svc_err_t *svc_publisher_turn(int *again, svc_publisher_t *publisher,
                              svc_db_t *db, apr_int64_t now,
                              apr_pool_t *scratch)
{
    int is_due = now >= publisher->heartbeat_at;
    svc_err_t *err = NULL;

    bind_sockets(publisher, now, scratch);
    publisher->is_doubtful |= is_due;
    if (publisher->pub && (publisher->is_doubtful ||
                           atomic_load(&publisher->config->stats->logged) !=
                               publisher->logged ||
                           now >= publisher->look_at))
        err = publish_new(again, publisher, db, now, scratch);
    if (!err && publisher->pub && is_due && !publisher->is_astray)
        err = send_heartbeat(publisher, db, now, scratch);
    if (!err && publisher->router && !publisher->is_astray)
        err = answer_requests(again, publisher, db, scratch);
    return err;
}
