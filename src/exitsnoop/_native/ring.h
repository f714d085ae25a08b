/* SPDX-License-Identifier: Apache-2.0
 *
 * The consumer's side of the kernel's ring buffer, giving records in order of time.
 * libbpf's own consumer hands out records in order of reservation, one callback each, and does not
 * say (before libbpf 1.3) how far the producers are, which is what ordering needs.
 */
#ifndef EXITSNOOP_RING_H
#define EXITSNOOP_RING_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

#include "event.h"

struct ring {
	unsigned long *consumer_position;
	const unsigned long *producer_position;
	const char *data; /* the ring, mapped twice in a row: no record wraps */
	size_t bytes;	  /* a power of two */

	/* Notes: all other records, in the ring's order. Each after its size, a __u64. */
	char *notes;
	size_t note_bytes;
	size_t note_capacity;

	struct exit_event *staged; /* read, ordered by boot_ns */
	size_t staged_count;
	size_t staged_capacity;
	__u64 complete_until; /* every record with an earlier boot_ns has been read */
	bool complete;	      /* and that is so up to the last ring_read() */
};

#define RING_NO_MEMORY ((size_t)-1)

/* Maps the ring buffer map `fd` of `bytes` bytes. Returns 0 or an errno. */
int ring_open(struct ring *ring, int fd, size_t bytes);

/* Reads what is there. Returns how many records at the start of `staged` are final: no record that is
 * still to come is older. RING_NO_MEMORY: nothing was read, nothing is lost.
 */
size_t ring_read(struct ring *ring);

/* Drops the first `count` records of `staged`, and the notes. */
void ring_release(struct ring *ring, size_t count);

/* Unmaps and frees; harmless on a ring that is zeroed or closed. */
void ring_close(struct ring *ring);

#endif
