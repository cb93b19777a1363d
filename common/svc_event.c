/* svc_event: see the header. */
#include "svc_event.h"

#include <string.h>

#include <apr_strings.h>

#include "svc_time.h"

#define MAX_ATTRIBUTE 255 /* bytes of id, source and subject */

/* Most events are written and read in one layout, without a tree for the
 * envelope: that takes a third of the time, which is what matters to one who has
 * many to catch up with. */

/* True for a text that is in JSON as it is here. */
static int is_plain(const char *text)
{
    for (; *text > 31 && *text < 127 && *text != '"' && *text != '\\'; text++)
        ;
    return !*text;
}

static const char *encode_usual(const svc_event_t *event, apr_pool_t *pool)
{
    const char *trace = event->origin.traceparent;
    const char *request = event->origin.request_id;

    return apr_pstrcat(
        pool, "{\"specversion\":\"1.0\",\"id\":\"", event->id,
        "\",\"source\":\"", event->source, "\",\"type\":\"", event->type,
        event->entity ? "\",\"subject\":\"" : "",
        event->entity ? event->entity : "", "\",\"time\":\"",
        svc_time_format(event->time, pool),
        "\",\"datacontenttype\":\"application/json\",\"sequence\":\"",
        apr_psprintf(pool, "%020" APR_INT64_T_FMT, event->position),
        trace ? "\",\"traceparent\":\"" : "", trace ? trace : "",
        request ? "\",\"requestid\":\"" : "", request ? request : "",
        "\",\"data\":", svc_json_text(NULL, event->data, pool), "}", NULL);
}

const char *svc_event_encode(const svc_event_t *event, apr_pool_t *pool)
{
    svc_json_t *json;

    if (event->data && is_plain(event->id) && is_plain(event->source) &&
        is_plain(event->type) && (!event->entity || is_plain(event->entity)) &&
        (!event->origin.request_id || is_plain(event->origin.request_id)))
        return encode_usual(event, pool);
    json = svc_json_object(pool);
    svc_json_set_string(json, "specversion", "1.0");
    svc_json_set_string(json, "id", event->id);
    svc_json_set_string(json, "source", event->source);
    svc_json_set_string(json, "type", event->type);
    svc_json_set_string(json, "subject", event->entity);
    svc_json_set_string(json, "time", svc_time_format(event->time, pool));
    svc_json_set_string(json, "datacontenttype", "application/json");
    svc_json_set_string(json, "sequence",
                        apr_psprintf(pool, "%020" APR_INT64_T_FMT,
                                     event->position));
    svc_json_set_string(json, "traceparent", event->origin.traceparent);
    svc_json_set_string(json, "requestid", event->origin.request_id);
    svc_json_set(json, "data", event->data);
    return svc_json_text(NULL, json, pool);
}

static svc_err_t *attribute(const char **out, const svc_json_t *json,
                            const char *name, int required, apr_pool_t *pool)
{
    const char *value = svc_json_get_string(json, name);

    *out = NULL;
    if (!required && (svc_json_type(json, name) == SVC_JSON_MISSING ||
                      svc_json_type(json, name) == SVC_JSON_NULL))
        return NULL; /* null means unset (JSON Event Format, 2.2) */
    if (!value || !*value || strlen(value) > MAX_ATTRIBUTE)
        return svc_err_make(pool, SVC_ERR_INVALID,
                            "the attribute \"%s\" must be a text of 1 to %d "
                            "bytes", name, MAX_ATTRIBUTE);
    *out = apr_pstrdup(pool, value);
    return NULL;
}

static svc_err_t *read_position(apr_int64_t *out, const char *text,
                                apr_pool_t *pool)
{
    if (strlen(text) > 20 || text[strspn(text, "0123456789")] ||
        (*out = apr_atoi64(text)) < 0 || *out == APR_INT64_MAX)
        return svc_err_make(pool, SVC_ERR_INVALID,
                            "the attribute \"sequence\" must be a position of "
                            "up to 20 digits");
    return NULL;
}

static svc_err_t *read_sequence(apr_int64_t *out, const svc_json_t *json,
                                apr_pool_t *pool)
{
    const char *text;
    svc_err_t *err = attribute(&text, json, "sequence", 0, pool);

    *out = 0;
    return err || !text ? err : read_position(out, text, pool);
}

static svc_origin_t read_origin(const svc_json_t *json, apr_pool_t *pool)
{
    svc_origin_t origin = svc_origin(svc_json_get_string(json, "traceparent"),
                                     svc_json_get_string(json, "requestid"));

    return svc_origin_copy(&origin, pool);
}

/* Steps over LITERAL; false when it is not what comes. */
static int skip(const char **at, const char *literal)
{
    size_t length = strlen(literal);

    if (strncmp(*at, literal, length) != 0)
        return 0;
    *at += length;
    return 1;
}

