// SPDX-License-Identifier: Apache-2.0
#include "ring.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "bpf/event.h"

/* A page that is mapped counts as memory of this process. So not all of the ring is mapped, but what is being
 * read: a part of this size.
 */
#ifndef RING_WINDOW_BYTES
#define RING_WINDOW_BYTES (512UL << 10)
#endif

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* How much is mapped after the window, because a record may cross its end. After the end of the ring the kernel
 * has its start once more.
 */
static size_t overlap(size_t bytes)
{
	size_t page = page_bytes();
	size_t most = (BPF_RINGBUF_HDR_SZ + sizeof(struct exec_image) + page - 1) & ~(page - 1);

	return most < bytes ? most : bytes;
}

/* The old window goes first: then there is room for the new one. Before the data, the map has the page with the
 * consumer's position and that with the producers'.
 */
static void open_window(struct ring *ring, size_t at)
{
	void *window;

	if (ring->window)
		munmap((void *)ring->window, ring->mapped_bytes);
	window = mmap(NULL, ring->mapped_bytes, PROT_READ, MAP_SHARED, ring->fd,
		      (off_t)(2 * page_bytes() + at));
	ring->window = window == MAP_FAILED ? NULL : window;
	ring->window_at = at;
}

int ring_open(struct ring *ring, int fd, size_t bytes)
{
	size_t page = page_bytes();
	size_t window_bytes = bytes < RING_WINDOW_BYTES ? bytes : RING_WINDOW_BYTES;
	void *consumer, *producer;
	int error;

	consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (consumer == MAP_FAILED)
		return errno;
	producer = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (producer == MAP_FAILED) {
		error = errno;
		munmap(consumer, page);
		return error;
	}
	*ring = (struct ring){
		.consumer_position = consumer,
		.producer_position = producer,
		.bytes = bytes,
		.fd = fd,
		.window_bytes = window_bytes,
		.mapped_bytes = window_bytes + overlap(bytes),
	};
	open_window(ring, 0);
	if (ring->window)
		return 0;
	error = errno;
	ring_close(ring);
	return error;
}

/* Returns a place in the ring as it is mapped now, or NULL. */
static const char *mapped(struct ring *ring, size_t at)
{
	size_t from = at & ~(ring->window_bytes - 1);

	if (!ring->window || from != ring->window_at)
		open_window(ring, from);
	return ring->window ? ring->window + (at - from) : NULL;
}

void ring_look(struct ring *ring)
{
	ring->end = __atomic_load_n(ring->producer_position, __ATOMIC_ACQUIRE);
}

bool ring_peek(struct ring *ring, struct record *record)
{
	const char *at;
	__u32 header;

	if (ring->position == ring->end)
		return false;
	at = mapped(ring, ring->position & (ring->bytes - 1));
	if (!at)
		return false;
	header = __atomic_load_n((const __u32 *)at, __ATOMIC_ACQUIRE);
	if (header & BPF_RINGBUF_BUSY_BIT)
		return false;
	record->bytes = at + BPF_RINGBUF_HDR_SZ;
	record->size = header; /* exit.bpf.c discards no record, so no other bit is set */
	return true;
}

/* Includes the header. */
static unsigned long bytes_taken(const struct record *record)
{
	return (7UL + BPF_RINGBUF_HDR_SZ + record->size) & ~7UL;
}

bool ring_has(const struct ring *ring, const struct record *record)
{
	return bytes_taken(record) <= ring->end - ring->position &&
	       bytes_taken(record) <= ring->bytes;
}

void ring_skip(struct ring *ring, const struct record *record)
{
	ring->position += bytes_taken(record);
}

void ring_release(struct ring *ring)
{
	__atomic_store_n(ring->consumer_position, ring->position, __ATOMIC_RELEASE);
}

void ring_close(struct ring *ring)
{
	size_t page = page_bytes();

	if (!ring->consumer_position)
		return;
	munmap(ring->consumer_position, page);
	munmap((void *)ring->producer_position, page);
	if (ring->window)
		munmap((void *)ring->window, ring->mapped_bytes);
	*ring = (struct ring){ 0 };
}
