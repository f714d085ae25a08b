/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What a process does with a signal: what it asked for by sigaction().
 */
#ifndef EXITSNOOP_ACTIONS_BPF_H
#define EXITSNOOP_ACTIONS_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel_types.bpf.h"

#define NODEFER 0x40000000UL /* SA_NODEFER */

/* Where in the table of actions that of a signal is. */
static __u64 action_offset(int signal)
{
	__u64 offset = (signal - 1) * bpf_core_type_size(struct k_sigaction);

	return offset & 0xffff; /* for the verifiers that do not follow a product */
}

/* True also for forced signals: the kernel resets them to their default action before it sends them. */
static bool has_default_action(struct task_struct *task, int signal)
{
	struct sighand_struct *sighand = BPF_CORE_READ(task, sighand);
	char *handlers = (char *)__builtin_preserve_access_index(&sighand->action[0].sa.sa_handler);
	void *handler = NULL;

	bpf_probe_read_kernel(&handler, sizeof(handler), handlers + action_offset(signal));
	return !handler;
}

/* Whether the kernel blocks a signal while its handler runs. */
static bool blocks_itself(struct task_struct *task, int signal)
{
	struct sighand_struct *sighand = BPF_CORE_READ(task, sighand);
	char *all = (char *)__builtin_preserve_access_index(&sighand->action[0].sa.sa_flags);
	unsigned long flags = NODEFER;

	bpf_probe_read_kernel(&flags, sizeof(flags), all + action_offset(signal));
	return !(flags & NODEFER) && !has_default_action(task, signal);
}

#endif