/* Takes the text up to the next quotation mark, if it needs no decoding. */
static int take_text(const char **out, const char **at, apr_pool_t *pool)
{
    const char *begin = *at;

    while (**at > 31 && **at < 127 && **at != '"' && **at != '\\')
        ++*at;
    if (**at != '"' || *at == begin || *at - begin > MAX_ATTRIBUTE)
        return 0;
    *out = apr_pstrmemdup(pool, begin, (apr_size_t)(*at - begin));
    ++*at;
    return 1;
}

/* Reads an event in the layout of encode_usual. False for any other, which may
 * be as good; then OUT is not to be looked at. */
static int decode_usual(svc_event_t *out, const char *subject,
                        const char *text, apr_size_t length, apr_pool_t *pool)
{
    const char *at = text, *sequence, *trace = NULL, *request = NULL;

    if (!skip(&at, "{\"specversion\":\"1.0\",\"id\":\"") ||
        !take_text(&out->id, &at, pool) || !skip(&at, ",\"source\":\"") ||
        !take_text(&out->source, &at, pool) || !skip(&at, ",\"type\":\"") ||
        !take_text(&out->type, &at, pool) ||
        strcmp(out->type, subject) != 0 ||
        (skip(&at, ",\"subject\":\"") &&
         !take_text(&out->entity, &at, pool)) ||
        !skip(&at, ",\"time\":\"") || !take_text(&sequence, &at, pool) ||
        !skip(&at, ",\"datacontenttype\":\"application/json\","
                   "\"sequence\":\"") ||
        !take_text(&sequence, &at, pool) ||
        read_position(&out->position, sequence, pool) ||
        (skip(&at, ",\"traceparent\":\"") &&
         !take_text(&trace, &at, pool)) ||
        (skip(&at, ",\"requestid\":\"") &&
         !take_text(&request, &at, pool)) ||
        !skip(&at, ",\"data\":"))
        return 0;
    out->origin = svc_origin(trace, request);
    out->data_text = at;
    out->data_length = length - (apr_size_t)(at - text) - 1;
    /* An attribute after the data would end in a quotation mark. */
    return *at == '{' && text[length - 2] == '}' && text[length - 1] == '}';
}

svc_err_t *svc_event_decode(svc_event_t *out, const char *subject,
                            const char *text, apr_size_t length,
                            apr_pool_t *pool)
{
    const char *version;
    svc_json_t *json = NULL, *data;
    svc_err_t *err;

    memset(out, 0, sizeof(*out));
    out->text = text;
    if (strlen(text) != length)
        return svc_err_make(pool, SVC_ERR_INVALID, "it has a NUL byte");
    if (decode_usual(out, subject, text, length, pool))
        return NULL;
    memset(out, 0, sizeof(*out));
    out->text = text;
    if ((err = svc_json_parse(&json, text, length, pool)) ||
        (err = attribute(&version, json, "specversion", 1, pool)) ||
        (err = attribute(&out->id, json, "id", 1, pool)) ||
        (err = attribute(&out->source, json, "source", 1, pool)) ||
        (err = attribute(&out->type, json, "type", 1, pool)) ||
        (err = attribute(&out->entity, json, "subject", 0, pool)) ||
        (err = read_sequence(&out->position, json, pool)))
        return err;
    if (strcmp(version, "1.0") != 0)
        return svc_err_make(pool, SVC_ERR_INVALID,
                            "the attribute \"specversion\" must be \"1.0\"");
    if (strcmp(out->type, subject) != 0)
        return svc_err_make(pool, SVC_ERR_INVALID,
                            "the attribute \"type\" is not the message's "
                            "subject");
    out->origin = read_origin(json, pool);
    data = svc_json_get_object(json, "data");
    if (data)
        out->data_text = svc_json_text(&out->data_length, data, pool);
    else if (svc_json_type(json, "data") != SVC_JSON_MISSING &&
        svc_json_type(json, "data") != SVC_JSON_NULL)
        return svc_err_make(pool, SVC_ERR_INVALID,
                            "\"data\" must be an object");
    return NULL;
}

svc_err_t *svc_event_data(svc_json_t **out, const svc_event_t *event,
                          apr_pool_t *pool)
{
    svc_json_t *whole;
    svc_err_t *err;

    *out = event->data;
    if (event->data)
        return NULL;
    if (!event->data_text)
        return svc_err_make(pool, SVC_ERR_INVALID, "data must be there");
    err = svc_json_parse(out, event->data_text, event->data_length, pool);
    if (!err || !event->text)
        return err;
    /* Something may follow the data in what looked like the usual layout. */
    err = svc_json_parse(&whole, event->text, strlen(event->text), pool);
    if (!err && !(*out = svc_json_get_object(whole, "data")))
        err = svc_err_make(pool, SVC_ERR_INVALID, "\"data\" must be an object");
    return err;
}
