/* svc_idempotency: what a key may be, which bodies are the same, and what becomes
 * of a key that is claimed: it keeps its answer, or is free again.
 * Of SQLite only: it asks and spoils in that dialect.
 */
#include "fixture.h"

#include <string.h>

#include "svc_idempotency.h"

#define TTL 3600000 /* ms */

static const char *const step[] = {
    SVC_SCHEMA_COMMON("x"), SVC_SCHEMA_TRIMMED("x"),
    SVC_SCHEMA_IDEMPOTENCY("x"), NULL
};
static const char *const *const steps[] = { step };
static const svc_schema_t schema = {
    "x", 1, steps,
    { "x_version", SVC_DB_SAME("SELECT version FROM x_schema WHERE id = 1") }
};

static svc_db_t *db;
static svc_stream_t *stream;
static svc_idempotency_t *idempotency;
static svc_stream_tx_t tx;
static apr_int64_t later; /* ms to go */

static const char *key_of(const char *header)
{
    const char *key = NULL;
    svc_err_t *err = svc_idempotency_read_key(&key, header, fixture.pool);

    return err ? "refused" : key;
}

static void headers(void)
{
    char longest[260];
    static const char *const bad[] = {
        "", "\"\"", "\"a", "a\"", "\"a\"b", "\"a\", \"b\"", "a, b", "a b",
        "\"a\\b\"", "\"a\\", "\"\x7f\"", "\"caf\xc3\xa9\"", "caf\xc3\xa9",
        "\"a\";x=1", "\"a\tb\""
    };
    size_t i;

    is_str(key_of("\"8e03978e-40d5\""), "8e03978e-40d5", "a string is a key");
    is_str(key_of("8e03978e-40d5"), "8e03978e-40d5", "... also without quotes");
    is_str(key_of("\"a b, c\""), "a b, c", "blanks and commas are in quotes");
    is_str(key_of("\"a\\\"b\\\\c\""), "a\"b\\c", "a backslash escapes");
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        is_str(key_of(bad[i]), "refused", "no key: %s", bad[i]);
    memset(longest, 'k', sizeof(longest));
    longest[255] = '\0';
    is_str(key_of(longest), longest, "255 characters are a key");
    longest[255] = 'k', longest[256] = '\0';
    is_str(key_of(longest), "refused", "256 are none");
}

static const char *print_of(const char *text)
{
    svc_json_t *json;

    must(svc_json_parse_many(&json, text, strlen(text), fixture.pool));
    return svc_idempotency_fingerprint(json, fixture.pool);
}

static void fingerprints(void)
{
    const char *print = print_of("{\"title\":\"T\",\"price\":20}");

    is_int((int)strlen(print), 40, "a fingerprint has 40 digits");
    is_str(print_of(" {\"price\" : 20.0,\n\"title\":\"\\u0054\" } "), print,
           "the same value, written in another way, has the same");
    ok(strcmp(print_of("{\"title\":\"T\",\"price\":21}"), print) != 0,
       "another value has another");
    ok(strcmp(print_of("{\"title\":\"T\",\"price\":\"20\"}"), print) != 0,
       "... also another type");
    ok(strcmp(print_of("[{\"a\":1},{\"b\":2}]"),
              print_of("[{\"b\":2},{\"a\":1}]")) != 0,
       "... and another order in an array");
}

static svc_err_t *claim(int *is_known, svc_idempotency_answer_t *answer,
                        svc_idempotency_request_t *request, const char *user,
                        const char *key, const char *print)
{
    svc_idempotency_request_t made = { user, key, print, TTL };

    *request = made;
    must(svc_stream_begin(&tx, db, stream, fixture.pool));
    tx.now += later;
    return svc_idempotency_claim(is_known, answer, &tx, idempotency, request,
                                 fixture.pool);
}

static void store(const svc_idempotency_request_t *request, const char *body)
{
    svc_idempotency_answer_t answer = { "the-id", "\"0\"", body };

    must(svc_idempotency_settle(&tx, idempotency, request, &answer));
    must(svc_stream_commit(&tx));
}

