/* svc_ap_http: see the header. */
#include "svc_ap_http.h"

#include <stdatomic.h>
#include <string.h>

#include <apr_buckets.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <util_filter.h>
#include <util_script.h>

#include "svc_time.h"

#define PROBLEM_TYPE "application/problem+json"
#define MAX_FAILURE_LINES 5 /* of a process in a second */

/* --- requests ---------------------------------------------------------------- */

static int is_json(const request_rec *r)
{
    const char *type = apr_table_get(r->headers_in, "Content-Type");
    static const char json[] = "application/json";
    const char *charset;

    if (!type || strncasecmp(type, json, strlen(json)) != 0)
        return 0;
    type += strlen(json);
    type += strspn(type, " \t");
    if (*type != '\0' && *type != ';')
        return 0;
    charset = ap_strcasestr(type, "charset=");
    if (!charset)
        return 1;
    charset += strlen("charset=");
    charset += *charset == '"';
    return strncasecmp(charset, "utf-8", 5) == 0 && !apr_isalnum(charset[5]);
}

/* MANY is the limit of an array, if it could be one. */
static svc_err_t *too_large(request_rec *r, apr_off_t limit, apr_off_t many)
{
    const char *more = limit < many
                           ? apr_psprintf(r->pool, " (%" APR_OFF_T_FMT
                                          " bytes for an array)", many)
                           : "";

    r->connection->keepalive = AP_CONN_CLOSE; /* the rest is not read */
    return svc_err_make(r->pool, SVC_ERR_TOO_LARGE,
                        "The body is larger than the %" APR_OFF_T_FMT
                        " bytes that are allowed%s", limit, more);
}

/* A body on its way in. */
typedef struct body_t {
    char *data;
    apr_off_t length, size; /* of what is in data, and of data */
    int is_end, is_over;
} body_t;

/* Appends what BRIGADE holds to BODY. */
static apr_status_t take_data(body_t *body, apr_bucket_brigade *brigade)
{
    apr_bucket *bucket;

    for (bucket = APR_BRIGADE_FIRST(brigade);
         bucket != APR_BRIGADE_SENTINEL(brigade);
         bucket = APR_BUCKET_NEXT(bucket)) {
        const char *data;
        apr_size_t size;
        apr_status_t status;

        body->is_end |= APR_BUCKET_IS_EOS(bucket);
        if (APR_BUCKET_IS_METADATA(bucket))
            continue;
        status = apr_bucket_read(bucket, &data, &size, APR_BLOCK_READ);
        if (status != APR_SUCCESS)
            return status;
        if (body->length + (apr_off_t)size > body->size) {
            body->is_over = 1;
            return APR_SUCCESS;
        }
        memcpy(body->data + body->length, data, size);
        body->length += (apr_off_t)size;
    }
    return APR_SUCCESS;
}

static int is_array(const body_t *body)
{
    apr_off_t at = 0;

    while (at < body->length && apr_isspace(body->data[at]))
        at++;
    return at < body->length && body->data[at] == '[';
}

static void make_room(body_t *body, apr_off_t size, apr_pool_t *pool)
{
    char *data = apr_palloc(pool, (apr_size_t)size + 1);

    if (body->length)
        memcpy(data, body->data, (apr_size_t)body->length);
    body->data = data;
    body->size = size;
}

/* LIMIT is for an object, MANY, which is not less, for an array: which it is
 * shows in the first part. */
