/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * With per_thread: which thread of a process ended the others, by exit_group() or by exec.
 *
 * zap_other_threads() gives each other thread a SIGKILL. A thread that ends for that reason takes it
 * (get_signal()); in one that called exit or exit_group itself meanwhile it stays pending. The registers of
 * the thread that called exit_group() first have the number of that system call. Some of the others may end
 * before it does: who it is, is remembered for them.
 */
#ifndef EXITSNOOP_THREADS_BPF_H
#define EXITSNOOP_THREADS_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "context.bpf.h"
#include "event.h"
#include "evidence.bpf.h"
#include "loops.bpf.h"
#include "rings.bpf.h"
#include "task.bpf.h"

enum {
	X86_64_EXIT = 60,
	X86_64_EXIT_GROUP = 231,
	X86_32_EXIT_GROUP = 252,
	X86_32_CODE = 0x23, /* __USER32_CS */
	ARM64_EXIT = 93,
	ARM64_EXIT_GROUP = 94,
	ARM32_EXIT_GROUP = 248,
	ARM64_IS_32 = 0x10, /* PSR_MODE32_BIT */
	EXIT_OF_32 = 1,	    /* of both */
};

enum call { ANOTHER_CALL, CALLS_EXIT, CALLS_EXIT_GROUP };

struct ended_process {
	__u64 start_boot_ns;
	__u64 pid;
};

struct ending_thread {
	__u32 tid;
	char comm[COMM_BYTES];
};

/* The threads that called exit_group(), for the moment until their processes end. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct ended_process);
	__type(value, struct ending_thread);
	__uint(max_entries, MAX_GROUP_EXITS);
} group_exits SEC(".maps");

/* Where the registers of user space are on the kernel's stack of a thread, the same for all; 0: unknown. They
 * are read to be a number: the verifier allows no arithmetic with the pointer.
 */
static __u64 registers_offset(struct task_struct *task)
{
	if (HAS_TASK_PT_REGS) {
		struct pt_regs *here = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
		__u64 at = 0;

		bpf_probe_read_kernel(&at, sizeof(at), &here);
		return at - (__u64)BPF_CORE_READ(task, stack);
	}
	if (bpf_core_field_exists(((struct pt_regs *)0)->orig_ax))
		return STACK_BYTES - bpf_core_type_size(struct pt_regs);
	return 0;
}

static enum call which_call(int number, int exit, int exit_group)
{
	if (number == exit_group)
		return CALLS_EXIT_GROUP;
	return number == exit ? CALLS_EXIT : ANOTHER_CALL;
}

static enum call call_of(struct task_struct *thread, __u64 offset)
{
	struct pt_regs *x86 = (void *)((char *)BPF_CORE_READ(thread, stack) + offset);
	struct pt_regs___arm64 *arm64 = (void *)x86;

	if (bpf_core_field_exists(x86->orig_ax)) {
		if (BPF_CORE_READ(x86, cs) == X86_32_CODE)
			return which_call(BPF_CORE_READ(x86, orig_ax), EXIT_OF_32,
					  X86_32_EXIT_GROUP);
		return which_call(BPF_CORE_READ(x86, orig_ax), X86_64_EXIT, X86_64_EXIT_GROUP);
	}
	if (bpf_core_field_exists(arm64->syscallno)) {
		if (BPF_CORE_READ(arm64, pstate) & ARM64_IS_32)
			return which_call(BPF_CORE_READ(arm64, syscallno), EXIT_OF_32,
					  ARM32_EXIT_GROUP);
		return which_call(BPF_CORE_READ(arm64, syscallno), ARM64_EXIT, ARM64_EXIT_GROUP);
	}
	return ANOTHER_CALL;
}

/* Whether another thread has this one end, which has not taken note of it. */
static bool is_being_ended(struct task_struct *thread)
{
	return BPF_CORE_READ(thread, pending.signal.sig[0]) & BIT(SIGKILL);
}

struct search {
	struct list_head *at;
	struct list_head *end;
	struct task_struct *found;
	__u64 offset;
};

