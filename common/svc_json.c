/* svc_json: see the header. */
#include "svc_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <jansson.h>

/* 15 significant digits print every amount of cents as its decimal. */
#define DUMP_FLAGS (JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15))

#define USUAL_TEXT 1024 /* bytes: an entity or an event fits */

static json_t *to_json(const svc_json_t *value)
{
    return (json_t *)value;
}

static apr_status_t release(void *value)
{
    json_decref(value);
    return APR_SUCCESS;
}

static svc_json_t *keep(json_t *value, apr_pool_t *pool)
{
    if (!value)
        abort(); /* out of memory, as APR's pools do */
    apr_pool_cleanup_register(pool, value, release, apr_pool_cleanup_null);
    return (svc_json_t *)value;
}

static svc_err_t *parse(svc_json_t **out, const char *text, apr_size_t length,
                        apr_pool_t *pool)
{
    json_error_t error;
    json_t *value = json_loadb(text, length,
                               JSON_REJECT_DUPLICATES | JSON_DECODE_ANY |
                                   JSON_DECODE_INT_AS_REAL,
                               &error);

    if (!value)
        return svc_err_make(pool, SVC_ERR_INVALID,
                            "The body is not valid JSON: %s (byte %d)",
                            error.text, error.position);
    *out = keep(value, pool);
    return NULL;
}

svc_err_t *svc_json_parse(svc_json_t **out, const char *text, apr_size_t length,
                          apr_pool_t *pool)
{
    svc_err_t *err = parse(out, text, length, pool);

    if (!err && !svc_json_is_object(*out))
        err = svc_err_make(pool, SVC_ERR_INVALID,
                           "The body must be a JSON object");
    return err;
}

svc_err_t *svc_json_parse_many(svc_json_t **out, const char *text,
                               apr_size_t length, apr_pool_t *pool)
{
    svc_err_t *err = parse(out, text, length, pool);

    if (!err && !svc_json_is_object(*out) && !svc_json_is_array(*out))
        err = svc_err_make(pool, SVC_ERR_INVALID,
                           "The body must be a JSON object, or an array of "
                           "them");
    return err;
}

int svc_json_is_object(const svc_json_t *value)
{
    return json_is_object(to_json(value));
}

int svc_json_is_array(const svc_json_t *value)
{
    return json_is_array(to_json(value));
}

int svc_json_count(const svc_json_t *array)
{
    return (int)json_array_size(to_json(array));
}

svc_json_t *svc_json_at(const svc_json_t *array, int at)
{
    return (svc_json_t *)json_array_get(to_json(array), (size_t)at);
}

svc_json_type_t svc_json_type(const svc_json_t *object, const char *key)
{
    const json_t *member = json_object_get(to_json(object), key);

    if (!member)
        return SVC_JSON_MISSING;
    switch (json_typeof(member)) {
    case JSON_OBJECT:
        return SVC_JSON_OBJECT;
    case JSON_ARRAY:
        return SVC_JSON_ARRAY;
    case JSON_STRING:
        return SVC_JSON_STRING;
    case JSON_INTEGER:
    case JSON_REAL:
        return SVC_JSON_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE:
        return SVC_JSON_BOOLEAN;
    default:
        return SVC_JSON_NULL;
    }
}

const char *svc_json_get_string(const svc_json_t *object, const char *key)
{
    return json_string_value(json_object_get(to_json(object), key));
}

int svc_json_get_number(double *out, const svc_json_t *object, const char *key)
{
    const json_t *member = json_object_get(to_json(object), key);

    if (!json_is_number(member))
        return 0;
    *out = json_number_value(member);
    return 1;
}

int svc_json_get_count(apr_int64_t *out, const svc_json_t *object,
                       const char *key)
{
    double number;

    if (!svc_json_get_number(&number, object, key) || number < 0 ||
        number > 9007199254740992.0 || number != floor(number))
        return 0;
    *out = (apr_int64_t)number;
    return 1;
}

svc_json_t *svc_json_get_object(const svc_json_t *object, const char *key)
{
    json_t *member = json_object_get(to_json(object), key);

    return json_is_object(member) ? (svc_json_t *)member : NULL;
}

svc_json_t *svc_json_object(apr_pool_t *pool)
{
    return keep(json_object(), pool);
}

svc_json_t *svc_json_array(apr_pool_t *pool)
{
    return keep(json_array(), pool);
}

void svc_json_set_string(svc_json_t *object, const char *key, const char *value)
{
    if (value)
        json_object_set_new(to_json(object), key, json_string(value));
}

void svc_json_set_int(svc_json_t *object, const char *key, apr_int64_t value)
{
    json_object_set_new(to_json(object), key, json_integer(value));
}

void svc_json_set_number(svc_json_t *object, const char *key, double value)
{
    json_object_set_new(to_json(object), key, json_real(value));
}

void svc_json_set_null(svc_json_t *object, const char *key)
{
    json_object_set_new(to_json(object), key, json_null());
}

void svc_json_set_cents(svc_json_t *object, const char *key, apr_int64_t cents)
{
    json_object_set_new(to_json(object), key,
                        cents % 100 ? json_real((double)cents / 100)
                                    : json_integer(cents / 100));
}

void svc_json_set(svc_json_t *object, const char *key, svc_json_t *value)
{
    if (value)
        json_object_set(to_json(object), key, to_json(value));
}

void svc_json_append(svc_json_t *array, svc_json_t *value)
{
    json_array_append(to_json(array), to_json(value));
}

void svc_json_append_number(svc_json_t *array, double value)
{
    json_array_append_new(to_json(array),
                          value == floor(value) && fabs(value) < 1e15
                              ? json_integer((json_int_t)value)
                              : json_real(value));
}

static char *dump(size_t *length, const svc_json_t *value, size_t flags,
                  apr_pool_t *pool)
{
    char *text = apr_palloc(pool, USUAL_TEXT);
    size_t size = json_dumpb(to_json(value), text, USUAL_TEXT - 1, flags);

    if (size > USUAL_TEXT - 1) { /* now it is known how much is needed */
        text = apr_palloc(pool, size + 1);
        json_dumpb(to_json(value), text, size, flags);
    }
    text[size] = '\0';
    *length = size;
    return text;
}

const char *svc_json_text(apr_size_t *length, const svc_json_t *value,
                          apr_pool_t *pool)
{
    size_t size;
    const char *text = dump(&size, value, DUMP_FLAGS, pool);

    if (length)
        *length = size;
    return text;
}

const char *svc_json_canonical(const svc_json_t *value, apr_pool_t *pool)
{
    size_t size;

    return dump(&size, value, DUMP_FLAGS | JSON_SORT_KEYS, pool);
}

int svc_json_is_utf8(const char *text)
{
    json_t *string = json_string(text);

    json_decref(string);
    return string != NULL;
}

apr_size_t svc_json_characters(const char *text)
{
    apr_size_t count = 0;

    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}
