/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Why a process ended: what is known of the signal that ended it.
 *
 * signal_generate fires in the sender's context, with the target's siglock held and interrupts off,
 * before the target can act on the signal. What ends a process at once goes into `signals`, what may end it
 * later into `kept`; when a process ends by a signal, what is known of that signal is sent ahead of its exit.
 *
 * Signals that neither end a process, nor ask for it, nor stop it touch no map. See handled.bpf.h for those
 * that have a handler.
 */
#ifndef EXITSNOOP_SIGNALS_BPF_H
#define EXITSNOOP_SIGNALS_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "actions.bpf.h"
#include "event.h"
#include "evidence.bpf.h"
#include "failed_writes.bpf.h"
#include "filters.bpf.h"
#include "handled.bpf.h"
#include "kept.bpf.h"
#include "oom.bpf.h"
#include "origins.bpf.h"
#include "queued.bpf.h"
#include "rings.bpf.h"
#include "task.bpf.h"
#include "timers.bpf.h"
#include "tree.bpf.h"

__u64 signals_recorded; /* how many went into `signals` and `kept` */
__u64 ending;		/* how many are in `signals`, about */

struct signal_key {
	__u32 pid;
	__u32 signal; /* or what else is kept of a process: enum kept_sort */
};

/* The signals that end a process, for the moment until it ends. LRU: the oldest goes when it is full. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct signal_key);
	__type(value, struct signal_evidence);
	__uint(max_entries, MAX_ENDING);
} signals SEC(".maps");

static bool note_ending(struct signal_key *key, struct signal_evidence *evidence)
{
	if (bpf_map_update_elem(&signals, key, evidence, BPF_ANY))
		return false;
	if (ending < MAX_ENDING)
		__sync_fetch_and_add(&ending, 1);
	else
		forgot_ns = evidence->sent_boot_ns;
	return true;
}

/* Returns what is known of a signal of a process, NULL if nothing. */
static struct signal_evidence *evidence_of(struct signal_key *key, __u64 started)
{
	struct signal_evidence *evidence = bpf_map_lookup_elem(&signals, key);

	if (evidence && evidence->start_boot_ns == started)
		return evidence;
	return kept_of(key->pid, key->signal, started);
}

/* True if nothing can come between this signal and the process's end: either complete_signal() has
 * made it the process's status, or the thread it was given to does not block it. Under ptrace it may
 * still be dropped. In a process that is stopped it waits.
 */
static bool takes_effect(struct task_struct *task, struct signal_struct *group, int signal)
{
	if (group->flags & SIGNAL_GROUP_EXIT)
		return group->group_exit_code == signal;
	return !(group->flags & SIGNAL_STOP_STOPPED) && !task->ptrace &&
	       !((task->blocked.sig[0] | task->real_blocked.sig[0]) & BIT(signal));
}

enum { OLDER_FIRST, NEWER_FIRST, UNCLEAR };

/* Which of two signals of one number ends the process. Either the older one did take effect when it was
 * sent. Or a thread takes its own signals before those of the process. Of each number below SIGRTMIN a queue
 * has one signal at most, so a newer one means that the older was taken; others are taken in turn. thread: the
 * newer one was sent to; 0: to the process. A call, so that the verifier does not follow what comes then for
 * each map that the older one may be in.
 */
static __noinline int who_is_first(struct signal_key *key, struct task_struct *task,
				   struct signal_struct *group, __u64 started, __u32 thread)
{
	struct signal_evidence *older = evidence_of(key, started);
	int signal = key->signal;

	if (!older)
		return NEWER_FIRST;
	if (older->flags & EVIDENCE_TAKES_EFFECT)
		return OLDER_FIRST;
	if (older->thread == thread) {
		if (signal < SIGRTMIN)
			return NEWER_FIRST;
		return queued(thread ? &task->pending : &group->shared_pending, signal) > 1
			       ? OLDER_FIRST
			       : NEWER_FIRST;
	}
	if (group->nr_threads > 1)
		return UNCLEAR;
	if (thread) /* the older was sent to the process */
		return NEWER_FIRST;
	return task->pending.signal.sig[0] & BIT(signal) ? OLDER_FIRST : NEWER_FIRST;
}

