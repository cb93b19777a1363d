/* svc_id: see the header. */
#include "svc_id.h"

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_lib.h>
#include <apr_sha1.h>
#include <apr_strings.h>
#include <apr_time.h>

const char *svc_id_new(apr_pool_t *pool)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[16];
    char text[SVC_ID_LENGTH + 1];
    apr_uint64_t ms = (apr_uint64_t)(apr_time_now() / 1000);
    int i, at = 0;

    if (apr_generate_random_bytes(bytes, sizeof(bytes)) != APR_SUCCESS)
        abort(); /* no entropy source: going on would hand out equal ids */
    for (i = 0; i < 6; i++)
        bytes[i] = (unsigned char)(ms >> (8 * (5 - i)));
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x70);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    for (i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[at++] = '-';
        text[at++] = hex[bytes[i] >> 4];
        text[at++] = hex[bytes[i] & 15];
    }
    return apr_pstrmemdup(pool, text, SVC_ID_LENGTH);
}

const char *svc_id_parse(const char *text, apr_pool_t *pool)
{
    char *id;
    int i;

    if (!text || strlen(text) != SVC_ID_LENGTH)
        return NULL;
    for (i = 0; i < SVC_ID_LENGTH; i++) {
        int dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? text[i] != '-' : !apr_isxdigit(text[i]))
            return NULL;
    }
    id = apr_pstrdup(pool, text);
    for (i = 0; i < SVC_ID_LENGTH; i++)
        id[i] = (char)apr_tolower(id[i]);
    return id;
}

const char *svc_id_digest(const char *text, apr_size_t length,
                          apr_pool_t *pool)
{
    unsigned char digest[APR_SHA1_DIGESTSIZE];
    char *hex = apr_palloc(pool, 2 * APR_SHA1_DIGESTSIZE + 1);
    apr_sha1_ctx_t sha1;
    int i;

    apr_sha1_init(&sha1);
    apr_sha1_update(&sha1, text, (unsigned)length);
    apr_sha1_final(digest, &sha1);
    for (i = 0; i < APR_SHA1_DIGESTSIZE; i++)
        apr_snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return hex;
}
