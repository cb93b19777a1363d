/* svc_err: an error keeps what it says, whichever pool it is copied to, and its
 * kinds are told apart: about the request, or ours.
 */
#include "fixture.h"

#include "svc_err.h"

static void fields(void)
{
    svc_err_t *err = NULL;

    svc_err_add_field(&err, fixture.pool, "title", "too long");
    ok(err && err->kind == SVC_ERR_INVALID,
       "the first bad field makes an INVALID error");
    svc_err_add_field(&err, fixture.pool, "price", "too low");
    svc_err_add_field(&err, fixture.pool, "title", "again");
    is_str(err->fields->field, "title", "bad fields stay in order: the first");
    is_str(err->fields->next->message, "too low", "... the second");
    is_str(err->fields->next->next->message, "again", "... the third");
    ok(!err->fields->next->next->next, "... and no more");
    ok(*err->message, "an error about fields has a sentence as well");
}

static void copies(void)
{
    apr_pool_t *scratch;
    svc_err_t *err, *copy;

    apr_pool_create(&scratch, fixture.pool);
    err = svc_err_ours(scratch, SVC_ERR_RETRY, "for all", "for the log %d", 7);
    is_int(err->retry_after, 1, "an error of ours says when to try again");
    err->retry_after = 9;
    svc_err_add_field(&err, scratch, apr_pstrdup(scratch, "a"),
                      apr_pstrdup(scratch, "b"));
    copy = svc_err_copy(err, fixture.pool);
    memset((char *)err->message, 'x', 2);
    memset((char *)err->detail, 'x', 2);
    memset((char *)err->fields->field, 'x', 1);
    memset((char *)err->fields->message, 'x', 1);
    apr_pool_destroy(scratch);
    is_int(copy->kind, SVC_ERR_RETRY, "a copy keeps the kind");
    is_str(copy->message, "for all", "a copy has a message of its own");
    is_str(copy->detail, "for the log 7", "a copy has a detail of its own");
    is_int(copy->retry_after, 9, "a copy keeps retry_after");
    is_str(copy->fields->field, "a", "a copy has fields of its own");
    is_str(copy->fields->message, "b", "... with their messages");
    ok(!copy->fields->next, "a copy has no more fields than the original");
    ok(!svc_err_copy(NULL, fixture.pool), "a copy of success is success");
    copy = svc_err_copy(svc_err_make(fixture.pool, SVC_ERR_CONFLICT, "%s", "no"),
                        fixture.pool);
    ok(!copy->detail && !copy->fields,
       "what the original has not, its copy has not");
}

static void kinds(void)
{
    static const struct {
        svc_err_kind_t kind;
        int is_domain;
    } table[] = {
        { SVC_ERR_INVALID, 1 },      { SVC_ERR_UNAUTHENTICATED, 1 },
        { SVC_ERR_FORBIDDEN, 1 },    { SVC_ERR_NOT_FOUND, 1 },
        { SVC_ERR_METHOD, 1 },       { SVC_ERR_CONFLICT, 1 },
        { SVC_ERR_PRECONDITION, 1 }, { SVC_ERR_TOO_LARGE, 1 },
        { SVC_ERR_MEDIA_TYPE, 1 },   { SVC_ERR_UNPROCESSABLE, 1 },
        { SVC_ERR_UNAVAILABLE, 0 },  { SVC_ERR_RETRY, 0 },
        { SVC_ERR_INTERNAL, 0 }
    };
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        is_int(svc_err_is_domain(
                   svc_err_make(fixture.pool, table[i].kind, "x")),
               table[i].is_domain, "kind %d %s about the request",
               (int)table[i].kind, table[i].is_domain ? "is" : "is not");
}

int main(void)
{
    fixture_begin();
    fields();
    copies();
    kinds();
    return fixture_end();
}
