/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Every kernel structure field exitsnoop reads, and no other. libbpf relocates them by name against
 * the running kernel's BTF (CO-RE), so order, offsets and what is left out do not matter.
 * A name with three underscores is a flavour: the part before them is the kernel's name.
 */
#ifndef EXITSNOOP_KERNEL_TYPES_BPF_H
#define EXITSNOOP_KERNEL_TYPES_BPF_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct mm_struct;

struct signal_struct {
	atomic_t live;	     /* threads that have not passed the middle of do_exit() */
	int group_exit_code; /* what waitpid reports, once SIGNAL_GROUP_EXIT is set */
	unsigned int flags;
};

struct task_struct {
	struct mm_struct *mm;
	int exit_code;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	__u64 start_boottime;
	char comm[COMM_BYTES];
	struct signal_struct *signal;
};

/* Before Linux kernel commit cf25e24db61c ("time: Rename tsk->real_start_time to ->start_boottime")
 * (in v5.5), and in all of RHEL 8.
 */
struct task_struct___before_5_5 {
	__u64 real_start_time;
};

/* Since Linux kernel commit 3e816361e94a ("sched/tracepoints: Move and extend the
 * sched_process_exit() tracepoint") (in v6.16) the event says whether it is the last thread's.
 */
struct trace_event_raw_sched_process_exit___since_6_16 {
	_Bool group_dead;
};

#pragma clang attribute pop

#endif
