/* svc_ap_query: see the header. */
#include "svc_ap_query.h"

#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "svc_json.h"
#include "svc_money.h"

#define MAX_PARAMETERS 32 /* more than any list has */

static const char *const no_filters[] = { NULL };

/* A parameter as it was given, unescaped. */
typedef struct parameter_t {
    const char *name;
    const char *value;
    const char *error; /* NULL: it can be read */
} parameter_t;

struct svc_ap_query_t {
    request_rec *r;
    const char *const *filters;
    apr_array_header_t *given; /* parameter_t; no name twice */
    svc_err_t *err;
};

/* --- reading the query ------------------------------------------------------- */

static parameter_t *find(const svc_ap_query_t *query, const char *name)
{
    int i;

    for (i = 0; i < query->given->nelts; i++) {
        parameter_t *parameter = &APR_ARRAY_IDX(query->given, i, parameter_t);

        if (strcmp(parameter->name, name) == 0)
            return parameter;
    }
    return NULL;
}

/* TEXT unescaped; NULL when it is not what it should be. */
static const char *unescape(const char *text, apr_pool_t *pool)
{
    char *unescaped = apr_pstrdup(pool, text);

    return ap_unescape_urlencoded(unescaped) == OK &&
                   svc_json_is_utf8(unescaped)
               ? unescaped
               : NULL;
}

static void take(svc_ap_query_t *query, char *part)
{
    apr_pool_t *pool = query->r->pool;
    char *value = strchr(part, '=');
    parameter_t parameter = { NULL, "", NULL };
    parameter_t *before;

    if (value)
        *value++ = '\0';
    parameter.name = unescape(part, pool);
    if (!parameter.name) /* an error has to be able to name it */
        parameter.name = svc_json_is_utf8(part)
                             ? part
                             : ap_escape_urlencoded(pool, part);
    if (value)
        parameter.value = unescape(value, pool);
    if (!parameter.value)
        parameter.error = apr_pstrcat(pool, parameter.name, " must be UTF-8, "
                                      "percent-encoded, without NUL", NULL);
    before = find(query, parameter.name);
    if (before)
        before->error = apr_pstrcat(pool, parameter.name,
                                    " may be given only once", NULL);
    else
        APR_ARRAY_PUSH(query->given, parameter_t) = parameter;
}

svc_ap_query_t *svc_ap_query_read(request_rec *r, const char *const *filters)
{
    svc_ap_query_t *query = apr_pcalloc(r->pool, sizeof(*query));
    char *part, *rest = apr_pstrdup(r->pool, r->args ? r->args : "");

    query->r = r;
    query->filters = filters ? filters : no_filters;
    query->given = apr_array_make(r->pool, 8, sizeof(parameter_t));
    while ((part = apr_strtok(rest, "&", &rest)) &&
           query->given->nelts < MAX_PARAMETERS)
        take(query, part);
    if (part)
        query->err = svc_err_make(r->pool, SVC_ERR_INVALID,
                                  "The query has more than %d parameters",
                                  MAX_PARAMETERS);
    return query;
}

/* --- reading a parameter ----------------------------------------------------- */

void svc_ap_query_refuse(svc_ap_query_t *query, const char *name,
                         const char *message)
{
    svc_err_add_field(&query->err, query->r->pool, name, message);
}

static const char *value_of(svc_ap_query_t *query, const char *name)
{
    const parameter_t *parameter = find(query, name);

    if (!parameter)
        return NULL;
    if (parameter->error) {
        svc_ap_query_refuse(query, name, parameter->error);
        return NULL;
    }
    return parameter->value;
}

svc_ap_query_page_t svc_ap_query_page(svc_ap_query_t *query)
{
    svc_ap_query_page_t page = { 0, SVC_AP_QUERY_DEFAULT_LIMIT };
    const char *limit = value_of(query, "limit");
    const char *cursor;
    char *end = NULL;

    if (limit) {
        page.limit = *limit && strlen(limit) <= 6 &&
                             strspn(limit, "0123456789") == strlen(limit)
                         ? atoi(limit)
                         : 0;
        if (page.limit < 1 || page.limit > SVC_AP_QUERY_MAX_LIMIT)
            svc_ap_query_refuse(query, "limit",
                                apr_psprintf(query->r->pool, "limit must be a "
                                             "number from 1 to %d",
                                             SVC_AP_QUERY_MAX_LIMIT));
    }
    cursor = value_of(query, "cursor");
    if (cursor) {
        page.after = strlen(cursor) < 18 && cursor[0] == 'p' &&
                             apr_isxdigit(cursor[1])
                         ? apr_strtoi64(cursor + 1, &end, 16)
                         : -1;
        if (page.after < 0 || *end)
            svc_ap_query_refuse(query, "cursor", "cursor must be one that a "
                                                 "Link header gave");
    }
    return page;
}

