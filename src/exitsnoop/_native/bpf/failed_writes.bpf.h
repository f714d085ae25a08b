/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Writes that failed in processes that ignore SIGPIPE or SIGXFSZ. Many runtimes do: their programs end by the
 * error (EPIPE, EFBIG). Servers do, too, and outlive thousands of such writes: so only the first one of a
 * series says something. A process has one of a few places, by its PID, and takes it from whoever had it.
 */
#ifndef EXITSNOOP_FAILED_WRITES_BPF_H
#define EXITSNOOP_FAILED_WRITES_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "evidence.bpf.h"
#include "rings.bpf.h"
#include "task.bpf.h"

#define FAILED_WRITES 4096	      /* a power of two */
#define PAUSE_NS (90 * 1000000000ULL) /* after it, a write is the first of another series */

struct failed_write {
	__u64 start_boot_ns; /* with pid: the process */
	__u64 first_boot_ns;
	__u64 last_boot_ns;
	__u32 pid;
	__u32 signal;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct failed_write);
	__uint(max_entries, FAILED_WRITES);
} failed_writes SEC(".maps");

__u64 writes_failed; /* series of all processes since the start */

/* Whether the kernel sends a thread the signal for its own write. No process can: kill() does not mean a
 * thread, and tgkill() has siginfo.
 */
static bool is_of_failed_write(int signal, __u64 info, struct task_struct *task, bool to_process)
{
	return (signal == SIGPIPE || signal == SIGXFSZ) && info <= SEND_SIG_PRIV && !to_process &&
	       (int)bpf_get_current_pid_tgid() == task->pid;
}

static void note_failed_write(__u32 signal, struct task_struct *task)
{
	__u32 pid = task->tgid, place = pid & (FAILED_WRITES - 1);
	struct failed_write *write = bpf_map_lookup_elem(&failed_writes, &place);
	__u64 started = start_boot_ns(task->group_leader), now = bpf_ktime_get_boot_ns();

	if (!write)
		return;
	if (write->pid != pid || write->start_boot_ns != started || write->signal != signal ||
	    now - write->last_boot_ns > PAUSE_NS) {
		write->pid = pid;
		write->start_boot_ns = started;
		write->signal = signal;
		write->first_boot_ns = now;
		__sync_fetch_and_add(&writes_failed, 1);
	}
	write->last_boot_ns = now;
}

static bool has_failed(int status)
{
	return status & 0x7f ? (status & 0x7f) == SIGABRT : status;
}

/* Sends that a write of the process failed, if it fails itself; its exit is sent next. */
static __noinline void send_failed_write(struct task_struct *leader, struct task_struct *subject,
					 int status)
{
	__u32 pid = leader->tgid, place = pid & (FAILED_WRITES - 1);
	struct failed_write *write;
	struct signal_evidence *evidence;

	if (!writes_failed || !has_failed(status))
		return;
	write = bpf_map_lookup_elem(&failed_writes, &place);
	if (!write || write->pid != pid || write->start_boot_ns != start_boot_ns(leader))
		return;
	evidence = reserve(sizeof(*evidence));
	if (!evidence)
		return;
	__builtin_memset(evidence, 0, sizeof(*evidence));
	evidence->kind = HANDLED_SIGNAL;
	evidence->start_boot_ns = start_boot_ns(subject); /* as the exit has it */
	evidence->sent_boot_ns = write->first_boot_ns;
	evidence->pid = pid;
	evidence->signal = write->signal;
	evidence->flags = EVIDENCE_SEEN | EVIDENCE_SELF | EVIDENCE_NO_INFO | EVIDENCE_IGNORED;
	evidence->limit = relevant_limit(leader->signal, write->signal);
	evidence->boot_ns = note_time();
	bpf_ringbuf_submit(evidence, 0);
}

#endif