static long search_next(__u32 number __attribute__((unused)), void *data)
{
	struct search *search = data;
	struct list_head *at = search->at;
	struct task_struct *thread;

	if (at == search->end)
		return 1;
	thread = (void *)((char *)at - bpf_core_field_offset(struct task_struct, thread_node));
	if (call_of(thread, search->offset) == CALLS_EXIT_GROUP && !is_being_ended(thread)) {
		search->found = thread;
		return 1;
	}
	search->at = BPF_CORE_READ(at, next);
	return 0;
}

/* Returns the thread that called exit_group() first and has not ended yet; NULL if it is not found. */
static struct task_struct *search_threads(struct signal_struct *group, __u64 offset)
{
	struct list_head *end = __builtin_preserve_access_index(&group->thread_head);
	struct search search = { .at = BPF_CORE_READ(end, next), .end = end, .offset = offset };

	WALK(MAX_THREADS, search_next, search);
	return search.found;
}

static void note_group_exit(struct ended_process *process, struct task_struct *thread)
{
	struct ending_thread by = { .tid = BPF_CORE_READ(thread, pid) };

	bpf_core_read(by.comm, COMM_BYTES, &thread->comm);
	bpf_map_update_elem(&group_exits, process, &by, BPF_ANY);
}

/* Who has the other threads of a process end as it is in exec; NULL if none is. */
static struct task_struct *who_is_in_exec(struct signal_struct *group)
{
	if (bpf_core_field_exists(group->group_exec_task))
		return BPF_CORE_READ(group, group_exec_task);
	return BPF_CORE_READ((struct signal_struct___before_5_17 *)group, group_exit_task);
}

static bool send_who_ended(struct thread_end *end, __u32 how)
{
	end->how = how;
	send_note(end, sizeof(*end));
	return false;
}

/* Whether a thread, the address of which is given, ends its process: it calls exit_group(), or calls exit as
 * the last one. If another one ended it, sends who. No signal ends it. It is verified once, apart from what
 * calls it: see add_sender().
 */
__noinline int is_end_of_process(__u64 at, int last_thread)
{
	struct task_struct *task = (void *)at, *leader, *other;
	struct ended_process process = {};
	struct thread_end end = { .kind = THREAD_END };
	struct signal_struct *group;
	struct ending_thread *by;
	enum call call;
	bool has_others;
	__u64 offset;

	if (!why || !per_thread)
		return last_thread;
	leader = BPF_CORE_READ(task, group_leader);
	group = BPF_CORE_READ(task, signal);
	process.start_boot_ns = read_start_boot_ns(leader);
	process.pid = end.pid = BPF_CORE_READ(leader, tgid);
	end.start_boot_ns = read_start_boot_ns(task);
	if (is_being_ended(task)) /* it called exit itself */
		return last_thread;
	if (!(BPF_CORE_READ(group, flags) & SIGNAL_GROUP_EXIT)) {
		other = who_is_in_exec(group);
		if (!other || other == task)
			return last_thread;
		end.by = BPF_CORE_READ(other, pid);
		bpf_core_read(end.comm, COMM_BYTES, &other->comm);
		return send_who_ended(&end, ENDED_BY_EXEC);
	}
	offset = registers_offset(task);
	if (BPF_CORE_READ(group, group_exit_code) & 0x7f || !offset)
		return last_thread;
	has_others = task != leader || BPF_CORE_READ(group, nr_threads) > 1;
	call = call_of(task, offset);
	if (call == CALLS_EXIT_GROUP && has_others)
		note_group_exit(&process, task);
	if (call == CALLS_EXIT_GROUP)
		return true;
	if (call == CALLS_EXIT)
		return last_thread;
	by = bpf_map_lookup_elem(&group_exits, &process);
	if (!by && !has_others) /* a thread of the kernel */
		return last_thread;
	if (!by) {
		other = search_threads(group, offset);
		if (other)
			note_group_exit(&process, other);
		by = bpf_map_lookup_elem(&group_exits, &process);
	}
	if (by) {
		end.by = by->tid;
		__builtin_memcpy(end.comm, by->comm, COMM_BYTES);
	}
	return send_who_ended(&end, ENDED_BY_EXIT_GROUP);
}

#endif
