/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What report_exit() calls and a plain trace does not need: functions of context.bpf.h, images.bpf.h,
 * more_filters.bpf.h, signals.bpf.h and tree.bpf.h that do nothing. The object is small, and loaded fast.
 */
#ifndef EXITSNOOP_PLAIN_BPF_H
#define EXITSNOOP_PLAIN_BPF_H

#include <stdbool.h>
#include <stddef.h>

#include "event.h"
#include "kernel_types.bpf.h"

#define UNUSED __attribute__((unused))

static inline bool is_in_tree(struct task_struct *leader UNUSED)
{
	return true;
}

static inline void leave_tree(struct task_struct *leader UNUSED)
{
}

static inline void note_start_of_parent(struct task_struct *leader UNUSED)
{
}

static inline bool is_wanted_process(struct task_struct *task UNUSED,
				     struct task_struct *leader UNUSED,
				     struct task_struct *subject UNUSED,
				     struct exit_context *context UNUSED)
{
	return true;
}

static inline struct exit_context *begin_context(struct task_struct *task UNUSED,
						 __u32 program UNUSED)
{
	return NULL;
}

static inline void send_context(struct exit_context *context UNUSED,
				struct task_struct *task UNUSED, struct task_struct *leader UNUSED,
				struct task_struct *subject UNUSED)
{
}

static inline void send_evidence(struct task_struct *task UNUSED, struct task_struct *leader UNUSED,
				 struct task_struct *subject UNUSED, int status UNUSED,
				 bool last_thread UNUSED)
{
}

static inline void note_handler(struct task_struct *task UNUSED, struct task_struct *leader UNUSED)
{
}

static inline void forget_process(struct task_struct *leader UNUSED, int status UNUSED)
{
}

static inline bool was_asked(struct task_struct *leader UNUSED, struct task_struct *last UNUSED,
			     int status UNUSED)
{
	return false;
}

static inline void drop_image(struct task_struct *leader UNUSED)
{
}

#endif
