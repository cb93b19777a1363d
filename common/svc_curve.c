/* svc_curve: see the header. */
#include "svc_curve.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#define MAX_KEY_FILE 128       /* bytes; enough to see that it is too long */
#define MAX_LIST_FILE 1048576  /* bytes: some 15000 keys with names */

void svc_curve_wipe(void *memory, apr_size_t size)
{
    explicit_bzero(memory, size);
}

static const char key_form[] = "40 characters of Z85 (svc-keygen makes them)";

static const char *bad_access(const struct stat *info, int is_secret)
{
    if (!S_ISREG(info->st_mode))
        return "is not an ordinary file";
    if (info->st_uid != 0 && info->st_uid != geteuid())
        return "belongs neither to root nor to the user that starts httpd: "
               "chown it";
    if (is_secret && (info->st_mode & 077))
        return "must be closed to its group and to others, for it is a "
               "secret: chmod 400";
    if (info->st_mode & 022)
        return "can be written by its group or by others: chmod go-w";
    return NULL;
}

/* Reads up to SIZE - 1 bytes of FILE into BUFFER, and ends them with a NUL. */
static const char *read_file(char *buffer, size_t size, const char *file,
                             int is_secret, apr_pool_t *pool)
{
    /* Not to wait for a writer, should it be a pipe. */
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *refusal = NULL;
    struct stat info;
    size_t length = 0;
    ssize_t n = 1;

    buffer[0] = '\0';
    if (fd < 0 || fstat(fd, &info) != 0)
        refusal = apr_psprintf(pool, "cannot be read: %s", strerror(errno));
    else
        refusal = bad_access(&info, is_secret);
    while (!refusal && n > 0 && length < size - 1) {
        n = read(fd, buffer + length, size - 1 - length);
        if (n < 0 && errno != EINTR)
            refusal = apr_psprintf(pool, "cannot be read: %s",
                                   strerror(errno));
        if (n > 0)
            length += (size_t)n;
        if (n < 0)
            n = 1; /* interrupted */
    }
    if (fd >= 0)
        close(fd);
    buffer[length] = '\0';
    if (!refusal && strlen(buffer) != length)
        refusal = apr_psprintf(pool, "is not text: it must hold %s", key_form);
    return refusal;
}

/* Cuts one end of line off TEXT. */
static void chomp(char *text)
{
    size_t length = strlen(text);

    if (length && text[length - 1] == '\n')
        text[--length] = '\0';
    if (length && text[length - 1] == '\r')
        text[--length] = '\0';
}

static const char *read_key(char key[SVC_BUS_KEY_LENGTH + 1], const char *file,
                            int is_secret, apr_pool_t *pool)
{
    char buffer[MAX_KEY_FILE];
    svc_bus_key_t bytes;
    const char *refusal = read_file(buffer, sizeof(buffer), file, is_secret,
                                    pool);

    chomp(buffer);
    if (!refusal && !svc_bus_key_read(&bytes, buffer))
        refusal = apr_psprintf(pool, "must hold a key and nothing else: %s",
                               key_form);
    if (!refusal)
        memcpy(key, buffer, SVC_BUS_KEY_LENGTH + 1);
    svc_curve_wipe(buffer, sizeof(buffer));
    svc_curve_wipe(&bytes, sizeof(bytes));
    return refusal;
}

const char *svc_curve_read_public(char key[SVC_BUS_KEY_LENGTH + 1],
                                  const char *file, apr_pool_t *pool)
{
    return read_key(key, file, 0, pool);
}

const char *svc_curve_read_secret(char key[SVC_BUS_KEY_LENGTH + 1],
                                  const char *file, apr_pool_t *pool)
{
    return read_key(key, file, 1, pool);
}

/* A line's key, which may be followed by a blank and whose it is. No key begins
 * with #: its first five characters would be more than 32 bits. */
static const char *read_line(apr_array_header_t *allowed, char *line, int number,
                             apr_pool_t *pool)
{
    char *word = line + strspn(line, " \t");
    svc_bus_key_t key;

    if (*word == '\0' || *word == '#')
        return NULL;
    word[strcspn(word, " \t")] = '\0';
    if (!svc_bus_key_read(&key, word))
        return apr_psprintf(pool, "line %d does not begin with a key: %s",
                            number, key_form);
    APR_ARRAY_PUSH(allowed, svc_bus_key_t) = key;
    return NULL;
}

const char *svc_curve_read_list(apr_array_header_t **allowed, const char *file,
                                apr_pool_t *pool, apr_pool_t *scratch)
{
    char *buffer = apr_palloc(scratch, MAX_LIST_FILE + 2);
    const char *refusal = read_file(buffer, MAX_LIST_FILE + 2, file, 0, pool);
    char *line, *next;
    int number = 0;

    if (!refusal && strlen(buffer) > MAX_LIST_FILE)
        return apr_psprintf(pool, "is larger than %d bytes", MAX_LIST_FILE);
    *allowed = apr_array_make(pool, 8, sizeof(svc_bus_key_t));
    for (line = buffer; !refusal && *line; line = next) {
        next = line + strcspn(line, "\n");
        if (*next)
            *next++ = '\0';
        chomp(line);
        refusal = read_line(*allowed, line, ++number, pool);
    }
    return refusal;
}
