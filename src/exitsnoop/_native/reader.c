// SPDX-License-Identifier: Apache-2.0
/* How order is made. A record is reserved first and takes its time afterwards (exit.bpf.c), so:
 *
 *   1. read the clock: `now`
 *   2. read the producers' position in every ring: its `end`
 *   3. read every record before the ends
 *
 * A record behind an `end` was reserved after `now`, so it is not older than `now`. All records before
 * the ends being read, those up to `now` are final once sorted. The few that took their time after
 * `now` wait for the next round. Each ring is nearly sorted already, so insertion is cheap.
 *
 * Notes that are copied into the ring as a whole take their time before they are reserved. What must
 * come after one of them (another event of the same process, its exit) begins after the copy, so takes
 * a later time, and is read after it or with it.
 */
#include "reader.h"

#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Writing a record takes well under a microsecond, unless the virtual CPU is taken away. After this many
 * looks the caller waits instead: the ring stays readable, so poll() returns at once.
 */
#define BUSY_LOOKS 1000

#define MOST_KEPT (1 << 16) /* places in an array */

void reader_add(struct reader *reader, const struct ring *ring)
{
	reader->rings[reader->ring_count++] = *ring;
}

static __u64 boot_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (__u64)now.tv_sec * 1000000000 + (__u64)now.tv_nsec;
}

static __u64 first_word(const struct record *record)
{
	return *(const __u64 *)record->bytes; /* the kernel aligns records */
}

/* Makes room for one more at the end of an array; there may be room at its start. */
static bool make_room(void **array, size_t *first, size_t *end, size_t *capacity, size_t size)
{
	char *bytes = *array;

	if (*end < *capacity)
		return true;
	if (*first > *capacity / 2) {
		memmove(bytes, bytes + *first * size, (*end - *first) * size);
		*end -= *first;
		*first = 0;
		return true;
	}
	*capacity = *capacity ? 2 * *capacity : 1024;
	bytes = realloc(bytes, *capacity * size);
	if (!bytes) {
		*capacity = *end;
		return false;
	}
	*array = bytes;
	return true;
}

/* Notes that only say what runs where: nobody waits for them. */
#define PATIENT (1U << EXIT_CONTEXT | 1U << EXEC_IMAGE | 1U << FORKED | 1U << GONE | 1U << LEFT)

static bool is_new_cgroup(struct reader *reader, const struct record *record)
{
	const struct exit_context *context = (const struct exit_context *)record->bytes;
	__u64 hash = 14695981039346656037ULL; /* FNV-1a */
	__u64 *known;

	if (record->size < offsetof(struct exit_context, parts) + context->cgroup_bytes)
		return true; /* malformed: decoding it fails */
	for (int i = 0; i < context->cgroup_bytes; i++)
		hash = (hash ^ (unsigned char)context->parts[i]) * 1099511628211ULL;
	known = &reader->cgroups[hash % (sizeof(reader->cgroups) / sizeof(hash))];
	if (*known == hash)
		return false;
	*known = hash;
	return true;
}

static bool presses(struct reader *reader, const struct record *record)
{
	const struct note_head *head = (const struct note_head *)record->bytes;

	if (!(first_word(record) & NOTE))
		return ((const struct exit_event *)record->bytes)->status & 0x7f;
	if (head->kind >= 32 || !(PATIENT & 1U << head->kind))
		return true;
	return head->kind == EXIT_CONTEXT && is_new_cgroup(reader, record);
}

static bool stage_exit(struct reader *reader, const struct record *record)
{
	const struct exit_event *event = (const struct exit_event *)record->bytes;
	size_t at;

	if (!make_room((void **)&reader->exits, &reader->exits_first, &reader->exits_end,
		       &reader->exits_capacity, sizeof(*event)))
		return false;
	at = reader->exits_end++;
	while (at > reader->exits_first && reader->exits[at - 1].boot_ns > event->boot_ns) {
		reader->exits[at] = reader->exits[at - 1];
		at--;
	}
	reader->exits[at] = *event;
	return true;
}

static bool stage_note(struct reader *reader, const struct record *record)
{
	struct note *note;
	size_t at;

	if (!make_room((void **)&reader->notes, &reader->notes_first, &reader->notes_end,
		       &reader->notes_capacity, sizeof(struct note *)))
		return false;
	note = malloc(sizeof(*note) + record->size);
	if (!note)
		return false;
	note->boot_ns = first_word(record) & ~NOTE;
	note->size = record->size;
	memcpy(note->bytes, record->bytes, record->size);
	at = reader->notes_end++;
	while (at > reader->notes_first && reader->notes[at - 1]->boot_ns > note->boot_ns) {
		reader->notes[at] = reader->notes[at - 1];
		at--;
	}
	reader->notes[at] = note;
	return true;
}

/* The ring that has the oldest next record; NULL: there is nothing to read. */
static struct ring *oldest(struct reader *reader, struct record *record)
{
	struct ring *found = NULL;
	__u64 least = ~0ULL;

	for (int i = 0; i < reader->ring_count; i++) {
		struct record next;

		if (!ring_peek(&reader->rings[i], &next) || (first_word(&next) & ~NOTE) >= least)
			continue;
		least = first_word(&next) & ~NOTE;
		found = &reader->rings[i];
		*record = next;
	}
	return found;
}

