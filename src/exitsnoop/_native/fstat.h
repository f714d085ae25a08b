/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXITSNOOP_FSTAT_H
#define EXITSNOOP_FSTAT_H

#include <sys/stat.h>

/* fstat(), which is a symbol of its own only since glibc 2.33. The libelf of a wheel calls this one, too
 * (tools/without-fstat), so that the wheel runs with glibc 2.28.
 */
__attribute__((visibility("default"))) int exitsnoop_fstat(int fd, struct stat *status);

#endif
