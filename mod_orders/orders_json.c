/* orders_json: see the header. */
#include "orders_json.h"

#include <string.h>

#include <apr_strings.h>

#include "svc_id.h"
#include "svc_money.h"
#include "svc_time.h"

svc_err_t *orders_json_read(const char **ticket_id, const svc_json_t *body,
                            apr_pool_t *pool)
{
    const char *text = svc_json_get_string(body, "ticketId");
    svc_err_t *err = NULL;

    *ticket_id = svc_id_parse(text, pool);
    if (!*ticket_id)
        svc_err_add_field(&err, pool, "ticketId",
                          text && *text
                              ? "TicketId must be the id of a ticket: a UUID"
                              : "TicketId must be provided: the id of a "
                                "ticket, a string");
    return err;
}

svc_json_t *orders_json_write(const order_t *order, apr_pool_t *pool)
{
    svc_json_t *json = svc_json_object(pool);
    svc_json_t *ticket = svc_json_object(pool);

    svc_json_set_string(json, "id", order->id);
    svc_json_set_string(json, "userId", order->user_id);
    svc_json_set_string(json, "status", order->status);
    svc_json_set_string(json, "cancelReason", order->cancel_reason);
    svc_json_set_string(json, "expiresAt",
                        svc_time_format(order->expires_at, pool));
    svc_json_set_string(json, "ticketId", order->ticket_id);
    svc_json_set_int(json, "version", order->version);
    svc_json_set_string(ticket, "id", order->ticket_id);
    svc_json_set_string(ticket, "title", order->ticket_title);
    svc_json_set_cents(ticket, "price", order->cents);
    svc_json_set_int(ticket, "version", order->ticket_version);
    svc_json_set(json, "ticket", ticket);
    return json;
}

svc_json_t *orders_json_write_event(const order_t *order, apr_pool_t *pool)
{
    svc_json_t *json = svc_json_object(pool);
    svc_json_t *ticket = svc_json_object(pool);

    svc_json_set_string(json, "id", order->id);
    svc_json_set_int(json, "version", order->version);
    svc_json_set_string(json, "status", order->status);
    svc_json_set_string(json, "userId", order->user_id);
    svc_json_set_string(json, "expiresAt",
                        svc_time_format(order->expires_at, pool));
    svc_json_set_string(ticket, "id", order->ticket_id);
    svc_json_set_cents(ticket, "price", order->cents);
    svc_json_set(json, "ticket", ticket);
    return json;
}

svc_json_t *orders_json_write_cancelled(const order_t *order, apr_pool_t *pool)
{
    svc_json_t *json = svc_json_object(pool);
    svc_json_t *ticket = svc_json_object(pool);

    svc_json_set_string(json, "id", order->id);
    svc_json_set_int(json, "version", order->version);
    svc_json_set_string(json, "cancelReason", order->cancel_reason);
    svc_json_set_string(ticket, "id", order->ticket_id);
    svc_json_set(json, "ticket", ticket);
    return json;
}

svc_json_t *orders_json_write_refund(const order_t *order,
                                     const orders_payment_t *payment,
                                     apr_pool_t *pool)
{
    svc_json_t *json = svc_json_object(pool);

    svc_json_set_string(json, "id", order->id);
    svc_json_set_int(json, "version", order->version);
    svc_json_set_string(json, "paymentId", payment->id);
    svc_json_set_string(json, "reason", payment->reason);
    return json;
}

static svc_err_t *bad(apr_pool_t *pool, const char *what)
{
    return svc_err_make(pool, SVC_ERR_INVALID, "data.%s", what);
}

svc_err_t *orders_json_read_ticket(orders_ticket_t *out, const svc_json_t *data,
                                   apr_pool_t *pool)
{
    svc_json_type_t order_type = svc_json_type(data, "orderId");
    const char *title = svc_json_get_string(data, "title");
    const char *user_id = svc_json_get_string(data, "userId");
    double price = 0;

    out->id = svc_id_parse(svc_json_get_string(data, "id"), pool);
    if (!out->id)
        return bad(pool, "id must be a UUID");
    if (!svc_json_get_count(&out->version, data, "version"))
        return bad(pool, "version must be an integer of at least 0");
    if (!title || !*title || svc_json_characters(title) > 255)
        return bad(pool, "title must be a text of 1 to 255 characters");
    if (!svc_json_get_number(&price, data, "price") ||
        (out->cents = svc_money_of_number(price)) < 0)
        return bad(pool, "price must be a number greater than 0 and at most "
                         "9999999.99, with at most 2 decimals");
    if (!user_id && svc_json_type(data, "userId") == SVC_JSON_MISSING)
        user_id = ""; /* not every seller's service tells who sells */
    if (!user_id || strlen(user_id) > 255)
        return bad(pool, "userId must be a text of at most 255 bytes");
    out->order_id = svc_id_parse(svc_json_get_string(data, "orderId"), pool);
    if (!out->order_id && order_type != SVC_JSON_MISSING &&
        order_type != SVC_JSON_NULL)
        return bad(pool, "orderId must be a UUID, or absent");
    out->title = apr_pstrdup(pool, title);
    out->user_id = apr_pstrdup(pool, user_id);
    return NULL;
}

svc_err_t *orders_json_read_expiration(const char **order_id,
                                       const svc_json_t *data,
                                       apr_pool_t *pool)
{
    *order_id = svc_id_parse(svc_json_get_string(data, "orderId"), pool);
    return *order_id ? NULL : bad(pool, "orderId must be a UUID");
}

svc_err_t *orders_json_read_payment(orders_payment_t *out,
                                    const svc_json_t *data, apr_pool_t *pool)
{
    svc_json_type_t amount_type = svc_json_type(data, "amount");
    const char *id = svc_json_get_string(data, "id");
    double amount = 0;
    svc_err_t *err;

    if (!id || !*id || strlen(id) > 255)
        return bad(pool, "id must be a text of 1 to 255 bytes");
    if ((err = orders_json_read_expiration(&out->order_id, data, pool)))
        return err;
    out->cents = 0;
    if (amount_type != SVC_JSON_MISSING && amount_type != SVC_JSON_NULL &&
        (!svc_json_get_number(&amount, data, "amount") ||
         (out->cents = svc_money_of_number(amount)) < 0))
        return bad(pool, "amount must be a number greater than 0 and at most "
                         "9999999.99, with at most 2 decimals, or absent");
    out->id = apr_pstrdup(pool, id);
    return NULL;
}

svc_err_t *orders_json_read_payment_body(orders_payment_t *out,
                                         const svc_json_t *body,
                                         apr_pool_t *pool)
{
    svc_json_type_t amount_type = svc_json_type(body, "amount");
    const char *id = svc_json_get_string(body, "paymentId");
    const char *amount = svc_json_get_string(body, "amount");
    double number = 0;
    svc_err_t *err = NULL;

    if (!id || !*id || strlen(id) > 255)
        svc_err_add_field(&err, pool, "paymentId",
                          "PaymentId must be provided: a string of 1 to 255 "
                          "bytes");
    out->id = apr_pstrdup(pool, id);
    out->cents = 0;
    if (amount_type == SVC_JSON_MISSING || amount_type == SVC_JSON_NULL)
        return err;
    if (amount)
        out->cents = svc_money_of_text(amount);
    else if (svc_json_get_number(&number, body, "amount"))
        out->cents = svc_money_of_number(number);
    if (out->cents <= 0)
        svc_err_add_field(&err, pool, "amount",
                          "Amount must be a number greater than 0 and at most "
                          "9999999.99, with at most 2 decimals, or absent");
    return err;
}
