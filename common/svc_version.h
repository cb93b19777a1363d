/* svc_version: the version of both modules and of what belongs to them.
 *
 * The one place where it is written. make dist and make deb read it here;
 * packaging/debian/changelog begins with the same one, or they refuse.
 */
#ifndef SVC_VERSION_H
#define SVC_VERSION_H

#define SVC_VERSION "1.0.0"

#endif
