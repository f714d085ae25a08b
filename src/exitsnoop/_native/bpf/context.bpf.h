/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The context of an exit: who it was, where, and what it used.
 */
#ifndef EXITSNOOP_CONTEXT_BPF_H
#define EXITSNOOP_CONTEXT_BPF_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "images.bpf.h"
#include "loops.bpf.h"
#include "paths.bpf.h"
#include "rings.bpf.h"
#include "task.bpf.h"

/* What to collect. */
const volatile bool with_identity = false;
const volatile bool with_cgroup = false;
const volatile bool with_resources = false;
const volatile bool with_ancestors = false;
const volatile bool with_cwd = false;

/* How many threads that are not released yet are added up: the process cannot end before that is done, and
 * whoever traces it may have kept any number. Before v5.17, which brought bpf_loop(), it makes a long
 * program.
 */
#ifdef LOOPS
#define MAX_THREADS 4096
#else
#define MAX_THREADS 128
#endif

struct context_buffer {
	struct exit_context context;
	struct path_walk walk;
	struct path_part part;
	char cwd[PATH_BYTES];
};

/* Too big for the stack. There is one for each of the programs that are offered an exit: a task that is
 * in one of them may be preempted by a task that gets into the next.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PROGRAMS_PER_EVENT);
	__type(key, __u32);
	__type(value, struct context_buffer);
} contexts SEC(".maps");

/* For a thread that the verifier knows to be a task: plain loads cost a fraction of the helper's. */
static void add_current(struct exit_context *context, struct task_struct *thread)
{
	context->user_ns += thread->utime;
	context->system_ns += thread->stime;
	context->run_ns += thread->se.sum_exec_runtime;
	context->minor_faults += thread->min_flt;
	context->major_faults += thread->maj_flt;
	context->voluntary_switches += thread->nvcsw;
	context->involuntary_switches += thread->nivcsw;
	if (bpf_core_field_exists(thread->ioac.read_bytes)) {
		context->read_bytes += thread->ioac.read_bytes;
		context->write_bytes += thread->ioac.write_bytes;
	}
}

static void add_thread(struct exit_context *context, struct task_struct *thread)
{
	context->user_ns += BPF_CORE_READ(thread, utime);
	context->system_ns += BPF_CORE_READ(thread, stime);
	context->run_ns += BPF_CORE_READ(thread, se.sum_exec_runtime);
	context->minor_faults += BPF_CORE_READ(thread, min_flt);
	context->major_faults += BPF_CORE_READ(thread, maj_flt);
	context->voluntary_switches += BPF_CORE_READ(thread, nvcsw);
	context->involuntary_switches += BPF_CORE_READ(thread, nivcsw);
	if (bpf_core_field_exists(thread->ioac.read_bytes)) {
		context->read_bytes += BPF_CORE_READ(thread, ioac.read_bytes);
		context->write_bytes += BPF_CORE_READ(thread, ioac.write_bytes);
	}
}

/* Starts with what the threads used that have been released. */
static void start_with_released(struct exit_context *context, struct signal_struct *group)
{
	context->user_ns = group->utime;
	context->system_ns = group->stime;
	context->run_ns = group->sum_sched_runtime;
	if (bpf_core_field_exists(group->prev_cputime)) {
		context->reported_user_ns = group->prev_cputime.utime;
		context->reported_system_ns = group->prev_cputime.stime;
	}
	context->minor_faults = group->min_flt;
	context->major_faults = group->maj_flt;
	context->voluntary_switches = group->nvcsw;
	context->involuntary_switches = group->nivcsw;
	if (bpf_core_field_exists(group->ioac.read_bytes)) {
		context->read_bytes = group->ioac.read_bytes;
		context->write_bytes = group->ioac.write_bytes;
	}
}

struct thread_walk {
	struct exit_context *context;
	struct list_head *at;
	struct list_head *end;
};

static long add_next_thread(__u32 number __attribute__((unused)), void *data)
{
	struct thread_walk *walk = data;
	struct list_head *at = walk->at;

	if (at == walk->end)
		return 1;
	add_thread(walk->context,
		   (void *)((char *)at - bpf_core_field_offset(struct task_struct, thread_node)));
	walk->at = BPF_CORE_READ(at, next);
	return 0;
}

