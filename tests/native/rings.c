// SPDX-License-Identifier: Apache-2.0
/* reader.c and ring.c on rings that this program writes as the kernel does: what producers do is made
 * up at random, what comes out is checked. For AddressSanitizer, which looks at each access.
 *
 *   rings SEED ROUNDS
 *   rings broken HEADER [note]
 *   rings starved
 *   rings looked
 *
 * A producer reserves room, takes the time, writes and submits; in between others do, and the reader
 * reads. Checked: exits come in order of time, each once and as it was; notes too, and none after
 * an exit that is younger; all are there in the end. Prints how many exits and notes there were.
 *
 * broken: an exit is followed by what says with HEADER that it is of some other size, and then by
 * more; wherever in the ring that is, the reader must refuse it. Prints how often it did.
 *
 * looked: what is looked at stays there, and is counted in bytes; what should not wait presses.
 *
 * starved: no part of the ring can be mapped for a while; nothing is lost.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/bpf.h>
#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include "reader.h"

static void *map_part(void *, size_t, int, int, int, off_t);
static int unmap_part(void *, size_t);

/* What is not mapped is poisoned: no access may go there. */
#define RING_WINDOW_BYTES 4096
#define mmap map_part
#define munmap unmap_part
#include "ring.c"

#define RINGS 3
#define RING_BYTES 8192
#define OPEN 6 /* records that are being written, in each ring */
#define MOST_NOTE 2000

struct open_record {
	unsigned long position;
	__u32 size;
};

struct producer {
	unsigned long consumer, producer;
	char *data; /* twice */
	struct open_record open[OPEN];
	int open_count;
};

static struct producer producers[RINGS];
static bool starved;
static unsigned long state;
static unsigned long sent_exits, sent_notes, got_exits, got_notes, lost;
static __u64 sent_sum, got_sum, last_exit, last_note;

static unsigned int any(unsigned int below)
{
	state = state * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned int)(state >> 33) % below;
}

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "rings: %s\n", what);
	abort();
}

static __u64 boot_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (__u64)now.tv_sec * 1000000000 + (__u64)now.tv_nsec;
}

static void *map_part(void *at, size_t size, int protection, int flags, int which, off_t offset)
{
	struct producer *producer = &producers[which];
	size_t page = page_bytes();
	char *part = producer->data + offset - 2 * page;

	(void)at, (void)protection, (void)flags;
	if ((size_t)offset < 2 * page)
		return offset ? &producer->producer : &producer->consumer;
	if (starved) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	require(offset - 2 * page + size <= 2 * RING_BYTES, "more is mapped than there is");
	ASAN_UNPOISON_MEMORY_REGION(part, size);
	return part;
}

static int unmap_part(void *at, size_t size)
{
	for (int i = 0; i < RINGS; i++)
		if (at == &producers[i].consumer || at == &producers[i].producer)
			return 0;
	ASAN_POISON_MEMORY_REGION(at, size);
	return 0;
}

/* Writes at both places of the ring, mapped or not. */
__attribute__((no_sanitize("address"))) static void
put(struct producer *producer, unsigned long position, const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		size_t at = (position + i) & (RING_BYTES - 1);

		producer->data[at] = ((const char *)bytes)[i];
		producer->data[RING_BYTES + at] = producer->data[at];
	}
}

static size_t rounded(__u32 size)
{
	return (size + BPF_RINGBUF_HDR_SZ + 7) & ~7UL;
}

static void reserve(struct producer *producer)
{
	__u32 size = any(2) ? sizeof(struct exit_event) : 16 + any(MOST_NOTE);
	__u32 header[2] = { size | BPF_RINGBUF_BUSY_BIT, 0 };

	if (producer->open_count == OPEN)
		return;
	if (producer->producer + rounded(size) - producer->consumer > RING_BYTES) {
		lost++;
		return;
	}
	put(producer, producer->producer, header, sizeof(header));
	producer->open[producer->open_count++] = (struct open_record){
		.position = producer->producer, .size = size
	};
	__atomic_store_n(&producer->producer, producer->producer + rounded(size), __ATOMIC_RELEASE);
}

/* A sum that each record adds to: exits by what they hold, notes by their bytes. */
static __u64 sum(const char *bytes, size_t size)
{
	__u64 sum = size;

	for (size_t i = 0; i < size; i++)
		sum = sum * 31 + (unsigned char)bytes[i];
	return sum;
}

