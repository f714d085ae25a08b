/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Why a process ended: what is known of the signal that ended it.
 *
 * signal_generate fires in the sender's context, with the target's siglock held and interrupts off,
 * before the target can act on the signal. What can end a process is kept by process and signal; when
 * a process ends by a signal, what was kept of that signal is sent ahead of its exit.
 *
 * Signals that cannot end a process touch no map: the program returns after two loads if the signal is
 * ignored or stops by default, or has a handler.
 */
#ifndef EXITSNOOP_SIGNALS_BPF_H
#define EXITSNOOP_SIGNALS_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "oom.bpf.h"
#include "queued.bpf.h"
#include "rings.bpf.h"
#include "task.bpf.h"

const volatile bool why = false; /* send evidence; on_signal is loaded */

__u64 signals_recorded; /* how many went into `signals` */

struct signal_key {
	__u32 pid;
	__u32 signal;
};

/* The signals that may end a process, until it ends. LRU: the oldest goes when it is full. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct signal_key);
	__type(value, struct signal_evidence);
	__uint(max_entries, 8192);
} signals SEC(".maps");

enum {
	SIGKILL = 9,
	SIGSEGV = 11,
	SIGXCPU = 24,
	SIGXFSZ = 25,
	SIGSYS = 31,
	SIGRTMIN = 32,
};

/* include/linux/signal.h: SIG_KERNEL_IGNORE_MASK and SIG_KERNEL_STOP_MASK: CHLD CONT URG WINCH, STOP
 * TSTP TTIN TTOU. (The numbers of x86, arm, riscv, ppc and s390.)
 */
#define ENDS_NO_PROCESS                                                                            \
	(BIT(17) | BIT(18) | BIT(23) | BIT(28) | BIT(19) | BIT(20) | BIT(21) | BIT(22))

#define SEND_SIG_NOINFO 0
#define SEND_SIG_PRIV 1
#define DELIVERED 0	  /* enum trace_signal_delivery: TRACE_SIGNAL_DELIVERED */
#define LOSE_INFO 4	  /* TRACE_SIGNAL_LOSE_INFO: delivered, without siginfo */
#define STACK_BYTES 16384 /* of a task in the kernel, at least */
#define PF_EXITING 0x4
#define PF_KTHREAD 0x200000
#define SECCOMP_MODE_FILTER 2 /* and above: SECCOMP_MODE_DEAD, once the filter has killed */
#define NSEC_PER_SEC 1000000000ULL
enum { RLIMIT_CPU = 0, RLIMIT_FSIZE = 1, RLIMIT_STACK = 3 };

/* True also for forced signals: the kernel resets them to their default action before it sends them. */
static bool has_default_action(struct task_struct *task, int signal)
{
	char *handlers = (char *)__builtin_preserve_access_index(
		&task->sighand->action[0].sa.sa_handler);
	__u64 offset = (signal - 1) * bpf_core_type_size(struct k_sigaction);
	void *handler = NULL;

	offset &= 0xffff; /* for the verifiers that do not follow a product */
	bpf_probe_read_kernel(&handler, sizeof(handler), handlers + offset);
	return !handler;
}

/* True if nothing can come between this signal and the process's end: either complete_signal() has
 * made it the process's status, or the thread it was given to does not block it. Under ptrace it may
 * still be dropped.
 */
static bool takes_effect(struct task_struct *task, struct signal_struct *group, int signal)
{
	if (group->flags & SIGNAL_GROUP_EXIT)
		return group->group_exit_code == signal;
	return !task->ptrace && !((task->blocked.sig[0] | task->real_blocked.sig[0]) & BIT(signal));
}

enum { OLDER_FIRST, NEWER_FIRST, UNCLEAR };

/* Which of two signals of one number ends the process; the older one did not take effect when it was
 * sent. A thread takes its own signals before those of the process. Of each number below SIGRTMIN a queue
 * has one signal at most, so a newer one means that the older was taken; others are taken in turn.
 */
