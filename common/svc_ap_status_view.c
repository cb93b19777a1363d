/* svc_ap_status_view: see the header. */
#include "svc_ap_status_view.h"

#include <apr_strings.h>

#include "svc_ap_route.h"
#include "svc_ap_worker.h"
#include "svc_time.h"

long long svc_ap_status_view_count(const atomic_llong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void read_route(svc_ap_status_view_route_t *out,
                       const svc_stats_route_t *route)
{
    int i, k;

    for (i = 0; i < SVC_STATS_STATUSES; i++)
        out->status[i] = svc_ap_status_view_count(&route->status[i]);
    for (k = 0; k < SVC_STATS_CLASSES; k++) {
        const svc_stats_latency_t *latency = &route->latency[k];

        for (i = 0; i < SVC_STATS_BUCKETS; i++)
            out->bucket[k][i] = svc_ap_status_view_count(&latency->bucket[i]);
        out->sum_us[k] = svc_ap_status_view_count(&latency->sum_us);
    }
}

static void read_routes(svc_ap_status_view_t *view)
{
    int i;

    view->routes = apr_array_make(view->pool, SVC_STATS_ROUTES,
                                  sizeof(svc_ap_status_view_route_t));
    for (i = 0; i < SVC_STATS_ROUTES; i++) {
        const char *name = svc_ap_route_name(view->instance->service, i,
                                             view->pool);
        svc_ap_status_view_route_t *route;

        if (!name)
            continue;
        route = apr_array_push(view->routes);
        route->name = name;
        read_route(route, &view->instance->stats->routes[i]);
    }
}

/* Does the database answer this request? */
static int ask_database(const svc_ap_instance_t *instance, request_rec *r)
{
    svc_ap_db_loan_t loan;
    apr_int64_t version = -1;
    svc_err_t *err = svc_ap_worker_borrow(&loan, instance, r);

    if (err)
        return 0;
    err = svc_db_get(&version, loan.db,
                     &instance->service->schema->read_version, NULL, r->pool);
    svc_ap_db_give_back(&loan);
    return !err && version >= 0;
}

svc_ap_status_view_t *svc_ap_status_view(const svc_ap_instance_t *instance,
                                         int may_ask, request_rec *r)
{
    svc_ap_status_view_t *view = apr_pcalloc(r->pool, sizeof(*view));
    const svc_ap_conf_t *conf = instance->conf;
    svc_health_config_t config = {
        .service = instance->service->name,
        .engine = svc_db_sql_engine(conf->dbd_driver),
        .subscriptions = conf->subscribe ? conf->subscribe->nelts : 0,
        .database_answers = -1
    };
    char name[256];

    view->instance = instance;
    view->pool = r->pool;
    if (may_ask &&
        !svc_health_has_leader(instance->stats, svc_time_ticks()))
        config.database_answers = ask_database(instance, r);
    view->now = svc_time_now();
    view->ticks = svc_time_ticks();
    view->health = svc_health_examine(instance->stats, &config, view->now,
                                      view->ticks, r->pool);
    if (svc_stats_get_log(name, instance->stats))
        view->source = apr_pstrdup(r->pool, name);
    view->recent_count = svc_stats_get_recent(view->recent, instance->stats);
    read_routes(view);
    return view;
}
