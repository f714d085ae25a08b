// SPDX-License-Identifier: Apache-2.0
#include "ring.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "bpf/event.h"

/* How much of the start is mapped again after the end, because a record may cross the end. Not all of
 * it: a page that is mapped twice counts twice as memory of this process.
 */
static size_t overlap(size_t bytes, size_t page)
{
	size_t most = (BPF_RINGBUF_HDR_SZ + sizeof(struct exec_image) + page - 1) & ~(page - 1);

	return most < bytes ? most : bytes;
}

int ring_open(struct ring *ring, int fd, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t mapped_bytes = page + bytes + overlap(bytes, page);
	void *consumer, *producer;

	consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (consumer == MAP_FAILED)
		return errno;
	producer = mmap(NULL, mapped_bytes, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (producer == MAP_FAILED) {
		int error = errno;

		munmap(consumer, page);
		return error;
	}
	*ring = (struct ring){
		.consumer_position = consumer,
		.producer_position = producer,
		.data = (const char *)producer + page,
		.bytes = bytes,
		.mapped_bytes = mapped_bytes,
	};
	return 0;
}

void ring_look(struct ring *ring)
{
	ring->end = __atomic_load_n(ring->producer_position, __ATOMIC_ACQUIRE);
}

bool ring_peek(const struct ring *ring, struct record *record)
{
	const char *at = ring->data + (ring->position & (ring->bytes - 1));
	__u32 header;

	if (ring->position == ring->end)
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
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!ring->consumer_position)
		return;
	munmap(ring->consumer_position, page);
	munmap((void *)ring->producer_position, ring->mapped_bytes);
	*ring = (struct ring){ 0 };
}
