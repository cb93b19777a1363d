/* svc_etag: see the header. */
#include "svc_etag.h"

#include <string.h>

/* Does the quoted text from OPEN to CLOSE (the positions of the two quotes)
 * equal ETAG, apart from a content coding's suffix? */
static int is_same(const char *open, const char *close, const char *etag)
{
    static const char *const suffixes[] = { "", "-gzip", "-br", "-deflate" };
    size_t length = strlen(etag) - 1; /* without the closing quote */
    size_t i;

    if ((size_t)(close - open) < length || strncmp(open, etag, length) != 0)
        return 0;
    for (i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        size_t rest = (size_t)(close - open) - length;

        if (rest == strlen(suffixes[i]) &&
            strncmp(open + length, suffixes[i], rest) == 0)
            return 1;
    }
    return 0;
}

int svc_etag_list_has(const char *list, const char *etag, int weak)
{
    const char *at = list;

    while (*(at += strspn(at, " \t,"))) {
        int is_weak = strncmp(at, "W/", 2) == 0;
        const char *close;

        if (*at == '*')
            return 1;
        if (is_weak)
            at += 2;
        if (*at != '"' || !(close = strchr(at + 1, '"')))
            return 0; /* not a list of entity tags: matches nothing */
        if ((weak || !is_weak) && is_same(at, close, etag))
            return 1;
        at = close + 1;
    }
    return 0;
}

int svc_etag_allows(const svc_etag_condition_t *condition, const char *etag)
{
    if (condition->if_match &&
        !svc_etag_list_has(condition->if_match, etag, 0))
        return 0;
    return !condition->if_none_match ||
           !svc_etag_list_has(condition->if_none_match, etag, 1);
}
