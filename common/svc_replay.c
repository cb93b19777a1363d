/* svc_replay: see the header. */
#include "svc_replay.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "svc_id.h"
#include "svc_time.h"

typedef struct request_t {
    const char *source;
    apr_int64_t position;
    const char *event_id;
    const char *after; /* of a snapshot; NULL: REPLAY */
    apr_int64_t limit;
} request_t;

/* The log, as it is when a request is answered. */
typedef struct log_t {
    svc_db_t *db;
    const svc_stream_t *stream;
    svc_replay_state_fn state;
    const char *source;
    apr_int64_t head;
    apr_int64_t trimmed;
    apr_pool_t *pool;
} log_t;

static void add(apr_array_header_t *answer, const char *text)
{
    APR_ARRAY_PUSH(answer, svc_bus_frame_t) = svc_bus_text(text);
}

static void add_number(apr_array_header_t *answer, const log_t *log,
                       apr_int64_t number)
{
    add(answer, svc_db_arg(number, log->pool));
}

/* --- the request --------------------------------------------------------------- */

static int read_number(apr_int64_t *out, const svc_bus_frame_t *frame)
{
    if (frame->length == 0 || frame->length > 18 ||
        strspn(frame->data, "0123456789") != frame->length)
        return 0;
    *out = apr_atoi64(frame->data);
    return 1;
}

static int is_id(const char *text)
{
    while (apr_isalnum(*text) || *text == '-')
        text++;
    return !*text;
}

/* Why it cannot be answered, in a sentence; NULL: it can. */
static const char *read_request(request_t *request,
                                const svc_bus_frame_t *frames, int count)
{
    int is_replay = count == 5 && strcmp(frames[0].data, "REPLAY") == 0;

    if (!is_replay &&
        (count != 6 || strcmp(frames[0].data, "SNAPSHOT") != 0))
        return "a request has 5 frames: REPLAY, source, position, event-id, "
               "limit; or 6: SNAPSHOT, source, position, event-id, after, "
               "limit";
    request->source = frames[1].data;
    request->event_id = frames[3].data;
    request->after = is_replay ? NULL : frames[4].data;
    if (!read_number(&request->position, &frames[2]))
        return "the position must be a number of up to 18 digits";
    if (!read_number(&request->limit, &frames[count - 1]))
        return "the limit must be a number of up to 18 digits";
    if (request->after && request->limit == 0)
        return "the limit of a SNAPSHOT must be at least 1";
    if (request->after && *request->after &&
        (request->position == 0 || strlen(request->after) > 36))
        return "a SNAPSHOT that goes on names the position, event-id and last "
               "of the page before";
    if (request->after && !is_id(request->after))
        return "after must be an id of letters, digits and hyphens";
    if (request->limit > SVC_REPLAY_MAX_PAGE)
        request->limit = SVC_REPLAY_MAX_PAGE;
    return NULL;
}

/* --- the answer ---------------------------------------------------------------- */

static void reset(apr_array_header_t *answer, const log_t *log)
{
    add(answer, "RESET");
    add(answer, log->source);
    add_number(answer, log, log->head);
}

static svc_err_t *events(apr_array_header_t *answer, const log_t *log,
                         const request_t *request)
{
    apr_array_header_t *rows = NULL;
    svc_err_t *err = NULL;
    int i;

    if (request->limit > 0)
        err = svc_stream_read(&rows, log->db, log->stream, request->position,
                              0, (int)request->limit, log->pool);
    if (err)
        return err;
    add(answer, "EVENTS");
    add(answer, log->source);
    add_number(answer, log, log->head);
    for (i = 0; rows && i < rows->nelts; i++) {
        const svc_stream_entry_t *row =
            &APR_ARRAY_IDX(rows, i, svc_stream_entry_t);

        add(answer, row->subject);
        add(answer, row->text);
    }
    return NULL;
}

/* A page of the snapshot that was begun at POSITION, whose event is EVENT_ID. */
static svc_err_t *page(apr_array_header_t *answer, const log_t *log,
                       apr_int64_t position, const char *event_id,
                       const char *after, int limit)
{
    apr_array_header_t *state =
        apr_array_make(log->pool, limit, sizeof(svc_event_t));
    const char *last = NULL;
    svc_err_t *err = log->state(state, &last, log->db, after, limit,
                                log->pool);
    int i;

    if (err)
        return err;
    add(answer, "SNAPSHOT");
    add(answer, log->source);
    add_number(answer, log, position);
    add(answer, event_id);
    add(answer, after);
    add(answer, last ? last : "");
    for (i = 0; i < state->nelts; i++) {
        svc_event_t *event = &APR_ARRAY_IDX(state, i, svc_event_t);

        event->id = svc_id_new(log->pool);
        event->source = log->source;
        event->time = svc_time_now();
        event->position = position;
        add(answer, event->type);
        add(answer, svc_event_encode(event, log->pool));
    }
    return NULL;
}

/* Whether the log has the event that REQUEST names at its position. What it
 * does not keep any more is believed. */
static svc_err_t *compare(int *is_other, const log_t *log,
                          const request_t *request)
{
    const char *event_id = NULL;
    svc_err_t *err = NULL;

    *is_other = 0;
    if (request->position == 0 || !*request->event_id)
        return NULL;
    if (request->position <= log->head)
        err = svc_stream_event_id(&event_id, log->db, log->stream,
                                  request->position, log->pool);
    *is_other = request->position > log->head ||
                (event_id && strcmp(event_id, request->event_id) != 0);
    return err;
}

static svc_err_t *answer_request(apr_array_header_t *answer, const log_t *log,
                                 const request_t *request)
{
    const char *event_id = NULL;
    int is_other;
    svc_err_t *err = compare(&is_other, log, request);

    if (err)
        return err;
    if (is_other) {
        reset(answer, log);
        return NULL;
    }
    if (!request->after && (request->position >= log->trimmed ||
                            request->limit == 0))
        return events(answer, log, request);
    if (!log->state) {
        add(answer, "ERROR");
        add(answer, "there are no snapshots here");
        return NULL;
    }
    if (request->after && request->position > 0)
        return page(answer, log, request->position, request->event_id,
                    request->after, (int)request->limit);
    if (log->head > 0 &&
        (err = svc_stream_event_id(&event_id, log->db, log->stream, log->head,
                                   log->pool)))
        return err;
    return page(answer, log, log->head, event_id ? event_id : "", "",
                (int)request->limit);
}

svc_err_t *svc_replay_answer(apr_array_header_t *answer,
                             const svc_bus_frame_t *frames, int count,
                             svc_db_t *db, const svc_stream_t *stream,
                             svc_replay_state_fn state, apr_pool_t *scratch)
{
    log_t log = { .db = db, .stream = stream, .state = state, .pool = scratch };
    int before = answer->nelts;
    request_t request;
    const char *refusal = read_request(&request, frames, count);
    svc_err_t *err = NULL;

    if (!refusal &&
        ((err = svc_stream_head(&log.source, &log.head, db, stream, scratch)) ||
         (err = svc_stream_trimmed(&log.trimmed, db, stream, scratch))))
        return err;
    if (!refusal && *request.source && strcmp(request.source, log.source) != 0)
        refusal = apr_pstrcat(scratch, "the log kept here is ", log.source,
                              NULL);
    if (refusal) {
        add(answer, "ERROR");
        add(answer, refusal);
        return NULL;
    }
    if ((err = answer_request(answer, &log, &request)))
        answer->nelts = before;
    return err;
}
