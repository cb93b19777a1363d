/* svc_ap_files: files that the parent makes as root for the processes that run
 * as User.
 */
#ifndef SVC_AP_FILES_H
#define SVC_AP_FILES_H

#include <httpd.h>

/* When this process is root: makes sure that PATH exists and belongs to User.
 * With WITH_FOLDER, its folder is given to User as well if it is root's and
 * holds nothing yet, because SQLite must be able to make files beside the
 * database. Says on the error log what cannot be done. Otherwise does
 * nothing. */
void svc_ap_files_give(const char *path, int with_folder, server_rec *s,
                       apr_pool_t *scratch);

#endif
