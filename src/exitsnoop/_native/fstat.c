// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "fstat.h"

#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(long) == 8, "struct stat is that of the system call");

int exitsnoop_fstat(int fd, struct stat *status)
{
	return (int)syscall(SYS_fstat, fd, status);
}
