/* sim_backup: see the header. */
#include "sim_backup.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "sim_check.h"
#include "sim_world.h"

/* A file's content; NULL: it was not there. */
typedef struct copy_t {
    char *bytes;
    size_t size;
} copy_t;

/* The log that was not yet moved into the database belongs to it. */
static const char *const endings[] = { "", "-wal" };

static struct {
    int exists;
    copy_t copies[2];
    sim_model_t model;
} backups[SIM_MODEL_STORES];

static int index_of(const sim_store_t *store)
{
    return (int)(store - sim_model_world.stores);
}

void sim_backup_begin(void)
{
    int i;

    for (i = 0; i < SIM_MODEL_STORES; i++)
        backups[i].exists = 0;
}

static void copy_file(copy_t *copy, const char *path, apr_pool_t *pool)
{
    FILE *in = fopen(path, "rb");

    copy->bytes = NULL;
    copy->size = 0;
    if (!in)
        return;
    fseek(in, 0, SEEK_END);
    copy->size = (size_t)ftell(in);
    rewind(in);
    copy->bytes = apr_palloc(pool, copy->size + 1);
    if (fread(copy->bytes, 1, copy->size, in) != copy->size)
        sim_world_broken("%s cannot be copied", path);
    fclose(in);
}

void sim_backup_take(const sim_store_t *store, apr_pool_t *pool)
{
    int i, at = index_of(store);

    if (!store->db)
        return;
    for (i = 0; i < 2; i++)
        copy_file(&backups[at].copies[i],
                  apr_pstrcat(pool, store->path, endings[i], NULL), pool);
    backups[at].model = store->model;
    backups[at].exists = 1;
}

static void put_file(const copy_t *copy, const char *path)
{
    FILE *out;

    unlink(path);
    if (!copy->bytes)
        return;
    out = fopen(path, "wb");
    if (!out || fwrite(copy->bytes, 1, copy->size, out) != copy->size)
        sim_world_broken("%s cannot be put back", path);
    if (out)
        fclose(out);
}

int sim_backup_restore(sim_store_t *store)
{
    int i, at = index_of(store);
    char path[300];

    if (!backups[at].exists)
        return 0;
    sim_check_close(store);
    for (i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s%s", store->path, endings[i]);
        put_file(&backups[at].copies[i], path);
    }
    snprintf(path, sizeof(path), "%s-shm", store->path);
    unlink(path);
    store->model = backups[at].model;
    sim_model_tear();
    return 1;
}
