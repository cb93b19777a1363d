/* svc_err: see the header. */
#include "svc_err.h"

#include <apr_strings.h>

svc_err_t *svc_err_make(apr_pool_t *pool, svc_err_kind_t kind,
                        const char *format, ...)
{
    svc_err_t *err = apr_pcalloc(pool, sizeof(*err));
    va_list args;

    va_start(args, format);
    err->message = apr_pvsprintf(pool, format, args);
    va_end(args);
    err->kind = kind;
    return err;
}

svc_err_t *svc_err_ours(apr_pool_t *pool, svc_err_kind_t kind,
                        const char *message, const char *format, ...)
{
    svc_err_t *err = apr_pcalloc(pool, sizeof(*err));
    va_list args;

    va_start(args, format);
    err->detail = apr_pvsprintf(pool, format, args);
    va_end(args);
    err->kind = kind;
    err->message = apr_pstrdup(pool, message);
    err->retry_after = 1;
    return err;
}

void svc_err_add_field(svc_err_t **err, apr_pool_t *pool, const char *field,
                       const char *message)
{
    svc_err_field_t *added = apr_pcalloc(pool, sizeof(*added));
    svc_err_field_t **tail;

    if (!*err)
        *err = svc_err_make(pool, SVC_ERR_INVALID,
                            "The request has fields that are not acceptable");
    added->field = field;
    added->message = message;
    for (tail = &(*err)->fields; *tail; tail = &(*tail)->next)
        ;
    *tail = added;
}

int svc_err_is_domain(const svc_err_t *err)
{
    return err->kind < SVC_ERR_UNAVAILABLE;
}

svc_err_t *svc_err_copy(const svc_err_t *err, apr_pool_t *pool)
{
    svc_err_t *copy;
    const svc_err_field_t *field;

    if (!err)
        return NULL;
    copy = apr_pmemdup(pool, err, sizeof(*err));
    copy->message = apr_pstrdup(pool, err->message);
    copy->detail = apr_pstrdup(pool, err->detail);
    copy->fields = NULL;
    for (field = err->fields; field; field = field->next)
        svc_err_add_field(&copy, pool, apr_pstrdup(pool, field->field),
                          apr_pstrdup(pool, field->message));
    return copy;
}
