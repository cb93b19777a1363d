/* svc_db_mask: see the header. */
#include "svc_db_mask.h"

#include <string.h>
#include <strings.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_tables.h>

#include "svc_db.h"

#define MYSQL_ENDS " \t\r\n;|," /* of a value, for apr_dbd_mysql */
#define PGSQL_ENDS " \t\r\n"
#define BLANKS " \t\r\n"

/* What libpq and apr_dbd_mysql know, and what is no secret. */
static int is_public(const char *key, apr_size_t length)
{
    static const char *const known[] = {
        "host", "hostaddr", "port", "dbname", "user", "sock", "group",
        "reconnect", "flags", "fldsz", "connect_timeout", "options",
        "application_name", "client_encoding", "sslmode", "sslrootcert",
        "sslcert", "sslkey", "sslcrl", "passfile", "service",
        "target_session_attrs", "load_balance_hosts", "channel_binding",
        "gssencmode", "keepalives", "keepalives_idle", "keepalives_interval",
        "keepalives_count", "tcp_user_timeout"
    };
    size_t i;

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strlen(known[i]) == length &&
            strncasecmp(known[i], key, length) == 0)
            return 1;
    }
    return 0;
}

/* A value of libpq may be in quotes, and have escapes. */
static apr_size_t length_pgsql(const char *value)
{
    const char *c = value;
    int is_quoted = *c == '\'';

    if (is_quoted)
        c++;
    while (*c && (is_quoted ? *c != '\'' : !strchr(PGSQL_ENDS, *c))) {
        if (*c == '\\' && c[1])
            c++;
        c++;
    }
    if (is_quoted && *c)
        c++;
    return (apr_size_t)(c - value);
}

static void add(apr_array_header_t *out, const char *text, apr_size_t length)
{
    APR_ARRAY_PUSH(out, const char *) = apr_pstrmemdup(out->pool, text, length);
}

static void add_value(apr_array_header_t *out, const char *key,
                      apr_size_t key_length, const char *value,
                      apr_size_t length)
{
    if (is_public(key, key_length))
        add(out, value, length);
    else
        APR_ARRAY_PUSH(out, const char *) = SVC_DB_MASK_SECRET;
}

/* "key = value" and what is between. */
static void mask_pairs(apr_array_header_t *out, const char *text,
                       svc_db_engine_t engine)
{
    const char *ends = engine == SVC_DB_PGSQL ? PGSQL_ENDS : MYSQL_ENDS;

    while (*text) {
        apr_size_t between = strspn(text, ends);
        const char *key = text + between, *value;
        apr_size_t length = strcspn(key, MYSQL_ENDS "=");

        add(out, text, between);
        value = key + length + strspn(key + length, BLANKS);
        if (*value != '=') { /* the rest of a value that was cut */
            length = strcspn(key, ends);
            if (length)
                APR_ARRAY_PUSH(out, const char *) = SVC_DB_MASK_SECRET;
            text = key + length;
            continue;
        }
        value++;
        value += strspn(value, BLANKS);
        add(out, key, (apr_size_t)(value - key));
        between = engine == SVC_DB_PGSQL ? length_pgsql(value)
                                         : strcspn(value, ends);
        add_value(out, key, length, value, between);
        text = value + between;
    }
}

/* scheme://user:password@host/name?key=value&key=value; of a password that has
 * what should have been escaped in it, nothing is shown either. An @ after a ?
 * may end a password that has a question mark, or be in one of the query: nobody
 * can say, so all of it is a secret. */
static void mask_uri(apr_array_header_t *out, const char *text)
{
    const char *query = strchr(text, '?'), *at = NULL, *c, *colon;
    const char *host = strstr(text, "://") + 3;

    for (c = text; *c && c != query; c++) {
        if (*c == '@')
            at = c;
    }
    if (query && strchr(query, '@')) {
        add(out, text, (apr_size_t)(host - text));
        APR_ARRAY_PUSH(out, const char *) = SVC_DB_MASK_SECRET;
        return;
    }
    colon = strchr(host, ':');
    if (at && colon && colon < at) {
        add(out, text, (apr_size_t)(colon + 1 - text));
        APR_ARRAY_PUSH(out, const char *) = SVC_DB_MASK_SECRET;
        text = at;
    }
    add(out, text, query ? (apr_size_t)(query - text) : strlen(text));
    while (query && *query) {
        apr_size_t key = strcspn(query + 1, "=&");
        const char *value = query + 1 + key;
        apr_size_t length = strcspn(value, "&");

        add(out, query, key + 1);
        if (*value == '=') {
            add(out, "=", 1);
            add_value(out, query + 1, key, value + 1, length - 1);
        }
        query = value + length;
    }
}

const char *svc_db_mask(const char *driver, const char *params,
                        apr_pool_t *pool)
{
    svc_db_engine_t engine = svc_db_sql_engine(driver);
    apr_array_header_t *out = apr_array_make(pool, 16, sizeof(const char *));

    if (engine == SVC_DB_SQLITE && !strcasestr(params, "pass") &&
        !strchr(params, '@'))
        return params;
    if (strncmp(params, "postgres", 8) == 0 && strstr(params, "://"))
        mask_uri(out, params);
    else
        mask_pairs(out, params, engine == SVC_DB_MYSQL ? engine : SVC_DB_PGSQL);
    return apr_array_pstrcat(pool, out, '\0');
}
