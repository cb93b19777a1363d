/* svc_source: see the header. */
#include "svc_source.h"

#include <string.h>

#include <apr_strings.h>

#define SILENCE_MS 3000   /* a heartbeat comes every second */
#define ASK_AGAIN_MS 1000 /* when a request was not answered */
#define OVERTAKEN_MS 100  /* for the other follower to take it as well */

svc_source_t *svc_source_create(const char *name, apr_pool_t *pool)
{
    svc_source_t *source = apr_pcalloc(pool, sizeof(*source));

    source->name = apr_pstrdup(pool, name);
    source->tail.event_id = source->event_id;
    source->snapshot.event_id = source->snapshot_id;
    source->after = source->last;
    return source;
}

/* A page that nobody waits for: it would lead back. */
static int is_stale(const svc_source_t *source, const svc_inbox_cursor_t *at,
                    const char *after)
{
    if (strcmp(after, source->last) != 0)
        return 1;
    if (source->snapshot.position > 0)
        return at->position != source->snapshot.position ||
               strcmp(at->event_id, source->snapshot_id) != 0;
    return !source->needs_snapshot && at->position <= source->tail.position;
}

static void forget_snapshot(svc_source_t *source)
{
    source->snapshot.position = 0;
    source->snapshot_id[0] = '\0';
    source->last[0] = '\0';
}

void svc_source_load(svc_source_t *source, const svc_inbox_cursor_t *cursor)
{
    svc_source_take(source, cursor->position, cursor->event_id);
    source->written = cursor->position;
    source->is_loaded = 1;
    source->is_doubtful = cursor->position > 0;
    source->reset_at = 0;
    source->needs_snapshot = 0;
    forget_snapshot(source);
}

void svc_source_reload(svc_source_t *source, const svc_inbox_cursor_t *cursor,
                       apr_int64_t now)
{
    svc_source_take(source, cursor->position, cursor->event_id);
    svc_source_wrote(source, cursor->position, now);
    if (source->head < cursor->position)
        source->head = cursor->position; /* the other one has heard more */
    if (source->ask_at > now + OVERTAKEN_MS)
        source->ask_at = now + OVERTAKEN_MS;
    source->is_loaded = 1;
    source->needs_snapshot = 0;
    forget_snapshot(source);
}

void svc_source_doubt(svc_source_t *source)
{
    source->is_doubtful = 1;
}

void svc_source_hear(svc_source_t *source, apr_int64_t head, apr_int64_t now)
{
    int was_silent = now - source->heard_at > SILENCE_MS;

    source->head = head;
    if ((head < source->tail.position || was_silent) &&
        source->tail.position > 0)
        source->is_doubtful = 1;
    if (was_silent)
        source->reset_at = 0; /* it has had no time to catch up */
    source->heard_at = now;
}

svc_source_place_t svc_source_place(const svc_source_t *source,
                                    apr_int64_t position)
{
    if (source->needs_snapshot)
        return SVC_SOURCE_LATER;
    if (position <= source->tail.position)
        return SVC_SOURCE_KNOWN;
    return position == source->tail.position + 1 && !source->is_doubtful
               ? SVC_SOURCE_NEXT
               : SVC_SOURCE_LATER;
}

void svc_source_take(svc_source_t *source, apr_int64_t position,
                     const char *event_id)
{
    source->tail.position = position;
    apr_cpystrn(source->event_id, event_id, sizeof(source->event_id));
}

void svc_source_confirm(svc_source_t *source)
{
    if (source->head < source->tail.position)
        return; /* it could not compare */
    source->is_doubtful = 0;
    source->is_unanswered = 0;
    source->reset_at = 0;
}

int svc_source_reset(svc_source_t *source, apr_int64_t head, apr_int64_t now)
{
    svc_source_hear(source, head, now);
    forget_snapshot(source);
    if (source->reset_at == 0)
        source->reset_at = now;
    if (source->needs_snapshot ||
        (head < source->tail.position &&
         now - source->reset_at < SVC_SOURCE_LAG_MS))
        return 0;
    source->needs_snapshot = 1;
    source->ask_at = 0;
    return 1;
}

int svc_source_take_page(svc_source_t *source, const svc_inbox_cursor_t *at,
                         const char *after, const char *last)
{
    if (is_stale(source, at, after) ||
        strlen(at->event_id) >= sizeof(source->event_id) ||
        (*last && (at->position == 0 || strcmp(last, after) <= 0)))
        return 0;
    source->ask_at = 0;
    source->is_unanswered = 0;
    if (!*last) {
        svc_source_take(source, at->position, at->event_id);
        source->needs_snapshot = source->is_doubtful = 0;
        source->reset_at = 0;
        forget_snapshot(source);
        return 1;
    }
    source->needs_snapshot = 1;
    source->snapshot.position = at->position;
    apr_cpystrn(source->snapshot_id, at->event_id, sizeof(source->snapshot_id));
    apr_cpystrn(source->last, last, sizeof(source->last));
    return 1;
}

void svc_source_wrote(svc_source_t *source, apr_int64_t position,
                      apr_int64_t now)
{
    source->written = position;
    source->moved_at = now;
}

void svc_source_mark(svc_source_t *source, apr_int64_t now)
{
    if (source->marked_at &&
        (source->written < source->mark || source->is_doubtful ||
         source->needs_snapshot))
        return;
    source->mark = source->head;
    source->marked_at = now;
}

int svc_source_is_complete(const svc_source_t *source)
{
    return !source->is_loaded ||
           (source->head == source->tail.position && !source->is_doubtful &&
            !source->needs_snapshot);
}

void svc_source_asked(svc_source_t *source, apr_int64_t now)
{
    source->ask_at = now + ASK_AGAIN_MS;
}

int svc_source_wants_more(svc_source_t *source, apr_int64_t now)
{
    if (svc_source_is_complete(source) || now < source->ask_at)
        return 0;
    svc_source_asked(source, now);
    return 1;
}
