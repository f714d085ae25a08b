/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Each event is reported once, though several threads or programs may see it.
 */
#ifndef EXITSNOOP_ONCE_BPF_H
#define EXITSNOOP_ONCE_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "task.bpf.h"

/* A program does not run while another task is inside it on the same CPU: the kernel counts a miss
 * (recursion_misses) and goes on. That cannot happen where tracepoints disable preemption. Since they
 * are guarded by SRCU-fast instead (seen in v7.3), a task can be preempted inside the program, and all
 * events of that kind on that CPU would go unreported until it runs again. So there an event is offered
 * to PROGRAMS_PER_EVENT programs in turn; the first one that runs reports it. A task may be preempted
 * inside each of them, but not inside the last one, where that is attached to a perf event: perf disables
 * preemption (Linux kernel commit 16718274ee75, "tracing: perf: Have perf tracepoint callbacks always
 * disable preemption", in v7.0). It does not run either while a task is preempted on that CPU inside a
 * bpf() call for a map (bpf_prog_active), so the others go before it.
 */
const volatile bool preemptible = false;

/* Events that the first program missed and another one saw: object.c compares them with the misses. */
__u64 late_exits;
__u64 late_execs;

/* A thread that calls exec takes the PID and the start of the leader, who exits then: the count of execs
 * tells them apart.
 */
enum event_kind { EXIT, EXEC };

struct event_id {
	__u64 start_boot_ns;
	__u32 tid;
	__u32 execs; /* times two, plus the kind */
};

/* The events that were seen, where several could report one: threads that may all be the last of a
 * process (see speaks_for_process), or programs. An entry matters for milliseconds.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct event_id);
	__type(value, __u8);
	__uint(max_entries, MAX_REPORTED);
} reported SEC(".maps");

#define EEXIST 17

/* Returns 0 to the first that asks, -EEXIST to others. The kernel may refuse to remember who that was,
 * with another error (by v6.18 it gives up on a map's lock after a while: rqspinlock). Kernels (v5.10)
 * may set only the lower half of the helper's result: it is an int.
 */
static inline int note_event(struct task_struct *task, enum event_kind kind)
{
	struct event_id id = {
		.start_boot_ns = start_boot_ns(task),
		.tid = task->pid,
		.execs = task->self_exec_id << 1 | kind,
	};
	__u8 one = 1;

	if (bpf_map_lookup_elem(&reported, &id))
		return -EEXIST;
	return bpf_map_update_elem(&reported, &id, &one, BPF_NOEXIST);
}

/* Where programs can be preempted: true for the first of them that sees an event. An event that cannot
 * be noted is left to the next program, and the last one reports it: twice rather than not at all. Each
 * event must come here, so that `late` grows by those that the first program missed and another saw.
 * The first program may come after the last one, if another tracer had opened that perf event before.
 */
static inline bool is_first_to_see(struct task_struct *task, enum event_kind kind, __u32 program,
				   __u64 *late)
{
	int error;

	if (!preemptible)
		return true;
	error = note_event(task, kind);
	if (error == -EEXIST || (error && program != PROGRAMS_PER_EVENT - 1)) {
		if (!program) /* it did not miss the event, and yet another one reports it */
			__sync_fetch_and_add(late, -1);
		return false;
	}
	if (program)
		__sync_fetch_and_add(late, 1);
	return true;
}

#endif
