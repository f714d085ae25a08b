/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What is sent of the signals that a process handled, and of the one that ends it, just before its exit.
 */
#ifndef EXITSNOOP_LAST_SIGNAL_BPF_H
#define EXITSNOOP_LAST_SIGNAL_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "failed_writes.bpf.h"
#include "handled.bpf.h"
#include "oom.bpf.h"
#include "rings.bpf.h"
#include "signals.bpf.h"
#include "task.bpf.h"
#include "threads.bpf.h"

#define JOBCTL_STOP_SIGMASK 0xffff /* include/linux/sched/jobctl.h */

/* Whether a signal that was blocked still waits; if not, the process took it: with sigwait(), a signalfd, or
 * by a handler, once it was unblocked. What another thread than the last had been sent is not known.
 */
static bool still_waits(struct signal_evidence *evidence, struct task_struct *last)
{
	__u64 bit = BIT(evidence->signal);

	if (!evidence->thread)
		return BPF_CORE_READ(last, signal, shared_pending.signal.sig[0]) & bit;
	return evidence->thread != (__u32)BPF_CORE_READ(last, pid) ||
	       BPF_CORE_READ(last, pending.signal.sig[0]) & bit;
}

/* Whether a signal waits that nothing blocks: the process was stopped, or did not come out of the kernel. One of
 * the number that ended the process stays pending, too: it may be that one.
 */
static bool waits_unblocked(struct signal_evidence *evidence, struct task_struct *last, int status)
{
	__u64 pending = 0;

	if (evidence->signal == (status & 0x7f))
		return false;
	if (!evidence->thread)
		pending = BPF_CORE_READ(last, signal, shared_pending.signal.sig[0]);
	else if (evidence->thread == (__u32)BPF_CORE_READ(last, pid))
		pending = BPF_CORE_READ(last, pending.signal.sig[0]);
	return pending & ~BPF_CORE_READ(last, blocked.sig[0]) & BIT(evidence->signal) &&
	       !(evidence->flags & (EVIDENCE_BLOCKED | EVIDENCE_IGNORED));
}

/* Whether another one asked a process to end a short time ago, and the process handled it. */
static inline bool was_asked(struct task_struct *leader, struct task_struct *last, int status)
{
	struct signal_key key = { .pid = leader->tgid, .signal = REQUEST };
	struct signal_evidence *evidence = evidence_of(&key, start_boot_ns(leader));

	return evidence && BIT(evidence->signal) & REQUESTS &&
	       !(evidence->flags & (EVIDENCE_SELF | EVIDENCE_IGNORED)) &&
	       !(evidence->flags & EVIDENCE_BLOCKED && still_waits(evidence, last)) &&
	       !waits_unblocked(evidence, last, status) &&
	       bpf_ktime_get_boot_ns() - evidence->sent_boot_ns <= PATIENCE_NS;
}

/* Whether a signal had stopped the process until it was killed: each thread keeps the number of its last stop. */
static bool is_stopped_by(struct signal_evidence *evidence, struct task_struct *last)
{
	return evidence->handler != HANDLER_RETURNED &&
	       (BPF_CORE_READ(last, jobctl) & JOBCTL_STOP_SIGMASK) == evidence->signal;
}

/* Sends what is kept of this sort of the process whose last thread this is; its exit has this start. Like
 * add_sender() it is verified once.
 */
__noinline int send_one_handled(__u64 start, int status, __u32 sort)
{
	struct task_struct *last = (void *)bpf_get_current_task();
	struct task_struct *leader = BPF_CORE_READ(last, group_leader);
	struct signal_key key = { .pid = BPF_CORE_READ(last, tgid), .signal = sort };
	struct signal_evidence *evidence;

	if (!why) /* as in drop_kept() */
		return 0;
	evidence = evidence_of(&key, read_start_boot_ns(leader));
	if (!evidence || (sort == STOPPED && !is_stopped_by(evidence, last)))
		return 0;
	if (evidence->flags & EVIDENCE_BLOCKED && !still_waits(evidence, last))
		evidence->flags &= ~EVIDENCE_BLOCKED;
	if (sort == REQUEST && !(evidence->flags & EVIDENCE_IGNORED)) {
		if (!waits_unblocked(evidence, last, status))
			evidence->handler = HANDLER_UNKNOWN;
		else if (!evidence->handler)
			evidence->handler = HANDLER_WAITS;
	}
	if (sort == FAULT || sort == OTHER_FAULT)
		note_handler_of_other(evidence, last);
	evidence->kind = HANDLED_SIGNAL;
	evidence->start_boot_ns = start;
	send_note(evidence, sizeof(*evidence));
	return 0;
}

/* Sends what is known of signals that the process handled; its exit is sent next. */
static inline void send_handled(struct task_struct *subject, int status)
{
	__u64 start = start_boot_ns(subject);

	send_one_handled(start, status, REQUEST);
	send_one_handled(start, status, FAULT);
	send_one_handled(start, status, OTHER_FAULT);
	if (stops_kept && (status & 0x7f) == SIGKILL)
		send_one_handled(start, status, STOPPED);
}

/* include/linux/signal.h: SIG_KERNEL_COREDUMP_MASK: QUIT ILL TRAP ABRT BUS FPE SEGV XCPU XFSZ SYS */
#define DUMPS_CORE                                                                                 \
	(BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(11) | BIT(24) | BIT(25) |       \
	 BIT(31))