static void add_unreleased(struct exit_context *context, struct signal_struct *group)
{
	struct list_head *end = __builtin_preserve_access_index(&group->thread_head);
	struct thread_walk walk = { .context = context,
				    .at = BPF_CORE_READ(end, next),
				    .end = end };

	WALK(MAX_THREADS, add_next_thread, walk);
	if (walk.at != walk.end)
		context->flags |= CONTEXT_PARTIAL;
}

/* __exit_signal() moves what a thread used from its task to the group under stats_lock: if one did so
 * meanwhile, its use was counted twice or not at all.
 */
static void read_times(struct exit_context *context, struct task_struct *task)
{
	struct signal_struct *group = task->signal;

	if (group->nr_threads == 1) { /* most often: nobody else can move anything */
		start_with_released(context, group);
		add_current(context, task);
		return;
	}
	for (int attempt = 0; attempt < 3; attempt++) {
		__u32 sequence = group->stats_lock.seqcount.seqcount.sequence;

		context->flags = 0;
		start_with_released(context, group);
		add_unreleased(context, group);
		if (!(sequence & 1) && sequence == group->stats_lock.seqcount.seqcount.sequence)
			return;
	}
	context->flags |= CONTEXT_PARTIAL;
}

/* At an exec the process keeps the peak of the image before; for a child of vfork that is its parent's.
 * Where the event comes before the mm is gone, the image's own peak can be read.
 */
static void read_peak(struct exit_context *context, struct task_struct *task)
{
	struct mm_struct *mm = task->mm;
	__u64 now;

	if (!mm) {
		context->peak_pages = task->signal->maxrss;
		return;
	}
	now = rss_pages(mm, MM_FILEPAGES) + rss_pages(mm, MM_ANONPAGES) +
	      rss_pages(mm, MM_SHMEMPAGES);
	context->peak_pages = mm->hiwater_rss > now ? mm->hiwater_rss : now;
	context->flags |= CONTEXT_OWN_PEAK;
}

static void read_identity(struct exit_context *context, struct task_struct *leader)
{
	struct pid *pid = BPF_CORE_READ(leader, thread_pid);
	unsigned int level = BPF_CORE_READ(pid, level);
	struct upid *at = (void *)((char *)&pid->numbers + level * bpf_core_type_size(struct upid));

	context->uid = leader->real_cred->uid.val;
	bpf_core_read(&context->nspid, sizeof(context->nspid), &at->nr);
	read_comm(context->parent_comm, leader->real_parent->group_leader);
}

/* These append to `parts` at `at`, and return where it ends then. */
static __u64 append_hostname(struct exit_context *context, struct task_struct *task, __u64 at)
{
	char *to;
	long read;

	CLAMP(at, CGROUP_PATH_BYTES);
	to = context->parts + at;
	barrier_var(to);
	read = bpf_probe_read_kernel_str(to, HOSTNAME_BYTES, &task->nsproxy->uts_ns->name.nodename);
	if (read <= 0)
		return at;
	context->hostname_bytes = read;
	return at + read;
}

/* There is room for each part at its longest. */
#define PARTS_END sizeof(((struct exit_context *)0)->parts)
#define ANCESTORS_END (PARTS_END - PATH_BYTES)

/* The leader by a pointer that the verifier does not trust. For each pointer that it follows from one that
 * it trusts, the verifier searches all types of the kernel by name (seen in v6.18): 200 ms for MAX_ANCESTORS.
 * curr_target is always a thread of the process that is not released: copy_signal() sets it to the first,
 * complete_signal() to one that takes a signal, __exit_signal() to the next when it releases it.
 */
static struct task_struct *untrusted(struct task_struct *leader)
{
	return leader->signal->curr_target->group_leader;
}

struct ancestor_step {
	struct exit_context *context;
	struct task_struct *next;
	__u64 start;
};

