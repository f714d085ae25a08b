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

#endif