static void keeping(void)
{
    svc_idempotency_request_t request;
    svc_idempotency_answer_t answer = { NULL, NULL, NULL };
    int is_known = 1;

    succeeds(claim(&is_known, &answer, &request, "u", "k", "f1"),
             "a new key is claimed");
    is_int(is_known, 0, "... for work to do");
    store(&request, "{\"n\":1}");

    succeeds(claim(&is_known, &answer, &request, "u", "k", "f1"),
             "the same again");
    is_int(is_known, 1, "... is known");
    is_str(answer.id, "the-id", "... and has its answer: the id");
    is_str(answer.etag, "\"0\"", "... the tag");
    is_str(answer.body, "{\"n\":1}", "... the body");
    must(svc_stream_commit(&tx));

    fails(claim(&is_known, &answer, &request, "u", "k", "f2"),
          SVC_ERR_UNPROCESSABLE, "another body is refused");
    must(svc_stream_commit(&tx));
    must(claim(&is_known, &answer, &request, "v", "k", "f2"));
    is_int(is_known, 0, "another user has keys of his own");
    svc_db_rollback(db, fixture.pool);
    must(claim(&is_known, &answer, &request, "u", "K", "f2"));
    is_int(is_known, 0, "case matters");
    svc_db_rollback(db, fixture.pool);
}

static void freeing(void)
{
    svc_idempotency_request_t request;
    svc_idempotency_answer_t answer;
    int is_known;

    must(claim(&is_known, &answer, &request, "u", "refused", "f1"));
    must(svc_idempotency_settle(&tx, idempotency, &request, NULL));
    must(svc_stream_commit(&tx));
    must(claim(&is_known, &answer, &request, "u", "refused", "f2"));
    is_int(is_known, 0, "a refused request leaves its key free");
    svc_db_rollback(db, fixture.pool);
    is_int(fixture_int(db, "SELECT COUNT(*) FROM x_idempotency WHERE "
                           "idempotency_key = 'refused'"), 0,
           "a claim that is rolled back leaves no key");
}

static void ageing(void)
{
    svc_idempotency_request_t request;
    svc_idempotency_answer_t answer;
    int is_known, removed;

    must(claim(&is_known, &answer, &request, "u", "old", "f1"));
    store(&request, "{\"n\":1}");
    later = TTL - 60000;
    must(claim(&is_known, &answer, &request, "u", "old", "f1"));
    is_int(is_known, 1, "a key is remembered for its time");
    svc_db_rollback(db, fixture.pool);
    later = TTL + 60000;
    succeeds(claim(&is_known, &answer, &request, "u", "old", "f2"),
             "after that it can be used for something else");
    is_int(is_known, 0, "... as a new one");
    store(&request, "{\"n\":2}");
    must(claim(&is_known, &answer, &request, "u", "old", "f2"));
    is_str(answer.body, "{\"n\":2}", "... which is remembered in turn");
    svc_db_rollback(db, fixture.pool);

    must(svc_stream_begin(&tx, db, stream, fixture.pool));
    must(svc_idempotency_forget(&removed, &tx, idempotency, tx.now + 50, 1000));
    must(svc_stream_commit(&tx));
    is_int(removed, 1, "the sweep removes those that are too old");
    is_str(fixture_text(db, "SELECT idempotency_key FROM x_idempotency"), "old",
           "... and keeps the others");
    must(svc_stream_begin(&tx, db, stream, fixture.pool));
    must(svc_idempotency_forget(&removed, &tx, idempotency, tx.now + 50, 1000));
    is_int(removed, 0, "then there is nothing to remove");
    svc_db_rollback(db, fixture.pool);
}

/* Where several machines write, another may take a key that is too old between
 * the look at it and the guarded UPDATE; here a trigger is that machine. */
static void taken_meanwhile(void)
{
    svc_idempotency_request_t request;
    svc_idempotency_answer_t answer;
    int is_known;

    later = 0;
    db = fixture_database("y.db", &schema, stream);
    fixture_do(db, "INSERT INTO x_idempotency (user_id, idempotency_key, "
                   "fingerprint, recorded_at, answer) "
                   "VALUES ('u', 'k', 'f', 1, '{}')");
    fixture_do(db, "CREATE TRIGGER another BEFORE UPDATE ON x_idempotency "
                   "BEGIN SELECT RAISE(IGNORE); END");
    fails(claim(&is_known, &answer, &request, "u", "k", "f"), SVC_ERR_RETRY,
          "a key that another machine takes meanwhile is looked at again: its "
          "old answer is given to nobody");
    svc_db_rollback(db, fixture.pool);
    svc_db_close(db);
}

int main(void)
{
    fixture_begin();
    stream = svc_stream_create("x", "", fixture.pool);
    idempotency = svc_idempotency_create("x", fixture.pool);
    db = fixture_database("x.db", &schema, stream);
    headers();
    fingerprints();
    keeping();
    freeing();
    ageing();
    svc_db_close(db);
    taken_meanwhile();
    return fixture_end();
}