/* Appends one, and goes on to the one above. Returns whether there is none. */
static long append_next_ancestor(__u32 number, void *data)
{
	struct ancestor_step *step = data;
	struct task_struct *next = step->next;
	__u64 at = step->start + number * sizeof(struct ancestor);
	char *to;

	if (!next->tgid) /* swapper has no process */
		return 1;
	CLAMP(at, ANCESTORS_END - sizeof(struct ancestor));
	to = step->context->parts + at;
	barrier_var(to);
	*(__u32 *)to = next->tgid;
	read_comm(to + sizeof(__u32), next);
	step->context->ancestors_bytes += sizeof(struct ancestor);
	step->next = next->real_parent->group_leader;
	return 0;
}

static __u64 append_ancestors(struct exit_context *context, struct task_struct *leader, __u64 at)
{
	struct ancestor_step step = { .context = context,
				      .next = untrusted(leader)->real_parent->group_leader,
				      .start = at };

	WALK(MAX_ANCESTORS, append_next_ancestor, step);
	context->ancestors_truncated = step.next->tgid > 0;
	return at + context->ancestors_bytes;
}

/* The directory of the last thread; threads share it unless they called unshare(CLONE_FS). It is read first
 * and to a place of its own: verifiers up to 6.1 follow a walk for each place where it could begin.
 */
static void read_cwd(struct exit_context *context, struct task_struct *task)
{
	struct context_buffer *buffer = (struct context_buffer *)context;
	struct path *cwd = __builtin_preserve_access_index(&task->fs->pwd);

	context->cwd_bytes = read_path(buffer->cwd, 0, PATH_BYTES, cwd, &buffer->walk, FILE_LEVELS);
}

static __u64 append_cwd(struct exit_context *context, __u64 at)
{
	struct context_buffer *buffer = (struct context_buffer *)context;
	__u64 bytes = context->cwd_bytes;

	CLAMP(at, PARTS_END - PATH_BYTES);
	CLAMP(bytes, PATH_BYTES);
	if (bpf_probe_read_kernel(context->parts + at, bytes, buffer->cwd))
		context->cwd_bytes = bytes = 0;
	return at + bytes;
}

/* Where context is wanted, or needed by a filter: returns one that has the path of the cgroup. */
static inline struct exit_context *begin_context(struct task_struct *task, __u32 program)
{
	struct context_buffer *buffer;
	struct exit_context *context;

	if (!(with_identity || with_cgroup || with_resources || with_ancestors || with_cwd ||
	      with_images))
		return NULL;
	buffer = bpf_map_lookup_elem(&contexts, &program);
	if (!buffer)
		return NULL;
	context = &buffer->context;
	context->cgroup_bytes = context->hostname_bytes = 0;
	context->ancestors_bytes = context->cwd_bytes = 0;
	if (with_cgroup)
		context->cgroup_bytes = read_cgroup_path(context->parts, cgroup_node(task));
	return context;
}

static inline void send_context(struct exit_context *context, struct task_struct *task,
				struct task_struct *leader, struct task_struct *subject)
{
	__u64 at = context->cgroup_bytes;

	context->kind = EXIT_CONTEXT;
	context->start_boot_ns = start_boot_ns(subject);
	context->tid = subject->pid;
	context->flags = 0;
	context->exec_id = leader->self_exec_id;
	if (with_cwd)
		read_cwd(context, task);
	if (with_resources) {
		if (per_thread) {
			context->user_ns = context->system_ns = context->run_ns = 0;
			context->reported_user_ns = context->reported_system_ns = 0;
			context->minor_faults = context->major_faults = 0;
			context->voluntary_switches = context->involuntary_switches = 0;
			context->read_bytes = context->write_bytes = 0;
			add_current(context, task);
		} else {
			read_times(context, task);
		}
		read_peak(context, task);
	}
	if (with_identity) {
		read_identity(context, leader);
		at = append_hostname(context, task, at);
	}
	if (with_ancestors)
		at = append_ancestors(context, leader, at);
	if (with_cwd)
		at = append_cwd(context, at);
	if (at > sizeof(context->parts))
		return;
	send_note(context, offsetof(struct exit_context, parts) + at);
}

#endif
