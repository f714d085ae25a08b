/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What several programs read of a task.
 */
#ifndef EXITSNOOP_TASK_BPF_H
#define EXITSNOOP_TASK_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "kernel_types.bpf.h"

const volatile bool per_thread = false; /* a record for every thread */

#define BIT(number) (1ULL << ((number) - 1)) /* of a set of signals */
/* include/linux/sched/signal.h, the same in all versions */
#define SIGNAL_STOP_STOPPED 0x1
#define SIGNAL_GROUP_EXIT 0x4

static inline __u64 start_boot_ns(struct task_struct *task)
{
	if (bpf_core_field_exists(task->start_boottime))
		return task->start_boottime;
	return ((struct task_struct___before_5_5 *)task)->real_start_time;
}

/* By helper, for a pointer without a type. */
static inline __u64 read_start_boot_ns(struct task_struct *task)
{
	if (bpf_core_field_exists(task->start_boottime))
		return BPF_CORE_READ(task, start_boottime);
	return BPF_CORE_READ((struct task_struct___before_5_5 *)task, real_start_time);
}

/* Plain loads, not a helper: lockdown=confidentiality takes bpf_probe_read_kernel() away. */
static inline void read_comm(char *comm, struct task_struct *task)
{
#pragma unroll
	for (int i = 0; i < COMM_BYTES; i++)
		comm[i] = task->comm[i];
}

/* After reboot(2) in a PID namespace, the kernel kills the namespace's init, and gives it the status of
 * another signal: SIGHUP for a restart, SIGINT for a halt or power-off. Returns that signal; 0 for all
 * other processes. task: the last thread of the process. An init that has begun another namespace for its
 * children (unshare) has its own above that one.
 */
static inline int reboot_signal(struct task_struct *task)
{
	struct nsproxy *nsproxy = task->nsproxy;
	struct pid_namespace *ns;

	if (!nsproxy)
		return 0;
	ns = nsproxy->pid_ns_for_children;
	if (ns->child_reaper->signal != task->signal)
		ns = ns->parent;
	if (!ns->reboot || ns->child_reaper->signal != task->signal)
		return 0;
	return ns->reboot;
}

enum { MM_FILEPAGES = 0, MM_ANONPAGES = 1, MM_SWAPENTS = 2, MM_SHMEMPAGES = 3 };

static inline __u64 rss_pages(struct mm_struct *mm, int kind)
{
	__s64 pages;

	if (bpf_core_field_exists(mm->rss_stat[0].count)) {
		char *counters = (char *)&mm->rss_stat[0].count;

		if (bpf_probe_read_kernel(&pages, sizeof(pages),
					  counters +
						  kind * bpf_core_type_size(struct percpu_counter)))
			return 0;
	} else {
		char *counters = (char *)&((struct mm_struct___before_6_2 *)mm)->rss_stat.count;

		if (bpf_probe_read_kernel(&pages, sizeof(pages), counters + kind * sizeof(pages)))
			return 0;
	}
	return pages < 0 ? 0 : pages;
}

#endif
