/* svc_inbox: see the header. */
#include "svc_inbox.h"

#include <string.h>

#include <apr_strings.h>

#include "svc_id.h"

struct svc_inbox_t {
    svc_db_sql_t read_cursor, touch_cursor, insert_cursor, update_cursor;
    svc_db_sql_t delete_cursor;
    svc_db_sql_t count_parked, insert_parked, read_parked, delete_parked;
    svc_db_sql_t quarantine, trim_quarantine, forget;
};

svc_inbox_t *svc_inbox_create(const char *service, apr_pool_t *pool)
{
    svc_inbox_t *inbox = apr_pcalloc(pool, sizeof(*inbox));

    inbox->read_cursor = svc_db_sql(
        "svc_inbox_read_cursor", service,
        "SELECT position, event_id FROM #_cursor WHERE source = %s", pool);
    inbox->touch_cursor = svc_db_sql(
        "svc_inbox_touch_cursor", service,
        "UPDATE #_cursor SET position = position + %lld "
        "WHERE source = %s AND position = %lld AND event_id = %s", pool);
    inbox->insert_cursor = svc_db_sql(
        "svc_inbox_insert_cursor", service,
        "INSERT INTO #_cursor (source, position, event_id) "
        "VALUES (%s, %lld, %s) ON CONFLICT DO NOTHING", pool);
    inbox->update_cursor = svc_db_sql(
        "svc_inbox_update_cursor", service,
        "UPDATE #_cursor SET position = %lld, event_id = %s "
        "WHERE source = %s AND position = %lld AND event_id = %s", pool);
    inbox->delete_cursor = svc_db_sql(
        "svc_inbox_delete_cursor", service,
        "DELETE FROM #_cursor WHERE source = %s", pool);
    inbox->count_parked = svc_db_sql(
        "svc_inbox_count_parked", service, "SELECT COUNT(*) FROM #_parked",
        pool);
    inbox->insert_parked = svc_db_sql(
        "svc_inbox_insert_parked", service,
        "INSERT INTO #_parked (entity_id, version, subject, event) "
        "VALUES (%s, %lld, %s, %s) ON CONFLICT DO NOTHING", pool);
    inbox->read_parked = svc_db_sql(
        "svc_inbox_read_parked", service,
        "SELECT subject, event FROM #_parked "
        "WHERE entity_id = %s AND version = %lld", pool);
    inbox->delete_parked = svc_db_sql(
        "svc_inbox_delete_parked", service,
        "DELETE FROM #_parked WHERE entity_id = %s AND version <= %lld", pool);
    inbox->quarantine = svc_db_sql(
        "svc_inbox_quarantine", service,
        "INSERT INTO #_quarantine (id, source, position, subject, reason, "
        "event, recorded_at) VALUES (%s, %s, %lld, %s, %s, %s, %lld)", pool);
    /* Ids are in order of time (version 7), so the lowest are the oldest. */
    inbox->trim_quarantine = svc_db_sql(
        "svc_inbox_trim_quarantine", service,
        "DELETE FROM #_quarantine WHERE id < (SELECT MIN(id) FROM "
        "(SELECT id FROM #_quarantine ORDER BY id DESC LIMIT %lld) newest)",
        pool);
    inbox->forget = svc_db_sql(
        "svc_inbox_forget", service,
        "DELETE FROM #_quarantine WHERE recorded_at < %lld", pool);
    return inbox;
}

static svc_err_t *take_cursor(void *baton, const svc_db_row_t *row)
{
    svc_inbox_cursor_t *cursor = baton;

    cursor->position = svc_db_row_int(row, 0);
    cursor->event_id = svc_db_row_text(row, 1);
    return NULL;
}

svc_err_t *svc_inbox_read_cursor(svc_inbox_cursor_t *out, svc_db_t *db,
                                 const svc_inbox_t *inbox, const char *source,
                                 apr_pool_t *pool)
{
    const char *args[] = { source };

    out->position = 0;
    out->event_id = "";
    return svc_db_each(db, &inbox->read_cursor, args, take_cursor, out, pool);
}

svc_err_t *svc_inbox_move_cursor(int *moved, svc_stream_tx_t *tx,
                                 const svc_inbox_t *inbox, const char *source,
                                 const svc_inbox_cursor_t *from,
                                 const svc_inbox_cursor_t *to)
{
    const char *position = svc_db_arg(to->position, tx->pool);
    const char *update[] = { position, to->event_id, source,
                             svc_db_arg(from->position, tx->pool),
                             from->event_id };
    const char *insert[] = { source, position, to->event_id };
    svc_err_t *err = svc_db_run(moved, tx->db, &inbox->update_cursor, update,
                                tx->pool);

    if (err || *moved || from->position != 0)
        return err;
    return svc_db_run(moved, tx->db, &inbox->insert_cursor, insert, tx->pool);
}

