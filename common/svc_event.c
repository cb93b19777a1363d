/* svc_event: see the header. */
#include "svc_event.h"

#include <string.h>

#include <apr_strings.h>

#include "svc_time.h"

#define MAX_ATTRIBUTE 255 /* bytes of id, source and subject */

const char *svc_event_encode(const svc_event_t *event, apr_pool_t *pool)
{
    svc_json_t *json = svc_json_object(pool);

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

static svc_err_t *read_sequence(apr_int64_t *out, const svc_json_t *json,
                                apr_pool_t *pool)
{
    const char *text;
    svc_err_t *err = attribute(&text, json, "sequence", 0, pool);

    *out = 0;
    if (err || !text)
        return err;
    if (strlen(text) > 20 || text[strspn(text, "0123456789")] ||
        (*out = apr_atoi64(text)) < 0 || *out == APR_INT64_MAX)
        return svc_err_make(pool, SVC_ERR_INVALID,
                            "the attribute \"sequence\" must be a position of "
                            "up to 20 digits");
    return NULL;
}

svc_err_t *svc_event_decode(svc_event_t *out, const char *subject,
                            const char *text, apr_size_t length,
                            apr_pool_t *pool)
{
    const char *version;
    svc_json_t *json = NULL;
    svc_err_t *err;

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
    out->data = svc_json_get_object(json, "data");
    if (!out->data && svc_json_type(json, "data") != SVC_JSON_MISSING &&
        svc_json_type(json, "data") != SVC_JSON_NULL)
        return svc_err_make(pool, SVC_ERR_INVALID,
                            "\"data\" must be an object");
    return NULL;
}
