/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What the filters of the BPF programs look for, as Python gives it to them. See event.h.
 */
#ifndef EXITSNOOP_FILTER_SETS_H
#define EXITSNOOP_FILTER_SETS_H

#include <linux/types.h>

/* A set of shell patterns as one automaton, see globs.py: bit N of the words is element N. */
#define GLOB_WORDS 4

struct glob_set {
	__u64 accepts[256][GLOB_WORDS]; /* the elements that take this byte */
	__u64 stars[GLOB_WORDS];	/* the elements that take any bytes */
	__u64 starts[GLOB_WORDS];	/* the first element of each pattern */
	__u64 ends[GLOB_WORDS];		/* the bit after the last element of each pattern */
};

/* The path of a cgroup to look for, in the order in which paths are sent. */
#define MAX_CGROUP_FILTERS 8
#define CGROUP_FILTER_BYTES 512

struct cgroup_filter {
	__u32 bytes;
	__u32 levels; /* how many names it has */
	char path[CGROUP_FILTER_BYTES];
};

#endif
