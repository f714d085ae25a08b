/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the rings, and puts the records of all of them in order of time.
 */
#ifndef EXITSNOOP_READER_H
#define EXITSNOOP_READER_H

#include <linux/types.h>

#include "bpf/event.h"
#include "ring.h"

/* A record other than an exit. */
struct note {
	__u64 boot_ns;
	size_t size;
	char bytes[];
};

struct reader {
	struct ring rings[MAX_RINGS];
	int ring_count;

	/* What was read and not taken yet, by boot_ns: from `first` to `end`. */
	struct exit_event *exits;
	size_t exits_first, exits_end, exits_capacity;
	struct note **notes;
	size_t notes_first, notes_end, notes_capacity;

	size_t staged_bytes; /* of all of them, in the ring */
	bool presses;	     /* one of them should be taken soon, see reader_look() */
	bool is_looked_at;   /* somebody asks for that */
	__u64 cgroups[64];   /* hashes of paths that were seen of late */

	__u64 complete_until; /* every record with an earlier boot_ns has been read */
	bool complete;	      /* that is the time of the last reader_read() */
};

#define READER_NO_MEMORY ((size_t)-1)
#define READER_BAD_RECORD ((size_t)-2)
#define READER_EVERYTHING ((size_t)-3) /* of exits to read: there are never so many */

/* Takes over one more ring; reader_close() closes it. */
void reader_add(struct reader *reader, const struct ring *ring);

/* Reads what is there, unless `most` exits are waiting. Returns how many of them, at most, are final:
 * no record that is still to come is older. READER_NO_MEMORY: nothing is lost. READER_BAD_RECORD: the
 * next record is malformed, so where another begins is unknown; every later call returns the same.
 */
size_t reader_read(struct reader *reader, size_t most);

/* Reads what is there, and leaves it here. Returns how many bytes are here; whether something should be taken
 * soon is in `presses` then: an exit by a signal, evidence of one, or a cgroup that was not seen of late, as the
 * container may be removed now, and its name with it. Once it was called, that is looked for.
 */
size_t reader_look(struct reader *reader);

/* The first exits; the first note, NULL if none is final and due with the first `count` exits. */
const struct exit_event *reader_exits(const struct reader *reader);
const struct note *reader_note(const struct reader *reader, size_t count);

/* Drops the first exits; the first note. */
void reader_drop_exits(struct reader *reader, size_t count);
void reader_drop_note(struct reader *reader);

/* Whether everything that was there at the last reader_read() has been taken. */
bool reader_is_done(const struct reader *reader);

/* Frees; harmless on a reader that is zeroed or closed. */
void reader_close(struct reader *reader);

#endif
