/* svc_ap_status_page: see the header. */
#include "svc_ap_status_page.h"

#include <string.h>

#include <apr_strings.h>

#include "svc_ap_status_json.h"

/* status.html, by apxs-build.sh. */
static const char page[] =
#include "status.html.inc"
    ;

/* Nothing in JSON can end the script that it stands in, then. */
static const char *embed(const char *json, apr_pool_t *pool)
{
    size_t count = 0;
    const char *at;
    char *text, *to;

    for (at = json; *at; at++)
        count += *at == '<';
    to = text = apr_palloc(pool, strlen(json) + 5 * count + 1);
    for (at = json; *at; at++) {
        if (*at == '<') {
            memcpy(to, "\\u003c", 6);
            to += 6;
        } else {
            *to++ = *at;
        }
    }
    *to = '\0';
    return text;
}

/* For who has no JavaScript. */
static const char *problems(const svc_ap_status_view_t *view)
{
    const char *html = "";
    int i;

    for (i = 0; i < view->health->problems->nelts; i++) {
        const svc_health_problem_t *problem = &APR_ARRAY_IDX(
            view->health->problems, i, svc_health_problem_t);

        html = apr_pstrcat(view->pool, html, "<li class=\"",
                           svc_health_word(view->health->state), "\"><b>",
                           ap_escape_html(view->pool, problem->message),
                           "</b><span>", problem->what, "</span></li>", NULL);
    }
    return html;
}

const char *svc_ap_status_page(const svc_ap_status_view_t *view)
{
    const struct {
        const char *mark, *text;
    } marks[] = {
        { "@service@", view->instance->service->name },
        { "@state@", svc_health_word(view->health->state) },
        { "@problems@", problems(view) },
        { "@json@", embed(svc_json_text(NULL, svc_ap_status_json(view),
                                        view->pool), view->pool) }
    };
    apr_array_header_t *parts = apr_array_make(view->pool, 16,
                                               sizeof(const char *));
    const char *begin = page, *at;
    size_t i;

    for (at = strchr(begin, '@'); at; at = strchr(at + 1, '@')) {
        for (i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
            size_t length = strlen(marks[i].mark);

            if (strncmp(at, marks[i].mark, length) != 0)
                continue;
            APR_ARRAY_PUSH(parts, const char *) = apr_pstrmemdup(
                view->pool, begin, (apr_size_t)(at - begin));
            APR_ARRAY_PUSH(parts, const char *) = marks[i].text;
            begin = at + length;
            at = begin - 1;
            break;
        }
    }
    APR_ARRAY_PUSH(parts, const char *) = begin;
    return apr_array_pstrcat(view->pool, parts, '\0');
}