/* Whether a record has a size that exit.bpf.c sends: what is copied must not rest on the sender alone. */
static bool is_sound(const struct record *record)
{
	if (first_word(record) & NOTE)
		return record->size >= sizeof(struct note_head) &&
		       record->size <= sizeof(struct exec_image);
	return record->size == sizeof(struct exit_event);
}

static bool stage(struct reader *reader, const struct record *record)
{
	if (!(first_word(record) & NOTE ? stage_note(reader, record) : stage_exit(reader, record)))
		return false;
	reader->staged_bytes += record->size;
	if (reader->is_looked_at && !reader->presses)
		reader->presses = presses(reader, record);
	return true;
}

/* One round of the three steps above. Returns 0, READER_NO_MEMORY or READER_BAD_RECORD. */
static size_t read_round(struct reader *reader)
{
	__u64 now = boot_clock();
	struct record record;
	struct ring *ring;
	size_t error = 0;

	for (int i = 0; i < reader->ring_count; i++)
		ring_look(&reader->rings[i]);
	while (!error && (ring = oldest(reader, &record))) {
		if (!is_sound(&record) || !ring_has(ring, &record))
			error = READER_BAD_RECORD;
		else if (!stage(reader, &record))
			error = READER_NO_MEMORY;
		else
			ring_skip(ring, &record);
	}
	reader->complete = true;
	for (int i = 0; i < reader->ring_count; i++) {
		ring_release(&reader->rings[i]);
		if (reader->rings[i].position != reader->rings[i].end)
			reader->complete = false;
		if (!reader->rings[i].window)
			error = READER_NO_MEMORY;
	}
	if (reader->complete)
		reader->complete_until = now;
	return error;
}

/* How many exits are final, `most` at the most. */
static size_t final_exits(const struct reader *reader, size_t most)
{
	size_t final = reader->exits_end - reader->exits_first;

	if (final >= most && reader_exits(reader)[most - 1].boot_ns <= reader->complete_until)
		return most;
	while (final && reader_exits(reader)[final - 1].boot_ns > reader->complete_until)
		final--;
	return final;
}

static bool has_waiting(const struct reader *reader)
{
	return (reader->exits_first < reader->exits_end &&
		reader->exits[reader->exits_end - 1].boot_ns > reader->complete_until) ||
	       (reader->notes_first < reader->notes_end &&
		reader->notes[reader->notes_end - 1]->boot_ns > reader->complete_until);
}

size_t reader_read(struct reader *reader, size_t most)
{
	if (final_exits(reader, most) == most)
		return most;
	for (int looks = 0; looks < BUSY_LOOKS; looks++) {
		size_t error = read_round(reader);

		if (error)
			return error;
		if (!has_waiting(reader))
			break;
		if (!reader->complete)
			sched_yield();
	}
	return final_exits(reader, most);
}

size_t reader_look(struct reader *reader)
{
	size_t final;

	reader->is_looked_at = true;
	final = reader_read(reader, READER_EVERYTHING);
	if (final == READER_NO_MEMORY || final == READER_BAD_RECORD)
		reader->presses = true; /* so that somebody takes it, which fails */
	return reader->staged_bytes;
}

const struct exit_event *reader_exits(const struct reader *reader)
{
	return reader->exits + reader->exits_first;
}

const struct note *reader_note(const struct reader *reader, size_t count)
{
	size_t waiting = reader->exits_end - reader->exits_first;
	__u64 until = reader->complete_until;

	if (reader->notes_first == reader->notes_end)
		return NULL;
	/* With only a part of the exits go no more than the notes of that part. */
	if (count < waiting && reader_exits(reader)[count].boot_ns < until)
		until = reader_exits(reader)[count].boot_ns;
	return reader->notes[reader->notes_first]->boot_ns <= until
		       ? reader->notes[reader->notes_first]
		       : NULL;
}

/* Begins an array anew that has nothing in it any more; one that a storm made large is freed. */
static void empty(void **array, size_t *first, size_t *end, size_t *capacity)
{
	*first = *end = 0;
	if (*capacity <= MOST_KEPT)
		return;
	free(*array);
	*array = NULL;
	*capacity = 0;
}

void reader_drop_exits(struct reader *reader, size_t count)
{
	reader->staged_bytes -= count * sizeof(*reader->exits);
	reader->exits_first += count;
	if (reader->exits_first == reader->exits_end)
		empty((void **)&reader->exits, &reader->exits_first, &reader->exits_end,
		      &reader->exits_capacity);
}

void reader_drop_note(struct reader *reader)
{
	struct note *note = reader->notes[reader->notes_first++];

	reader->staged_bytes -= note->size;
	free(note);
	if (reader->notes_first == reader->notes_end)
		empty((void **)&reader->notes, &reader->notes_first, &reader->notes_end,
		      &reader->notes_capacity);
}

bool reader_is_done(const struct reader *reader)
{
	return reader->complete && reader->exits_first == reader->exits_end &&
	       reader->notes_first == reader->notes_end;
}

void reader_close(struct reader *reader)
{
	for (int i = 0; i < reader->ring_count; i++)
		ring_close(&reader->rings[i]);
	while (reader->notes_first < reader->notes_end)
		reader_drop_note(reader);
	free(reader->exits);
	free(reader->notes);
	*reader = (struct reader){ 0 };
}
