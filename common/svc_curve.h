/* svc_curve: keys of CURVE in files, which root writes and the parent process
 * reads. Any thread.
 *
 * Each file must be an ordinary one (behind a link, too), belong to root or to
 * the user of this process, and be writable for its owner alone; a secret key
 * may not even be read by others. Each function returns NULL, or why not: the
 * end of a sentence that begins with the file.
 */
#ifndef SVC_CURVE_H
#define SVC_CURVE_H

#include "svc_bus.h"

/* The public key in FILE, as text: 40 characters of Z85 and at most an end of
 * line. */
const char *svc_curve_read_public(char key[SVC_BUS_KEY_LENGTH + 1],
                                  const char *file, apr_pool_t *pool);

/* The secret key in FILE, alike. Nothing of it stays in memory but KEY, and
 * nothing in KEY after a refusal. */
const char *svc_curve_read_secret(char key[SVC_BUS_KEY_LENGTH + 1],
                                  const char *file, apr_pool_t *pool);

/* The public keys in FILE, into ALLOWED (svc_bus_key_t, allocated from POOL): one
 * in each line, then a blank and whose it is; blank lines, and lines that begin
 * with #. */
const char *svc_curve_read_list(apr_array_header_t **allowed, const char *file,
                                apr_pool_t *pool, apr_pool_t *scratch);

/* Forgets the SIZE bytes at MEMORY for good. */
void svc_curve_wipe(void *memory, apr_size_t size);

#endif
