/* svc_link: see the header. */
#include "svc_link.h"

#include <string.h>

#include <apr_strings.h>

#include "svc_time.h"

#define INTRODUCE_MS 200 /* between requests for the source's name */

svc_err_t *svc_link_open(svc_link_t **out, const svc_link_peer_t *peer,
                         const char *const *subjects, svc_bus_t *bus,
                         apr_pool_t *pool)
{
    svc_link_t *link = apr_pcalloc(pool, sizeof(*link));
    svc_err_t *err = svc_bus_open(&link->sub, bus, SVC_BUS_SUB, peer->publish,
                                  peer->server_key, pool);
    int i;

    link->peer = peer;
    link->opened_at = svc_time_ticks();
    if (!err && peer->replay)
        err = svc_bus_open(&link->dealer, bus, SVC_BUS_DEALER, peer->replay,
                           peer->server_key, pool);
    if (err)
        return err;
    for (i = 0; subjects[i]; i++)
        svc_bus_subscribe(link->sub, subjects[i]);
    svc_bus_subscribe(link->sub, SVC_EVENT_HEARTBEAT);
    *out = link;
    return NULL;
}

/* Asks for LIMIT events after FROM in the log SOURCE. False when nobody is
 * there to be asked. */
static int ask_replay(svc_link_t *link, const char *source,
                      const svc_inbox_cursor_t *from, int limit,
                      apr_pool_t *scratch)
{
    svc_bus_frame_t frames[] = {
        svc_bus_text("REPLAY"), svc_bus_text(source),
        svc_bus_text(svc_db_arg(from->position, scratch)),
        svc_bus_text(from->event_id),
        svc_bus_text(apr_itoa(scratch, limit))
    };

    return svc_bus_send(link->dealer, frames, 5);
}

void svc_link_introduce(svc_link_t *link, apr_int64_t now, apr_pool_t *scratch)
{
    static const svc_inbox_cursor_t nothing = { 0, "" };

    if (!link->dealer || link->source || now < link->ask_at)
        return;
    link->introductions += ask_replay(link, "", &nothing, 0, scratch);
    link->ask_at = now + INTRODUCE_MS;
}

int svc_link_ask(svc_link_t *link, const svc_source_t *source,
                 const svc_inbox_cursor_t *from, apr_pool_t *scratch)
{
    return ask_replay(link, source->name, from, SVC_LINK_MAX_PAGE, scratch);
}

int svc_link_ask_snapshot(svc_link_t *link, const svc_source_t *source,
                          apr_pool_t *scratch)
{
    svc_bus_frame_t frames[] = {
        svc_bus_text("SNAPSHOT"), svc_bus_text(source->name),
        svc_bus_text(svc_db_arg(source->snapshot.position, scratch)),
        svc_bus_text(source->snapshot.event_id), svc_bus_text(source->after),
        svc_bus_text(apr_itoa(scratch, SVC_LINK_MAX_PAGE))
    };

    return svc_bus_send(link->dealer, frames, 6);
}

void svc_link_listen(svc_link_t *link, int on)
{
    svc_bus_listen(link->sub, on);
    if (link->dealer)
        svc_bus_listen(link->dealer, on);
}

void svc_link_tell(const svc_link_t *link, svc_source_t *source,
                   svc_stats_t *stats, int index, apr_int64_t now)
{
    svc_stats_peer_t peer = { .opened_at = link->opened_at,
                              .heard_at = link->heard_at,
                              .event_at = link->event_at,
                              .has_replay = link->dealer != NULL,
                              .is_complete = !link->dealer };

    svc_stats_text(peer.endpoint, sizeof(peer.endpoint), link->peer->publish);
    if (source) {
        svc_source_mark(source, now);
        svc_stats_text(peer.source, sizeof(peer.source), source->name);
        peer.position = source->written;
        peer.head = source->head;
        peer.is_complete = svc_source_is_complete(source) &&
                           source->written == source->tail.position;
        peer.moved_at = source->moved_at;
        peer.marked_at = source->marked_at;
        peer.event_at = source->event_at;
        memcpy(peer.event_time, source->event_time, sizeof(peer.event_time));
    }
    svc_stats_set_peer(stats, index, &peer);
}
