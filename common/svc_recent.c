/* svc_recent: see the header. */
#include "svc_recent.h"

#include <string.h>

#include <apr_strings.h>

#include "svc_json.h"

static void read_text(char *out, apr_size_t size, const svc_json_t *json,
                      const char *name)
{
    const char *text = svc_json_get_string(json, name);

    svc_stats_text(out, size, text ? text : "");
}

void svc_recent_read(svc_stats_event_t *out, const char *text,
                     apr_pool_t *scratch)
{
    const char *sequence;
    svc_json_t *json, *data;

    memset(out, 0, sizeof(*out));
    out->version = -1;
    if (!text || svc_json_parse(&json, text, strlen(text), scratch))
        return;
    read_text(out->source, sizeof(out->source), json, "source");
    read_text(out->type, sizeof(out->type), json, "type");
    read_text(out->subject, sizeof(out->subject), json, "subject");
    read_text(out->time, sizeof(out->time), json, "time");
    if (strspn(out->time, "0123456789-+:.TZtz") != strlen(out->time))
        out->time[0] = '\0';
    if ((sequence = svc_json_get_string(json, "sequence")))
        out->position = apr_atoi64(sequence);
    data = svc_json_get_object(json, "data");
    if (data && !svc_json_get_count(&out->version, data, "version"))
        out->version = -1;
}

void svc_recent_remember(svc_stats_t *stats, int is_published, const char *text,
                         apr_pool_t *scratch)
{
    svc_stats_event_t event;

    svc_recent_read(&event, text, scratch);
    event.is_published = is_published;
    svc_stats_remember(stats, &event);
}
