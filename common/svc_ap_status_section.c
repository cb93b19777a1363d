/* svc_ap_status_section: see the header. */
#include "svc_ap_status_section.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_protocol.h>
#include <mod_status.h>

#include "svc_ap_status_view.h"

#define LINES 16

typedef struct line_t {
    const char *key;   /* in ?auto */
    const char *words; /* on the page */
    const char *value;
} line_t;

static void sum_requests(long long *requests, long long *errors,
                         const svc_ap_status_view_t *view)
{
    int i, k;

    *requests = *errors = 0;
    for (i = 0; i < view->routes->nelts; i++) {
        const svc_ap_status_view_route_t *route = &APR_ARRAY_IDX(
            view->routes, i, svc_ap_status_view_route_t);

        for (k = 0; k < SVC_STATS_STATUSES; k++) {
            *requests += route->status[k];
            *errors += svc_stats_status(k) >= 500 ? route->status[k] : 0;
        }
    }
}

static apr_int64_t max_lag(const svc_ap_status_view_t *view)
{
    apr_int64_t lag = 0;
    int i;

    for (i = 0; i < view->health->peers->nelts; i++) {
        const svc_health_peer_t *peer = &APR_ARRAY_IDX(view->health->peers, i,
                                                       svc_health_peer_t);

        if (peer->lag > lag)
            lag = peer->lag;
    }
    return lag;
}

static void add(line_t **line, const char *key, const char *words,
                long long value, const svc_ap_status_view_t *view)
{
    *(*line)++ = (line_t){ key, words,
                           apr_psprintf(view->pool, "%" APR_INT64_T_FMT,
                                        (apr_int64_t)value) };
}

/* Fills LINES; the last has no key. */
static void gather(line_t lines[LINES], const svc_ap_status_view_t *view)
{
    const svc_stats_t *stats = view->instance->stats;
    const svc_health_t *health = view->health;
    long long requests, errors;
    line_t *line = lines;

    sum_requests(&requests, &errors, view);
    *line++ = (line_t){ "State", "state", svc_health_word(health->state) };
    *line++ = (line_t){ "Database", "database",
                        health->is_database_up ? "up" : "down" };
    add(&line, "Problems", "problems", health->problems->nelts, view);
    add(&line, "LeaderPid", "pid of the leader", health->leader_pid, view);
    add(&line, "Requests", "requests", requests, view);
    add(&line, "Errors5xx", "answers 5xx", errors, view);
    add(&line, "Commits", "commits",
        svc_ap_status_view_count(&stats->batches), view);
    add(&line, "Commands", "commands",
        svc_ap_status_view_count(&stats->commands), view);
    add(&line, "Queued", "commands that wait", health->queued, view);
    add(&line, "LogHead", "head of the event log",
        svc_ap_status_view_count(&stats->head), view);
    add(&line, "MaxLag", "largest lag, in events", max_lag(view), view);
    add(&line, "Published", "events published",
        svc_ap_status_view_count(&stats->published), view);
    add(&line, "Applied", "events applied",
        svc_ap_status_view_count(&stats->applied), view);
    add(&line, "Quarantined", "events set aside",
        svc_ap_status_view_count(&stats->quarantined), view);
    if (view->instance->service->sweep)
        add(&line, "Expirations", "orders expired",
            svc_ap_status_view_count(&stats->expired), view);
    line->key = NULL;
}

static void write_short(request_rec *r, const char *prefix, const line_t *line)
{
    for (; line->key; line++)
        ap_rprintf(r, "%s%s: %s\n", prefix, line->key, line->value);
}

static void write_html(request_rec *r, const svc_ap_status_view_t *view,
                       const line_t *line)
{
    int i;

    ap_rprintf(r, "<hr />\n<h2>%s</h2>\n",
               view->instance->service->module_name);
    for (i = 0; i < view->health->problems->nelts; i++)
        ap_rprintf(r, "<p><b>%s</b></p>\n",
                   ap_escape_html(r->pool,
                                  APR_ARRAY_IDX(view->health->problems, i,
                                                svc_health_problem_t).message));
    ap_rputs("<table border=\"0\">\n", r);
    for (; line->key; line++)
        ap_rprintf(r, "<tr><th align=\"left\">%s</th><td>%s</td></tr>\n",
                   line->words, line->value);
    ap_rputs("</table>\n", r);
}

void svc_ap_status_section(request_rec *r, int flags,
                           const svc_ap_service_t *service,
                           const apr_array_header_t *instances)
{
    const char *prefix = apr_psprintf(r->pool, "%c%s",
                                      apr_toupper(service->name[0]),
                                      service->name + 1);
    line_t lines[LINES];
    int i;

    for (i = 0; instances && i < instances->nelts; i++) {
        const svc_ap_status_view_t *view = svc_ap_status_view(
            APR_ARRAY_IDX(instances, i, const svc_ap_instance_t *), 0, r);

        gather(lines, view);
        if (flags & AP_STATUS_SHORT)
            write_short(r, i ? apr_psprintf(r->pool, "%s%d", prefix, i + 1)
                             : prefix, lines);
        else
            write_html(r, view, lines);
    }
}
