/* svc_door: see the header. */
#include "svc_door.h"

#include <string.h>

#include "svc_log.h"

#define SAID_KEYS 16       /* refused clients that are remembered */
#define SAID_MS 1000       /* between two lines */
#define SAID_SAME_MS 60000 /* between two lines about one client */

/* A client that was refused, and when that was said last. */
typedef struct said_t {
    svc_bus_key_t key;
    apr_int64_t at; /* 0: this one is free */
} said_t;

struct svc_door_t {
    const char *name;
    const apr_array_header_t *allowed; /* svc_bus_key_t */
    said_t said[SAID_KEYS];
    unsigned oldest;    /* of them, counted on */
    apr_int64_t say_at; /* not before */
    int refusals;
};

svc_door_t *svc_door_create(const char *name, const apr_array_header_t *allowed,
                            apr_pool_t *pool)
{
    svc_door_t *door = apr_pcalloc(pool, sizeof(*door));

    door->name = name;
    door->allowed = allowed;
    return door;
}

static int is_same(const svc_bus_key_t *a, const svc_bus_key_t *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static void note_refusal(svc_door_t *door, const svc_bus_key_t *key,
                         const char *address, apr_int64_t now,
                         apr_pool_t *scratch)
{
    said_t *said = NULL;
    int i;

    door->refusals++;
    if (now < door->say_at)
        return;
    for (i = 0; i < SAID_KEYS && !said; i++) {
        if (door->said[i].at && is_same(&door->said[i].key, key))
            said = &door->said[i];
    }
    if (said && now < said->at + SAID_SAME_MS)
        return;
    if (!said)
        said = &door->said[door->oldest++ % SAID_KEYS];
    said->key = *key;
    said->at = now;
    door->say_at = now + SAID_MS;
    svc_log(SVC_LOG_WARNING,
            "SVC070: %s: a client at %s was refused: its public key %s is not "
            "on the list (refusal %d)",
            door->name, address, svc_bus_key_text(key, scratch),
            door->refusals);
}

const char *svc_door_judge(svc_door_t *door, const svc_bus_frame_t *frames,
                           int count, apr_int64_t now, apr_pool_t *scratch)
{
    svc_bus_key_t key;
    int i;

    /* version, request id, domain, address, identity, mechanism, key */
    if (count != 7 || strcmp(frames[0].data, "1.0") != 0 ||
        strcmp(frames[2].data, SVC_DOOR_DOMAIN) != 0 ||
        strcmp(frames[5].data, "CURVE") != 0 ||
        frames[6].length != sizeof(key.bytes))
        return "500";
    memcpy(key.bytes, frames[6].data, sizeof(key.bytes));
    for (i = 0; i < door->allowed->nelts; i++) {
        if (is_same(&APR_ARRAY_IDX(door->allowed, i, svc_bus_key_t), &key))
            return "200";
    }
    note_refusal(door, &key, frames[3].data, now, scratch);
    return "400";
}
