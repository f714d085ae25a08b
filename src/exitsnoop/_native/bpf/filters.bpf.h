/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Which exits are reported: the filters of a plain trace, by PID and status. more_filters.bpf.h has the
 * others. kernel/plan.py fills the maps; each is created only with its tunable.
 */
#ifndef EXITSNOOP_FILTERS_BPF_H
#define EXITSNOOP_FILTERS_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "task.bpf.h"

const volatile bool only_pids = false; /* only the processes in `pids` */
const volatile bool failed = false;    /* only a status other than 0 */
const volatile bool asked =
	false; /* only what was asked to end; with failed, one of both is enough */
const volatile bool only_statuses = false; /* only those in the next two */
const volatile __u64 signal_set = 0;	   /* bit N-1: ended by signal N */
const volatile __u64 code_set[4] = { 0 };  /* bit N: exited with code N */

/* PID -> start of the process that has it. The start is 0 until the first event of the process, its own
 * exit at the latest; from then on another process that gets the PID is not taken for it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, __u64);
} pids SEC(".maps");

static inline bool has_member(void *map, struct task_struct *leader)
{
	__u32 pid = leader->tgid;
	__u64 started = start_boot_ns(leader);
	__u64 *expected = bpf_map_lookup_elem(map, &pid);

	if (!expected)
		return false;
	if (!*expected)
		*expected = started;
	return *expected == started;
}

static inline bool is_in_pids(struct task_struct *leader)
{
	return !only_pids || has_member(&pids, leader);
}

static inline bool has_wanted_status(int status, bool was_asked)
{
	unsigned int code = status >> 8 & 0xff;

	if ((failed || asked) && !(failed && status & 0xffff) && !was_asked)
		return false;
	if (!only_statuses)
		return true;
	if (status & 0x7f)
		return signal_set & BIT(status & 0x7f);
	return code_set[code / 64] & 1ULL << code % 64;
}

#endif