/* Whether the kernel's events of a process are wanted. */
static bool is_traced(__u32 pid)
{
	return (!only_pids || bpf_map_lookup_elem(&pids, &pid)) &&
	       (!only_tree || bpf_map_lookup_elem(&tree, &pid));
}

/* A signal that a tracer makes up as a process stops at a system call is sent by the kernel, in the thread
 * itself (ptrace_report_syscall()): then the tracer counts as the sender.
 */
static struct task_struct *who_sends(struct signal_evidence *evidence, struct task_struct *sender)
{
	if (!(evidence->flags & EVIDENCE_KERNEL) || evidence->thread != evidence->sender_tid ||
	    !BPF_CORE_READ(sender, ptrace))
		return sender;
	evidence->flags = (evidence->flags & ~EVIDENCE_SELF) | EVIDENCE_OF_TRACER;
	sender = BPF_CORE_READ(sender, parent);
	read_sender(evidence, sender);
	return sender;
}

/* Adds what else is known of a sender, the address of a task, to the evidence that is being made. The function
 * is verified once, and apart from what calls it, as it is global and takes a number.
 */
__noinline int add_sender(__u64 task)
{
	struct signal_evidence *evidence = signal_scratch_here();
	struct task_struct *sender;
	bool by_kernel;

	if (!evidence)
		return 0;
	sender = who_sends(evidence, (void *)task);
	if (evidence->flags & EVIDENCE_SELF && evidence->flags & EVIDENCE_KERNEL)
		read_realtime_limit(evidence, sender);
	by_kernel = evidence->flags & EVIDENCE_KERNEL;
	if (!by_kernel && evidence->si_code <= 0)
		read_call(evidence);
	if (evidence->flags & EVIDENCE_SELF || BPF_CORE_READ(sender, flags) & PF_KTHREAD)
		return 0;
	if (!by_kernel && evidence->si_code <= 0)
		read_sender_args(evidence, sender);
	if ((!by_kernel || evidence->signal == SIGKILL || evidence->flags & EVIDENCE_OF_TRACER) &&
	    is_traced(evidence->pid))
		evidence->origin = origin_of((__u64)sender);
	return 0;
}

/* What is needed of the pointers of a task that a signal is for. */
struct target {
	struct task_struct *leader;
	struct task_struct *parent;
	struct signal_struct *group;
	struct mm_struct *mm;
	const struct cred *cred;
};

/* Keeps what is known of a signal: in `signals` if it ends the process at once; in `kept` if that may be
 * later, or if the process handles it. how: what the process does with it, unless it has a handler. Returns
 * whether it was kept as one that may end the process.
 */
