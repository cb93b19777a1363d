/* svc_ap_route: see the header. */
#include "svc_ap_route.h"

#include <string.h>

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#include "svc_time.h"

#define MAX_USER 255 /* bytes */

static int is_here(const svc_ap_route_t *route, const svc_ap_request_t *request)
{
    return strcmp(route->path, request->path) == 0 &&
           (!route->exists || route->exists(request->r));
}

/* Splits what comes after the collection, a slash at its end not counted: "",
 * "/ID" or "/ID/PART"; false when it is neither. */
static int split_path(svc_ap_request_t *request)
{
    apr_pool_t *pool = request->r->pool;
    const char *rest = request->r->uri;
    apr_size_t length = strlen(request->base);
    const char *part;

    if (strncmp(rest, request->base, length) != 0)
        return 0;
    rest += length;
    length = strlen(rest);
    if (length > 0 && rest[length - 1] == '/')
        length--;
    request->path = "";
    if (length == 0)
        return 1;
    if (*rest != '/' || length == 1)
        return 0;
    rest = apr_pstrmemdup(pool, rest + 1, length - 1);
    part = strchr(rest, '/');
    request->id = part ? apr_pstrmemdup(pool, rest, (apr_size_t)(part - rest))
                       : rest;
    request->path = apr_pstrcat(pool, ":id", part, NULL);
    return *request->id != '\0';
}

/* NOT_FOUND unless ROUTES have this path. */
static svc_err_t *read_path(svc_ap_request_t *request,
                            const svc_ap_route_t *routes)
{
    if (split_path(request)) {
        for (; routes->method; routes++) {
            if (is_here(routes, request))
                return NULL;
        }
    }
    return svc_err_make(request->r->pool, SVC_ERR_NOT_FOUND,
                        "There is nothing at this path");
}

static const svc_ap_route_t *find(const svc_ap_route_t *routes,
                                  const svc_ap_request_t *request)
{
    const char *method = request->r->method; /* HEAD is "HEAD" here */
    const svc_ap_route_t *route;

    if (request->r->header_only && strcmp(method, "HEAD") == 0)
        method = "GET";
    for (route = routes; route->method; route++) {
        if (is_here(route, request) && strcmp(route->method, method) == 0)
            return route;
    }
    return NULL;
}

/* Does every method of this path need a user? */
static int all_need_user(const svc_ap_route_t *routes,
                         const svc_ap_request_t *request)
{
    const svc_ap_route_t *route;

    for (route = routes; route->method; route++) {
        if (is_here(route, request) && !route->needs_user)
            return 0;
    }
    return 1;
}

static void set_allow(const svc_ap_route_t *routes,
                      const svc_ap_request_t *request)
{
    const char *allow = "OPTIONS";
    const svc_ap_route_t *route;

    for (route = routes; route->method; route++) {
        if (!is_here(route, request))
            continue;
        allow = apr_pstrcat(request->r->pool, allow, ", ", route->method,
                            strcmp(route->method, "GET") == 0 ? ", HEAD" : "",
                            NULL);
    }
    apr_table_setn(request->r->headers_out, "Allow", allow);
}

/* Where Require does not guard this method (a history, beside what all may
 * read), httpd has looked at no credentials yet: it does so now. */
static svc_err_t *authenticate(request_rec *r)
{
    int status;

    if (!apr_table_get(r->headers_in, "Authorization") &&
        !apr_table_get(r->headers_in, "Cookie"))
        return NULL;
    status = ap_run_check_user_id(r);
    if (status == OK)
        return NULL;
    r->user = NULL;
    if (ap_is_HTTP_SERVER_ERROR(status))
        return svc_err_ours(r->pool, SVC_ERR_INTERNAL,
                            "The user cannot be authenticated",
                            "the authentication of this location failed "
                            "with %d", status);
    apr_table_unset(r->headers_out, "Location"); /* of a page to log in */
    apr_table_unset(r->err_headers_out, "Location");
    return NULL;
}

static svc_err_t *check_user(svc_ap_request_t *request)
{
    const char *user = request->r->user;

    request->user = user && *user ? user : NULL;
    if (request->user && (strlen(user) > MAX_USER || !svc_json_is_utf8(user)))
        return svc_err_make(request->r->pool, SVC_ERR_FORBIDDEN,
                            "The name of the user must be UTF-8 of at most %d "
                            "bytes", MAX_USER);
    return NULL;
}

