/* svc_schema: creates and upgrades a service's tables.
 *
 * A schema is a list of steps; a database at version N has had the first N.
 * Column types are VARCHAR and BIGINT, which all three engines know, and
 * MEDIUMTEXT for texts that VARCHAR cannot hold; what each table needs besides is
 * added here. A column that is computed from others is added as
 * `... GENERATED ALWAYS AS (...) VIRTUAL`.
 */
#ifndef SVC_SCHEMA_H
#define SVC_SCHEMA_H

#include <apr_tables.h>

#include "svc_db.h"

/* The tables of svc_stream and svc_inbox for the service named by the string
 * literal S: part of every service's first step. */
#define SVC_SCHEMA_COMMON(s) \
    "CREATE TABLE " s "_head (" \
    "id BIGINT NOT NULL PRIMARY KEY, source VARCHAR(255) NOT NULL, " \
    "position BIGINT NOT NULL)", \
    "CREATE TABLE " s "_log (" \
    "position BIGINT NOT NULL PRIMARY KEY, event_id VARCHAR(36) NOT NULL, " \
    "subject VARCHAR(40) NOT NULL, entity_id VARCHAR(36) NOT NULL, " \
    "recorded_at BIGINT NOT NULL, publisher VARCHAR(255) NOT NULL, " \
    "event VARCHAR(8000) NOT NULL)", \
    "CREATE TABLE " s "_publisher (" \
    "endpoint VARCHAR(255) NOT NULL PRIMARY KEY, position BIGINT NOT NULL)", \
    "CREATE TABLE " s "_cursor (" \
    "source VARCHAR(255) NOT NULL PRIMARY KEY, position BIGINT NOT NULL, " \
    "event_id VARCHAR(255) NOT NULL)", \
    "CREATE TABLE " s "_parked (" \
    "entity_id VARCHAR(255) NOT NULL, version BIGINT NOT NULL, " \
    "subject VARCHAR(40) NOT NULL, event VARCHAR(8000) NOT NULL, " \
    "PRIMARY KEY (entity_id, version))", \
    "CREATE TABLE " s "_quarantine (" \
    "id VARCHAR(36) NOT NULL PRIMARY KEY, source VARCHAR(255), " \
    "position BIGINT NOT NULL, subject VARCHAR(40) NOT NULL, " \
    "reason VARCHAR(2000) NOT NULL, event VARCHAR(8000), " \
    "recorded_at BIGINT NOT NULL)"

/* What svc_stream needs besides since its logs are trimmed: part of a later
 * step of every service. */
#define SVC_SCHEMA_TRIMMED(s) \
    "CREATE TABLE " s "_trimmed (" \
    "id BIGINT NOT NULL PRIMARY KEY, position BIGINT NOT NULL, " \
    "event_id VARCHAR(36) NOT NULL)"

/* What svc_idempotency needs, and the history of an entity: part of a later
 * step. */
#define SVC_SCHEMA_IDEMPOTENCY(s) \
    "CREATE TABLE " s "_idempotency (" \
    "user_id VARCHAR(255) NOT NULL, idempotency_key VARCHAR(255) NOT NULL, " \
    "fingerprint VARCHAR(40) NOT NULL, recorded_at BIGINT NOT NULL, " \
    "entity_id VARCHAR(36), etag VARCHAR(80), answer MEDIUMTEXT, " \
    "PRIMARY KEY (user_id, idempotency_key))", \
    "CREATE INDEX " s "_idempotency_recorded ON " s \
    "_idempotency (recorded_at)"
#define SVC_SCHEMA_HISTORY(s) \
    "CREATE INDEX " s "_log_entity ON " s "_log (entity_id, position)"

typedef struct svc_schema_t {
    const char *service;            /* prefix of every table: "tickets" */
    int version;                    /* number of steps */
    const char *const *const *steps; /* each a NULL-terminated list of DDL */
    svc_db_sql_t read_version;      /* SELECT version FROM <service>_schema */
} svc_schema_t;

/* Brings the database to this version, in one transaction where the engine has
 * transactional DDL. Call in one process at a time: hold the writers' lock.
 * UNAVAILABLE, with a sentence in detail, when the database is newer. */
svc_err_t *svc_schema_migrate(svc_db_t *db, const svc_schema_t *schema,
                              apr_pool_t *pool);

/* The version of the database; 0 when it has no tables of this service. Needs
 * the right to read alone. */
svc_err_t *svc_schema_version(apr_int64_t *out, svc_db_t *db,
                              const svc_schema_t *schema, apr_pool_t *pool);

/* Why a database of this VERSION cannot serve as it is: UNAVAILABLE, with a
 * sentence in detail that says what to do; NULL when it can. */
svc_err_t *svc_schema_refusal(const svc_schema_t *schema, apr_int64_t version,
                              apr_pool_t *pool);

/* What svc_schema_migrate sends, as const char * in the words of ENGINE, for
 * those who send it themselves: what begins it (with MAY_BE_EMPTY what makes an
 * empty database one of version 0), and what brings version FROM to this one. An
 * INSERT may end in ON CONFLICT DO NOTHING, as in svc_db_sql_t. */
apr_array_header_t *svc_schema_begin(const svc_schema_t *schema,
                                     svc_db_engine_t engine, int may_be_empty,
                                     apr_pool_t *pool);
apr_array_header_t *svc_schema_upgrade(const svc_schema_t *schema,
                                       svc_db_engine_t engine, int from,
                                       apr_pool_t *pool);

#endif
