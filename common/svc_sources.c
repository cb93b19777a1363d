/* svc_sources: see the header. */
#include "svc_sources.h"

#include <string.h>

#include "svc_stats.h"
#include "svc_time.h"

#define MAX_NAME 255 /* bytes, as in the column */

struct svc_sources_t {
    const svc_inbox_t *inbox;
    apr_pool_t *pool;
    apr_hash_t *by_name;
    apr_array_header_t *all; /* svc_source_t * */
    int has_stale;           /* a cursor was overtaken */
};

svc_sources_t *svc_sources_create(const svc_inbox_t *inbox, apr_pool_t *pool)
{
    svc_sources_t *sources = apr_pcalloc(pool, sizeof(*sources));

    sources->inbox = inbox;
    sources->pool = pool;
    sources->by_name = apr_hash_make(pool);
    sources->all = apr_array_make(pool, 4, sizeof(svc_source_t *));
    return sources;
}

const apr_array_header_t *svc_sources_all(const svc_sources_t *sources)
{
    return sources->all;
}

svc_source_t *svc_sources_get(const svc_sources_t *sources, const char *name)
{
    return apr_hash_get(sources->by_name, name, APR_HASH_KEY_STRING);
}

svc_source_t *svc_sources_of(const svc_sources_t *sources,
                             const svc_link_t *link)
{
    int i;

    for (i = 0; i < sources->all->nelts && !link->source; i++) {
        svc_source_t *source = APR_ARRAY_IDX(sources->all, i, svc_source_t *);

        if (source->link == link)
            return source;
    }
    return link->source;
}

svc_err_t *svc_sources_find(svc_source_t **out, svc_sources_t *sources,
                            svc_link_t *link, const char *name, svc_db_t *db,
                            apr_pool_t *scratch)
{
    svc_source_t *source = svc_sources_get(sources, name);
    svc_inbox_cursor_t cursor;
    svc_err_t *err;

    *out = NULL;
    if (!source && (!link->dealer || sources->all->nelts >= SVC_SOURCES_MAX ||
                    strlen(name) > MAX_NAME || !svc_json_is_utf8(name)))
        return NULL;
    if (!source) {
        source = svc_source_create(name, sources->pool);
        apr_hash_set(sources->by_name, source->name, APR_HASH_KEY_STRING,
                     source);
        APR_ARRAY_PUSH(sources->all, svc_source_t *) = source;
    }
    if (!source->link || link->source == source)
        source->link = link;
    *out = source;
    if (source->is_loaded)
        return NULL;
    err = svc_inbox_read_cursor(&cursor, db, sources->inbox, name, scratch);
    if (!err)
        svc_source_load(source, &cursor);
    return err;
}

void svc_sources_overtaken(svc_sources_t *sources, const char *name)
{
    svc_source_t *source = svc_sources_get(sources, name);

    if (source)
        source->is_loaded = 0;
    sources->has_stale = 1;
}

void svc_sources_wrote(svc_sources_t *sources, const char *name,
                       apr_int64_t position, const char *time)
{
    svc_source_t *source = svc_sources_get(sources, name);
    apr_int64_t now = svc_time_ticks();

    if (!source)
        return;
    svc_source_wrote(source, position, now);
    source->event_at = now;
    svc_stats_text(source->event_time, sizeof(source->event_time),
                   time ? time : "");
}

/* At once, not when next something is heard: the other follower may be dead by
 * now. */
svc_err_t *svc_sources_reload(svc_sources_t *sources, svc_db_t *db,
                              apr_int64_t now, apr_pool_t *scratch)
{
    int i;

    for (i = 0; i < sources->all->nelts && sources->has_stale; i++) {
        svc_source_t *source = APR_ARRAY_IDX(sources->all, i, svc_source_t *);
        svc_inbox_cursor_t cursor;
        svc_err_t *err;

        if (source->is_loaded)
            continue;
        if ((err = svc_inbox_read_cursor(&cursor, db, sources->inbox,
                                         source->name, scratch)))
            return err;
        svc_source_reload(source, &cursor, now);
    }
    sources->has_stale = 0;
    return NULL;
}

void svc_sources_doubt(svc_sources_t *sources, const svc_link_t *link)
{
    int i;

    for (i = 0; i < sources->all->nelts; i++) {
        svc_source_t *source = APR_ARRAY_IDX(sources->all, i, svc_source_t *);

        if (source->link == link || link->source == source)
            svc_source_doubt(source);
        if (source->asked == link)
            source->ask_at = 0; /* it will not answer: ask another one */
    }
}
