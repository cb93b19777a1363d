/* svc_json: reading and writing JSON; the only file that knows jansson.
 *
 * A svc_json_t belongs to the value it was taken from or put into; the one at
 * the top (parsed or created) belongs to its pool. Numbers are read as the
 * nearest double, so that a number too large for an integer is a bad field and
 * not a bad document. One thread at a time may use a value.
 */
#ifndef SVC_JSON_H
#define SVC_JSON_H

#include <apr_pools.h>

#include "svc_err.h"

typedef struct svc_json_t svc_json_t;

typedef enum {
    SVC_JSON_MISSING,
    SVC_JSON_NULL,
    SVC_JSON_BOOLEAN,
    SVC_JSON_NUMBER,
    SVC_JSON_STRING,
    SVC_JSON_ARRAY,
    SVC_JSON_OBJECT
} svc_json_type_t;

/* Parses LENGTH bytes of TEXT, which must hold one JSON object. INVALID when
 * they do not: malformed, not UTF-8, a duplicate key, another type. */
svc_err_t *svc_json_parse(svc_json_t **out, const char *text, apr_size_t length,
                          apr_pool_t *pool);

/* The same for an object or an array. */
svc_err_t *svc_json_parse_many(svc_json_t **out, const char *text,
                               apr_size_t length, apr_pool_t *pool);

int svc_json_is_object(const svc_json_t *value);
int svc_json_is_array(const svc_json_t *value);

/* The number of elements of an array, and one of them. */
int svc_json_count(const svc_json_t *array);
svc_json_t *svc_json_at(const svc_json_t *array, int at);

svc_json_type_t svc_json_type(const svc_json_t *object, const char *key);

/* The member as text; NULL when it is missing or not a string. */
const char *svc_json_get_string(const svc_json_t *object, const char *key);

/* The member as a number; 0 when it is missing or not one. */
int svc_json_get_number(double *out, const svc_json_t *object, const char *key);

/* The member as an integer from 0 to 2^53; 0 when it is not one. */
int svc_json_get_count(apr_int64_t *out, const svc_json_t *object,
                       const char *key);

/* The member as an object; NULL when it is missing or not one. */
svc_json_t *svc_json_get_object(const svc_json_t *object, const char *key);

/* New, empty values. */
svc_json_t *svc_json_object(apr_pool_t *pool);
svc_json_t *svc_json_array(apr_pool_t *pool);

/* Adding members. A VALUE of NULL adds nothing. */
void svc_json_set_string(svc_json_t *object, const char *key, const char *value);
void svc_json_set_int(svc_json_t *object, const char *key, apr_int64_t value);
void svc_json_set_number(svc_json_t *object, const char *key, double value);
void svc_json_set_null(svc_json_t *object, const char *key);
/* An amount of money as a JSON number in the main unit: 2050 is 20.5. */
void svc_json_set_cents(svc_json_t *object, const char *key, apr_int64_t cents);
/* VALUE stays usable: both share it. */
void svc_json_set(svc_json_t *object, const char *key, svc_json_t *value);
void svc_json_append(svc_json_t *array, svc_json_t *value);
/* A number that is whole is written so. */
void svc_json_append_number(svc_json_t *array, double value);

/* Compact text, NUL-terminated, allocated from POOL; LENGTH may be NULL. */
const char *svc_json_text(apr_size_t *length, const svc_json_t *value,
                          apr_pool_t *pool);

/* The same for equal values: members in order of their names. */
const char *svc_json_canonical(const svc_json_t *value, apr_pool_t *pool);

/* The number of characters of TEXT, which is UTF-8. */
apr_size_t svc_json_characters(const char *text);

/* True when TEXT is valid UTF-8 (no overlong forms, no surrogates). */
int svc_json_is_utf8(const char *text);

#endif