static int who_is_first(struct signal_evidence *older, struct task_struct *task,
			struct signal_struct *group, int signal, __u32 thread)
{
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

#define NONE (~0ULL) /* RLIM_INFINITY */

/* Returns the limit in seconds if that much was used: RLIMIT_RTTIME sends the same signals. */
static __u64 reached(struct signal_struct *group, __u64 limit)
{
	__u64 used = group->cputimer.cputime_atomic.utime.counter +
		     group->cputimer.cputime_atomic.stime.counter;

	return limit < NONE / NSEC_PER_SEC && used >= limit * NSEC_PER_SEC ? limit : NONE;
}

static __u64 relevant_limit(struct signal_struct *group, int signal)
{
	switch (signal) {
	case SIGXCPU:
		return reached(group, group->rlim[RLIMIT_CPU].rlim_cur);
	case SIGKILL:
		return reached(group, group->rlim[RLIMIT_CPU].rlim_max);
	case SIGXFSZ:
		return group->rlim[RLIMIT_FSIZE].rlim_cur;
	case SIGSEGV:
		return group->rlim[RLIMIT_STACK].rlim_cur;
	}
	return NONE;
}

/* Whether the sender is process 1 of a PID namespace, below the first, that the task is in. */
static bool is_init_of(struct task_struct *sender, struct task_struct *task)
{
	struct pid *sender_pid = BPF_CORE_READ(sender, thread_pid);
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	unsigned int level = BPF_CORE_READ(sender_pid, level);
	__u64 offset = level * bpf_core_type_size(struct upid);
	struct upid *at;
	int number = 0;
	void *namespace = NULL, *same = NULL;

	if (!level || BPF_CORE_READ(pid, level) < level)
		return false;
	at = (void *)((char *)&sender_pid->numbers + offset);
	bpf_core_read(&number, sizeof(number), &at->nr);
	bpf_core_read(&namespace, sizeof(namespace), &at->ns);
	at = (void *)((char *)&pid->numbers + offset);
	bpf_core_read(&same, sizeof(same), &at->ns);
	return number == 1 && namespace == same;
}

static inline bool is_in_exec(struct task_struct *task)
{
	return bpf_core_field_exists(task->in_execve) && BPF_CORE_READ_BITFIELD(task, in_execve);
}

/* What the CPU said of a fault in this thread, and in which system call it is: a signal frame that cannot
 * be restored is reported in sigreturn(). The registers take a helper that came in v5.15.
 */
static inline void read_trap(struct signal_evidence *evidence, struct task_struct *task)
{
	struct pt_regs *registers;
	char byte;

	if (!bpf_core_field_exists(task->thread.trap_nr) ||
	    !bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return;
	registers = (void *)bpf_task_pt_regs(task);
	evidence->flags |= EVIDENCE_TRAP;
	evidence->trap = task->thread.trap_nr;
	evidence->trap_error = task->thread.error_code;
	evidence->system_call = BPF_CORE_READ(registers, orig_ax);
	evidence->instruction = BPF_CORE_READ(registers, ip);
	evidence->stack_pointer = BPF_CORE_READ(registers, sp);
	if (bpf_probe_read_user(&byte, sizeof(byte), (void *)evidence->stack_pointer))
		evidence->flags |= EVIDENCE_NO_STACK;
	bpf_probe_read_user(evidence->code, CODE_BYTES, (void *)evidence->instruction);
}

/* By helper: the sender is a pointer without a type (bpf_get_current_task_btf() came in v5.11). */
static void read_sender(struct signal_evidence *evidence, struct task_struct *sender)
{
	struct task_struct *leader = BPF_CORE_READ(sender, group_leader);

	evidence->sender_pid = BPF_CORE_READ(leader, tgid);
	evidence->sender_tid = BPF_CORE_READ(sender, pid);
	evidence->sender_ppid = BPF_CORE_READ(leader, real_parent, tgid);
	evidence->sender_uid = BPF_CORE_READ(sender, real_cred, uid.val);
	bpf_core_read(evidence->sender_comm, COMM_BYTES, &leader->comm);
}

/* The sender runs, so its memory is mapped; what is swapped out is not fetched. */
static void read_sender_args(struct signal_evidence *evidence, struct task_struct *sender)
{
	__u64 start = BPF_CORE_READ(sender, mm, arg_start);
	__u32 bytes = BPF_CORE_READ(sender, mm, arg_end) - start;

	evidence->sender_args_bytes = bytes;
	barrier_var(bytes); /* for the verifier: what is checked is what is used */
	if (bytes > ARGS_BYTES)
		bytes = ARGS_BYTES;
	if (bpf_probe_read_user(evidence->sender_args, bytes, (void *)start))
		evidence->sender_args_bytes = 0;
}

/* By helper: to some verifiers the argument is a pointer, to others (v6.12, v7.3) a number. */
static void read_siginfo(struct signal_evidence *evidence, struct kernel_siginfo *info, int signal)
{
	bpf_core_read(&evidence->si_code, 4, &info->si_code);
	if (signal == SIGSYS) {
		bpf_core_read(&evidence->syscall, 4, &info->_sifields._sigsys._syscall);
		bpf_core_read(&evidence->syscall_arch, 4, &info->_sifields._sigsys._arch);
	} else if (evidence->si_code > 0) {
		bpf_core_read(&evidence->address, 8, &info->_sifields._sigfault._addr);
	}
}

/* Keeps what is known of a signal that may end a process. Returns whether it was kept.
 *
 * What is needed of the task's pointers is loaded once, at the start: untrusted() says why.
 */
static bool record_signal(int signal, struct kernel_siginfo *info, struct task_struct *task,
			  bool to_process)
{
	struct signal_struct *group = task->signal;
	struct task_struct *leader = task->group_leader, *parent = task->parent;
	struct mm_struct *mm = task->mm;
	struct tty_struct *tty = group->tty;
	struct signal_key key = { .pid = task->tgid, .signal = signal };
	struct task_struct *sender = (void *)bpf_get_current_task();
	unsigned int sender_flags = BPF_CORE_READ(sender, flags);
	__u64 stack = (__u64)BPF_CORE_READ(sender, stack);
	struct signal_evidence evidence = {
		.kind = SIGNAL_EVIDENCE,
		.start_boot_ns = start_boot_ns(leader),
		.pid = key.pid,
		.flags = EVIDENCE_SEEN,
		.thread = to_process ? 0 : task->pid,
		.stack_start = mm->start_stack,
		.limit = relevant_limit(group, signal),
	};
	struct signal_evidence *before = bpf_map_lookup_elem(&signals, &key);
	/* Not read from the flags: the verifier would then follow each combination of them. */
	bool by_itself, by_kernel = (__u64)info == SEND_SIG_PRIV;

	if (before && before->start_boot_ns == evidence.start_boot_ns) {
		if (before->flags & EVIDENCE_TAKES_EFFECT)
			return false;
		int first = who_is_first(before, task, group, signal, evidence.thread);

		if (first == OLDER_FIRST)
			return false;
		if (first == UNCLEAR)
			evidence.flags |= EVIDENCE_SEVERAL;
	}
	if (takes_effect(task, group, signal))
		evidence.flags |= EVIDENCE_TAKES_EFFECT;
	if (sender_flags & PF_EXITING)
		evidence.flags |= EVIDENCE_SENDER_EXITING;
	if (BPF_CORE_READ(sender, signal, live.counter))
		evidence.flags |= EVIDENCE_SENDER_GOES_ON;
	if (is_in_exec(task))
		evidence.flags |= EVIDENCE_IN_EXEC;
	if (task->pdeath_signal == signal)
		evidence.flags |= EVIDENCE_PDEATHSIG;
	if (is_init_of(sender, task))
		evidence.flags |= EVIDENCE_SENDER_IS_INIT;
	read_sender(&evidence, sender);
	by_itself = evidence.sender_pid == key.pid;
	if (by_itself)
		evidence.flags |= EVIDENCE_SELF;
	if (task->ptrace && parent->tgid == (int)evidence.sender_pid)
		evidence.flags |= EVIDENCE_SENDER_TRACES;
	if (tty)
		bpf_probe_read_kernel_str(evidence.tty, TTY_BYTES, tty->name);
	if ((__u64)info >= stack && (__u64)info < stack + STACK_BYTES)
		evidence.flags |= EVIDENCE_OF_SENDER;
	/* Not compared with 0: the verifier takes an argument's pointer for valid. */
	if ((__u64)info > SEND_SIG_PRIV)
		read_siginfo(&evidence, info, signal);
	else if (by_kernel)
		evidence.flags |= EVIDENCE_KERNEL;
	else if (!to_process || sender_flags & PF_EXITING)
		evidence.flags |= EVIDENCE_NO_INFO;
	/* Else it is kill(), which passes none (seen in v7.3): what the kernel sends for a process goes to a
	 * thread, or to the children of a process that ends. The si_code stays 0, SI_USER.
	 */
	if (by_itself && !to_process) {
		read_comm(evidence.thread_comm, task);
		if (evidence.si_code > 0)
			read_trap(&evidence, task);
	}
	if (by_kernel) {
		if (signal == SIGKILL) {
			if (shares_victim(task, sender))
				evidence.flags |= EVIDENCE_SHARES_VICTIM;
			record_memory(task, mm, evidence.start_boot_ns, sender);
		}
	} else if (evidence.si_code <= 0 && !by_itself && !(sender_flags & PF_KTHREAD)) {
		read_sender_args(&evidence, sender);
	}
	return !bpf_map_update_elem(&signals, &key, &evidence, BPF_ANY);
}

static inline int report_signal(__u64 *ctx)
{
	int signal = ctx[0];
	struct kernel_siginfo *info = (void *)ctx[1];
	struct task_struct *task = (void *)ctx[2];
	bool to_process = ctx[3];
	int result = ctx[4];

	if (signal < 1 || signal > 64 || BIT(signal) & ENDS_NO_PROCESS)
		return 0;
	if (result != DELIVERED && result != LOSE_INFO)
		return 0;
	if (!has_default_action(task, signal))
		return 0;
	if (record_signal(signal, info, task, to_process))
		__sync_fetch_and_add(&signals_recorded, 1);
	return 0;
}

/* Sends what is known of the signal, if any, that ends a process; its exit is sent next. */
static inline void send_evidence(struct task_struct *task, struct task_struct *leader,
				 struct task_struct *subject, int status)
{
	bool reboots = reboot_signal(task);
	struct signal_key key = { .pid = leader->tgid,
				  .signal = reboots ? SIGKILL : status & 0x7f };
	struct signal_evidence *kept, *evidence;
	__u64 started = start_boot_ns(leader);

	if (!why || !key.signal)
		return;
	kept = bpf_map_lookup_elem(&signals, &key);
	if (kept && kept->start_boot_ns != started)
		kept = NULL;
	if (task->signal->oom_mm || (kept && kept->flags & EVIDENCE_SHARES_VICTIM)) {
		struct oom_evidence *oom = bpf_map_lookup_elem(&oom_kills, &key.pid);

		if (oom && oom->start_boot_ns == started) {
			oom->start_boot_ns = start_boot_ns(subject); /* as the exit has it */
			send_note(oom, sizeof(*oom));
			bpf_map_delete_elem(&oom_kills, &key.pid);
		}
	}
	evidence = reserve(sizeof(*evidence));
	if (!evidence)
		return; /* tracing/join.py counts signals without evidence */
	if (kept) {
		*evidence = *kept;
		bpf_map_delete_elem(&signals, &key);
	} else {
		evidence->kind = SIGNAL_EVIDENCE;
		evidence->pid = key.pid;
		evidence->flags = 0;
	}
	evidence->boot_ns = note_time();
	evidence->start_boot_ns = start_boot_ns(subject); /* as the exit has it */
	if (task->signal->oom_mm || evidence->flags & EVIDENCE_SHARES_VICTIM)
		evidence->flags |= EVIDENCE_OOM;
	if (reboots)
		evidence->flags |= EVIDENCE_REBOOT;
	if (task->seccomp.mode >= SECCOMP_MODE_FILTER)
		evidence->flags |= EVIDENCE_SECCOMP;
	bpf_ringbuf_submit(evidence, 0);
}

#endif
