/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What processes run: reported at each exec and fork, since at its exit a process may have lost the
 * memory to read it from, or have changed it (setproctitle).
 */
#ifndef EXITSNOOP_IMAGES_BPF_H
#define EXITSNOOP_IMAGES_BPF_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "filters.bpf.h"
#include "once.bpf.h"
#include "paths.bpf.h"
#include "rings.bpf.h"
#include "task.bpf.h"
#include "tree.bpf.h"

/* These need on_exec and on_fork. */
const volatile bool with_args = false;
const volatile bool with_exe = false;
const volatile bool with_images = false; /* one of them, or the peaks of memory before each exec */

struct image_buffer {
	struct exec_image image;
	struct path_walk walk;
};

/* Too big for the stack. There is one for each of the programs that are offered an exec, as many as
 * plan.py says: a task that is in one of them may be preempted by a task that gets into the next.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct image_buffer);
} images SEC(".maps");

static __u32 append_args(struct exec_image *image, struct mm_struct *mm, __u32 at)
{
	__u64 start = mm->arg_start;
	__u64 bytes = mm->arg_end - start;

	image->all_args_bytes = bytes;
	if (bytes > MAX_ARGS_BYTES)
		bytes = MAX_ARGS_BYTES;
	barrier_var(bytes); /* for the verifier: what is checked is what is used */
	if (at > PATH_BYTES || bytes > MAX_ARGS_BYTES)
		return at;
	if (bpf_probe_read_user(image->parts + at, bytes, (void *)start)) {
		image->flags |= IMAGE_ARGS_UNREAD;
		return at;
	}
	image->args_bytes = bytes;
	return at + bytes;
}

static __noinline int report_exec(struct task_struct *task, __u32 program)
{
	struct mm_struct *mm = task->mm;
	struct image_buffer *buffer = bpf_map_lookup_elem(&images, &program);
	struct exec_image *image;
	__u32 at = 0;

	if (!buffer || !mm)
		return 0;
	image = &buffer->image;
	if (!is_first_to_see(task, EXEC, program, &late_execs))
		return 0;
	if (!is_in_pids(task->group_leader) || !is_in_tree(task->group_leader))
		return 0;
	image->kind = EXEC_IMAGE;
	image->start_boot_ns = start_boot_ns(task->group_leader);
	image->peak_pages = task->signal->maxrss;
	image->pid = task->tgid;
	image->flags = image->exe_bytes = image->args_bytes = 0;
	image->all_args_bytes = 0;
	image->exec_id = task->self_exec_id;
	if (with_exe) {
		struct path *exe = __builtin_preserve_access_index(&mm->exe_file->f_path);

		at = image->exe_bytes = read_path(image->parts, 0, PATH_BYTES, exe, &buffer->walk,
						  FILE_LEVELS);
	}
	if (with_args)
		at = append_args(image, mm, at);
	if (at <= sizeof(image->parts))
		send_note(image, offsetof(struct exec_image, parts) + at);
	return 0;
}

/* Returns whether the child is of interest. */
static bool follow_fork(struct task_struct *parent, struct task_struct *child)
{
	if (child->pid != child->tgid)
		return false;
	if (only_tree) {
		if (!has_member(&tree, parent->group_leader))
			return false;
		join_tree(child);
	}
	return true;
}

static inline int report_fork(struct task_struct *parent, struct task_struct *child)
{
	struct forked *forked;

	if (!follow_fork(parent, child))
		return 0;
	if (only_pids || !with_images)
		return 0; /* a child is not in `pids` */
	forked = reserve(sizeof(*forked));
	if (!forked)
		return 0; /* unless the child execs, what it runs is then unknown */
	forked->boot_ns = note_time();
	forked->kind = FORKED;
	forked->start_boot_ns = start_boot_ns(child);
	forked->parent_start_boot_ns = start_boot_ns(parent->group_leader);
	forked->exec_id = child->self_exec_id;
	forked->pid = child->tgid;
	forked->parent_pid = parent->tgid;
	bpf_ringbuf_submit(forked, 0);
	return 0;
}

/* For a process whose exit is not reported: Python forgets its image. */
static inline void drop_image(struct task_struct *leader)
{
	if (with_images)
		send_gone(leader, GONE);
}

#endif