const char *svc_ap_query_text(svc_ap_query_t *query, const char *name, int max)
{
    const char *value = value_of(query, name);

    if (!value || (*value && svc_json_characters(value) <= (apr_size_t)max))
        return value;
    svc_ap_query_refuse(query, name,
                        apr_psprintf(query->r->pool,
                                     "%s must have 1 to %d characters", name,
                                     max));
    return NULL;
}

/* "a, b and c" */
static const char *enumerate(const char *const *names, const char *last_word,
                             apr_pool_t *pool)
{
    const char *text = names[0];
    int i;

    for (i = 1; names[i]; i++)
        text = apr_pstrcat(pool, text, names[i + 1] ? ", " : last_word,
                           names[i], NULL);
    return text;
}

int svc_ap_query_choice(svc_ap_query_t *query, const char *name,
                        const char *const *choices, int default_choice)
{
    const char *value = value_of(query, name);
    int i;

    if (!value)
        return default_choice;
    for (i = 0; choices[i]; i++) {
        if (strcmp(choices[i], value) == 0)
            return i;
    }
    svc_ap_query_refuse(query, name,
                        apr_pstrcat(query->r->pool, name, " must be ",
                                    enumerate(choices, " or ", query->r->pool),
                                    NULL));
    return default_choice;
}

apr_int64_t svc_ap_query_cents(svc_ap_query_t *query, const char *name)
{
    const char *value = value_of(query, name);
    apr_int64_t cents = value ? svc_money_of_text(value) : -1;

    if (value && cents < 0)
        svc_ap_query_refuse(query, name,
                            apr_pstrcat(query->r->pool, name, " must be a "
                                        "price from 0 to 9999999.99 with at "
                                        "most 2 decimals", NULL));
    return cents;
}

/* limit, cursor and the filters. */
static const char *const *known(const svc_ap_query_t *query)
{
    apr_array_header_t *names = apr_array_make(query->r->pool, 9,
                                               sizeof(const char *));
    const char *const *filter;

    APR_ARRAY_PUSH(names, const char *) = "limit";
    APR_ARRAY_PUSH(names, const char *) = "cursor";
    for (filter = query->filters; *filter; filter++)
        APR_ARRAY_PUSH(names, const char *) = *filter;
    APR_ARRAY_PUSH(names, const char *) = NULL;
    return (const char *const *)names->elts;
}

static int is_known(const char *const *names, const char *name)
{
    for (; *names; names++) {
        if (strcmp(*names, name) == 0)
            return 1;
    }
    return 0;
}

svc_err_t *svc_ap_query_end(svc_ap_query_t *query)
{
    apr_pool_t *pool = query->r->pool;
    const char *const *names = known(query);
    const char *message = apr_pstrcat(
        pool, "This parameter is not known; ", enumerate(names, " and ", pool),
        " are", NULL);
    int i;

    for (i = 0; i < query->given->nelts; i++) {
        const char *name = APR_ARRAY_IDX(query->given, i, parameter_t).name;

        if (!is_known(names, name))
            svc_ap_query_refuse(query, name, message);
    }
    return query->err;
}

/* --- the next page ----------------------------------------------------------- */

void svc_ap_query_link_next(svc_ap_query_t *query,
                            const svc_ap_query_page_t *page, apr_int64_t last)
{
    apr_pool_t *pool = query->r->pool;
    const char *filters = "";
    const char *const *filter;

    for (filter = query->filters; *filter; filter++) {
        const parameter_t *given = find(query, *filter);

        if (given)
            filters = apr_pstrcat(pool, filters, "&", *filter, "=",
                                  ap_escape_urlencoded(pool, given->value),
                                  NULL);
    }
    apr_table_setn(query->r->headers_out, "Link",
                   apr_psprintf(pool,
                                "<%s?limit=%d&cursor=p%" APR_UINT64_T_HEX_FMT
                                "%s>; rel=\"next\"",
                                ap_os_escape_path(pool, query->r->uri, 1),
                                page->limit, (apr_uint64_t)last, filters));
}
