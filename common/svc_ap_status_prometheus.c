/* svc_ap_status_prometheus: see the header. */
#include "svc_ap_status_prometheus.h"

#include <string.h>

#include <apr_strings.h>

#include "svc_version.h"

/* The text so far, in parts. */
typedef struct out_t {
    const svc_ap_status_view_t *view;
    const char *service;
    apr_array_header_t *parts; /* const char * */
    apr_pool_t *pool;
} out_t;

static void put(const out_t *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(const out_t *out, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    APR_ARRAY_PUSH(out->parts, const char *) = apr_pvsprintf(out->pool, format,
                                                             args);
    va_end(args);
}

/* VALUE as the value of a label. */
static const char *quote(const char *value, apr_pool_t *pool)
{
    char *quoted = apr_palloc(pool, 2 * strlen(value) + 1), *at = quoted;

    for (; *value; value++) {
        if (*value == '\\' || *value == '"' || *value == '\n')
            *at++ = '\\';
        *at++ = *value == '\n' ? 'n' : *value;
    }
    *at = '\0';
    return quoted;
}

static void family(const out_t *out, const char *name, const char *type,
                   const char *help)
{
    put(out, "# HELP svc_%s %s\n# TYPE svc_%s %s\n", name, help, name, type);
}

/* A family of one value. */
static void one(const out_t *out, const char *name, const char *type,
                const char *help, long long value)
{
    family(out, name, type, help);
    put(out, "svc_%s{service=\"%s\"} %" APR_INT64_T_FMT "\n", name,
        out->service, (apr_int64_t)value);
}

/* --- requests ---------------------------------------------------------------------- */

static void requests(const out_t *out)
{
    int i, k;

    family(out, "requests_total", "counter", "Answers by route and status.");
    for (i = 0; i < out->view->routes->nelts; i++) {
        const svc_ap_status_view_route_t *route = &APR_ARRAY_IDX(
            out->view->routes, i, svc_ap_status_view_route_t);

        for (k = 0; k < SVC_STATS_STATUSES; k++) {
            int status = svc_stats_status(k);

            if (route->status[k])
                put(out, "svc_requests_total{service=\"%s\",route=\"%s\","
                         "status=\"%s\"} %" APR_INT64_T_FMT "\n",
                    out->service, route->name,
                    status ? apr_itoa(out->pool, status) : "other",
                    (apr_int64_t)route->status[k]);
        }
    }
}

static void histogram(const out_t *out, const char *labels,
                      const long long *buckets, long long sum_us)
{
    static const char name[] = "svc_request_duration_seconds";
    apr_int64_t count = 0;
    int i;

    for (i = 0; i < SVC_STATS_BUCKETS; i++) {
        apr_int64_t bound = svc_stats_bound(i);

        count += buckets[i];
        put(out, "%s_bucket{%s,le=\"%s\"} %" APR_INT64_T_FMT "\n", name, labels,
            bound < 0 ? "+Inf"
                      : apr_psprintf(out->pool, "%g", (double)bound / 1000000),
            count);
    }
    put(out, "%s_sum{%s} %.6f\n%s_count{%s} %" APR_INT64_T_FMT "\n", name,
        labels, (double)sum_us / 1000000, name, labels, count);
}

static void durations(const out_t *out)
{
    int i, k, n;

    family(out, "request_duration_seconds", "histogram",
           "How long the handler took, by route and class of status.");
    for (i = 0; i < out->view->routes->nelts; i++) {
        const svc_ap_status_view_route_t *route = &APR_ARRAY_IDX(
            out->view->routes, i, svc_ap_status_view_route_t);

        for (k = 0; k < SVC_STATS_CLASSES; k++) {
            long long count = 0;

            for (n = 0; n < SVC_STATS_BUCKETS; n++)
                count += route->bucket[k][n];
            if (count)
                histogram(out, apr_psprintf(out->pool,
                                            "service=\"%s\",route=\"%s\","
                                            "class=\"%dxx\"", out->service,
                                            route->name, k + 2),
                          route->bucket[k], route->sum_us[k]);
        }
    }
}

/* --- what is followed --------------------------------------------------------------------- */

static apr_int64_t position(const svc_ap_status_view_t *view,
                            const svc_health_peer_t *peer)
{
    (void)view;
    return peer->told.position;
}

static apr_int64_t head(const svc_ap_status_view_t *view,
                        const svc_health_peer_t *peer)
{
    (void)view;
    return peer->told.head;
}

static apr_int64_t lag(const svc_ap_status_view_t *view,
                       const svc_health_peer_t *peer)
{
    (void)view;
    return peer->lag;
}

static apr_int64_t following(const svc_ap_status_view_t *view,
                             const svc_health_peer_t *peer)
{
    (void)view;
    return strcmp(peer->state, "following") == 0;
}

static apr_int64_t age(const svc_ap_status_view_t *view,
                       const svc_health_peer_t *peer)
{
    return (view->ticks - peer->told.event_at) / 1000;
}

static int has_source(const svc_health_peer_t *peer)
{
    return peer->told.source[0] != '\0';
}

static int has_event(const svc_health_peer_t *peer)
{
    return peer->told.event_at != 0;
}

static const struct source_metric_t {
    const char *name, *help;
    apr_int64_t (*value)(const svc_ap_status_view_t *view,
                         const svc_health_peer_t *peer);
    int (*is_known)(const svc_health_peer_t *peer); /* NULL: always */
    int names_source;
} source_metrics[] = {
    { "source_position", "Events of a source that are written here.", position,
      has_source, 1 },
    { "source_head", "Last position of a source.", head, has_source, 1 },
    { "source_lag", "Events of a source that are not written here yet.", lag,
      has_source, 1 },
    { "source_following", "1 while all events of a source are here.",
      following, NULL, 0 },
    { "source_event_age_seconds", "Since the last event of a source came.",
      age, has_event, 0 }
};

/* Several subscriptions may be to machines of one log, or, by mistake, to one
 * endpoint: a series is told once. */
static int is_told(const out_t *out, int index)
{
    const svc_health_peer_t *peers =
        (const svc_health_peer_t *)out->view->health->peers->elts;
    int i;

    for (i = 0; i < index; i++) {
        if (strcmp(peers[i].told.endpoint, peers[index].told.endpoint) == 0)
            return 1;
    }
    return 0;
}

static void sources(const out_t *out)
{
    const apr_array_header_t *peers = out->view->health->peers;
    size_t m;
    int i;

    for (m = 0; m < sizeof(source_metrics) / sizeof(source_metrics[0]); m++) {
        const struct source_metric_t *metric = &source_metrics[m];

        family(out, metric->name, "gauge", metric->help);
        for (i = 0; i < peers->nelts; i++) {
            const svc_health_peer_t *peer = &APR_ARRAY_IDX(peers, i,
                                                           svc_health_peer_t);

            if ((metric->is_known && !metric->is_known(peer)) ||
                is_told(out, i))
                continue;
            put(out, "svc_%s{service=\"%s\",endpoint=\"%s\"%s%s%s} "
                     "%" APR_INT64_T_FMT "\n", metric->name, out->service,
                quote(peer->told.endpoint, out->pool),
                metric->names_source ? ",source=\"" : "",
                metric->names_source ? quote(peer->told.source, out->pool) : "",
                metric->names_source ? "\"" : "",
                metric->value(out->view, peer));
        }
    }
}

/* --- the rest ---------------------------------------------------------------------------------- */

static void states(const out_t *out)
{
    static const char *const kinds[] = { "database", "leader", "writes",
                                         "publisher", "source", "events" };
    const svc_health_t *health = out->view->health;
    const svc_ap_instance_t *instance = out->view->instance;
    size_t k;
    int i;

    family(out, "info", "gauge", "Which module this is.");
    put(out, "svc_info{service=\"%s\",version=\"%s\",engine=\"%s\"} 1\n",
        out->service, SVC_VERSION,
        quote(instance->conf->dbd_driver, out->pool));
    family(out, "start_time_seconds", "gauge", "When counting began.");
    put(out, "svc_start_time_seconds{service=\"%s\"} %.3f\n", out->service,
        (double)svc_ap_status_view_count(&instance->stats->started_at) / 1000);
    one(out, "state", "gauge", "0: ok, 1: degraded, 2: down.", health->state);
    family(out, "problem", "gauge", "1 while there is such a problem.");
    for (k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        int is_there = 0;

        for (i = 0; i < health->problems->nelts; i++)
            is_there |= strcmp(kinds[k],
                               APR_ARRAY_IDX(health->problems, i,
                                             svc_health_problem_t).what) == 0;
        put(out, "svc_problem{service=\"%s\",what=\"%s\"} %d\n", out->service,
            kinds[k], is_there);
    }
    one(out, "database_up", "gauge", "1 while the database answers.",
        health->is_database_up);
    one(out, "leader_up", "gauge", "1 while a process leads.",
        health->leader_pid != 0);
    one(out, "commands_waiting", "gauge",
        "Writes that are handed in and not answered yet.", health->queued);
}

static void counters(const out_t *out)
{
    const svc_stats_t *stats = out->view->instance->stats;
    const struct {
        const char *name, *type, *help;
        const atomic_llong *value;
    } table[] = {
        { "schema_version", "gauge", "Of the tables; 0: not seen yet.",
          &stats->schema_version },
        { "log_head", "gauge", "Last position of this service's log.",
          &stats->head },
        { "commits_total", "counter", "Transactions of the writers.",
          &stats->batches },
        { "commands_total", "counter", "Commands in them.", &stats->commands },
        { "events_published_total", "counter", "Events that were published.",
          &stats->published },
        { "events_received_total", "counter", "Events that arrived.",
          &stats->received },
        { "events_applied_total", "counter", "Events that took effect.",
          &stats->applied },
        { "events_duplicate_total", "counter", "Events that were known.",
          &stats->duplicates },
        { "events_waited_total", "counter",
          "Events that came before an earlier version.", &stats->parked },
        { "events_unknown_total", "counter", "Events of unknown subjects.",
          &stats->unknown },
        { "events_quarantined_total", "counter",
          "Events that were set aside.", &stats->quarantined },
        { "events_trimmed_total", "counter",
          "Events that were removed for their age.", &stats->trimmed },
        { "snapshots_total", "counter", "Snapshots of sources that were taken.",
          &stats->snapshots },
        { "replays_total", "counter", "Replay requests that were answered.",
          &stats->replays },
        { "expirations_total", "counter",
          "Orders that were cancelled because they were overdue.",
          out->view->instance->service->sweep ? &stats->expired : NULL }
    };
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].value)
            one(out, table[i].name, table[i].type, table[i].help,
                svc_ap_status_view_count(table[i].value));
    }
}

const char *svc_ap_status_prometheus(const svc_ap_status_view_t *view)
{
    out_t out = { view, view->instance->service->name,
                  apr_array_make(view->pool, 256, sizeof(const char *)),
                  view->pool };

    states(&out);
    counters(&out);
    requests(&out);
    durations(&out);
    sources(&out);
    return apr_array_pstrcat(view->pool, out.parts, '\0');
}
