/* svc_curve: keys in files. What is no key is refused, and so is a file that
 * somebody else could read or write.
 */
#include <sys/stat.h>

#include "fixture.h"

#include "svc_curve.h"

static char public_key[SVC_BUS_KEY_LENGTH + 1], secret_key[SVC_BUS_KEY_LENGTH + 1];

/* A new file of MODE in the private folder, with TEXT. */
static const char *file_of(const char *text, mode_t mode)
{
    static int count;
    const char *path = fixture_path(apr_psprintf(fixture.pool, "file-%d",
                                                 ++count));
    FILE *out = fopen(path, "w");

    if (!out || fputs(text, out) < 0 || fclose(out) != 0 ||
        chmod(path, mode) != 0)
        must(svc_err_make(fixture.pool, SVC_ERR_INTERNAL, "no file"));
    return path;
}

/* Does REFUSAL say TEXT? */
static int says(const char *refusal, const char *text)
{
    if (!refusal || !strstr(refusal, text))
        printf("# it says: %s\n", refusal ? refusal : "nothing");
    return refusal && strstr(refusal, text);
}

static const char *line(const char *text, const char *end)
{
    return apr_pstrcat(fixture.pool, text, end, NULL);
}

static const char *read_public(const char *path)
{
    char key[SVC_BUS_KEY_LENGTH + 1] = "";
    const char *refusal = svc_curve_read_public(key, path, fixture.pool);

    return refusal ? refusal : apr_pstrdup(fixture.pool, key);
}

static const char *read_secret(const char *path)
{
    char key[SVC_BUS_KEY_LENGTH + 1] = "";
    const char *refusal = svc_curve_read_secret(key, path, fixture.pool);

    if (refusal)
        is_str(key, "", "... leaving no key behind");
    return refusal ? refusal : apr_pstrdup(fixture.pool, key);
}

static void forms(void)
{
    char zero[] = "0000000000000000000000000000000000000000";
    const struct {
        const char *text, *what;
    } table[] = {
        { "", "an empty file" },
        { "\n", "an empty line" },
        { "too short\n", "a short text" },
        { line(public_key, "x"), "41 characters" },
        { line(" ", public_key), "a key after a blank" },
        { line(public_key, " "), "a key before a blank" },
        { line(public_key, "\n\n"), "a key and an empty line" },
        { line(public_key, line("\n", public_key)), "two keys" },
        { "0000000000000000000000000000000000 00000", "a blank inside" },
        { "00000000000000000000000000000000000000\"0", "a quote" },
        { "0000000000000000000000000000000000#####", "39 characters" },
        { "#########################################", "41 of them" },
        { "########################################", "more than 32 bytes" },
        { line(zero, line(zero, line(zero, zero))), "160 characters" }
    };
    size_t i;

    is_str(read_public(file_of(public_key, 0644)), public_key,
           "a public key is read");
    is_str(read_public(file_of(line(public_key, "\n"), 0644)), public_key,
           "an end of line after it does no harm");
    is_str(read_public(file_of(line(public_key, "\r\n"), 0444)), public_key,
           "nor does one of Windows");
    is_str(read_public(file_of(zero, 0400)), zero, "a file may be closed");
    is_str(read_secret(file_of(line(secret_key, "\n"), 0400)), secret_key,
           "a secret key is read");
    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        ok(says(read_public(file_of(table[i].text, 0644)),
                  "must hold a key and nothing else: 40 characters of Z85"),
           "%s is no key", table[i].what);
    ok(says(read_secret(file_of("short", 0400)), "must hold a key"),
       "what is no key is no secret key");
}

