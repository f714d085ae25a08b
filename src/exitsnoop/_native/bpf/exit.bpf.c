// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The kernel side: one record for each process that ends (or each thread, with per_thread).
 *
 * sched_process_exit fires for every thread, in the dying thread's context. A process ends with its
 * last thread, whichever that is; its leader may be long gone, or be replaced by a thread that calls
 * exec. So a record is sent when the last thread dies, and its facts come from the group leader,
 * whose PID and start time are the process's. The status is what wait_task_zombie() will give.
 *
 * Nothing is judged here. What cannot be sent is counted in `lost`.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "rings.bpf.h"
#include "task.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Tunables: set before loading, so the verifier removes what this run does not ask for. */
const volatile bool failed = false;	       /* only a status other than 0 */
const volatile bool per_thread = false;	       /* a record for every thread */
const volatile bool only_statuses = false;     /* only those in the next two */
const volatile __u64 signal_set = 0;	       /* bit N-1: ended by signal N */
const volatile __u64 code_set[4] = { 0 };      /* bit N: exited with code N */
const volatile bool tells_last_thread = false; /* the event says whether it is the last one's */
const volatile bool preemptible = false;   /* the kernel may preempt a program of a tracepoint */
const volatile bool send_unwanted = false; /* also what the filters leave out, marked */

__u64 lost;	   /* exits that found no room in their ring */
__u64 turned_away; /* threads that could have been the last of a process that had been reported */

/* Events that were not for on_exit, or on_fork, but for one that stands by: object.c compares. */
__u64 late_exits;
__u64 late_forks;

/* A thread that calls exec takes the PID and the start of the leader, who exits then: the count of execs
 * tells them apart.
 */
enum event_kind { EXIT, FORK_OR_EXEC };

struct event_id {
	__u64 start_boot_ns;
	__u32 tid;
	__u32 execs; /* times two, and the kind */
};

/* What has been seen, where an event has several who could tell of it: threads that all may be the last
 * of a process (see speaks_for_process), or programs (see on_exit_if_missed_1). An entry matters for
 * milliseconds.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct event_id);
	__type(value, __u8);
	__uint(max_entries, 4096);
} reported SEC(".maps");

#define EEXIST 17
#define EXIT_PROGRAMS 4 /* that are offered an event; where it is an exec or a fork, too */

/* program: which of those. tell() does what there is to do. */
#define OFFERED(event, tell, name, program)                                                        \
	SEC("exitsnoop/" event)                                                                    \
	int name(__u64 *ctx)                                                                       \
	{                                                                                          \
		return tell(ctx, program);                                                         \
	}

/* 0 for the first who asks, -EEXIST for others. The kernel may refuse to remember who that was, with
 * another error (by v6.18 a map's lock is given up after a while: rqspinlock). Kernels (v5.10) may set
 * only the lower half of the helper's result: it is an int.
 */
static int note_event(struct task_struct *task, enum event_kind kind)
{
	struct event_id id = {
		.start_boot_ns = start_boot_ns(task),
		.tid = task->pid,
		.execs = task->self_exec_id << 1 | kind,
	};
	__u8 one = 1;

	if (bpf_map_lookup_elem(&reported, &id))
		return -EEXIST;
	return bpf_map_update_elem(&reported, &id, &one, BPF_NOEXIST);
}

/* Where programs can be preempted: true for the first of them that sees an event. What cannot be noted
 * is left to the next, and the last one tells of it: twice rather than not at all. Each event must come
 * here, so that `late` grows by those that the first program missed and another has seen.
 */
static bool is_first_to_see(struct task_struct *task, enum event_kind kind, __u32 program,
			    __u64 *late)
{
	int error = note_event(task, kind);

	if (error == -EEXIST)
		return false;
	if (error && program != EXIT_PROGRAMS - 1) {
		if (!program) /* not missed, and yet another's */
			__sync_fetch_and_add(late, -1);
		return false;
	}
	if (program)
		__sync_fetch_and_add(late, 1);
	return true;
}

#ifdef FULL
#include "context.bpf.h"
#include "evidence.bpf.h"
#include "image.bpf.h"
#endif
#include "who.bpf.h"

/* Before 6.16 the event does not say whose it is, and comes so late after the decrement of `live`
 * (exit_mm() lies between) that several threads can find it 0. The first one speaks for the process,
 * unless the status is not final: without SIGNAL_GROUP_EXIT (possible up to 6.0, if all threads leave
 * by a raw exit) it is the leader's exit_code, which is set before the leader drops its mm.
 */
static bool speaks_for_process(struct task_struct *task, struct task_struct *leader)
{
	if (task->signal->live.counter)
		return false;
	if (!(task->signal->flags & SIGNAL_GROUP_EXIT) && task != leader && leader->mm)
		return false;
	if (note_event(leader, EXIT) != -EEXIST)
		return true;
	__sync_fetch_and_add(&turned_away, 1);
	return false;
}

