/* SPDX-License-Identifier: Apache-2.0 */
/* More memory than there is room for. */
#ifndef DEATHS_MEMORY_H
#define DEATHS_MEMORY_H

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../puppet.h"

static void fill(size_t bytes)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		fail("mmap");
	madvise(memory, bytes, MADV_NOHUGEPAGE); /* so that the last page is the one too many */
	for (size_t at = 0; at < bytes; at += 4096)
		memory[at] = 1;
}

static void allocate(void) /* "allocate BYTES"; answers if there was room */
{
	fill(number(1));
	answer("allocated");
}

static void fill_file(void) /* "fill_file BYTES": in a tmpfs, as long as it lives */
{
	int fd = memfd_create("tmpfs", 0);

	if (fd < 0 || fallocate(fd, 0, 0, number(1)))
		fail("fill_file");
	answer("filled");
}

static void allocate_in_vfork(void) /* two processes with one memory */
{
	char both[64];
	pid_t pid = vfork();

	if (!pid) {
		snprintf(both, sizeof(both), "%d", getpid());
		answer("%s", both);
		fill(number(1));
		_exit(0);
	}
	wait_forever();
}

#endif