static svc_err_t *read_body(body_t *body, int *status, request_rec *r,
                            apr_off_t limit, apr_off_t many)
{
    const char *header = apr_table_get(r->headers_in, "Content-Length");
    apr_off_t announced = header ? apr_atoi64(header) : 0;
    apr_bucket_brigade *brigade =
        apr_brigade_create(r->pool, r->connection->bucket_alloc);
    apr_status_t rv;

    memset(body, 0, sizeof(*body));
    *status = OK;
    if (announced < 0) { /* not every httpd has refused that by now */
        *status = HTTP_BAD_REQUEST;
        return NULL;
    }
    if (announced > many)
        return too_large(r, limit, many);
    make_room(body, header ? announced
                           : limit > HUGE_STRING_LEN ? limit : HUGE_STRING_LEN,
              r->pool);
    while (!body->is_end && !body->is_over) {
        rv = ap_get_brigade(r->input_filters, brigade, AP_MODE_READBYTES,
                            APR_BLOCK_READ, HUGE_STRING_LEN);
        if (rv == APR_SUCCESS)
            rv = take_data(body, brigade);
        if (rv != APR_SUCCESS) {
            *status = ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
            return NULL;
        }
        apr_brigade_cleanup(brigade);
        if (limit < many && is_array(body)) {
            limit = many;
            if (!header && body->size < many)
                make_room(body, many, r->pool);
        }
        body->is_over |= body->length > limit || announced > limit;
    }
    return body->is_over ? too_large(r, limit, limit) : NULL;
}

svc_err_t *svc_ap_http_read_json(svc_json_t **out, int *status, request_rec *r,
                                 const svc_ap_instance_t *instance,
                                 int takes_array)
{
    const svc_ap_conf_t *conf = ap_get_module_config(
        r->server->module_config, instance->service->module);
    apr_off_t limit = conf->max_body >= 0 ? conf->max_body
                                          : SVC_AP_CONF_MAX_BODY;
    body_t body;
    svc_err_t *err;

    *status = OK;
    if (!is_json(r))
        return svc_err_make(r->pool, SVC_ERR_MEDIA_TYPE,
                            "The body must be application/json in UTF-8");
    err = read_body(&body, status, r, limit,
                    takes_array ? SVC_AP_CONF_ARRAY * limit : limit);
    if (err || *status != OK)
        return err;
    return takes_array
               ? svc_json_parse_many(out, body.data, (apr_size_t)body.length,
                                     r->pool)
               : svc_json_parse(out, body.data, (apr_size_t)body.length,
                                r->pool);
}

svc_etag_condition_t svc_ap_http_condition(const request_rec *r,
                                           apr_pool_t *pool)
{
    svc_etag_condition_t condition = {
        apr_pstrdup(pool, apr_table_get(r->headers_in, "If-Match")),
        apr_pstrdup(pool, apr_table_get(r->headers_in, "If-None-Match"))
    };

    return condition;
}

svc_err_t *svc_ap_http_is_known(int *is_known, request_rec *r, const char *etag)
{
    svc_etag_condition_t condition = svc_ap_http_condition(r, r->pool);

    *is_known = 0;
    apr_table_setn(r->headers_out, "ETag", etag);
    if (condition.if_match && !svc_etag_list_has(condition.if_match, etag, 0))
        return svc_err_make(r->pool, SVC_ERR_PRECONDITION,
                            "If-Match names none of the current tags");
    if (condition.if_none_match &&
        svc_etag_list_has(condition.if_none_match, etag, 1)) {
        r->status = HTTP_NOT_MODIFIED;
        *is_known = 1;
    }
    return NULL;
}

/* --- answers ------------------------------------------------------------------- */

void svc_ap_http_send(request_rec *r, int status, const svc_json_t *json)
{
    apr_size_t length;
    const char *text = svc_json_text(&length, json, r->pool);

    svc_ap_http_send_text(r, status, text, length);
}

void svc_ap_http_send_text(request_rec *r, int status, const char *text,
                           apr_size_t length)
{
    r->status = status;
    ap_set_content_type(r, "application/json");
    ap_set_content_length(r, (apr_off_t)length);
    ap_rwrite(text, (int)length, r);
}

