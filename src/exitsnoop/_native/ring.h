/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads one of the kernel's ring buffers, a record at a time. libbpf's own reader hands out records by
 * callback, and does not say (before libbpf 1.3) how far the producers are, which ordering needs
 * (reader.c).
 */
#ifndef EXITSNOOP_RING_H
#define EXITSNOOP_RING_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

struct ring {
	unsigned long *consumer_position;
	const unsigned long *producer_position;
	const char *data; /* its start follows its end once more: no record wraps */
	size_t bytes;	  /* a power of two */
	size_t mapped_bytes;
	unsigned long position; /* of the next record to read */
	unsigned long end;	/* what follows may be incomplete */
};

struct record {
	const char *bytes;
	__u32 size;
};

/* Maps the ring buffer map `fd` of `bytes` bytes. Returns 0 or an errno. */
int ring_open(struct ring *ring, int fd, size_t bytes);

/* Sets `end` to where the producers are now. */
void ring_look(struct ring *ring);

/* Gets the record at `position`. Returns false if there is none before `end`, or it is being written. */
bool ring_peek(const struct ring *ring, struct record *record);

/* Whether all of the record at `position` is before `end`: else it is malformed. */
bool ring_has(const struct ring *ring, const struct record *record);

/* Goes on to the next record; gives the room back to the producers at ring_release(). */
void ring_skip(struct ring *ring, const struct record *record);
void ring_release(struct ring *ring);

/* Unmaps; harmless on a ring that is zeroed or closed. */
void ring_close(struct ring *ring);

#endif
