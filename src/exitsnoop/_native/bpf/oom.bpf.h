/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The memory of a process that the kernel kills, and the limit that was hit.
 */
#ifndef EXITSNOOP_OOM_BPF_H
#define EXITSNOOP_OOM_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "paths.bpf.h"
#include "task.bpf.h"

/* PID -> memory of a process that the kernel itself kills, until it ends. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, struct oom_evidence);
	__uint(max_entries, MAX_OOM_KILLS);
} oom_kills SEC(".maps");

/* How far the search for the limit has come. It is in a map for the same reason as a path_walk. */
struct limit_walk {
	struct cgroup_subsys_state *css, *asking, *fullest;
	__s64 least;
};

struct oom_buffer {
	struct oom_evidence oom;
	struct limit_walk walk;
};

/* Too big for the stack. It is used with interrupts off, so by one task at a time on each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct oom_buffer);
	__uint(max_entries, 1);
} oom_scratch SEC(".maps");

/* Whom a thread killed last, in the name of the kernel. The OOM killer marks one victim only, and then
 * kills all others that share its memory (__oom_kill_process()).
 */
struct victim {
	__u64 memory; /* addresses of its mm_struct and signal_struct */
	__u64 signal;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, __u32); /* the TID of the thread */
	__type(value, struct victim);
	__uint(max_entries, MAX_VICTIMS);
} victims SEC(".maps");

#define CLOSE_PAGES 512 /* how far from its limit a cgroup may be found, with others freeing */
#define CGROUP_DEPTH 16

static int level_of(struct cgroup_subsys_state *css)
{
	return BPF_CORE_READ(css, cgroup, level);
}

/* Finds the limit that was hit: that of the fullest of the cgroups that the victim's memory is charged
 * to, and of those of the nearest. page_counter_try_charge() asks the trigger's cgroups in turn and stops
 * at the first that has no page left, so the trigger is below it, too; unless a limit was lowered, from
 * outside, to less than is in use. If no cgroup is that full, the whole system was out of memory.
 *
 * The trigger's cgroup is followed up to the level of the victim's, so that the victim's is above it if they
 * are the same: a loop within a loop has the verifier check ten times as much.
 *
 * victim, trigger: the addresses of their css_set. Like add_sender() it is verified once.
 */
__noinline int read_oom_limit(__u64 victim, __u64 trigger)
{
	int memory = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	__u32 zero = 0;
	struct oom_buffer *buffer = bpf_map_lookup_elem(&oom_scratch, &zero);
	struct cgroup_subsys_state *fullest;
	struct oom_evidence *oom;
	struct limit_walk *walk;

	if (!buffer)
		return 0;
	oom = &buffer->oom;
	walk = &buffer->walk;
	*walk = (struct limit_walk){ .css = controller_css((void *)victim, memory),
				     .asking = controller_css((void *)trigger, memory),
				     .least = CLOSE_PAGES };
	for (int step = 0; step < 2 * CGROUP_DEPTH; step++) {
		struct cgroup_subsys_state *css = walk->css, *asking = walk->asking;
		struct mem_cgroup *group = (void *)css;
		__s64 limit, room;

		if (!css)
			break;
		if (asking && level_of(asking) > level_of(css)) {
			walk->asking = BPF_CORE_READ(asking, parent);
			continue;
		}
		limit = BPF_CORE_READ(group, memory.max);
		room = limit - BPF_CORE_READ(group, memory.usage.counter);
		if (room < walk->least && (room < 0 || asking == css)) {
			walk->least = room;
			walk->fullest = css;
			oom->limit_pages = limit;
			oom->usage_pages = limit - room;
		}
		walk->css = BPF_CORE_READ(css, parent);
	}
	fullest = walk->fullest;
	if (fullest)
		oom->cgroup_bytes = read_cgroup_path(oom->cgroup,
						     BPF_CORE_READ(fullest, cgroup, kn));
	return 0;
}

/* Whether a process that the kernel kills shares its memory with the one that the same thread killed
 * before, and that the OOM killer has chosen.
 */
static bool shares_victim(struct task_struct *task, struct task_struct *trigger)
{
	__u32 tid = BPF_CORE_READ(trigger, pid);
	struct victim now = {
		.memory = (__u64)BPF_CORE_READ(task, mm),
		.signal = (__u64)BPF_CORE_READ(task, signal),
	};
	struct victim *before = bpf_map_lookup_elem(&victims, &tid);

	if (before && before->memory == now.memory && before->signal != now.signal) {
		struct signal_struct *signal = (void *)before->signal;

		if ((__u64)BPF_CORE_READ(signal, oom_mm) == now.memory)
			return true;
	}
	bpf_map_update_elem(&victims, &tid, &now, BPF_ANY);
	return false;
}

/* Whether a task is locked: task_lock(). Not known with PREEMPT_RT, nor on machines with other locks. */
static bool is_locked(struct task_struct *task)
{
	return bpf_core_field_exists(task->alloc_lock.rlock.raw_lock.val) &&
	       BPF_CORE_READ(task, alloc_lock.rlock.raw_lock.val.counter);
}

/* Whether the OOM killer ended a process; flags: of the signal that did.
 *
 * Since v6.16 the victim may be here before it is marked: __oom_kill_process() sends the signal, then sets
 * oom_mm, and holds the victim's lock all the while. The lock is read first, since it is let go last.
 */
static bool is_oom_kill(struct task_struct *task, struct task_struct *leader, __u32 flags)
{
	bool locked = flags & EVIDENCE_LOCKED && (is_locked(task) || is_locked(leader));

	return BPF_CORE_READ(task, signal, oom_mm) || flags & EVIDENCE_SHARES_VICTIM || locked;
}

/* Call it when the signal is sent: by the exit the OOM reaper may have taken the memory. */
static void record_memory(struct task_struct *task, struct mm_struct *mm, __u64 started,
			  struct task_struct *trigger)
{
	__u32 zero = 0, pid = task->tgid;
	struct oom_buffer *buffer = bpf_map_lookup_elem(&oom_scratch, &zero);
	struct oom_evidence *oom;

	if (!buffer || !mm)
		return;
	oom = &buffer->oom;
	oom->kind = OOM_EVIDENCE;
	oom->start_boot_ns = started;
	oom->pid = pid;
	oom->anon_pages = rss_pages(mm, MM_ANONPAGES);
	oom->file_pages = rss_pages(mm, MM_FILEPAGES);
	oom->shmem_pages = rss_pages(mm, MM_SHMEMPAGES);
	oom->swap_pages = rss_pages(mm, MM_SWAPENTS);
	oom->limit_pages = oom->usage_pages = 0;
	oom->cgroup_bytes = 0;
	read_oom_limit((__u64)BPF_CORE_READ(task, cgroups), (__u64)BPF_CORE_READ(trigger, cgroups));
	bpf_map_update_elem(&oom_kills, &pid, oom, BPF_ANY);
}

#endif
