/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Who sends signals: the program that a sender runs, where it runs, and what started it. Many senders live for
 * a moment only (kill, pkill), and so do those above them; by the exit of their victim they may be gone.
 *
 * A note about a sender is sent as it sends its first signal, and its signals name the note.
 */
#ifndef EXITSNOOP_ORIGINS_BPF_H
#define EXITSNOOP_ORIGINS_BPF_H

#include <stddef.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "loops.bpf.h"
#include "paths.bpf.h"
#include "rings.bpf.h"
#include "task.bpf.h"

#define EXE_LEVELS 24 /* fewer than at an exec: this is verified wherever signals are followed */
#define ANCESTORS_BYTES (MAX_ANCESTORS * sizeof(struct ancestor))
#define ORIGIN_LASTS_NS                                                                            \
	(30 * 1000000000ULL) /* then it is sent again: Python may have forgotten it */

/* What makes a sender another one, or the same elsewhere. */
struct origin_key {
	__u64 start_boot_ns;
	__u64 cgroups; /* the address of its css_set */
	__u64 exec_id;
	__u32 pid;
	__u32 ppid;
};

/* The time of the note of each. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct origin_key);
	__type(value, __u64);
	__uint(max_entries, MAX_ORIGINS);
} origins SEC(".maps");

struct origin_buffer {
	struct sender_origin note;
	struct path_walk walk;
	char cgroup[CGROUP_PATH_BYTES];
	char exe[PATH_BYTES];
};

/* Too big for the stack. It is used with interrupts off, so by one task at a time on each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct origin_buffer);
	__uint(max_entries, 1);
} origin_scratch SEC(".maps");

struct origin_step {
	struct sender_origin *note;
	struct task_struct *next;
};

/* Appends an ancestor, and goes on to the one above. Returns whether there is none. */
static long append_next_origin(__u32 number, void *data)
{
	struct origin_step *step = data;
	struct sender_origin *note = step->note;
	struct task_struct *next = step->next;
	__u64 at = number * sizeof(struct ancestor);
	__u32 pid = BPF_CORE_READ(next, tgid);
	char *to;

	if (!pid) /* swapper has no process */
		return 1;
	CLAMP(at, ANCESTORS_BYTES - sizeof(struct ancestor));
	to = note->parts + at;
	barrier_var(to);
	*(__u32 *)to = pid;
	bpf_core_read(to + sizeof(__u32), COMM_BYTES, &next->comm);
	note->ancestors_bytes += sizeof(struct ancestor);
	step->next = BPF_CORE_READ(next, real_parent, group_leader);
	return 0;
}

static void read_ancestors(struct sender_origin *note, struct task_struct *leader)
{
	struct origin_step step = { .note = note,
				    .next = BPF_CORE_READ(leader, real_parent, group_leader) };

	note->ancestors_bytes = 0;
	WALK(MAX_ANCESTORS, append_next_origin, step);
}

/* The path of the executable. It is read first and to a place of its own: see read_cwd(). */
static inline void read_exe(struct origin_buffer *buffer, struct task_struct *leader)
{
	struct file *exe = BPF_CORE_READ(leader, mm, exe_file);

	buffer->note.exe_bytes = 0;
	if (exe)
		buffer->note.exe_bytes = read_path(buffer->exe, 0, PATH_BYTES,
						   __builtin_preserve_access_index(&exe->f_path),
						   &buffer->walk, EXE_LEVELS);
}

/* Appends a path of at most `most` bytes at `at`, which is at most `end`; returns where it ends. */
static __always_inline __u64 append_path(struct sender_origin *note, __u64 at, const __u64 end,
					 const char *path, __u64 bytes, const __u64 most)
{
	CLAMP(at, end);
	CLAMP(bytes, most);
	bpf_probe_read_kernel(note->parts + at, bytes, path);
	return at + bytes;
}

/* Sends the note of a sender, unless it was sent lately. Returns what the note is called; 0 if there is none.
 * task: its address. It is verified once, apart from what calls it: see add_sender().
 */
__noinline __u64 origin_of(__u64 task)
{
	struct task_struct *leader = BPF_CORE_READ((struct task_struct *)task, group_leader);
	struct origin_key key = {
		.start_boot_ns = read_start_boot_ns(leader),
		.cgroups = (__u64)BPF_CORE_READ(leader, cgroups),
		.exec_id = BPF_CORE_READ(leader, self_exec_id),
		.pid = BPF_CORE_READ(leader, tgid),
		.ppid = BPF_CORE_READ(leader, real_parent, tgid),
	};
	__u64 *sent = bpf_map_lookup_elem(&origins, &key), now = bpf_ktime_get_boot_ns(), at;
	struct origin_buffer *buffer;
	__u32 zero = 0;

	if (sent && now - *sent < ORIGIN_LASTS_NS)
		return *sent;
	buffer = bpf_map_lookup_elem(&origin_scratch, &zero);
	if (!buffer)
		return 0;
	buffer->note.kind = SENDER_ORIGIN;
	buffer->note.origin = now;
	buffer->note.pid = key.pid;
	read_exe(buffer, leader);
	buffer->note.cgroup_bytes = read_cgroup_path(buffer->cgroup, cgroup_node(leader));
	read_ancestors(&buffer->note, leader);
	at = append_path(&buffer->note, buffer->note.ancestors_bytes, ANCESTORS_BYTES,
			 buffer->cgroup, buffer->note.cgroup_bytes, CGROUP_PATH_BYTES);
	at = append_path(&buffer->note, at, ANCESTORS_BYTES + CGROUP_PATH_BYTES, buffer->exe,
			 buffer->note.exe_bytes, PATH_BYTES);
	if (at > sizeof(buffer->note.parts) ||
	    send_note(&buffer->note, offsetof(struct sender_origin, parts) + at))
		return 0;
	bpf_map_update_elem(&origins, &key, &now, BPF_ANY);
	return now;
}

#endif
