// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* The BPF programs, listed at the end: one record for each process that ends (with per_thread for each
 * thread).
 *
 * sched_process_exit fires for every thread, in the dying thread's context. A process ends with its
 * last thread, whichever that is; its leader may be long gone, or be replaced by a thread that calls
 * exec. So a record is sent when the last thread dies, and its facts come from the group leader,
 * whose PID and start time are the process's. The status is what wait_task_zombie() will give.
 *
 * Nothing is judged here. Exits that cannot be sent are counted in `lost`.
 *
 * Each header has the tunables of its subject. They are set before loading, so that the verifier removes
 * what this run does not ask for.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "filters.bpf.h"
#include "once.bpf.h"
#include "rings.bpf.h"
#include "task.bpf.h"

#ifdef FULL
#include "context.bpf.h"
#include "crash.bpf.h"
#include "handled.bpf.h"
#include "images.bpf.h"
#include "last_signal.bpf.h"
#include "more_filters.bpf.h"
#include "signals.bpf.h"
#include "tree.bpf.h"
#else
#include "plain.bpf.h"
#endif

char LICENSE[] SEC("license") = "Dual MIT/GPL";

const volatile bool tells_last_thread = false; /* the event says whether it is the last one's */
const volatile bool send_unwanted = false;     /* also what the filters leave out, marked */

__u64 lost;	   /* exits that found no room in their ring */
__u64 turned_away; /* threads that could have been the last of a process that had been reported */

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

static bool is_last_thread(struct task_struct *task, struct task_struct *leader, bool told)
{
	return tells_last_thread ? told : speaks_for_process(task, leader);
}

/* The expression of wait_task_zombie(), the same from 4.18 to 7.3; and of zap_pid_ns_processes(), which
 * comes after this event.
 */
static int process_status(struct task_struct *task, struct task_struct *leader)
{
	struct signal_struct *signal = leader->signal;
	int reboot = reboot_signal(task);

	if (reboot)
		return reboot;
	return signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code : leader->exit_code;
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
	read_comm(event->raw_comm, subject);
	bpf_ringbuf_submit(event, 0);
}

/* told: whether the event says that it is the last thread's. */
static __noinline int report_exit(struct task_struct *task, bool told, __u32 program)
{
	struct task_struct *leader = task->group_leader;
	struct task_struct *subject = per_thread ? task : leader;
	struct exit_context *context = NULL;
	bool last_thread, traced, wanted;
	int status;

	if (!is_first_to_see(task, EXIT, program, &late_exits))
		return 0;
	note_handler(task, leader);
	last_thread = is_last_thread(task, leader, told);
	if (!last_thread && !per_thread)
		return 0;
	if (last_thread)
		note_start_of_parent(leader);
	status = last_thread ? process_status(task, leader) : task->exit_code;
	if (!is_in_tree(leader)) {
		if (last_thread)
			forget_process(leader, status);
		return 0;
	}
	traced = is_in_pids(leader);
	wanted = traced && has_wanted_status(status, asked && was_asked(leader, task, status));
	if (wanted || (traced && send_unwanted))
		context = begin_context(task, program);
	wanted = wanted && is_wanted_process(task, leader, subject, context);
	if (wanted || (traced && send_unwanted)) {
		if (context) /* first: the verifier follows what comes after evidence many times */
			send_context(context, task, leader, subject);
		if (last_thread || per_thread)
			send_evidence(task, leader, subject, status, last_thread);
		send_exit(leader, subject, status, last_thread, wanted);
	} else if (last_thread) {
		drop_image(leader);
	}
	if (last_thread) {
		forget_process(leader, status);
		leave_tree(leader);
	}
	return 0;
}

static bool is_of_last_thread(const struct trace_event_raw_sched_process_exit *event)
{
	return event->group_dead;
}

/* All programs. plan.py chooses; those with _if_missed or _unpreempted only where programs are
 * preemptible, see once.bpf.h. There a child in the tree whose fork was missed would be missed with all
 * that it starts. So forks are seen a moment later, in wake_up_new_task(): it holds the lock of a run
 * queue, so nobody is preempted there. Before v6.1 the map `tree` may not grow under that lock.
 */
#define PROGRAM(name, event, call)                                                                 \
	SEC("exitsnoop/" #event)                                                                   \
	int name(__u64 *ctx)                                                                       \
	{                                                                                          \
		return call;                                                                       \
	}

/* A program of a perf event, for events of the current task. With 0 it would hide the event from others
 * that have opened it.
 */
#define UNPREEMPTED(name, event, call)                                                             \
	SEC("tp/sched/" #event)                                                                    \
	int name(void *ctx)                                                                        \
	{                                                                                          \
		struct task_struct *task = bpf_get_current_task_btf();                             \
                                                                                                   \
		(void)ctx;                                                                         \
		call;                                                                              \
		return 1;                                                                          \
	}

#define TASK (void *)ctx[0]
#define OF_LAST_THREAD (tells_last_thread && ctx[1] & 0xff) /* older kernels have no ctx[1] */

/* clang-format off */
PROGRAM(on_exit,             sched_process_exit, report_exit(TASK, OF_LAST_THREAD, 0))
PROGRAM(on_exit_if_missed_1, sched_process_exit, report_exit(TASK, OF_LAST_THREAD, 1))
PROGRAM(on_exit_if_missed_2, sched_process_exit, report_exit(TASK, OF_LAST_THREAD, 2))
PROGRAM(on_exit_if_missed_3, sched_process_exit, report_exit(TASK, OF_LAST_THREAD, 3))
UNPREEMPTED(on_exit_unpreempted, sched_process_exit, report_exit(task, is_of_last_thread(ctx), 3))
#ifdef FULL
PROGRAM(on_exec,             sched_process_exec, report_exec(TASK, 0))
PROGRAM(on_exec_if_missed_1, sched_process_exec, report_exec(TASK, 1))
PROGRAM(on_exec_if_missed_2, sched_process_exec, report_exec(TASK, 2))
PROGRAM(on_exec_if_missed_3, sched_process_exec, report_exec(TASK, 3))
UNPREEMPTED(on_exec_unpreempted, sched_process_exec, report_exec(task, 3))
PROGRAM(on_fork,             sched_process_fork, report_fork(TASK, (void *)ctx[1]))
PROGRAM(on_fork_unpreempted, sched_wakeup_new,   report_fork(bpf_get_current_task_btf(), TASK))
PROGRAM(on_signal,           signal_generate,    report_signal(ctx))
PROGRAM(on_delivery,         signal_deliver,     report_delivery(ctx))
#endif
