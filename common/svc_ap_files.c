/* svc_ap_files: see the header. */
#include "svc_ap_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>
#include <http_log.h>
#include <unixd.h>

static int is_empty(int folder)
{
    int copy = dup(folder);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;
    int count = 0;

    if (!dir) {
        if (copy >= 0)
            close(copy);
        return 0;
    }
    while ((entry = readdir(dir)))
        count += strcmp(entry->d_name, ".") != 0 &&
                 strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return count == 0;
}

/* Links are not followed: whoever may write in the folder must not choose what
 * is given away. */
static int give(int fd)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return -1;
    if (info.st_uid != 0 || info.st_nlink > 1 + (S_ISDIR(info.st_mode) != 0))
        return 0;
    return fchown(fd, ap_unixd_config.user_id, ap_unixd_config.group_id);
}

void svc_ap_files_give(const char *path, int with_folder, server_rec *s,
                       apr_pool_t *scratch)
{
    const char *slash = strrchr(path, '/');
    const char *folder = slash == path
                             ? "/"
                             : apr_pstrmemdup(scratch, path,
                                              (apr_size_t)(slash - path));
    int dir, file = -1, rc = -1;

    if (geteuid() != 0)
        return;
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0) {
        rc = with_folder && is_empty(dir) ? give(dir) : 0;
        file = openat(dir, slash + 1,
                      O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
        if (file < 0 || give(file) != 0)
            rc = -1;
    }
    if (rc != 0)
        ap_log_error(APLOG_MARK, APLOG_ERR, errno, s,
                     "SVC052: %s cannot be made for User: see that the folder "
                     "exists", path);
    if (file >= 0)
        close(file);
    if (dir >= 0)
        close(dir);
}
