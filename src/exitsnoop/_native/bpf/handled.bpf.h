/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What came before the end: signals that ask a process to end, or that it took for a fault, and that it
 * handled, ignored or blocked; and what stopped it. The last of each sort is kept, until the process ends.
 *
 * Other signals, of which there may be thousands a second (SIGURG of Go, SIGPROF), touch no map. A program
 * may take many faults on purpose, as a JVM does: each overwrites the one before in place.
 */
#ifndef EXITSNOOP_HANDLED_BPF_H
#define EXITSNOOP_HANDLED_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "actions.bpf.h"
#include "event.h"
#include "evidence.bpf.h"
#include "kept.bpf.h"
#include "task.bpf.h"

/* HUP INT QUIT ABRT TERM XCPU */
#define REQUESTS (BIT(1) | BIT(2) | BIT(3) | BIT(6) | BIT(15) | BIT(24))
/* PIPE ALRM XFSZ: a handler may raise them again; many programs ignore them. */
#define RAISED_AGAIN (BIT(13) | BIT(14) | BIT(25))
#define FAULTS                                                                                     \
	(BIT(4) | BIT(5) | BIT(7) | BIT(8) | BIT(11) | BIT(31)) /* ILL TRAP BUS FPE SEGV SYS */

#define STOPS (BIT(19) | BIT(20) | BIT(21) | BIT(22)) /* STOP TSTP TTIN TTOU */
#define SIGCONT 18

#define PATIENCE_NS (90 * 1000000000ULL) /* PATIENCE_S in Python */

__u64 faults_kept; /* of all processes since the start */
__u64 stops_kept;

/* Whether what was kept before says more: a handler may raise its signal again; and while a process does
 * what it was asked, its own timer may go off (nginx), or a reader go away.
 */
static bool is_of_less_weight(struct signal_evidence *evidence, struct signal_evidence *before)
{
	return evidence->flags & EVIDENCE_SELF ||
	       (BIT(evidence->signal) & RAISED_AGAIN && BIT(before->signal) & REQUESTS &&
		!(before->flags & EVIDENCE_IGNORED) &&
		evidence->sent_boot_ns - before->sent_boot_ns <= PATIENCE_NS);
}

/* Adds the request before, and those before that, each if it came within PATIENCE_NS of the next. */
static void note_earlier(struct signal_evidence *evidence, struct signal_evidence *before)
{
	if (!(BIT(before->signal) & REQUESTS) ||
	    evidence->sent_boot_ns - before->sent_boot_ns > PATIENCE_NS)
		return;
	evidence->earlier = before->earlier;
	if (before->signal != evidence->signal && !(before->flags & EVIDENCE_SELF))
		evidence->earlier = before->earlier << 8 | before->signal;
}

/* The fault that is kept of a thread, NULL if none is. */
static struct signal_evidence *fault_of(__u32 pid, __u32 thread, __u64 started)
{
	struct signal_evidence *fault = kept_of(pid, FAULT, started);

	if (!fault || fault->thread == thread)
		return fault;
	fault = kept_of(pid, OTHER_FAULT, started);
	return fault && fault->thread == thread ? fault : NULL;
}

/* Whether the handler of a fault has not returned. While it runs, the kernel blocks for its thread what
 * sigaction() asked for, in addition to what was blocked; as it returns, the mask is what it was.
 */
static bool is_in_handler(struct signal_evidence *fault, __u64 blocked)
{
	return blocked != fault->blocked && (blocked & fault->blocked) == fault->blocked;
}

/* The same for a fault of another thread, unless that has ended. */
static bool is_being_handled(struct signal_evidence *fault, __u64 now)
{
	struct task_struct *task = (void *)fault->task;

	return task && !fault->handler && now - fault->sent_boot_ns <= PATIENCE_NS &&
	       BPF_CORE_READ(task, pid) == (int)fault->thread &&
	       is_in_handler(fault, BPF_CORE_READ(task, blocked.sig[0]));
}

/* Where a fault is kept. Other threads may have faults on purpose while the handler of one reports a crash: those
 * share another place. 0: the handlers of two other threads run.
 */
static __u32 place_of_fault(struct signal_evidence *evidence)
{
	__u64 started = evidence->start_boot_ns, now = evidence->sent_boot_ns;
	struct signal_evidence *first = kept_of(evidence->pid, FAULT, started), *other;

	if (!first || first->thread == evidence->thread)
		return FAULT;
	other = kept_of(evidence->pid, OTHER_FAULT, started);
	if (other && other->thread == evidence->thread)
		return OTHER_FAULT;
	if (!is_being_handled(first, now))
		return FAULT;
	return other && is_being_handled(other, now) ? 0 : OTHER_FAULT;
}