static const struct {
    svc_err_kind_t kind;
    int status;
} statuses[] = {
    { SVC_ERR_INVALID, HTTP_BAD_REQUEST },
    { SVC_ERR_UNAUTHENTICATED, HTTP_UNAUTHORIZED },
    { SVC_ERR_FORBIDDEN, HTTP_FORBIDDEN },
    { SVC_ERR_NOT_FOUND, HTTP_NOT_FOUND },
    { SVC_ERR_METHOD, HTTP_METHOD_NOT_ALLOWED },
    { SVC_ERR_CONFLICT, HTTP_CONFLICT },
    { SVC_ERR_PRECONDITION, HTTP_PRECONDITION_FAILED },
    { SVC_ERR_TOO_LARGE, HTTP_REQUEST_ENTITY_TOO_LARGE },
    { SVC_ERR_MEDIA_TYPE, HTTP_UNSUPPORTED_MEDIA_TYPE },
    { SVC_ERR_UNPROCESSABLE, HTTP_UNPROCESSABLE_ENTITY },
    { SVC_ERR_UNAVAILABLE, HTTP_SERVICE_UNAVAILABLE },
    { SVC_ERR_RETRY, HTTP_SERVICE_UNAVAILABLE },
    { SVC_ERR_INTERNAL, HTTP_INTERNAL_SERVER_ERROR }
};

static int status_of(svc_err_kind_t kind)
{
    size_t i;

    for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (statuses[i].kind == kind)
            return statuses[i].status;
    }
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* "404 Not Found" -> "Not Found" */
static const char *title_of(int status)
{
    const char *line = ap_get_status_line(status);

    return strlen(line) > 4 ? line + 4 : line;
}

/* A problem; FIELDS may be NULL: then DETAIL is its only error. */
static const char *problem(apr_size_t *length, int status, const char *detail,
                           const svc_err_field_t *fields, apr_pool_t *pool)
{
    svc_json_t *json = svc_json_object(pool);
    svc_json_t *errors = svc_json_array(pool);
    const svc_err_field_t only = { NULL, detail, NULL };

    svc_json_set_string(json, "type", "about:blank");
    svc_json_set_string(json, "title", title_of(status));
    svc_json_set_int(json, "status", status);
    svc_json_set_string(json, "detail", detail);
    for (fields = fields ? fields : &only; fields; fields = fields->next) {
        svc_json_t *error = svc_json_object(pool);

        svc_json_set_string(error, "message", fields->message);
        svc_json_set_string(error, "field", fields->field);
        svc_json_append(errors, error);
    }
    svc_json_set(json, "errors", errors);
    return svc_json_text(length, json, pool);
}

void svc_ap_http_set_headers(request_rec *r, const svc_ap_service_t *service)
{
    apr_table_setn(r->headers_out, "Vary", "Authorization");
    apr_table_setn(r->headers_out, "Cache-Control", service->cache_control);
}

/* httpd swaps the two tables before it sends an error of its own. */
static int has_challenge(const request_rec *r)
{
    return apr_table_get(r->err_headers_out, "WWW-Authenticate") ||
           apr_table_get(r->headers_out, "WWW-Authenticate");
}

void svc_ap_http_challenge(request_rec *r)
{
    const char *type = ap_auth_type(r), *name = ap_auth_name(r);

    if (type && !has_challenge(r))
        ap_note_auth_failure(r);
    if (!has_challenge(r))
        apr_table_setn(r->err_headers_out, "WWW-Authenticate",
                       apr_psprintf(r->pool, "%s realm=\"%s\"",
                                    type && strcasecmp(type, "Basic") == 0
                                        ? "Basic"
                                        : "Bearer",
                                    name ? name : "api"));
}

/* While the database is away every request fails: a few lines in a second say so,
 * and the next one says how many there were besides. */
static void log_failure(request_rec *r, const svc_ap_service_t *service,
                        const svc_err_t *err)
{
    static atomic_llong second; /* that is counted */
    static atomic_int logged, left_out;
    long long now = svc_time_ticks() / 1000, before = second;
    int others = 0, is_new = now != before &&
                             atomic_compare_exchange_strong(&second, &before,
                                                            now);

    if (is_new) {
        atomic_store(&logged, 0);
        others = atomic_exchange(&left_out, 0);
    }
    if (atomic_fetch_add(&logged, 1) >= MAX_FAILURE_LINES) {
        atomic_fetch_add(&left_out, 1);
        return;
    }
    ap_log_rerror_(__FILE__, __LINE__, service->module->module_index,
                   APLOG_ERR, 0, r, "SVC060: %s %s: %s: %s%s", r->method,
                   r->uri, err->message, err->detail ? err->detail : "",
                   others ? apr_psprintf(r->pool, " (and %d more before)",
                                         others)
                          : "");
}

