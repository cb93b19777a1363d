/* svc_idempotency: see the header. */
#include "svc_idempotency.h"

#include <string.h>

#include <apr_strings.h>

#include "svc_id.h"

#define HEADER "Idempotency-Key"

struct svc_idempotency_t {
    svc_db_sql_t claim, read, renew, store, release, read_old, forget;
};

svc_idempotency_t *svc_idempotency_create(const char *service, apr_pool_t *pool)
{
    svc_idempotency_t *idempotency = apr_pcalloc(pool, sizeof(*idempotency));

    idempotency->claim = svc_db_sql(
        "svc_idempotency_claim", service,
        "INSERT INTO #_idempotency (user_id, idempotency_key, fingerprint, "
        "recorded_at) VALUES (%s, %s, %s, %lld) ON CONFLICT DO NOTHING", pool);
    idempotency->read = svc_db_sql(
        "svc_idempotency_read", service,
        "SELECT fingerprint, recorded_at, entity_id, etag, answer "
        "FROM #_idempotency WHERE user_id = %s AND idempotency_key = %s", pool);
    idempotency->renew = svc_db_sql(
        "svc_idempotency_renew", service,
        "UPDATE #_idempotency SET fingerprint = %s, recorded_at = %lld "
        "WHERE user_id = %s AND idempotency_key = %s AND recorded_at = %lld",
        pool);
    idempotency->store = svc_db_sql(
        "svc_idempotency_store", service,
        "UPDATE #_idempotency SET entity_id = %s, etag = %s, answer = %s "
        "WHERE user_id = %s AND idempotency_key = %s", pool);
    idempotency->release = svc_db_sql(
        "svc_idempotency_release", service,
        "DELETE FROM #_idempotency "
        "WHERE user_id = %s AND idempotency_key = %s", pool);
    idempotency->read_old = svc_db_sql(
        "svc_idempotency_read_old", service,
        "SELECT recorded_at FROM #_idempotency WHERE recorded_at < %lld "
        "ORDER BY recorded_at LIMIT %lld", pool);
    idempotency->forget = svc_db_sql(
        "svc_idempotency_forget", service,
        "DELETE FROM #_idempotency WHERE recorded_at <= %lld", pool);
    return idempotency;
}

/* --- requests ---------------------------------------------------------------- */

/* RFC 9651 section 4.2.5; NULL when TEXT is not one string and nothing else. */
static const char *read_quoted(const char *text, apr_pool_t *pool)
{
    char *key = apr_palloc(pool, strlen(text) + 1), *to = key;

    for (text++; *text && *text != '"'; text++) {
        if (*text == '\\' && *++text != '"' && *text != '\\')
            return NULL;
        if (*text < ' ' || *text > '~')
            return NULL;
        *to++ = *text;
    }
    *to = '\0';
    return *text == '"' && text[1] == '\0' ? key : NULL;
}

static const char *read_bare(const char *text)
{
    const char *at;

    for (at = text; *at; at++) {
        if (*at <= ' ' || *at > '~' || *at == '"' || *at == ',')
            return NULL;
    }
    return text;
}

svc_err_t *svc_idempotency_read_key(const char **out, const char *header,
                                    apr_pool_t *pool)
{
    const char *key = *header == '"' ? read_quoted(header, pool)
                                     : read_bare(header);
    svc_err_t *err = NULL;

    if (!key || !*key || strlen(key) > SVC_IDEMPOTENCY_MAX_KEY)
        svc_err_add_field(&err, pool, HEADER,
                          HEADER " must be a string of 1 to 255 ASCII "
                          "characters, in quotes if it has blanks or commas");
    *out = key;
    return err;
}

const char *svc_idempotency_fingerprint(const svc_json_t *body,
                                        apr_pool_t *pool)
{
    const char *text = svc_json_canonical(body, pool);

    return svc_id_digest(text, strlen(text), pool);
}

/* --- the writer's thread ----------------------------------------------------- */

/* A row of the table. */
typedef struct known_t {
    const char *fingerprint; /* NULL: there is none */
    apr_int64_t recorded_at;
    svc_idempotency_answer_t answer;
} known_t;

