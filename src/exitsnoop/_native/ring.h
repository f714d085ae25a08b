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
	size_t bytes; /* a power of two */
	int fd;	      /* of the map; not this one's to close */
	/* The part of the ring that is mapped, from window_at on: NULL if there was no memory for it. */
	const char *window;
	size_t window_at;
	size_t window_bytes; /* a power of two; what a record may take beyond them is mapped, too */
	size_t mapped_bytes;
	unsigned long position; /* of the next record to read */
	unsigned long end;	/* what follows may be incomplete */
};

struct record {
	const char *bytes;
	__u32 size;
};

/* Maps the start of the ring buffer map `fd`, which has `bytes` bytes and stays open. Returns 0 or an errno. */
int ring_open(struct ring *ring, int fd, size_t bytes);

/* Sets `end` to where the producers are now. */
void ring_look(struct ring *ring);

/* Gets the record at `position`, until the next call. Returns false if there is none before `end`, it is being
 * written, or there is no memory for the window.
 */
bool ring_peek(struct ring *ring, struct record *record);

/* Whether all of the record at `position` is before `end`: else it is malformed. */
bool ring_has(const struct ring *ring, const struct record *record);

/* Goes on to the next record; gives the room back to the producers at ring_release(). */
void ring_skip(struct ring *ring, const struct record *record);
void ring_release(struct ring *ring);

/* Unmaps; harmless on a ring that is zeroed or closed. */
void ring_close(struct ring *ring);

#endif
