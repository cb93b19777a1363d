/* svc_ap_status_json: see the header. */
#include "svc_ap_status_json.h"

#include <math.h>

#include <apr_strings.h>

#include "svc_time.h"
#include "svc_version.h"

static void set_text(svc_json_t *json, const char *name, const char *text)
{
    if (text && *text)
        svc_json_set_string(json, name, text);
    else
        svc_json_set_null(json, name);
}

static void set_count(svc_json_t *json, const char *name,
                      const atomic_llong *counter)
{
    svc_json_set_int(json, name, svc_ap_status_view_count(counter));
}

/* Three decimals are enough for milliseconds and means. */
static void set_rounded(svc_json_t *json, const char *name, double value)
{
    svc_json_set_number(json, name, round(value * 1000) / 1000);
}

/* --- what is wrong --------------------------------------------------------------- */

static svc_json_t *problems(const svc_ap_status_view_t *view)
{
    svc_json_t *array = svc_json_array(view->pool);
    int i;

    for (i = 0; i < view->health->problems->nelts; i++) {
        const svc_health_problem_t *problem = &APR_ARRAY_IDX(
            view->health->problems, i, svc_health_problem_t);
        svc_json_t *json = svc_json_object(view->pool);

        svc_json_set_string(json, "what", problem->what);
        set_text(json, "since",
                 problem->since ? svc_time_format(problem->since, view->pool)
                                : NULL);
        svc_json_set_string(json, "message", problem->message);
        svc_json_append(array, json);
    }
    return array;
}

/* --- requests ------------------------------------------------------------------------ */

static svc_json_t *statuses(const svc_ap_status_view_route_t *route,
                            apr_pool_t *pool)
{
    svc_json_t *json = svc_json_object(pool);
    int i;

    for (i = 0; i < SVC_STATS_STATUSES; i++) {
        int status = svc_stats_status(i);

        if (route->status[i])
            svc_json_set_int(json, status ? apr_itoa(pool, status) : "other",
                             route->status[i]);
    }
    return json;
}

static svc_json_t *latency(const svc_ap_status_view_route_t *route,
                           apr_pool_t *pool)
{
    svc_json_t *json = svc_json_object(pool);
    svc_json_t *buckets = svc_json_array(pool);
    long long all[SVC_STATS_BUCKETS] = { 0 }, count = 0, sum_us = 0;
    int i, k;

    for (k = 0; k < SVC_STATS_CLASSES; k++) {
        sum_us += route->sum_us[k];
        for (i = 0; i < SVC_STATS_BUCKETS; i++) {
            all[i] += route->bucket[k][i];
            count += route->bucket[k][i];
        }
    }
    svc_json_set_int(json, "count", count);
    svc_json_set_number(json, "sumSeconds", (double)sum_us / 1000000);
    if (count) {
        set_rounded(json, "p50Ms", svc_stats_quantile(all, 0.5));
        set_rounded(json, "p99Ms", svc_stats_quantile(all, 0.99));
    } else {
        svc_json_set_null(json, "p50Ms");
        svc_json_set_null(json, "p99Ms");
    }
    for (i = 0; i < SVC_STATS_BUCKETS; i++)
        svc_json_append_number(buckets, (double)all[i]);
    svc_json_set(json, "buckets", buckets);
    return json;
}

static svc_json_t *latency_bounds(apr_pool_t *pool)
{
    svc_json_t *array = svc_json_array(pool);
    int i;

    for (i = 0; svc_stats_bound(i) >= 0; i++)
        svc_json_append_number(array, (double)svc_stats_bound(i) / 1000);
    return array;
}

static svc_json_t *requests(const svc_ap_status_view_t *view)
{
    svc_json_t *array = svc_json_array(view->pool);
    int i;

    for (i = 0; i < view->routes->nelts; i++) {
        const svc_ap_status_view_route_t *route = &APR_ARRAY_IDX(
            view->routes, i, svc_ap_status_view_route_t);
        svc_json_t *json = svc_json_object(view->pool);

        svc_json_set_string(json, "route", route->name);
        svc_json_set(json, "status", statuses(route, view->pool));
        svc_json_set(json, "latency", latency(route, view->pool));
        svc_json_append(array, json);
    }
    return array;
}

/* --- what goes on in it ------------------------------------------------------------------ */

static svc_json_t *writer(const svc_ap_status_view_t *view)
{
    const svc_stats_t *stats = view->instance->stats;
    long long commits = svc_ap_status_view_count(&stats->batches);
    long long commands = svc_ap_status_view_count(&stats->commands);
    svc_json_t *json = svc_json_object(view->pool);

    svc_json_set_int(json, "commits", commits);
    svc_json_set_int(json, "commands", commands);
    if (commits)
        set_rounded(json, "batchMean", (double)commands / (double)commits);
    else
        svc_json_set_null(json, "batchMean");
    svc_json_set_int(json, "queued", view->health->queued);
    return json;
}

static svc_json_t *event_log(const svc_ap_status_view_t *view)
{
    svc_json_t *json = svc_json_object(view->pool);

    set_text(json, "source", view->source);
    set_count(json, "head", &view->instance->stats->head);
    return json;
}