static svc_err_t *take_known(void *baton, const svc_db_row_t *row)
{
    known_t *known = baton;

    known->fingerprint = svc_db_row_text(row, 0);
    known->recorded_at = svc_db_row_int(row, 1);
    known->answer.id = svc_db_row_text(row, 2);
    known->answer.etag = svc_db_row_text(row, 3);
    known->answer.body = svc_db_row_text(row, 4);
    return NULL;
}

static svc_err_t *renew(int *changed, svc_stream_tx_t *tx,
                        const svc_idempotency_t *idempotency,
                        const svc_idempotency_request_t *request,
                        const known_t *known)
{
    const char *args[] = { request->fingerprint, svc_db_arg(tx->now, tx->pool),
                           request->user_id, request->key,
                           svc_db_arg(known->recorded_at, tx->pool) };

    return svc_db_run(changed, tx->db, &idempotency->renew, args, tx->pool);
}

/* The key was claimed before. */
static svc_err_t *judge(int *is_known, svc_idempotency_answer_t *out,
                        svc_stream_tx_t *tx,
                        const svc_idempotency_t *idempotency,
                        const svc_idempotency_request_t *request,
                        apr_pool_t *pool)
{
    const char *args[] = { request->user_id, request->key };
    known_t known = { NULL, 0, { NULL, NULL, NULL } };
    int changed = 0;
    int is_old;
    svc_err_t *err = svc_db_each(tx->db, &idempotency->read, args, take_known,
                                 &known, pool);

    is_old = known.recorded_at < tx->now - request->ttl_ms;
    if (!err && known.fingerprint && is_old)
        err = renew(&changed, tx, idempotency, request, &known);
    if (err || changed)
        return err;
    if (is_old || !known.fingerprint || !known.answer.body)
        return svc_err_ours(pool, SVC_ERR_RETRY,
                            "The database is not available",
                            "another machine took or freed an idempotency key "
                            "meanwhile");
    if (strcmp(known.fingerprint, request->fingerprint) != 0)
        return svc_err_make(pool, SVC_ERR_UNPROCESSABLE,
                            "This " HEADER " was used for another body: a new "
                            "request needs a new key");
    *out = known.answer;
    *is_known = 1;
    svc_stream_vouch(tx);
    return NULL;
}

svc_err_t *svc_idempotency_claim(int *is_known, svc_idempotency_answer_t *out,
                                 svc_stream_tx_t *tx,
                                 const svc_idempotency_t *idempotency,
                                 const svc_idempotency_request_t *request,
                                 apr_pool_t *pool)
{
    const char *args[] = { request->user_id, request->key,
                           request->fingerprint,
                           svc_db_arg(tx->now, tx->pool) };
    int changed = 0;
    svc_err_t *err = svc_db_run(&changed, tx->db, &idempotency->claim, args,
                                tx->pool);

    *is_known = 0;
    return err || changed ? err
                          : judge(is_known, out, tx, idempotency, request,
                                  pool);
}

svc_err_t *svc_idempotency_settle(svc_stream_tx_t *tx,
                                  const svc_idempotency_t *idempotency,
                                  const svc_idempotency_request_t *request,
                                  const svc_idempotency_answer_t *answer)
{
    const char *key[] = { request->user_id, request->key };

    if (answer) {
        const char *args[] = { answer->id, answer->etag, answer->body, key[0],
                               key[1] };

        return svc_db_run(NULL, tx->db, &idempotency->store, args, tx->pool);
    }
    return svc_db_run(NULL, tx->db, &idempotency->release, key, tx->pool);
}

static svc_err_t *take_last(void *baton, const svc_db_row_t *row)
{
    *(apr_int64_t *)baton = svc_db_row_int(row, 0);
    return NULL;
}

svc_err_t *svc_idempotency_forget(int *removed, svc_stream_tx_t *tx,
                                  const svc_idempotency_t *idempotency,
                                  apr_int64_t before, int limit)
{
    const char *oldest[] = { svc_db_arg(before, tx->pool),
                             svc_db_arg(limit, tx->pool) };
    const char *args[1];
    apr_int64_t last = -1;
    svc_err_t *err = svc_db_each(tx->db, &idempotency->read_old, oldest,
                                 take_last, &last, tx->pool);

    *removed = 0;
    if (err || last < 0)
        return err;
    args[0] = svc_db_arg(last, tx->pool);
    return svc_db_run(removed, tx->db, &idempotency->forget, args, tx->pool);
}
