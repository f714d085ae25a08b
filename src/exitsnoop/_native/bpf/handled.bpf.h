/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What came before the end: signals that ask a process to end, or that it took for a fault, and that it
 * handled, ignored or blocked. The last of each sort is kept, until the process ends.
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

#include "event.h"
#include "evidence.bpf.h"
#include "kept.bpf.h"
#include "rings.bpf.h"
#include "task.bpf.h"

/* HUP INT QUIT ABRT TERM XCPU */
#define REQUESTS (BIT(1) | BIT(2) | BIT(3) | BIT(6) | BIT(15) | BIT(24))
/* PIPE ALRM XFSZ: a handler may raise them again; many programs ignore them. */
#define RAISED_AGAIN (BIT(13) | BIT(14) | BIT(25))
#define FAULTS                                                                                     \
	(BIT(4) | BIT(5) | BIT(7) | BIT(8) | BIT(11) | BIT(31)) /* ILL TRAP BUS FPE SEGV SYS */

#define PATIENCE_NS (90 * 1000000000ULL) /* PATIENCE_S in Python */

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

/* flags: how it was handled, if not by a handler. */
static void keep_handled(struct signal_evidence *evidence, __u64 leader, __u32 flags)
{
	__u32 sort = BIT(evidence->signal) & FAULTS ? FAULT : REQUEST;
	struct signal_evidence *before;

	if (sort == REQUEST) {
		before = kept_of(evidence->pid, sort, evidence->start_boot_ns);
		if (before && is_of_less_weight(evidence, before))
			return;
	}
	evidence->flags |= flags;
	keep(leader, sort);
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

/* Where the thread had such a fault before, writes what is new of this one over it. */
static bool overwrites_fault(int signal, struct kernel_siginfo *info, struct task_struct *task)
{
	struct signal_evidence *evidence = kept_of(task->tgid, FAULT,
						   start_boot_ns(task->group_leader));

	if (!evidence || evidence->thread != (__u32)task->pid || evidence->signal != signal ||
	    evidence->si_code <= 0)
		return false;
	evidence->sent_boot_ns = bpf_ktime_get_boot_ns();
	read_siginfo(evidence, info, signal);
	read_trap(evidence, task);
	return true;
}

/* Whether a signal that was blocked still waits; if not, the process took it: with sigwait(), a signalfd, or
 * by a handler, once it was unblocked. What another thread than the last had been sent is not known.
 */
static bool still_waits(struct signal_evidence *evidence, struct task_struct *last)
{
	__u64 bit = BIT(evidence->signal);

	if (!evidence->thread)
		return last->signal->shared_pending.signal.sig[0] & bit;
	return evidence->thread != (__u32)last->pid || last->pending.signal.sig[0] & bit;
}

/* Whether another one asked a process to end a short time ago, and the process handled it. */
static inline bool was_asked(struct task_struct *leader, struct task_struct *last)
{
	struct signal_evidence *evidence = kept_of(leader->tgid, REQUEST, start_boot_ns(leader));

	return evidence && BIT(evidence->signal) & REQUESTS &&
	       !(evidence->flags & (EVIDENCE_SELF | EVIDENCE_IGNORED)) &&
	       !(evidence->flags & EVIDENCE_BLOCKED && still_waits(evidence, last)) &&
	       bpf_ktime_get_boot_ns() - evidence->sent_boot_ns <= PATIENCE_NS;
}

static void send_one_handled(struct task_struct *leader, struct task_struct *subject,
			     struct task_struct *last, __u32 sort)
{
	struct signal_evidence *evidence = kept_of(leader->tgid, sort, start_boot_ns(leader));

	if (!evidence)
		return;
	if (evidence->flags & EVIDENCE_BLOCKED && !still_waits(evidence, last))
		evidence->flags &= ~EVIDENCE_BLOCKED;
	evidence->kind = HANDLED_SIGNAL;
	evidence->start_boot_ns = start_boot_ns(subject); /* as the exit has it */
	send_note(evidence, sizeof(*evidence));
}

/* Sends what is known of signals that the process handled; its exit is sent next. */
static inline void send_handled(struct task_struct *leader, struct task_struct *subject,
				struct task_struct *last)
{
	send_one_handled(leader, subject, last, REQUEST);
	send_one_handled(leader, subject, last, FAULT);
}

#endif
