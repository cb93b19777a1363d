/* tickets_json: see the header. */
#include "tickets_json.h"

#include <string.h>

#include <apr_strings.h>

#include "svc_money.h"

/* The length in bytes of the white space at TEXT, as JavaScript's trim() sees
 * it: the clients of this API trim with that. */
static size_t space_at(const char *text)
{
    static const char *const wide[] = {
        "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
        "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85",
        "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89",
        "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
        "\xe2\x81\x9f", "\xe3\x80\x80", "\xef\xbb\xbf"
    };
    size_t i;

    if ((unsigned char)*text < 0x80)
        return *text && strchr(" \t\n\v\f\r", *text) ? 1 : 0;
    for (i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
        if (strncmp(text, wide[i], strlen(wide[i])) == 0)
            return strlen(wide[i]);
    }
    return 0;
}

static const char *trim(const char *text, apr_pool_t *pool)
{
    const char *at, *end;
    size_t space;

    while ((space = space_at(text)))
        text += space;
    for (at = end = text; *at; at += space ? space : 1) {
        space = space_at(at);
        if (!space)
            end = at + 1;
    }
    return apr_pstrmemdup(pool, text, (apr_size_t)(end - text));
}

static void read_title(svc_err_t **err, ticket_t *out, const svc_json_t *body,
                       apr_pool_t *pool)
{
    const char *text = svc_json_get_string(body, "title");
    size_t count;

    out->title = text ? trim(text, pool) : "";
    count = svc_json_characters(out->title);
    if (!text && svc_json_type(body, "title") != SVC_JSON_MISSING &&
        svc_json_type(body, "title") != SVC_JSON_NULL)
        svc_err_add_field(err, pool, "title",
                          "Title must be a string of 1 to 255 characters");
    else if (count == 0)
        svc_err_add_field(err, pool, "title",
                          "Title is required: a string of 1 to 255 characters");
    else if (count > TICKETS_MAX_TITLE)
        svc_err_add_field(err, pool, "title",
                          "Title is too long: 1 to 255 characters are allowed");
}

static void read_price(svc_err_t **err, ticket_t *out, const svc_json_t *body,
                       apr_pool_t *pool)
{
    const char *text = svc_json_get_string(body, "price");
    svc_json_type_t type = svc_json_type(body, "price");
    double number = 0;

    out->cents = -1;
    if (text)
        out->cents = svc_money_of_text(text);
    else if (svc_json_get_number(&number, body, "price"))
        out->cents = svc_money_of_number(number);
    if (type == SVC_JSON_MISSING || type == SVC_JSON_NULL)
        svc_err_add_field(err, pool, "price",
                          "Price is required: a number greater than 0 and at "
                          "most 9999999.99, with at most 2 decimals");
    else if (out->cents == 0 || (!text && type == SVC_JSON_NUMBER &&
                                 number <= 0))
        svc_err_add_field(err, pool, "price", "Price must be greater than 0");
    else if (out->cents < 0)
        svc_err_add_field(err, pool, "price",
                          "Price must be a number greater than 0 and at most "
                          "9999999.99, with at most 2 decimals");
}

svc_err_t *tickets_json_read(ticket_t *out, const svc_json_t *body,
                             apr_pool_t *pool)
{
    svc_err_t *err = NULL;

    read_title(&err, out, body, pool);
    read_price(&err, out, body, pool);
    return err;
}

/* The element AT of an array; true when it is bad. */
static int read_element(svc_err_t **err, ticket_t *out,
                        const svc_json_t *element, int at, apr_pool_t *pool)
{
    const svc_err_field_t *field;
    svc_err_t *bad;

    if (!svc_json_is_object(element)) {
        svc_err_add_field(err, pool, apr_psprintf(pool, "[%d]", at),
                          "Each element must be an object with title and "
                          "price");
        return 1;
    }
    bad = tickets_json_read(out, element, pool);
    for (field = bad ? bad->fields : NULL; field; field = field->next)
        svc_err_add_field(err, pool,
                          apr_psprintf(pool, "[%d].%s", at, field->field),
                          field->message);
    return bad != NULL;
}

svc_err_t *tickets_json_read_all(apr_array_header_t **out,
                                 const svc_json_t *body, apr_pool_t *pool)
{
    int count = svc_json_is_array(body) ? svc_json_count(body) : 1;
    int i, refused = 0;
    svc_err_t *err = NULL;

    if (count < 1 || count > TICKETS_MAX_CREATED)
        return svc_err_make(pool, SVC_ERR_INVALID,
                            "The array has %d tickets; 1 to %d are allowed",
                            count, TICKETS_MAX_CREATED);
    *out = apr_array_make(pool, count, sizeof(ticket_t));
    for (i = 0; i < count && refused < TICKETS_MAX_REFUSED; i++) {
        ticket_t *ticket = apr_array_push(*out);

        memset(ticket, 0, sizeof(*ticket));
        if (svc_json_is_array(body))
            refused += read_element(&err, ticket, svc_json_at(body, i), i,
                                    pool);
        else
            err = tickets_json_read(ticket, body, pool);
    }
    return err;
}

svc_json_t *tickets_json_write(const ticket_t *ticket, apr_pool_t *pool)
{
    svc_json_t *json = svc_json_object(pool);

    svc_json_set_string(json, "id", ticket->id);
    svc_json_set_string(json, "title", ticket->title);
    svc_json_set_cents(json, "price", ticket->cents);
    svc_json_set_string(json, "userId", ticket->user_id);
    svc_json_set_int(json, "version", ticket->version);
    svc_json_set_string(json, "orderId", ticket->order_id);
    return json;
}