/* The signal that dumps core and was delivered to the process; 0 if none was. Like add_sender() it is verified
 * once.
 */
__noinline int dumped_signal(__u32 pid, __u64 started)
{
	if (!why) /* as in drop_kept() */
		return 0;
	for (int signal = 3; signal < 32; signal++) {
		struct signal_key key = { .pid = pid, .signal = signal };
		struct signal_evidence *evidence;

		if (!(BIT(signal) & DUMPS_CORE))
			continue;
		evidence = evidence_of(&key, started);
		if (evidence && evidence->taken_by)
			return signal;
	}
	return 0;
}

/* A SIGKILL while a core is written takes the place of the signal that the process was about to end with. */
static void send_dumped(struct task_struct *leader, struct task_struct *subject)
{
	__u64 started = start_boot_ns(leader);
	struct signal_key key = { .pid = leader->tgid };
	struct signal_evidence *evidence;

	key.signal = dumped_signal(key.pid, started);
	evidence = key.signal ? evidence_of(&key, started) : NULL;
	if (!evidence)
		return;
	evidence->kind = HANDLED_SIGNAL;
	evidence->flags |= EVIDENCE_DUMPED;
	evidence->start_boot_ns = start_boot_ns(subject); /* as the exit has it */
	send_note(evidence, sizeof(*evidence));
}

/* The thread that a signal was for, as a fault is; 0: it was for the process, or that is not known. */
static __u32 taker_of(struct signal_evidence *seen)
{
	if (seen->taken_by)
		return seen->taken_by;
	return seen->flags & EVIDENCE_SELF ? seen->thread : 0;
}

/* Sends what is known of the signal, if any, that ends a process; its exit is sent next. With per_thread it
 * is sent for each thread, with the other one that took it, if one did. What came before is sent once: for the
 * thread that took it, or for the last. A call, so that the verifier does not follow what comes then for each map
 * that the evidence may be in. It follows much of it a dozen times even so: what is seldom needed of the task's
 * pointers is read by helper. untrusted() says why.
 */
static __noinline void send_evidence(struct task_struct *task, struct task_struct *leader,
				     struct task_struct *subject, int status, bool last_thread)
{
	bool is_own = last_thread, oom_kill, reboots = reboot_signal(task);
	struct signal_key key = { .pid = leader->tgid,
				  .signal = reboots ? SIGKILL : status & 0x7f };
	struct signal_evidence *seen, *evidence;
	struct task_struct *tracer;
	__u64 started = start_boot_ns(leader);
	__u32 taker = 0;

	if (!why)
		return;
	seen = key.signal ? evidence_of(&key, started) : NULL;
	if (per_thread) {
		if (seen)
			taker = taker_of(seen);
		if (taker)
			is_own = taker == (__u32)task->pid;
		else if (!key.signal)
			is_own = is_end_of_process(bpf_get_current_task(), last_thread);
	}
	if (is_own) {
		send_handled(subject, status);
		send_failed_write(leader, subject, status);
	}
	if (!key.signal)
		return;
	if (is_own && key.signal == SIGKILL)
		send_dumped(leader, subject);
	oom_kill = is_oom_kill(task, leader, seen ? seen->flags : 0);
	if (oom_kill && is_own) {
		struct oom_evidence *oom = bpf_map_lookup_elem(&oom_kills, &key.pid);

		if (oom && oom->start_boot_ns == started) {
			oom->start_boot_ns = start_boot_ns(subject); /* as the exit has it */
			send_note(oom, sizeof(*oom));
		}
	}
	evidence = reserve(sizeof(*evidence));
	if (!evidence)
		return; /* tracing/join.py counts signals without evidence */
	if (seen) {
		*evidence = *seen;
		if (taker && taker != (__u32)task->pid) {
			evidence->flags |= EVIDENCE_OF_OTHER;
			evidence->thread = taker;
		}
	} else {
		evidence->kind = SIGNAL_EVIDENCE;
		evidence->pid = key.pid;
		evidence->flags = was_forgotten(key.pid, key.signal, started) ? EVIDENCE_FORGOTTEN
									      : 0;
		if (task->ptrace) {
			evidence->flags |= EVIDENCE_TRACED;
			evidence->sender_pid = BPF_CORE_READ(task, parent, tgid);
			tracer = BPF_CORE_READ(task, parent, group_leader);
			bpf_core_read(evidence->sender_comm, COMM_BYTES, &tracer->comm);
		}
	}
	evidence->boot_ns = note_time();
	evidence->start_boot_ns = start_boot_ns(subject); /* as the exit has it */
	if (oom_kill)
		evidence->flags |= EVIDENCE_OOM;
	if (reboots)
		evidence->flags |= EVIDENCE_REBOOT;
	if (task->seccomp.mode >= SECCOMP_MODE_FILTER)
		evidence->flags |= EVIDENCE_SECCOMP;
	if (task->seccomp.mode == SECCOMP_MODE_STRICT || task->seccomp.mode > SECCOMP_MODE_FILTER)
		evidence->flags |= EVIDENCE_STRICT;
	bpf_ringbuf_submit(evidence, 0);
}

#endif