static void submit(struct producer *producer)
{
	int which = (int)any((unsigned int)producer->open_count);
	struct open_record open = producer->open[which];
	char bytes[16 + MOST_NOTE];
	__u64 now = boot_clock();

	for (__u32 i = 0; i < open.size; i++)
		bytes[i] = (char)any(256);
	if (open.size == sizeof(struct exit_event)) {
		memcpy(bytes, &now, sizeof(now));
		sent_exits++;
	} else {
		now |= NOTE;
		memcpy(bytes, &now, sizeof(now));
		sent_notes++;
	}
	sent_sum += sum(bytes, open.size);
	put(producer, open.position + BPF_RINGBUF_HDR_SZ, bytes, open.size);
	put(producer, open.position, &open.size, sizeof(open.size));
	producer->open[which] = producer->open[--producer->open_count];
}

static void take(struct reader *reader, size_t most)
{
	size_t count = reader_read(reader, most);
	const struct note *note;

	require(count != READER_NO_MEMORY, "there is no memory");
	require(count <= most, "more than were asked for");
	while ((note = reader_note(reader, count))) {
		require(note->boot_ns >= last_note, "notes are not in order");
		require(note->boot_ns >= last_exit, "a note comes after a younger exit");
		last_note = note->boot_ns;
		got_sum += sum(note->bytes, note->size);
		got_notes++;
		reader_drop_note(reader);
	}
	for (size_t i = 0; i < count; i++) {
		const struct exit_event *exit = reader_exits(reader) + i;

		require(exit->boot_ns >= last_exit, "exits are not in order");
		last_exit = exit->boot_ns;
		got_sum += sum((const char *)exit, sizeof(*exit));
		got_exits++;
	}
	reader_drop_exits(reader, count);
}

static void add_ring(struct reader *reader, int which)
{
	struct ring ring;

	producers[which].data = calloc(2, RING_BYTES);
	require(producers[which].data, "there is no memory");
	ASAN_POISON_MEMORY_REGION(producers[which].data, 2 * RING_BYTES);
	require(!ring_open(&ring, which, RING_BYTES), "it cannot be opened");
	reader_add(reader, &ring);
}

static void free_ring(int which)
{
	ASAN_UNPOISON_MEMORY_REGION(producers[which].data, 2 * RING_BYTES);
	free(producers[which].data);
}

/* Writes a record with its header, `follows` bytes of it. */
static void write_record(struct producer *producer, __u32 header, __u64 time, size_t follows)
{
	char bytes[2 * sizeof(struct exec_image)] = { 0 };
	__u32 headers[2] = { header, 0 };

	memcpy(bytes, &time, sizeof(time));
	put(producer, producer->producer, headers, sizeof(headers));
	put(producer, producer->producer + BPF_RINGBUF_HDR_SZ, bytes, follows);
	producer->producer += rounded((__u32)follows);
}

static int refuse(__u32 header, bool note)
{
	size_t sizes[] = { sizeof(struct exit_event), 0, 64, 4000 };
	int refused = 0;

	for (unsigned long start = 0; start < RING_BYTES; start += 8) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			struct reader reader = { 0 };
			struct producer *producer = &producers[0];
			__u64 now = boot_clock();

			*producer = (struct producer){ .producer = start, .consumer = start };
			add_ring(&reader, 0);
			reader.rings[0].position = start;
			write_record(producer, sizeof(struct exit_event), now,
				     sizeof(struct exit_event));
			write_record(producer, header, note ? now | NOTE : now, sizes[i]);
			for (int again = 0; again < 2; again++)
				require(reader_read(&reader, 10) == READER_BAD_RECORD,
					"it was not refused");
			require(reader.exits_end - reader.exits_first == 1 && !reader.notes_end,
				"it is not what was sent");
			reader_close(&reader);
			free_ring(0);
			refused++;
		}
	}
	printf("%d refused\n", refused);
	return 0;
}

/* Whether a note presses; its kind, and a byte of the path of its cgroup. */
static bool presses(struct reader *reader, __u64 kind, char path)
{
	struct exit_context context = {
		.boot_ns = boot_clock() | NOTE, .kind = kind, .cgroup_bytes = 1, .parts = { path }
	};
	__u32 headers[2] = { offsetof(struct exit_context, parts) + 1, 0 };
	struct producer *producer = &producers[0];
	size_t before = reader_look(reader);
	bool found;

	put(producer, producer->producer, headers, sizeof(headers));
	put(producer, producer->producer + BPF_RINGBUF_HDR_SZ, (char *)&context, headers[0]);
	producer->producer += rounded(headers[0]);
	require(reader_look(reader) == before + headers[0], "bytes are missing, or too many");
	require(reader_look(reader) == before + headers[0], "a look takes them");
	found = reader->presses;
	reader->presses = false;
	return found;
}