static svc_err_t *need_user(svc_ap_request_t *request)
{
    request_rec *r = request->r;
    svc_err_t *err = NULL;

    if (!request->user && ap_auth_type(r) && !(err = authenticate(r)))
        err = check_user(request);
    if (err || request->user)
        return err;
    if (!ap_auth_type(r))
        return svc_err_ours(r->pool, SVC_ERR_INTERNAL,
                            "This needs a user, but the server is configured "
                            "without authentication here: set AuthType and "
                            "Require for this location",
                            "no AuthType for this location");
    svc_ap_http_challenge(r);
    return svc_err_make(r->pool, SVC_ERR_UNAUTHENTICATED, "Not authorized");
}

static svc_err_t *answer(svc_ap_request_t *request,
                         const svc_ap_route_t *routes)
{
    request_rec *r = request->r;
    const svc_ap_route_t *route;
    svc_err_t *err = read_path(request, routes);

    if (err)
        return err;
    route = find(routes, request);
    if (route)
        request->route = (int)(route - routes);
    if (r->method_number == M_OPTIONS) {
        set_allow(routes, request);
        r->status = HTTP_NO_CONTENT;
        return NULL;
    }
    if ((err = check_user(request)))
        return err;
    if ((route ? route->needs_user : all_need_user(routes, request)) &&
        (err = need_user(request)))
        return err;
    if (!route) {
        set_allow(routes, request);
        return svc_err_make(r->pool, SVC_ERR_METHOD,
                            "The method %s is not allowed here", r->method);
    }
    return route->answer(request);
}

static void begin(svc_ap_request_t *request, request_rec *r,
                  const svc_ap_service_t *service)
{
    const svc_ap_conf_dir_t *dir = ap_get_module_config(r->per_dir_config,
                                                        service->module);
    const svc_ap_conf_t *conf = ap_get_module_config(r->server->module_config,
                                                     service->module);

    memset(request, 0, sizeof(*request));
    request->r = r;
    request->instance = conf->instance;
    request->base = dir->base ? dir->base : service->base;
    request->status = OK;
    request->route = SVC_AP_ROUTE_OTHER;
}

/* What a request that was counted has for its configuration. */
static char counted;

/* A request is counted once, whichever hook sees its end. */
static void count(const svc_ap_request_t *request,
                  const svc_ap_service_t *service, int status, apr_int64_t us)
{
    ap_set_module_config(request->r->request_config, service->module, &counted);
    if (request->instance)
        svc_stats_request(request->instance->stats, request->route, status,
                          us);
}

int svc_ap_route_dispatch(request_rec *r, const svc_ap_service_t *service)
{
    apr_int64_t begun = svc_time_ticks_us();
    svc_ap_request_t request;
    svc_err_t *err;

    if (!r->handler || strcmp(r->handler, service->name) != 0)
        return DECLINED;
    begin(&request, r, service);
    svc_ap_http_set_headers(r, service);
    err = request.instance
              ? answer(&request, service->routes)
              : svc_err_ours(r->pool, SVC_ERR_INTERNAL,
                             "This service is not configured here",
                             "the handler was not set by SetHandler in the "
                             "server's configuration");
    if (err) {
        svc_ap_http_send_error(r, service, err);
        request.status = OK;
    }
    count(&request, service, request.status > 0 ? request.status : r->status,
          svc_time_ticks_us() - begun);
    return request.status;
}

void svc_ap_route_note(request_rec *r, const svc_ap_service_t *service)
{
    const svc_ap_conf_dir_t *dir = ap_get_module_config(r->per_dir_config,
                                                        service->module);
    const svc_ap_route_t *route;
    svc_ap_request_t request;
    request_rec *at;

    for (at = r; at; at = at->next) {
        if (ap_get_module_config(at->request_config, service->module) ==
            &counted)
            return; /* the handler has seen it */
    }
    if (!dir || dir->is_api != 1)
        return;
    begin(&request, r, service);
    if (split_path(&request) && (route = find(service->routes, &request)))
        request.route = (int)(route - service->routes);
    count(&request, service, r->status, apr_time_now() - r->request_time);
}

const char *svc_ap_route_name(const svc_ap_service_t *service, int index,
                              apr_pool_t *pool)
{
    int i;

    for (i = 0; i <= index && service->routes[i].method; i++) {
        if (i == index)
            return apr_pstrcat(pool, service->routes[i].method, " ",
                               service->base,
                               *service->routes[i].path ? "/" : "",
                               service->routes[i].path, NULL);
    }
    return index == SVC_AP_ROUTE_OTHER ? "other" : NULL;
}