static bool record_signal(int signal, struct kernel_siginfo *info, struct task_struct *task,
			  const struct target *of, bool to_process, bool ends, __u32 how)
{
	struct signal_struct *group = of->group;
	struct task_struct *leader = of->leader, *parent = of->parent;
	struct mm_struct *mm = of->mm;
	const struct cred *cred = of->cred;
	struct tty_struct *tty = group->tty;
	struct signal_key key = { .pid = task->tgid, .signal = signal };
	struct task_struct *sender = (void *)bpf_get_current_task();
	unsigned int sender_flags = BPF_CORE_READ(sender, flags);
	__u64 stack = (__u64)BPF_CORE_READ(sender, stack);
	__u64 started = start_boot_ns(leader);
	__u64 leader_at = (__u64)BPF_CORE_READ(task, group_leader); /* to the verifier a number */
	__u64 cgroups = (__u64)BPF_CORE_READ(task, cgroups);
	struct signal_evidence *evidence = signal_scratch_here();
	/* Not read from the flags: the verifier would then follow each combination of them. */
	bool by_itself, by_kernel = (__u64)info == SEND_SIG_PRIV,
			takes = takes_effect(task, group, signal);
	int first = NEWER_FIRST;

	if (!evidence || task->flags & PF_KTHREAD || !group->live.counter)
		return false;
	/* A process that ends already ignores nothing: the kernel drops what comes. */
	if (how && group->flags & SIGNAL_GROUP_EXIT)
		return false;
	if (ends) {
		first = who_is_first(&key, task, group, started, to_process ? 0 : task->pid);
		if (first == OLDER_FIRST)
			return false;
	}
	__builtin_memset(evidence, 0, sizeof(*evidence));
	evidence->kind = SIGNAL_EVIDENCE;
	evidence->start_boot_ns = started;
	evidence->sent_boot_ns = bpf_ktime_get_boot_ns();
	evidence->pid = key.pid;
	evidence->uid = cred->uid.val;
	evidence->signal = signal;
	evidence->flags = EVIDENCE_SEEN;
	evidence->thread = to_process ? 0 : task->pid;
	evidence->stack_start = mm->start_stack;
	evidence->limit = relevant_limit(group, signal);
	if (first == UNCLEAR)
		evidence->flags |= EVIDENCE_SEVERAL;
	if (takes)
		evidence->flags |= EVIDENCE_TAKES_EFFECT;
	if (group->flags & SIGNAL_STOP_STOPPED)
		evidence->handler = HANDLER_STOPPED;
	if (how && has_default_action(task, signal))
		evidence->handler = HANDLER_OF_INIT;
	if (sender_flags & PF_EXITING)
		evidence->flags |= EVIDENCE_SENDER_EXITING;
	if (BPF_CORE_READ(sender, signal, live.counter))
		evidence->flags |= EVIDENCE_SENDER_GOES_ON;
	if (is_in_exec(task))
		evidence->flags |= EVIDENCE_IN_EXEC;
	if (task->pdeath_signal == signal)
		evidence->flags |= EVIDENCE_PDEATHSIG;
	if (is_init_of(sender, task))
		evidence->flags |= EVIDENCE_SENDER_IS_INIT;
	if ((__u64)BPF_CORE_READ(sender, cgroups) == cgroups)
		evidence->flags |= EVIDENCE_SAME_CGROUPS;
	read_sender(evidence, sender);
	by_itself = evidence->sender_pid == key.pid;
	if (by_itself)
		evidence->flags |= EVIDENCE_SELF;
	if (task->ptrace && parent->tgid == (int)evidence->sender_pid)
		evidence->flags |= EVIDENCE_SENDER_TRACES;
	if (tty)
		bpf_probe_read_kernel_str(evidence->tty, TTY_BYTES, tty->name);
	if ((__u64)info >= stack && (__u64)info < stack + STACK_BYTES)
		evidence->flags |= EVIDENCE_OF_SENDER;
	/* Not compared with 0: the verifier takes an argument's pointer for valid. */
	if ((__u64)info > SEND_SIG_PRIV)
		read_siginfo(evidence, info, signal);
	else if (by_kernel)
		evidence->flags |= EVIDENCE_KERNEL;
	else if (!to_process || sender_flags & PF_EXITING)
		evidence->flags |= EVIDENCE_NO_INFO;
	/* Else it is kill(), which passes none (seen in v7.3): what the kernel sends for a process goes to a
	 * thread, or to the children of a process that ends. The si_code stays 0, SI_USER.
	 */
	if (by_kernel || evidence->si_code == SI_TIMER) {
		evidence->timer_ns = (__u64)info; /* read from there it is a number */
		add_timer((__u64)BPF_CORE_READ(task, signal));
	}
	if (by_itself && !to_process) {
		evidence->blocked = task->blocked.sig[0];
		evidence->task = (__u64)sender;
		read_comm(evidence->thread_comm, task);
		if (evidence->si_code > 0)
			read_trap(evidence, task);
	}
	add_sender((__u64)sender);
	if (!ends) {
		keep_handled(evidence, leader_at, how);
		return false;
	}
	if (!takes && !by_itself && BIT(signal) & REQUESTS)
		keep_handled(evidence, leader_at, evidence->handler ? 0 : EVIDENCE_BLOCKED);
	if (by_kernel && signal == SIGKILL) {
		if (shares_victim(task, sender))
			evidence->flags |= EVIDENCE_SHARES_VICTIM;
		if (is_locked(task))
			evidence->flags |= EVIDENCE_LOCKED;
		record_memory(task, mm, started, sender);
	}
	return takes ? note_ending(&key, evidence) : keep(leader_at, signal);
}