/* flags: how it was handled, if not by a handler. */
static void keep_handled(struct signal_evidence *evidence, __u64 leader, __u32 flags)
{
	__u32 sort = REQUEST;
	struct signal_evidence *before;

	if (BIT(evidence->signal) & FAULTS) {
		sort = place_of_fault(evidence);
		if (!sort)
			return;
	} else if (BIT(evidence->signal) & STOPS) {
		if (evidence->handler) /* it was stopped before */
			return;
		sort = STOPPED;
	} else {
		before = kept_of(evidence->pid, sort, evidence->start_boot_ns);
		if (before && is_of_less_weight(evidence, before))
			return;
		if (before)
			note_earlier(evidence, before);
	}
	evidence->flags |= flags;
	keep(leader, sort);
	if (sort == STOPPED)
		__sync_fetch_and_add(&stops_kept, 1);
	else if (sort != REQUEST)
		__sync_fetch_and_add(&faults_kept, 1);
}

/* SIGCONT came: what had stopped the process does so no longer. */
static void note_goes_on(struct task_struct *leader)
{
	struct signal_evidence *stop;

	if (!stops_kept)
		return;
	stop = kept_of(leader->tgid, STOPPED, start_boot_ns(leader));
	if (stop)
		stop->handler = HANDLER_RETURNED;
}

/* Whether the kernel raised the signal, as it does for faults. */
static bool is_fault(struct kernel_siginfo *info)
{
	int si_code = 0;

	if ((__u64)info <= SEND_SIG_PRIV)
		return false;
	bpf_core_read(&si_code, sizeof(si_code), &info->si_code);
	return si_code > 0;
}

/* Whether a process sends the signal to itself, as a handler of a fault does that raises it again. */
static bool is_own(struct task_struct *task)
{
	return (int)(bpf_get_current_pid_tgid() >> 32) == task->tgid;
}

/* Where the thread had such a fault before, writes what is new of this one over it. A fault of the handler itself
 * does not count: that of a JVM unblocks faults, and reads memory that may not be there.
 */
static bool overwrites_fault(int signal, struct kernel_siginfo *info, struct task_struct *task)
{
	struct signal_evidence *evidence = fault_of(task->tgid, task->pid,
						    start_boot_ns(task->group_leader));
	__u64 now;

	if (!evidence || evidence->si_code <= 0)
		return false;
	now = bpf_ktime_get_boot_ns();
	if (is_in_handler(evidence, task->blocked.sig[0]) &&
	    now - evidence->sent_boot_ns <= PATIENCE_NS)
		return true;
	if (evidence->signal != signal)
		return false;
	evidence->sent_boot_ns = now;
	evidence->blocked = task->blocked.sig[0];
	read_siginfo(evidence, info, signal);
	read_trap(evidence, task);
	return true;
}

/* Whether the handler of a fault runs, as its thread ends with the process. The thread's mask does not say if the
 * handler blocks nothing, or was taken away. The pointers may be untrusted.
 */
static __u8 state_of_handler(struct signal_evidence *fault, struct task_struct *thread,
			     struct task_struct *process)
{
	__u64 blocked = BPF_CORE_READ(thread, blocked.sig[0]);

	if (is_in_handler(fault, blocked))
		return HANDLER_RUNS;
	if (blocked == fault->blocked && blocks_itself(process, fault->signal))
		return HANDLER_RETURNED;
	return HANDLER_UNKNOWN;
}

/* Marks the fault of a thread that ends. A thread that leaves the others has survived it: the C library blocks
 * all signals for it then. (Without others SIGNAL_GROUP_EXIT says nothing: 5.10 does not set it.)
 */
static inline void note_handler(struct task_struct *task, struct task_struct *leader)
{
	struct signal_evidence *fault;

	if (!why || !faults_kept)
		return;
	fault = fault_of(leader->tgid, task->pid, start_boot_ns(leader));
	if (!fault)
		return;
	if (task->signal->live.counter && !(task->signal->flags & SIGNAL_GROUP_EXIT))
		fault->handler = HANDLER_RETURNED;
	else
		fault->handler = state_of_handler(fault, task, task);
}

/* Marks the fault of another thread than the last. The kernel makes a thread the last one before its exit is traced:
 * the others may not have come to theirs.
 */
static void note_handler_of_other(struct signal_evidence *fault, struct task_struct *last)
{
	struct task_struct *thread = (void *)fault->task;

	if (!fault->handler && fault->thread != (__u32)BPF_CORE_READ(last, pid) &&
	    BPF_CORE_READ(last, signal, flags) & SIGNAL_GROUP_EXIT &&
	    BPF_CORE_READ(thread, pid) == (int)fault->thread)
		fault->handler = state_of_handler(fault, thread, last);
}

#endif