/* There and back: a row that is only locked can be changed on another node of
 * Galera, and one that is not there cannot be locked at all. */
static svc_err_t *touch_cursor(int *holds, svc_stream_tx_t *tx,
                               const svc_inbox_t *inbox, const char *source,
                               const svc_inbox_cursor_t *at)
{
    const char *there[] = { "1", source, svc_db_arg(at->position, tx->pool),
                            at->event_id };
    const char *back[] = { "-1", source,
                           svc_db_arg(at->position + 1, tx->pool),
                           at->event_id };
    svc_err_t *err = svc_db_run(holds, tx->db, &inbox->touch_cursor, there,
                                tx->pool);

    if (err || !*holds)
        return err;
    return svc_db_run(NULL, tx->db, &inbox->touch_cursor, back, tx->pool);
}

svc_err_t *svc_inbox_hold_cursor(int *holds, svc_stream_tx_t *tx,
                                 const svc_inbox_t *inbox, const char *source,
                                 const svc_inbox_cursor_t *from)
{
    const char *args[] = { source, "0", "" };
    svc_err_t *err = NULL;

    *holds = 0;
    if (from->position == 0)
        err = svc_db_run(holds, tx->db, &inbox->insert_cursor, args, tx->pool);
    if (err)
        return err;
    if (*holds) /* it was not there */
        return svc_db_run(NULL, tx->db, &inbox->delete_cursor, args, tx->pool);
    return touch_cursor(holds, tx, inbox, source, from);
}

svc_err_t *svc_inbox_park(int *kept, svc_stream_tx_t *tx,
                          const svc_inbox_t *inbox, const char *entity,
                          apr_int64_t version, const char *subject,
                          const char *text)
{
    const char *args[] = { entity, svc_db_arg(version, tx->pool), subject,
                           text };
    apr_int64_t count = 0;
    svc_err_t *err = svc_db_get(&count, tx->db, &inbox->count_parked, NULL,
                                tx->pool);

    *kept = count < SVC_INBOX_MAX_PARKED && strlen(text) <= SVC_INBOX_MAX_TEXT;
    if (err || !*kept)
        return err;
    return svc_db_run(NULL, tx->db, &inbox->insert_parked, args, tx->pool);
}

typedef struct parked_t {
    const char *subject;
    const char *text;
} parked_t;

static svc_err_t *take_parked(void *baton, const svc_db_row_t *row)
{
    parked_t *parked = baton;

    parked->subject = svc_db_row_text(row, 0);
    parked->text = svc_db_row_text(row, 1);
    return NULL;
}

svc_err_t *svc_inbox_unpark(const char **subject, const char **text,
                            svc_stream_tx_t *tx, const svc_inbox_t *inbox,
                            const char *entity, apr_int64_t version)
{
    const char *args[] = { entity, svc_db_arg(version, tx->pool) };
    parked_t parked = { NULL, NULL };
    svc_err_t *err = svc_db_each(tx->db, &inbox->read_parked, args,
                                 take_parked, &parked, tx->pool);

    *subject = parked.subject;
    *text = parked.text;
    if (err)
        return err;
    return svc_db_run(NULL, tx->db, &inbox->delete_parked, args, tx->pool);
}

svc_err_t *svc_inbox_has_parked(int *out, svc_stream_tx_t *tx,
                                const svc_inbox_t *inbox)
{
    apr_int64_t count = 0;
    svc_err_t *err = svc_db_get(&count, tx->db, &inbox->count_parked, NULL,
                                tx->pool);

    *out = count > 0;
    return err;
}

svc_err_t *svc_inbox_quarantine(svc_stream_tx_t *tx, const svc_inbox_t *inbox,
                                const char *source, apr_int64_t position,
                                const char *subject, const char *text,
                                const char *reason)
{
    const char *keep[] = { svc_db_arg(SVC_INBOX_MAX_QUARANTINED, tx->pool) };
    const char *args[] = { svc_id_new(tx->pool), source,
                           svc_db_arg(position, tx->pool), subject, reason,
                           text, svc_db_arg(tx->now, tx->pool) };
    svc_err_t *err;

    if (text && (strlen(text) > SVC_INBOX_MAX_TEXT || !svc_json_is_utf8(text)))
        args[5] = NULL;
    if (!svc_json_is_utf8(subject) || strlen(subject) > 40)
        args[3] = "(unreadable)";
    if ((err = svc_db_run(NULL, tx->db, &inbox->quarantine, args, tx->pool)))
        return err;
    return svc_db_run(NULL, tx->db, &inbox->trim_quarantine, keep, tx->pool);
}

svc_err_t *svc_inbox_forget(svc_stream_tx_t *tx, const svc_inbox_t *inbox,
                            apr_int64_t before)
{
    const char *args[] = { svc_db_arg(before, tx->pool) };

    return svc_db_run(NULL, tx->db, &inbox->forget, args, tx->pool);
}