void svc_ap_http_send_error(request_rec *r, const svc_ap_service_t *service,
                            const svc_err_t *err)
{
    int status = status_of(err->kind);
    int retry_after = err->retry_after;
    apr_size_t length;
    const char *text = problem(&length, status, err->message, err->fields,
                               r->pool);

    if (status >= 500)
        log_failure(r, service, err);
    else
        ap_log_rerror_(__FILE__, __LINE__, service->module->module_index,
                       APLOG_INFO, 0, r, "SVC061: %s %s: %d %s", r->method,
                       r->uri, status, err->message);
    if (status >= 500 && !retry_after)
        retry_after = 1;
    if (retry_after)
        apr_table_setn(r->headers_out, "Retry-After",
                       apr_itoa(r->pool, retry_after));
    r->status = status;
    ap_set_content_type(r, PROBLEM_TYPE);
    ap_set_content_length(r, (apr_off_t)length);
    ap_rwrite(text, (int)length, r);
}

/* --- httpd's own errors ---------------------------------------------------------- */

static const char *detail_of(const request_rec *r)
{
    switch (r->status) {
    case HTTP_UNAUTHORIZED:
        return "Authentication is required";
    case HTTP_FORBIDDEN:
        return "This user may not do that";
    case HTTP_REQUEST_ENTITY_TOO_LARGE:
        return "The body is larger than this server allows";
    case HTTP_BAD_REQUEST:
        return "The request cannot be understood";
    default:
        return title_of(r->status);
    }
}

/* Replaces the HTML page that httpd made. */
static apr_status_t problem_filter(ap_filter_t *filter,
                                   apr_bucket_brigade *brigade)
{
    request_rec *r = filter->r;
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    apr_size_t length;
    const char *text;

    if (APR_BRIGADE_EMPTY(brigade))
        return APR_SUCCESS;
    if (filter->ctx) {
        svc_ap_http_set_headers(r, filter->ctx);
        filter->ctx = NULL; /* sent */
        text = problem(&length, r->status, detail_of(r), NULL, r->pool);
        if (r->status >= 500)
            apr_table_setn(r->err_headers_out, "Retry-After", "1");
        if (r->status == HTTP_UNAUTHORIZED)
            svc_ap_http_challenge(r);
        ap_set_content_type(r, PROBLEM_TYPE);
        apr_table_unset(r->headers_out, "Content-Length");
        ap_set_content_length(r, (apr_off_t)length);
        apr_brigade_cleanup(brigade);
        APR_BRIGADE_INSERT_TAIL(
            brigade, apr_bucket_pool_create(text, length, r->pool, alloc));
        APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(alloc));
        return ap_pass_brigade(filter->next, brigade);
    }
    apr_brigade_cleanup(brigade);
    return APR_SUCCESS;
}

/* Two modules register it under one name; either copy does the same. */
static const char filter_name[] = "svc_ap_http_problem";

void svc_ap_http_register(void)
{
    ap_register_output_filter(filter_name, problem_filter, NULL,
                              AP_FTYPE_RESOURCE);
}

/* httpd may refuse a request before it looks at any Location. */
static int is_under_base(const request_rec *r, const svc_ap_conf_t *conf)
{
    int i;

    for (i = 0; r->uri && conf->bases && i < conf->bases->nelts; i++) {
        const char *base = APR_ARRAY_IDX(conf->bases, i, const char *);
        apr_size_t length = strlen(base);

        if (strncmp(r->uri, base, length) == 0 &&
            (r->uri[length] == '/' || r->uri[length] == '\0'))
            return 1;
    }
    return 0;
}

void svc_ap_http_insert_error_filter(request_rec *r,
                                     const svc_ap_service_t *service)
{
    const svc_ap_conf_dir_t *dir =
        ap_get_module_config(r->per_dir_config, service->module);
    const svc_ap_conf_t *conf =
        ap_get_module_config(r->server->module_config, service->module);

    if ((dir && dir->is_api == 1) || is_under_base(r, conf))
        ap_add_output_filter(filter_name, (void *)service, r, r->connection);
}
