/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Where a process crashed. signal_deliver fires in the thread that takes a signal, with interrupts off; with
 * the default action, only what ends the process (or stops it) comes here. The thread's registers are those
 * that it would go on with: those of the fault, also of one that a handler had before and raised again, as
 * such a signal waits until the handler returns.
 *
 * A crash may take some 50 us. Everything is copied, and nothing is judged: the stack is unwound later. It is
 * loaded where there is bpf_loop() (v5.17), so it may use what came before that.
 */
#ifndef EXITSNOOP_CRASH_BPF_H
#define EXITSNOOP_CRASH_BPF_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "evidence.bpf.h"
#include "handled.bpf.h"
#include "last_signal.bpf.h"
#include "loops.bpf.h"
#include "regions.bpf.h"
#include "rings.bpf.h"
#include "signals.bpf.h"
#include "threads.bpf.h"

#define PAGE 4096
#define LOWEST_ADDRESS 65536
#define USER_ADDRESSES (1ULL << 47)

/* Any word of the stack may point to code: the mappings of those have to be known to unwind it. */
#define WORDS (SITE_STACK_BYTES / 8)

static void read_registers(struct crash_site *site)
{
	struct pt_regs *registers = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());

	site->ip = BPF_CORE_READ(registers, ip);
	site->sp = BPF_CORE_READ(registers, sp);
	site->bp = BPF_CORE_READ(registers, bp);
	site->bx = BPF_CORE_READ(registers, bx);
	site->r12 = BPF_CORE_READ(registers, r12);
	site->r13 = BPF_CORE_READ(registers, r13);
	site->r14 = BPF_CORE_READ(registers, r14);
	site->r15 = BPF_CORE_READ(registers, r15);
	site->flags |= SITE_HAS_REGISTERS;
}

#define LINK_REGISTER 30
#define ARM64_ADDRESS ((1ULL << 48) - 1) /* above it, an address may have a signature (PAC) */

/* On arm64, a function that calls no other need not have a frame: who called it is in a register only. */
static __u64 read_link(void)
{
	struct pt_regs___arm64 *registers = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());

	if (!bpf_core_field_exists(registers->regs) ||
	    BPF_CORE_READ(registers, pstate) & ARM64_IS_32)
		return 0;
	return BPF_CORE_READ(registers, regs[LINK_REGISTER]) & ARM64_ADDRESS;
}

/* A page at a time: what is above the stack, or not in memory, ends it. At an overflow there is nothing where
 * the stack pointer points; then it begins a page higher.
 */
static void copy_stack(struct crash_site *site, __u64 from)
{
	__u32 at = 0, bytes = PAGE - (from & (PAGE - 1));

	site->stack_at = from;
	for (int i = 0; i < 4; i++) {
		if (at > SITE_STACK_BYTES - PAGE)
			break;
		barrier_var(bytes); /* for the verifier: what is checked is what is used */
		if (bytes > PAGE)
			break;
		if (bpf_probe_read_user(site->parts + at, bytes, (void *)from)) {
			if (i)
				break;
			site->stack_at = from + bytes;
		} else {
			at += bytes;
		}
		from += bytes;
		bytes = PAGE;
	}
	site->stack_bytes = at;
}

static long note_word(__u32 number, void *data)
{
	struct crash_buffer *buffer = *(struct crash_buffer **)data;
	__u64 at = number * 8ULL, word;

	if (at + 8 > buffer->site.stack_bytes || !has_room_for_more(buffer))
		return 1;
	FORGET_BOUNDS(at, SITE_STACK_BYTES);
	word = *(__u64 *)(buffer->site.parts + (at & ~7ULL));
	if (word - LOWEST_ADDRESS >= USER_ADDRESSES - LOWEST_ADDRESS || is_known(buffer, word))
		return 0;
	add_region(word, 0);
	return 0;
}

static long note_frame(__u32 number, void *data)
{
	struct crash_buffer *buffer = *(struct crash_buffer **)data;
	__u64 at = number * 8ULL, address;

	if (number >= buffer->site.frames_count)
		return 1;
	FORGET_BOUNDS(at, MAX_FRAMES * 8);
	address = *(__u64 *)(buffer->site.frames + (at & ~7ULL));
	if (!is_known(buffer, address))
		add_region(address, 0);
	return 0;
}

/* The address of the fault, and of the instruction that had it. With the mappings of one before. */
static void read_fault(struct crash_site *site, struct kernel_siginfo *info, __u64 started)
{
	struct signal_evidence *before = fault_of(site->pid, site->thread, started);
	int si_code = 0;

	if (!before)
		before = kept_of(site->pid, FAULT, started);

	if (before && before->flags & EVIDENCE_TRAP) {
		/* A handler had it; a message about this signal may be about that, too. */
		add_region(before->instruction, 1);
		add_region(before->address, 1);
	}
	site->instruction = site->ip;
	bpf_core_read(&si_code, sizeof(si_code), &info->si_code);
	if (si_code > 0) {
		bpf_core_read(&site->address, 8, &info->_sifields._sigfault._addr);
		return;
	}
	if (!before || before->signal != site->signal || before->thread != site->thread ||
	    !(before->flags & EVIDENCE_TRAP))
		return;
	site->address = before->address;
	site->instruction = before->instruction;
}