static int look(void)
{
	struct reader reader = { 0 };

	add_ring(&reader, 0);
	require(!reader_look(&reader) && !reader.presses, "there is nothing");
	require(presses(&reader, EXIT_CONTEXT, 'a'), "a new cgroup does not press");
	require(!presses(&reader, EXIT_CONTEXT, 'a'), "a known cgroup presses");
	require(presses(&reader, EXIT_CONTEXT, 'b'), "another cgroup does not press");
	require(!presses(&reader, EXIT_CONTEXT, 'a'), "the first was forgotten");
	require(!presses(&reader, FORKED, 'c') && !presses(&reader, EXEC_IMAGE, 'c'),
		"what runs presses");
	require(presses(&reader, SIGNAL_EVIDENCE, 'c') && presses(&reader, OOM_EVIDENCE, 'c') &&
			presses(&reader, CRASH_SITE, 'c') && presses(&reader, 1ULL << 40, 'c'),
		"evidence does not press");
	for (__u16 status = 0; status < 512; status++) {
		struct exit_event exit = { .boot_ns = boot_clock(), .status = status };
		__u32 headers[2] = { sizeof(exit), 0 };

		put(&producers[0], producers[0].producer, headers, sizeof(headers));
		put(&producers[0], producers[0].producer + BPF_RINGBUF_HDR_SZ, (char *)&exit,
		    sizeof(exit));
		producers[0].producer += rounded(sizeof(exit));
		reader_look(&reader);
		require(reader.presses == !!(status & 0x7f), "it presses, or does not");
		reader.presses = false;
	}
	take(&reader, 600);
	require(reader_is_done(&reader) && !reader.staged_bytes, "something is left");
	write_record(&producers[0], 8, boot_clock(), 8);
	require(!reader_look(&reader) && reader.presses, "a malformed record does not press");
	reader_close(&reader);
	free_ring(0);
	return 0;
}

static int starve(void)
{
	size_t count = RING_BYTES / rounded(sizeof(struct exit_event)), got = 0, some;
	struct reader reader = { 0 };

	add_ring(&reader, 0);
	for (size_t i = 0; i < count; i++)
		write_record(&producers[0], sizeof(struct exit_event), boot_clock(),
			     sizeof(struct exit_event));
	starved = true;
	for (int again = 0; again < 2; again++)
		require(reader_read(&reader, count) == READER_NO_MEMORY, "that was not noticed");
	starved = false;
	while ((some = reader_read(&reader, count))) {
		require(some <= count, "it does not go on");
		reader_drop_exits(&reader, some);
		got += some;
	}
	require(got == count, "exits are missing, or there are too many");
	reader_close(&reader);
	free_ring(0);
	return 0;
}

int main(int argc, char **argv)
{
	struct reader reader = { 0 };
	long rounds = argc == 3 ? atol(argv[2]) : 0;

	if (argc > 2 && !strcmp(argv[1], "broken"))
		return refuse((__u32)strtoul(argv[2], NULL, 0), argc > 3);
	if (argc > 1 && !strcmp(argv[1], "starved"))
		return starve();
	if (argc > 1 && !strcmp(argv[1], "looked"))
		return look();
	state = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	for (int i = 0; i < RINGS; i++)
		add_ring(&reader, i);
	for (long round = 0; round < rounds; round++) {
		struct producer *producer = &producers[any(RINGS)];

		if (any(80) == 0)
			reader_look(&reader);
		else if (any(40) == 0)
			take(&reader, 1 + any(20));
		else if (producer->open_count && any(2))
			submit(producer);
		else
			reserve(producer);
	}
	for (int i = 0; i < RINGS; i++)
		while (producers[i].open_count)
			submit(&producers[i]);
	do {
		take(&reader, 1 + any(20));
	} while (!reader_is_done(&reader));
	require(!reader.staged_bytes, "bytes are left");
	require(got_exits == sent_exits, "exits are missing, or there are too many");
	require(got_notes == sent_notes, "notes are missing, or there are too many");
	require(got_sum == sent_sum, "records are not what was sent");
	reader_close(&reader);
	for (int i = 0; i < RINGS; i++)
		free_ring(i);
	printf("%lu exits, %lu notes, %lu lost\n", got_exits, got_notes, lost);
	return 0;
}
