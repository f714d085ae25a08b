/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Signals that wait for a process or a thread.
 */
#ifndef EXITSNOOP_QUEUED_BPF_H
#define EXITSNOOP_QUEUED_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel_types.bpf.h"
#include "loops.bpf.h"

struct queue_walk {
	struct list_head *at;
	struct list_head *end;
	int signal;
	int found;
};

static long count_next(__u32 number __attribute__((unused)), void *data)
{
	struct queue_walk *walk = data;
	struct list_head *at = walk->at;

	if (at == walk->end || walk->found > 1)
		return 1;
	walk->found += BPF_CORE_READ((struct sigqueue *)at, info.si_signo) == walk->signal;
	walk->at = BPF_CORE_READ(at, next);
	return 0;
}

#define MAX_QUEUED 32

/* How many of a signal are queued: none, one, or more than one (or too many to be counted). */
static int queued(struct sigpending *pending, int signal)
{
	struct list_head *end = __builtin_preserve_access_index(&pending->list);
	struct queue_walk walk = { .at = BPF_CORE_READ(end, next), .end = end, .signal = signal };

	WALK(MAX_QUEUED, count_next, walk);
	return walk.at == walk.end || walk.found > 1 ? walk.found : 2;
}

#endif
