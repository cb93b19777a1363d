/* svc_ap_status: see the header. */
#include "svc_ap_status.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <http_protocol.h>
#include <util_script.h>

#include "svc_ap_http.h"
#include "svc_ap_status_json.h"
#include "svc_ap_status_page.h"
#include "svc_ap_status_prometheus.h"

/* --- the formats --------------------------------------------------------------------- */

typedef struct format_t {
    const char *name;
    const char *type; /* that asks for it in Accept; NULL: nothing does */
    void (*send)(request_rec *r, const svc_ap_instance_t *instance);
} format_t;

static void send_text(request_rec *r, int status, const char *type,
                      const char *text)
{
    r->status = status;
    ap_set_content_type(r, type);
    ap_set_content_length(r, (apr_off_t)strlen(text));
    ap_rputs(text, r);
}

static void send_page(request_rec *r, const svc_ap_instance_t *instance)
{
    apr_table_setn(r->headers_out, "Content-Security-Policy",
                   SVC_AP_STATUS_PAGE_POLICY);
    send_text(r, HTTP_OK, "text/html; charset=utf-8",
              svc_ap_status_page(svc_ap_status_view(instance, 1, r)));
}

static void send_json(request_rec *r, const svc_ap_instance_t *instance)
{
    svc_ap_http_send(r, HTTP_OK,
                     svc_ap_status_json(svc_ap_status_view(instance, 1, r)));
}

static void send_prometheus(request_rec *r, const svc_ap_instance_t *instance)
{
    send_text(r, HTTP_OK, SVC_AP_STATUS_PROMETHEUS_TYPE,
              svc_ap_status_prometheus(svc_ap_status_view(instance, 1, r)));
}

/* 503 while the database cannot be used: nothing can be answered then. A
 * follower that is behind is no reason: if all machines went out for that, one
 * service's trouble would be the other's end. */
static void send_ready(request_rec *r, const svc_ap_instance_t *instance)
{
    int is_up = svc_ap_status_view(instance, 1, r)->health->is_database_up;

    send_text(r, is_up ? HTTP_OK : HTTP_SERVICE_UNAVAILABLE, "text/plain",
              is_up ? "ready\n" : "unavailable\n");
}

static void send_live(request_rec *r, const svc_ap_instance_t *instance)
{
    (void)instance;
    send_text(r, HTTP_OK, "text/plain", "live\n");
}

/* The first is for those who say nothing. */
static const format_t formats[] = {
    { "html", "text/html", send_page },
    { "json", "application/json", send_json },
    { "prometheus", "text/plain", send_prometheus },
    { "ready", NULL, send_ready },
    { "live", NULL, send_live },
    { NULL, NULL, NULL }
};

/* --- which one is wanted ---------------------------------------------------------------- */

/* In thousandths, what stands after "q=": a client may say anything. */
static int thousandths(const char *text)
{
    double value = strtod(text, NULL);

    if (!(value > 0)) /* nor is it a number, perhaps */
        return 0;
    return value < 1 ? (int)(value * 1000) : 1000;
}

/* The quality that Accept gives to TYPE by name, in thousandths; 0: it is not
 * named. */
static int quality(const char *accept, const char *type, apr_pool_t *pool)
{
    size_t length = strlen(type);
    int best = 0;

    while (*accept) {
        const char *range = ap_getword(pool, &accept, ','), *q;
        int value = 1000;

        range += strspn(range, " \t");
        if (strncasecmp(range, type, length) != 0 ||
            (range[length] && !strchr("; \t", range[length])))
            continue;
        for (q = range; (q = strchr(q, ';'));) {
            q += 1 + strspn(q + 1, " \t");
            if (strncasecmp(q, "q=", 2) == 0)
                value = thousandths(q + 2);
        }
        best = value > best ? value : best;
    }
    return best;
}

static const format_t *negotiate(const request_rec *r)
{
    const char *accept = apr_table_get(r->headers_in, "Accept");
    const format_t *best = &formats[0], *format;
    int best_quality = 0;

    for (format = formats; format->name; format++) {
        int value = accept && format->type
                        ? quality(accept, format->type, r->pool) : 0;

        if (value > best_quality) {
            best = format;
            best_quality = value;
        }
    }
    return best;
}

/* The one that the query names; NULL and why there is none. */
static const format_t *choose(svc_err_t **err, request_rec *r)
{
    const char *allowed = NULL, *name;
    const format_t *format;
    apr_table_t *query;

    ap_args_to_table(r, &query);
    if (!(name = apr_table_get(query, "format")))
        return negotiate(r);
    for (format = formats; format->name; format++) {
        if (strcmp(format->name, name) == 0)
            return format;
        allowed = allowed ? apr_pstrcat(r->pool, allowed, ", ", format->name,
                                        NULL)
                          : format->name;
    }
    svc_err_add_field(err, r->pool, "format",
                      apr_psprintf(r->pool, "format must be one of %s",
                                   allowed));
    return NULL;
}

/* --- the handler --------------------------------------------------------------------------- */

/* Which one is shown; NULL: nobody can know which is meant. */
static const svc_ap_instance_t *find(request_rec *r,
                                     const svc_ap_service_t *service,
                                     const apr_array_header_t *instances)
{
    const svc_ap_conf_t *conf = ap_get_module_config(r->server->module_config,
                                                     service->module);

    if (conf->instance)
        return conf->instance;
    return instances && instances->nelts == 1
               ? APR_ARRAY_IDX(instances, 0, const svc_ap_instance_t *)
               : NULL;
}

static svc_err_t *answer(request_rec *r, const svc_ap_service_t *service,
                         const apr_array_header_t *instances)
{
    const svc_ap_instance_t *instance = find(r, service, instances);
    const format_t *format;
    svc_err_t *err = NULL;

    if (r->method_number != M_GET) { /* HEAD's number, too */
        apr_table_setn(r->headers_out, "Allow", "GET, HEAD");
        return svc_err_make(r->pool, SVC_ERR_METHOD,
                            "The method %s is not allowed here", r->method);
    }
    if (!(format = choose(&err, r)))
        return err;
    if (!instance)
        return svc_err_make(r->pool, SVC_ERR_NOT_FOUND,
                            "This virtual host has no %s service, and this "
                            "httpd has %d: ask in a virtual host that has one",
                            service->name, instances ? instances->nelts : 0);
    format->send(r, instance);
    return NULL;
}

int svc_ap_status_handle(request_rec *r, const svc_ap_service_t *service,
                         const apr_array_header_t *instances)
{
    size_t length = strlen(service->name);
    svc_err_t *err;

    if (!r->handler || strncmp(r->handler, service->name, length) != 0 ||
        strcmp(r->handler + length, "-status") != 0)
        return DECLINED;
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "Vary", "Accept");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    if ((err = answer(r, service, instances)))
        svc_ap_http_send_error(r, service, err);
    return OK;
}