static bool is_last_thread(const __u64 *ctx, struct task_struct *task, struct task_struct *leader)
{
	if (tells_last_thread)
		return ctx[1] & 0xff;
	return speaks_for_process(task, leader);
}

/* The expression of wait_task_zombie(), the same from 4.18 to 7.3. */
static int process_status(struct task_struct *leader)
{
	struct signal_struct *signal = leader->signal;

	return signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code : leader->exit_code;
}

static bool has_wanted_status(int status)
{
	unsigned int code = status >> 8 & 0xff;

	if (failed && !(status & 0xffff))
		return false;
	if (!only_statuses)
		return true;
	if (status & 0x7f)
		return signal_set & BIT(status & 0x7f);
	return code_set[code / 64] & 1ULL << code % 64;
}

static void send_exit(struct task_struct *leader, struct task_struct *subject, int status,
		      bool last_thread, bool wanted)
{
	struct exit_event *event = reserve(sizeof(*event));

	if (!event) {
		__sync_fetch_and_add(&lost, 1);
		return;
	}
	/* After the reservation: reader.c's ordering relies on it. */
	event->boot_ns = bpf_ktime_get_boot_ns();
	event->start_boot_ns = start_boot_ns(subject);
	event->pid = leader->tgid;
	event->tid = subject->pid;
	event->ppid = leader->real_parent->tgid;
	event->status = status;
	event->last_thread = last_thread;
	event->wanted = wanted;
	read_comm(event->comm, subject);
	bpf_ringbuf_submit(event, 0);
}

#ifdef FULL
/* Where context is wanted, or to filter by: with the path of the cgroup. */
static struct exit_context *begin_context(struct task_struct *task, __u32 program)
{
	struct exit_context *context;

	if (!(with_identity || with_cgroup || with_resources || with_ancestors || with_images))
		return NULL;
	context = bpf_map_lookup_elem(&contexts, &program);
	if (!context)
		return NULL;
	context->cgroup_bytes = context->hostname_bytes = context->ancestors = 0;
	if (with_cgroup)
		context->cgroup_bytes = read_cgroup_path(context->parts, cgroup_node(task));
	return context;
}

static __noinline int report_exit(__u64 *ctx, __u32 program)
{
	struct task_struct *task = (void *)ctx[0];
	struct task_struct *leader = task->group_leader;
	struct task_struct *subject = per_thread ? task : leader;
	struct exit_context *context = NULL;
	bool last_thread, traced, wanted;
	int status;

	if (preemptible && !is_first_to_see(task, EXIT, program, &late_exits))
		return 0;
	last_thread = is_last_thread(ctx, task, leader);
	if (!last_thread && !per_thread)
		return 0;
	if (last_thread)
		note_start_of_parent(leader);
	if (only_tree && !has_member(&tree, leader))
		return 0;
	status = last_thread ? process_status(leader) : task->exit_code;
	traced = !only_pids || has_member(&pids, leader);
	wanted = traced && has_wanted_status(status);
	if (wanted || (traced && send_unwanted))
		context = begin_context(task, program);
	wanted = wanted && is_wanted_process(leader, subject, context);
	if (wanted || (traced && send_unwanted)) {
		if (why && last_thread && status & 0x7f)
			send_evidence(task, leader, subject, status & 0x7f);
		if (context)
			send_context(context, task, leader, subject);
		send_exit(leader, subject, status, last_thread, wanted);
	} else if (last_thread) {
		drop_image(leader);
	}
	if (only_tree && last_thread)
		leave_tree(leader);
	return 0;
}
#else
/* The plain trace: a program that is small, and loaded fast. */
static __noinline int report_exit(__u64 *ctx, __u32 program)
{
	struct task_struct *task = (void *)ctx[0];
	struct task_struct *leader = task->group_leader;
	struct task_struct *subject = per_thread ? task : leader;
	bool last_thread;
	int status;

	if (preemptible && !is_first_to_see(task, EXIT, program, &late_exits))
		return 0;
	last_thread = is_last_thread(ctx, task, leader);
	if (!last_thread && !per_thread)
		return 0;
	status = last_thread ? process_status(leader) : task->exit_code;
	if (!has_wanted_status(status) || !is_traced(leader))
		return 0;
	send_exit(leader, subject, status, last_thread, true);
	return 0;
}
#endif

OFFERED("sched_process_exit", report_exit, on_exit, 0)

/* A program does not run while another task is inside it on the same CPU: the kernel counts a miss
 * (recursion_misses) and goes on. That cannot happen where tracepoints disable preemption. Since they
 * are guarded by SRCU-fast instead (seen in v7.3), a task can be preempted inside the program, and all
 * exits on that CPU would go unreported until it runs again. So there the exit is offered to three
 * more programs in turn; the first one that runs reports it. plan.py asks for them only with
 * `preemptible`.
 */
OFFERED("sched_process_exit", report_exit, on_exit_if_missed_1, 1)
OFFERED("sched_process_exit", report_exit, on_exit_if_missed_2, 2)
OFFERED("sched_process_exit", report_exit, on_exit_if_missed_3, 3)
