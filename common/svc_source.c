/* svc_source: see the header. */
#include "svc_source.h"

#include <apr_strings.h>

#define SILENCE_MS 3000   /* a heartbeat comes every second */
#define ASK_AGAIN_MS 1000 /* when a request was not answered */
#define OVERTAKEN_MS 100  /* for the other follower to take it as well */

svc_source_t *svc_source_create(const char *name, apr_pool_t *pool)
{
    svc_source_t *source = apr_pcalloc(pool, sizeof(*source));

    source->name = apr_pstrdup(pool, name);
    return source;
}

void svc_source_load(svc_source_t *source, const svc_inbox_cursor_t *cursor)
{
    svc_source_take(source, cursor->position, cursor->event_id);
    source->is_loaded = 1;
    source->is_doubtful = cursor->position > 0;
}

void svc_source_reload(svc_source_t *source, const svc_inbox_cursor_t *cursor,
                       apr_int64_t now)
{
    svc_source_take(source, cursor->position, cursor->event_id);
    if (source->head < cursor->position)
        source->head = cursor->position; /* the other one has heard more */
    if (source->ask_at > now + OVERTAKEN_MS)
        source->ask_at = now + OVERTAKEN_MS;
    source->is_loaded = 1;
}

void svc_source_hear(svc_source_t *source, apr_int64_t head, apr_int64_t now)
{
    source->head = head;
    if (head < source->tail.position || now - source->heard_at > SILENCE_MS)
        source->is_doubtful = source->tail.position > 0;
    source->heard_at = now;
}

svc_source_place_t svc_source_place(const svc_source_t *source,
                                    apr_int64_t position)
{
    if (position <= source->tail.position)
        return SVC_SOURCE_KNOWN;
    return position == source->tail.position + 1 && !source->is_doubtful &&
                   !source->has_diverged
               ? SVC_SOURCE_NEXT
               : SVC_SOURCE_LATER;
}

void svc_source_take(svc_source_t *source, apr_int64_t position,
                     const char *event_id)
{
    source->tail.position = position;
    apr_cpystrn(source->event_id, event_id, sizeof(source->event_id));
    source->tail.event_id = source->event_id;
}

void svc_source_confirm(svc_source_t *source)
{
    if (source->head < source->tail.position)
        return; /* it could not compare */
    source->is_doubtful = 0;
    source->has_reset = 0;
}

int svc_source_reset(svc_source_t *source, apr_int64_t head, apr_int64_t now)
{
    int had_reset = source->has_reset, had_diverged = source->has_diverged;

    svc_source_hear(source, head, now);
    source->has_reset = 1;
    source->has_diverged |= head >= source->tail.position;
    return !had_reset || source->has_diverged != had_diverged;
}

int svc_source_is_complete(const svc_source_t *source)
{
    return !source->is_loaded ||
           (source->head == source->tail.position && !source->is_doubtful);
}

int svc_source_wants_more(svc_source_t *source, apr_int64_t now)
{
    if (svc_source_is_complete(source) || source->has_diverged ||
        now < source->ask_at)
        return 0;
    source->ask_at = now + ASK_AGAIN_MS;
    return 1;
}