static inline int report_signal(__u64 *ctx)
{
	int signal = ctx[0];
	struct kernel_siginfo *info = (void *)ctx[1];
	struct task_struct *task = (void *)ctx[2];
	bool to_process = ctx[3], ends = false;
	int result = ctx[4];
	struct target of;

	if (signal < 1 || signal > 64 || BIT(signal) & (ENDS_NO_PROCESS & ~(STOPS | BIT(SIGCONT))))
		return 0;
	/* Here, before the verifier follows each of the ways below: untrusted() says why. */
	of.leader = task->group_leader;
	of.parent = task->parent;
	of.group = task->signal;
	of.mm = task->mm;
	of.cred = of.leader->real_cred;
	barrier();
	if (signal == SIGCONT) {
		note_goes_on(of.leader);
		return 0;
	}
	if (result == IGNORED) {
		if (is_of_failed_write(signal, ctx[1], task, to_process))
			note_failed_write(signal, task);
		if (!(BIT(signal) & REQUESTS))
			return 0;
	} else if (result != DELIVERED && result != LOSE_INFO) {
		return 0;
	} else if (has_default_action(task, signal)) {
		ends = !(BIT(signal) & STOPS);
	} else if (BIT(signal) & FAULTS) {
		if (is_fault(info) ? overwrites_fault(signal, info, task) : is_own(task))
			return 0;
	} else if (!(BIT(signal) & (REQUESTS | RAISED_AGAIN))) {
		return 0;
	}
	if (record_signal(signal, info, task, &of, to_process, ends,
			  result == IGNORED ? EVIDENCE_IGNORED : 0))
		__sync_fetch_and_add(&signals_recorded, 1);
	return 0;
}

/* With per_thread it stays until it is the oldest: other threads may be reported after the last one. */
static void forget_ending(struct signal_key *key, __u64 started)
{
	struct signal_evidence *evidence;

	if (per_thread) {
		evidence = bpf_map_lookup_elem(&signals, key);
		if (!evidence || evidence->start_boot_ns != started)
			return;
	} else if (bpf_map_delete_elem(&signals, key)) {
		return;
	}
	if (ending)
		__sync_fetch_and_add(&ending, -1);
}

/* Threads that are reported after the last one find here what was kept of their process. */
static __noinline void leave_to_late_threads(struct signal_key *key, __u64 started)
{
	struct signal_evidence *kept = kept_of(key->pid, key->signal, started);

	if (kept)
		bpf_map_update_elem(&signals, key, kept, BPF_ANY);
}

/* Call it when a process ends, whether that is reported or not. */
static inline void forget_process(struct task_struct *leader, int status)
{
	struct signal_key key = { .pid = leader->tgid, .signal = status & 0x7f };
	__u64 started = start_boot_ns(leader);

	if (!why)
		return;
	if (key.signal) {
		forget_ending(&key, started);
		if (per_thread)
			leave_to_late_threads(&key, started);
		key.signal = SIGKILL; /* also what ends as after another one: see reboot_signal() */
		forget_ending(&key, started);
		bpf_map_delete_elem(&oom_kills, &key.pid);
	}
	if (per_thread) {
		key.signal = REQUEST;
		leave_to_late_threads(&key, started);
		key.signal = FAULT;
		leave_to_late_threads(&key, started);
		key.signal = OTHER_FAULT;
		leave_to_late_threads(&key, started);
	}
	drop_kept(key.pid);
}

#endif