static svc_json_t *source(const svc_health_peer_t *peer,
                          const svc_ap_status_view_t *view)
{
    const svc_stats_peer_t *told = &peer->told;
    svc_json_t *json = svc_json_object(view->pool);

    set_text(json, "source", told->source);
    svc_json_set_string(json, "endpoint", told->endpoint);
    if (told->source[0]) {
        svc_json_set_int(json, "position", told->position);
        svc_json_set_int(json, "head", told->head);
        svc_json_set_int(json, "lag", peer->lag);
    } else {
        svc_json_set_null(json, "position");
        svc_json_set_null(json, "head");
        svc_json_set_null(json, "lag");
    }
    set_text(json, "lastEventTime", told->event_time);
    if (told->event_at)
        set_rounded(json, "ageSeconds",
                    (double)(view->ticks - told->event_at) / 1000);
    else
        svc_json_set_null(json, "ageSeconds");
    svc_json_set_string(json, "state", peer->state);
    return json;
}

static svc_json_t *sources(const svc_ap_status_view_t *view)
{
    svc_json_t *array = svc_json_array(view->pool);
    int i;

    for (i = 0; i < view->health->peers->nelts; i++)
        svc_json_append(array, source(&APR_ARRAY_IDX(view->health->peers, i,
                                                     svc_health_peer_t),
                                      view));
    return array;
}

static svc_json_t *events(const svc_ap_status_view_t *view)
{
    const svc_stats_t *stats = view->instance->stats;
    svc_json_t *json = svc_json_object(view->pool);

    set_count(json, "published", &stats->published);
    set_count(json, "received", &stats->received);
    set_count(json, "applied", &stats->applied);
    set_count(json, "duplicates", &stats->duplicates);
    set_count(json, "waited", &stats->parked);
    set_count(json, "unknown", &stats->unknown);
    set_count(json, "quarantined", &stats->quarantined);
    set_count(json, "snapshots", &stats->snapshots);
    set_count(json, "replays", &stats->replays);
    set_count(json, "trimmed", &stats->trimmed);
    return json;
}

static svc_json_t *leader(const svc_ap_status_view_t *view)
{
    svc_json_t *json = svc_json_object(view->pool);

    if (view->health->leader_pid)
        svc_json_set_int(json, "pid", view->health->leader_pid);
    else
        svc_json_set_null(json, "pid");
    return json;
}

static svc_json_t *database(const svc_ap_status_view_t *view)
{
    const svc_stats_t *stats = view->instance->stats;
    long long version = svc_ap_status_view_count(&stats->schema_version);
    svc_json_t *json = svc_json_object(view->pool);

    svc_json_set_string(json, "engine", view->instance->conf->dbd_driver);
    svc_json_set_string(json, "state",
                        view->health->is_database_up ? "up" : "down");
    if (version)
        svc_json_set_int(json, "schemaVersion", version);
    else
        svc_json_set_null(json, "schemaVersion");
    return json;
}

static svc_json_t *recent(const svc_ap_status_view_t *view)
{
    svc_json_t *array = svc_json_array(view->pool);
    int i;

    for (i = 0; i < view->recent_count; i++) {
        const svc_stats_event_t *event = &view->recent[i];
        svc_json_t *json = svc_json_object(view->pool);

        svc_json_set_string(json, "direction",
                            event->is_published ? "published" : "applied");
        if (event->position)
            svc_json_set_int(json, "position", event->position);
        else
            svc_json_set_null(json, "position");
        svc_json_set_string(json, "source", event->source);
        svc_json_set_string(json, "type", event->type);
        set_text(json, "subject", event->subject);
        if (event->version >= 0)
            svc_json_set_int(json, "version", event->version);
        else
            svc_json_set_null(json, "version");
        set_text(json, "time", event->time);
        svc_json_append(array, json);
    }
    return array;
}

svc_json_t *svc_ap_status_json(const svc_ap_status_view_t *view)
{
    const svc_ap_service_t *service = view->instance->service;
    const svc_stats_t *stats = view->instance->stats;
    svc_json_t *json = svc_json_object(view->pool);

    svc_json_set_string(json, "service", service->name);
    svc_json_set_string(json, "version", SVC_VERSION);
    svc_json_set_string(json, "time", svc_time_format(view->now, view->pool));
    svc_json_set_string(json, "state", svc_health_word(view->health->state));
    svc_json_set(json, "problems", problems(view));
    set_rounded(json, "uptimeSeconds",
                (double)(view->now - svc_ap_status_view_count(
                                         &stats->started_at)) / 1000);
    svc_json_set(json, "requests", requests(view));
    svc_json_set(json, "latencyBoundsMs", latency_bounds(view->pool));
    svc_json_set(json, "writer", writer(view));
    svc_json_set(json, "log", event_log(view));
    svc_json_set(json, "sources", sources(view));
    svc_json_set(json, "events", events(view));
    if (service->sweep)
        set_count(json, "expirations", &stats->expired);
    svc_json_set(json, "leader", leader(view));
    svc_json_set(json, "database", database(view));
    svc_json_set(json, "recent", recent(view));
    return json;
}