/* The system calls that make a file larger (x86-64), and whether the third argument is its descriptor. Those of
 * 32-bit programs have none of these numbers.
 */
static bool writes_to_third(__u64 call)
{
	return call == 275 || call == 326; /* splice, copy_file_range */
}

static bool writes_to_first(__u64 call)
{
	return call == 1 || call == 18 || call == 20 || call == 296 || call == 328 || /* write... */
	       call == 40 || call == 77 || call == 285; /* sendfile, ftruncate, fallocate */
}

/* SIGXFSZ comes as the thread leaves the system call that was to make the file too large. */
static void read_written(struct crash_buffer *buffer, struct task_struct *task)
{
	struct pt_regs *registers = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	struct crash_region *region = (struct crash_region *)buffer->site.regions;
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	__u64 call = BPF_CORE_READ(registers, orig_ax), fd;
	struct file *file = NULL;

	if (writes_to_third(call))
		fd = BPF_CORE_READ(registers, dx);
	else if (writes_to_first(call))
		fd = BPF_CORE_READ(registers, di);
	else
		return;
	fd = (__u32)fd;
	if (fd >= BPF_CORE_READ(table, max_fds) ||
	    bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(table, fd) + fd) || !file)
		return;
	__builtin_memset(region, 0, sizeof(*region));
	region->flags = REGION_WRITTEN;
	read_file(buffer, region, file);
	buffer->site.regions_count = 1;
}

static __u32 part(long bytes, __u32 each)
{
	return bytes < 0 ? 0 : (__u32)bytes / each;
}

static int report_site(void *ctx, int signal, struct task_struct *task, __u64 started)
{
	struct kernel_siginfo *info = (void *)((__u64 *)ctx)[1];
	struct crash_buffer *buffer = crash_scratch_here();
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct crash_site *site;
	__u64 bytes;

	if (!buffer)
		return 0;
	site = &buffer->site;
	site->kind = CRASH_SITE;
	site->start_boot_ns = per_thread ? read_start_boot_ns(task) : started;
	site->pid = BPF_CORE_READ(task, tgid);
	site->thread = BPF_CORE_READ(task, pid);
	site->signal = signal;
	site->address = site->flags = 0;
	site->heap_start = BPF_CORE_READ(mm, start_brk);
	site->heap_end = BPF_CORE_READ(mm, brk);
	site->stack_start = BPF_CORE_READ(mm, start_stack);
	bpf_core_read(site->thread_comm, COMM_BYTES, &task->comm);
	site->frames_count = part(
		bpf_get_stack(ctx, site->frames, sizeof(site->frames), BPF_F_USER_STACK), 8);
	site->build_ids_count = part(bpf_get_stack(ctx, site->build_ids, sizeof(site->build_ids),
						   BPF_F_USER_STACK | BPF_F_USER_BUILD_ID),
				     sizeof(struct crash_frame));
	site->stack_bytes = site->regions_count = 0;
	buffer->lookups = buffer->paths_end = 0;
	buffer->last.start = buffer->last.end = 0;
	site->ip = *(__u64 *)site->frames;
	if (bpf_core_field_exists(task->thread.trap_nr)) {
		read_registers(site);
		copy_stack(site, site->sp);
		if (!site->stack_bytes) /* as with a local variable of many pages */
			copy_stack(site, site->bp);
		if (signal == SIGXFSZ)
			read_written(buffer, task);
	}
	site->link = read_link();
	read_fault(site, info, started);
	add_region(site->address, 1);
	if (!is_known(buffer, site->instruction))
		add_region(site->instruction, 1);
	if (!is_known(buffer, site->sp))
		add_region(site->sp, 1);
	if (site->link && !is_known(buffer, site->link))
		add_region(site->link, 0);
	WALK(MAX_FRAMES, note_frame, buffer);
	WALK(WORDS, note_word, buffer);
	bytes = site->stack_bytes;
	barrier_var(bytes);
	if (bytes <= SITE_STACK_BYTES)
		send_note(site, offsetof(struct crash_site, parts) + bytes);
	return 0;
}

static inline int report_delivery(__u64 *ctx)
{
	int signal = ctx[0];
	struct k_sigaction *action = (void *)ctx[2];
	struct task_struct *task = (void *)bpf_get_current_task();
	struct signal_key key = { .signal = signal };
	struct signal_evidence *seen;
	__u64 started;

	if (signal < 1 || signal > 64 || signal == SIGKILL || BIT(signal) & ENDS_NO_PROCESS ||
	    action->sa.sa_handler)
		return 0;
	key.pid = BPF_CORE_READ(task, tgid);
	if (!is_traced(key.pid))
		return 0;
	started = read_start_boot_ns(BPF_CORE_READ(task, group_leader));
	seen = evidence_of(&key, started);
	if (seen) {
		seen->taken_by = BPF_CORE_READ(task, pid);
		if (per_thread)
			bpf_core_read(seen->thread_comm, COMM_BYTES, &task->comm);
	}
	if (!(BIT(signal) & DUMPS_CORE) || !has_much_room())
		return 0;
	return report_site(ctx, signal, task, started);
}

#endif
