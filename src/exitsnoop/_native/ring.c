// SPDX-License-Identifier: Apache-2.0
/* How order is made. A record is reserved first and takes its time afterwards (exit.bpf.c), so:
 *
 *   1. read the clock: `now`
 *   2. read the producers' position: `end`
 *   3. read every record before `end`
 *
 * A record behind `end` was reserved after `now`, so it is not older than `now`. All records before
 * `end` being read, those up to `now` are final once sorted. The few that took their time after `now`
 * wait for the next round. Records are nearly sorted already, so insertion is cheap.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "ring.h"

/* A record is being written for well under a microsecond, unless its virtual CPU is taken away. After
 * this many looks the caller waits instead: the ring stays readable, so poll() returns at once.
 */
#define BUSY_LOOKS 1000

int ring_open(struct ring *ring, int fd, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *consumer, *producer;

	consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (consumer == MAP_FAILED)
		return errno;
	producer = mmap(NULL, page + 2 * bytes, PROT_READ, MAP_SHARED, fd, (off_t)page);
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
	};
	return 0;
}

void ring_close(struct ring *ring)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (ring->consumer_position) {
		munmap(ring->consumer_position, page);
		munmap((void *)ring->producer_position, page + 2 * ring->bytes);
	}
	free(ring->staged);
	free(ring->notes);
	*ring = (struct ring){ 0 };
}

static __u64 boot_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (__u64)now.tv_sec * 1000000000 + (__u64)now.tv_nsec;
}

/* Makes room for what `bytes` of the ring may hold. */
static bool reserve_staging(struct ring *ring, size_t bytes)
{
	size_t count = ring->staged_count + bytes / (BPF_RINGBUF_HDR_SZ + sizeof(*ring->staged));

	if (count > ring->staged_capacity) {
		struct exit_event *staged = realloc(ring->staged, count * sizeof(*staged));

		if (!staged)
			return false;
		ring->staged = staged;
		ring->staged_capacity = count;
	}
	return true;
}

static bool keep_note(struct ring *ring, const char *record, __u64 bytes)
{
	size_t needed = ring->note_bytes + sizeof(bytes) + bytes;

	if (needed > ring->note_capacity) {
		char *notes = realloc(ring->notes, 2 * needed);

		if (!notes)
			return false;
		ring->notes = notes;
		ring->note_capacity = 2 * needed;
	}
	memcpy(ring->notes + ring->note_bytes, &bytes, sizeof(bytes));
	memcpy(ring->notes + ring->note_bytes + sizeof(bytes), record, bytes);
	ring->note_bytes = needed;
	return true;
}

static void stage(struct ring *ring, const struct exit_event *event)
{
	size_t at = ring->staged_count++;

	while (at && ring->staged[at - 1].boot_ns > event->boot_ns) {
		ring->staged[at] = ring->staged[at - 1];
		at--;
	}
	ring->staged[at] = *event;
}

/* One round of the three steps above. Returns 0, EBUSY at a record that is still being written, or
 * ENOMEM.
 */
static int read_round(struct ring *ring)
{
	__u64 now = boot_clock();
	unsigned long end = __atomic_load_n(ring->producer_position, __ATOMIC_ACQUIRE);
	unsigned long position = *ring->consumer_position;
	int outcome = 0;

	if (!reserve_staging(ring, end - position))
		return ENOMEM;
	while (position < end) {
		const char *record = ring->data + (position & (ring->bytes - 1));
		__u32 header = __atomic_load_n((const __u32 *)record, __ATOMIC_ACQUIRE);
		__u32 length = header & ~BPF_RINGBUF_BUSY_BIT; /* exit.bpf.c discards none */

		if (header & BPF_RINGBUF_BUSY_BIT) {
			outcome = EBUSY;
			break;
		}
		record += BPF_RINGBUF_HDR_SZ;
		if (length == sizeof(struct exit_event)) {
			stage(ring, (const struct exit_event *)record);
		} else if (!keep_note(ring, record, length)) {
			outcome = ENOMEM;
			break;
		}
		position += (length + BPF_RINGBUF_HDR_SZ + 7) & ~7UL;
	}
	__atomic_store_n(ring->consumer_position, position, __ATOMIC_RELEASE);
	ring->complete = outcome == 0;
	if (ring->complete)
		ring->complete_until = now;
	return outcome;
}

size_t ring_read(struct ring *ring)
{
	size_t final;

	for (int looks = 0; looks < BUSY_LOOKS; looks++) {
		int outcome = read_round(ring);

		if (outcome == ENOMEM)
			return RING_NO_MEMORY;
		if (!ring->staged_count ||
		    ring->staged[ring->staged_count - 1].boot_ns <= ring->complete_until)
			break;
		if (outcome == EBUSY)
			sched_yield();
	}
	final = ring->staged_count;
	while (final && ring->staged[final - 1].boot_ns > ring->complete_until)
		final--;
	return final;
}

void ring_release(struct ring *ring, size_t count)
{
	ring->note_bytes = 0;
	ring->staged_count -= count;
	memmove(ring->staged, ring->staged + count, ring->staged_count * sizeof(*ring->staged));
}
