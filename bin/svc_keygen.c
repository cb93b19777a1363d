/* svc-keygen: makes a pair of CURVE keys, in two files.
 *
 * For TicketsCurvePublicKey, OrdersCurveSecretKey and so on, and for clients.
 * A file that exists is never touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "svc_bus.h"
#include "svc_curve.h"
#include "svc_version.h"

#define MAX_PATH 4096

static int complain(const char *what, const char *why)
{
    fprintf(stderr, "svc-keygen: %s: %s\n", what, why);
    return 1;
}

static int usage(FILE *out)
{
    fputs("usage: svc-keygen NAME\n"
          "       svc-keygen --version\n"
          "Makes a pair of CURVE keys: NAME.public (mode 0644) and NAME.secret "
          "(mode 0400),\neach with one key of 40 characters (Z85), and prints "
          "the public one.\nFiles that exist are left as they are.\n", out);
    return out == stderr ? 2 : 0;
}

/* False, having said why, when PATH exists or cannot be written; then there is
 * no new file. */
static int write_key(const char *path, const char *key, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    char line[SVC_BUS_KEY_LENGTH + 2];
    int is_written;

    if (fd < 0) {
        complain(path, strerror(errno));
        return 0;
    }
    memcpy(line, key, SVC_BUS_KEY_LENGTH);
    line[SVC_BUS_KEY_LENGTH] = '\n';
    errno = EIO; /* of a write that was cut short */
    is_written = write(fd, line, SVC_BUS_KEY_LENGTH + 1) ==
                     SVC_BUS_KEY_LENGTH + 1 &&
                 fchmod(fd, mode) == 0 && fsync(fd) == 0;
    svc_curve_wipe(line, sizeof(line));
    if (!is_written) {
        complain(path, strerror(errno));
        unlink(path);
    }
    close(fd);
    return is_written;
}

/* Some keys are awkward in httpd's configuration: to TicketsSubscribe, what
 * begins with / is a path, and ${ begins a variable. */
static int is_awkward(const char *public_key)
{
    return public_key[0] == '/' || strstr(public_key, "${");
}

int main(int argc, char **argv)
{
    char public_key[SVC_BUS_KEY_LENGTH + 1], secret_key[SVC_BUS_KEY_LENGTH + 1];
    char public_file[MAX_PATH], secret_file[MAX_PATH];
    int is_made;

    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout);
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("svc-keygen " SVC_VERSION) < 0;
    if (argc != 2 || argv[1][0] == '-' || argv[1][0] == '\0')
        return usage(stderr);
    if (strlen(argv[1]) > MAX_PATH - sizeof(".public"))
        return complain(argv[1], strerror(ENAMETOOLONG));
    sprintf(public_file, "%s.public", argv[1]);
    sprintf(secret_file, "%s.secret", argv[1]);
    do {
        if (!svc_bus_key_pair(public_key, secret_key))
            return complain("no keys", "this libzmq is built without CURVE");
    } while (is_awkward(public_key));
    is_made = write_key(secret_file, secret_key, 0400);
    svc_curve_wipe(secret_key, sizeof(secret_key));
    if (!is_made)
        return 1;
    if (!write_key(public_file, public_key, 0644)) {
        unlink(secret_file);
        return 1;
    }
    puts(public_key);
    return 0;
}