static void access_of_files(void)
{
    static const mode_t closed[] = { 0400, 0600, 0700 };
    static const mode_t readable[] = { 0440, 0404, 0640, 0604, 0644, 0410,
                                       0401 };
    static const mode_t writable[] = { 0620, 0602, 0664, 0646, 0666 };
    const char *text = line(secret_key, "\n"), *path, *link;
    size_t i;

    for (i = 0; i < sizeof(closed) / sizeof(closed[0]); i++)
        is_str(read_secret(file_of(text, closed[i])), secret_key,
               "a secret file of mode %04o is taken", (unsigned)closed[i]);
    for (i = 0; i < sizeof(readable) / sizeof(readable[0]); i++) {
        ok(says(read_secret(file_of(text, readable[i])), "chmod 400"),
           "a secret file of mode %04o is refused", (unsigned)readable[i]);
        is_str(read_public(file_of(text, readable[i])), secret_key,
               "... a public one is taken");
    }
    for (i = 0; i < sizeof(writable) / sizeof(writable[0]); i++) {
        ok(says(read_secret(file_of(text, writable[i])), "chmod 400"),
           "a secret file of mode %04o is refused", (unsigned)writable[i]);
        ok(says(read_public(file_of(text, writable[i])), "chmod go-w"),
           "... and so is a public one");
    }
    ok(says(read_secret(fixture_path("none")), "cannot be read: No such"),
       "a file that is not there is refused");
    ok(says(read_secret(fixture.folder), "not an ordinary file"),
       "a folder is refused");
    path = fixture_path("pipe");
    ok(mkfifo(path, 0600) == 0 &&
           says(read_secret(path), "not an ordinary file"),
       "a pipe is refused, and not waited for");
    ok(says(read_public("/dev/zero"), "not an ordinary file"),
       "a device is refused");
    path = file_of(text, 0400);
    link = fixture_path("link");
    ok(symlink(path, link) == 0 &&
           strcmp(read_secret(link), secret_key) == 0,
       "a link to a file is followed");
    path = file_of(text, 0600);
    if (geteuid() == 0) {
        ok(chown(path, 12345, 0) == 0 &&
               says(read_secret(path), "belongs neither to root nor"),
           "a file of somebody else is refused");
    } else {
        ok(chmod(path, 0) == 0 && says(read_secret(path), "cannot be read"),
           "a file that may not be read is refused");
        ok(says(read_public("/etc/passwd"), "must hold a key"),
           "a file of root's has the right owner");
    }
}

static const char *read_list(const char *text, mode_t mode, int *count)
{
    apr_array_header_t *allowed = NULL;
    const char *refusal = svc_curve_read_list(&allowed, file_of(text, mode),
                                              fixture.pool, fixture.pool);

    *count = allowed ? allowed->nelts : -1;
    return refusal;
}

static void lists(void)
{
    static const char other[] = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
    char *large = apr_palloc(fixture.pool, 1048578);
    apr_array_header_t *allowed;
    svc_bus_key_t key;
    const char *text = apr_pstrcat(
        fixture.pool, "# clients\n\n", other, "\n   \n\t", public_key,
        "\tthe shop in the harbour\n#", other, " left us\r\n", other,
        " # again\r\n# end", NULL);
    int count;

    ok(!svc_curve_read_list(&allowed, file_of(text, 0644), fixture.pool,
                            fixture.pool),
       "a list has keys, names, comments and blank lines");
    is_int(allowed->nelts, 3, "its keys are read");
    ok(svc_bus_key_read(&key, public_key) &&
           memcmp(&APR_ARRAY_IDX(allowed, 1, svc_bus_key_t), &key,
                  sizeof(key)) == 0,
       "... each with its bytes");
    ok(!read_list("", 0644, &count) && count == 0, "a list may be empty");
    ok(!read_list("# nobody yet\n", 0400, &count) && count == 0,
       "or have comments alone");
    ok(!read_list(other, 0644, &count) && count == 1,
       "the last line needs no end");
    ok(says(read_list(apr_pstrcat(fixture.pool, other, "\n# x\nbob\n", NULL),
                        0644, &count), "line 3 does not begin with a key"),
       "a line without a key is refused by its number");
    ok(says(read_list(line(other, ",bob\n"), 0644, &count), "line 1 does not"),
       "a comma is no blank");
    ok(!read_list("#ne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID\n", 0644, &count) &&
           count == 0,
       "what begins with # is a comment, and can be no key");
    ok(says(read_list(text, 0664, &count), "chmod go-w"),
       "a list that the group may write is refused");
    ok(says(read_list(text, 0602, &count), "chmod go-w"),
       "and one that others may");
    memset(large, '\n', 1048577);
    large[1048577] = '\0';
    ok(says(read_list(large, 0644, &count), "larger than 1048576 bytes"),
       "a list has a largest size");
    large[1048576] = '\0';
    ok(!read_list(large, 0644, &count), "... and may have it");
}

static void keys(void)
{
    char found[SVC_BUS_KEY_LENGTH + 1];
    svc_bus_key_t key;

    ok(svc_bus_curve_refusal() == NULL, "libzmq can enforce a list");
    ok(svc_bus_key_public(found, secret_key) &&
           strcmp(found, public_key) == 0,
       "a secret key tells its public one");
    ok(!svc_bus_key_public(found, "no key"), "what is no key tells none");
    ok(svc_bus_key_read(&key, public_key) &&
           strcmp(svc_bus_key_text(&key, fixture.pool), public_key) == 0,
       "a key can be read and written");
}

int main(void)
{
    fixture_begin();
    if (!svc_bus_key_pair(public_key, secret_key))
        must(svc_err_make(fixture.pool, SVC_ERR_INTERNAL, "no keys"));
    keys();
    forms();
    access_of_files();
    lists();
    return fixture_end();
}
