/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The processes of `tree` and their descendants: who joins and who leaves.
 */
#ifndef EXITSNOOP_TREE_BPF_H
#define EXITSNOOP_TREE_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "filters.bpf.h"
#include "rings.bpf.h"
#include "task.bpf.h"

const volatile bool only_tree = false; /* only processes in `tree` */

/* Like `pids`, for processes and their descendants that are alive. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 131072);
	__type(key, __u32);
	__type(value, __u64);
} tree SEC(".maps");

__u64 tree_members; /* how many there are; object.c counts those that it adds and removes */
__u64 untracked;    /* descendants that found no room in `tree` */

static inline bool is_in_tree(struct task_struct *leader)
{
	return !only_tree || has_member(&tree, leader);
}

static inline void join_tree(struct task_struct *child)
{
	__u32 pid = child->tgid;
	__u64 started = start_boot_ns(child);

	if (!bpf_map_update_elem(&tree, &pid, &started, BPF_NOEXIST))
		__sync_fetch_and_add(&tree_members, 1);
	else if (bpf_map_update_elem(&tree, &pid, &started, BPF_EXIST))
		__sync_fetch_and_add(&untracked, 1);
}

/* Tells Python to forget a process. */
static inline void send_gone(struct task_struct *leader, enum note_kind kind)
{
	struct gone *gone = reserve(sizeof(*gone));

	if (!gone)
		return;
	gone->boot_ns = note_time();
	gone->kind = kind;
	gone->start_boot_ns = start_boot_ns(leader);
	gone->pid = leader->tgid;
	bpf_ringbuf_submit(gone, 0);
}

/* Call it after the exit was sent: a reader that finds the tree empty then has all records. The note
 * wakes a reader that waits for that.
 */
static inline void leave_tree(struct task_struct *leader)
{
	__u32 pid = leader->tgid;

	if (!only_tree)
		return;
	if (!bpf_map_delete_elem(&tree, &pid))
		__sync_fetch_and_add(&tree_members, -1);
	send_gone(leader, LEFT);
}

#endif
