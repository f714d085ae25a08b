/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What is read of a signal as it is sent.
 */
#ifndef EXITSNOOP_EVIDENCE_BPF_H
#define EXITSNOOP_EVIDENCE_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "register_types.bpf.h"
#include "task.bpf.h"

const volatile bool why = false; /* send evidence; on_signal is loaded */

enum {
	SIGILL = 4,
	SIGABRT = 6,
	SIGKILL = 9,
	SIGSEGV = 11,
	SIGPIPE = 13,
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

#define SI_KERNEL 0x80 /* include/uapi/asm-generic/siginfo.h */
#define SEND_SIG_NOINFO 0
#define SEND_SIG_PRIV 1
#define DELIVERED 0	  /* enum trace_signal_delivery: TRACE_SIGNAL_DELIVERED */
#define IGNORED 1	  /* TRACE_SIGNAL_IGNORED */
#define LOSE_INFO 4	  /* TRACE_SIGNAL_LOSE_INFO: delivered, without siginfo */
#define STACK_BYTES 16384 /* of a task in the kernel, at least */
#define PF_EXITING 0x4
#define PF_KTHREAD 0x200000
#define SECCOMP_MODE_STRICT 1
#define SECCOMP_MODE_FILTER 2 /* and above: SECCOMP_MODE_DEAD, once the filter has killed */
#define NSEC_PER_SEC 1000000000ULL
enum { RLIMIT_CPU = 0, RLIMIT_FSIZE = 1, RLIMIT_STACK = 3, RLIMIT_RTTIME = 15 };

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

/* RLIMIT_RTTIME: how long a thread with a real-time priority may run before it sleeps. The kernel sends the
 * same signals as for RLIMIT_CPU, in the thread itself.
 */
static void read_realtime_limit(struct signal_evidence *evidence, struct task_struct *task)
{
	__u64 limit = NONE;

	if (evidence->limit != NONE || !BPF_CORE_READ(task, rt.timeout))
		return;
	if (evidence->signal == SIGXCPU)
		limit = BPF_CORE_READ(task, signal, rlim[RLIMIT_RTTIME].rlim_cur);
	else if (evidence->signal == SIGKILL)
		limit = BPF_CORE_READ(task, signal, rlim[RLIMIT_RTTIME].rlim_max);
	if (limit == NONE)
		return;
	evidence->limit = limit;
	evidence->flags |= EVIDENCE_REALTIME;
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

#define RED_ZONE 256	      /* what a function may use below its stack pointer, and a push */
#define LARGE_FRAME (1 << 25) /* bytes */

/* Where a thread of x86 keeps the registers that it had in user space: at the top of its kernel stack.
 * bpf_task_pt_regs() came in v5.15; the kernels that lack it have no more than these at the top.
 */
static inline struct pt_regs *user_registers(struct task_struct *task)
{
	return (void *)((char *)BPF_CORE_READ(task, stack) + STACK_BYTES -
			bpf_core_type_size(struct pt_regs));
}

#define HAS_TASK_PT_REGS bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)

/* Where struct rseq has rseq_cs, which is 0 outside critical sections (include/uapi/linux/rseq.h). */
#define RSEQ_CS 8

/* Where a thread keeps what the kernel needs of it to end a critical section; NULL if nowhere. */
static inline void *rseq_of(struct task_struct *task)
{
	struct task_struct___rseq_data *newer = (void *)task;

	if (bpf_core_field_exists(newer->rseq.usrptr))
		return BPF_CORE_READ(newer, rseq.usrptr);
	return bpf_core_field_exists(task->rseq) ? BPF_CORE_READ(task, rseq) : NULL;
}

/* Why the kernel may force SIGSEGV on a thread that the CPU has nothing against: it finds no room for the
 * frame of a signal, or rseq_handle_notify_resume() fails as the thread goes on.
 */
static inline void read_forced(struct signal_evidence *evidence, struct task_struct *task)
{
	__u64 bytes = BPF_CORE_READ(task, sas_ss_size), critical_section = 0;
	char *rseq = rseq_of(task);

	evidence->forced = 0;
	if (bytes)
		evidence->forced |= FORCED_HAS_SIGNAL_STACK;
	if (evidence->stack_pointer - BPF_CORE_READ(task, sas_ss_sp) < bytes)
		evidence->forced |= FORCED_ON_SIGNAL_STACK;
	if (rseq &&
	    (bpf_probe_read_user(&critical_section, sizeof(critical_section), rseq + RSEQ_CS) ||
	     critical_section))
		evidence->forced |= FORCED_RSEQ;
}

/* What the CPU said of a fault in this thread, and in which system call it is: a signal frame that cannot
 * be restored is reported in sigreturn(). Call it after read_siginfo(). It runs for each fault that a JVM
 * takes on purpose, so it reads no more than it must.
 */
static inline void read_trap(struct signal_evidence *evidence, struct task_struct *task)
{
	__u64 above;
	char byte;

	if (!bpf_core_field_exists(task->thread.trap_nr))
		return;
	evidence->flags = (evidence->flags | EVIDENCE_TRAP) & ~EVIDENCE_NO_STACK;
	evidence->trap = task->thread.trap_nr;
	evidence->trap_error = task->thread.error_code;
	if (HAS_TASK_PT_REGS) {
		struct pt_regs *registers = (void *)bpf_task_pt_regs(task);

		evidence->system_call = registers->orig_ax;
		evidence->instruction = registers->ip;
		evidence->stack_pointer = registers->sp;
	} else {
		struct pt_regs *registers = user_registers(task);

		evidence->system_call = BPF_CORE_READ(registers, orig_ax);
		evidence->instruction = BPF_CORE_READ(registers, ip);
		evidence->stack_pointer = BPF_CORE_READ(registers, sp);
	}
	above = evidence->address - evidence->stack_pointer + RED_ZONE;
	if (above < LARGE_FRAME &&
	    bpf_probe_read_user(&byte, sizeof(byte), (void *)evidence->stack_pointer))
		evidence->flags |= EVIDENCE_NO_STACK;
	if (evidence->si_code == SI_KERNEL)
		read_forced(evidence, task);
	if (evidence->si_code == SI_KERNEL || evidence->signal == SIGILL)
		bpf_probe_read_user(evidence->code, CODE_BYTES, (void *)evidence->instruction);
}

/* The system call that a process is in as it sends a signal: an argument says which processes it means. */
static void read_call(struct signal_evidence *evidence)
{
	struct pt_regs *registers = NULL;

	if (!bpf_core_field_exists(registers->orig_ax) || !HAS_TASK_PT_REGS)
		return;
	registers = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	evidence->flags |= EVIDENCE_SENDER_CALL;
	evidence->sender_call = registers->orig_ax;
	evidence->sender_argument = registers->di;
	evidence->sender_options = registers->r10;
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

/* Too big for the stack. It is used with interrupts off, so by one task at a time on each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct signal_evidence);
	__uint(max_entries, 1);
} signal_scratch SEC(".maps");

static inline struct signal_evidence *signal_scratch_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&signal_scratch, &zero);
}

#endif
