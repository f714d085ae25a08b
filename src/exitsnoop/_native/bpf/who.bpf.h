/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Which processes are traced: by PID, family, user, name, cgroup and age. Part of exit.bpf.c.
 *
 * The sets are filled by tracer.py. Each is created only with its tunable.
 */
#ifndef EXITSNOOP_WHO_BPF_H
#define EXITSNOOP_WHO_BPF_H

#include "task.bpf.h"

const volatile bool only_pids = false; /* only the processes in `pids` */

/* PID -> start of the process that has it (0 until its first event, which its own exit is at the
 * latest; so that whoever gets the PID next is not taken for it).
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, __u64);
} pids SEC(".maps");

static bool has_member(void *map, struct task_struct *leader)
{
	__u32 pid = leader->tgid;
	__u64 started = start_boot_ns(leader);
	__u64 *expected = bpf_map_lookup_elem(map, &pid);

	if (!expected)
		return false;
	if (!*expected)
		*expected = started;
	return *expected == started;
}

#ifndef FULL
static bool is_traced(struct task_struct *leader)
{
	return !only_pids || has_member(&pids, leader);
}
#else
#include "context.bpf.h"

const volatile bool only_tree = false;	     /* only those in `tree` */
const volatile bool only_ppids = false;	     /* only children of those in `ppids` */
const volatile bool not_ppids = false;	     /* only those of others */
const volatile bool only_users = false;	     /* only those of `users` */
const volatile bool not_users = false;	     /* only those of others */
const volatile bool only_names = false;	     /* only those with a name in `names` */
const volatile bool not_names = false;	     /* only those with another */
const volatile bool only_containers = false; /* only with a cgroup path in `containers` */
const volatile __u32 only_cgroups = 0;	     /* only those below these, the first of `cgroups` */
const volatile __u32 not_cgroups = 0;	     /* only those elsewhere */
const volatile __u64 min_age_ns = 0;
const volatile __u64 max_age_ns = ~0ULL;

/* Like pids, for processes and their descendants that are alive. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 131072);
	__type(key, __u32);
	__type(value, __u64);
} tree SEC(".maps");

__u64 tree_members; /* how many there are: session.c counts those that it adds and removes */
__u64 untracked;    /* descendants that found no room in `tree` */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, __u64);
} ppids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, __u8);
} users SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct glob_set);
} names SEC(".maps"), containers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_CGROUP_FILTERS);
	__type(key, __u32);
	__type(value, struct cgroup_filter);
} cgroups SEC(".maps");

/* Whether its exits are of interest, whatever the other filters say. */
static bool is_traced(struct task_struct *leader)
{
	if (only_pids && !has_member(&pids, leader))
		return false;
	return !only_tree || has_member(&tree, leader);
}

static void join_tree(struct task_struct *child)
{
	__u32 pid = child->tgid;
	__u64 started = start_boot_ns(child);

	if (!bpf_map_update_elem(&tree, &pid, &started, BPF_NOEXIST))
		__sync_fetch_and_add(&tree_members, 1);
	else if (bpf_map_update_elem(&tree, &pid, &started, BPF_EXIST))
		__sync_fetch_and_add(&untracked, 1);
}

/* Whether a text of so many bytes, or up to a NUL, matches. globs.py has the same automaton. */
#define TO_NUL (~0U)

static inline bool glob_matches(struct glob_set *globs, const char *text, const __u32 bytes,
				const int most)
{
	__u64 at[GLOB_WORDS], found = 0;

#pragma unroll
	for (int w = 0; w < GLOB_WORDS; w++)
		at[w] = globs->starts[w] | (globs->starts[w] & globs->stars[w]) << 1;
	for (int i = 0; i < most; i++) {
		__u8 byte = text[i];

		if ((__u32)i >= bytes || (bytes == TO_NUL && !byte))
			break;
#pragma unroll
		for (int w = 0; w < GLOB_WORDS; w++) {
			__u64 next = (at[w] & globs->accepts[byte][w]) << 1;

			next |= at[w] & globs->stars[w];
			at[w] = next | (next & globs->stars[w]) << 1;
		}
	}
#pragma unroll
	for (int w = 0; w < GLOB_WORDS; w++)
		found |= at[w] & globs->ends[w];
	return found;
}

static bool has_wanted_name(struct task_struct *subject)
{
	__u32 zero = 0;
	struct glob_set *globs = bpf_map_lookup_elem(&names, &zero);
	char comm[COMM_BYTES];

	if (!globs)
		return false;
	read_comm(comm, subject);
	return glob_matches(globs, comm, TO_NUL, COMM_BYTES - 1);
}

/* How much of a path is looked at for a container: less, before v5.17, as it makes a long program. */
#ifdef LOOPS
#define CONTAINER_BYTES CGROUP_PATH_BYTES
#else
#define CONTAINER_BYTES 512
#endif

/* Coarse: the pattern may be anywhere in the path. filters.py looks whether it is a container's. */
static bool may_be_in_wanted_container(struct exit_context *context)
{
	__u32 zero = 0;
	struct glob_set *globs = bpf_map_lookup_elem(&containers, &zero);

	return globs && glob_matches(globs, context->parts, context->cgroup_bytes, CONTAINER_BYTES);
}

static bool is_below(struct exit_context *context, struct cgroup_filter *filter)
{
	__u32 start = context->cgroup_bytes - filter->bytes;

	if (filter->bytes > context->cgroup_bytes)
		return false;
	if (start && context->parts[(start - 1) & (CGROUP_PATH_BYTES - 1)])
		return false; /* in the middle of a name */
	for (int i = 0; i < CGROUP_FILTER_BYTES; i++) {
		if ((__u32)i >= filter->bytes)
			return true;
		if (context->parts[(start + i) & (CGROUP_PATH_BYTES - 1)] != filter->path[i])
			return false;
	}
	return true;
}

static bool is_below_one_of(struct exit_context *context, __u32 count)
{
	for (__u32 i = 0; i < MAX_CGROUP_FILTERS && i < count; i++) {
		__u32 key = i;
		struct cgroup_filter *filter = bpf_map_lookup_elem(&cgroups, &key);

		if (filter && is_below(context, filter))
			return true;
	}
	return false;
}

/* Whoever has its PID after it is not taken for a parent in `ppids`. */
static void note_start_of_parent(struct task_struct *leader)
{
	if (only_ppids || not_ppids)
		has_member(&ppids, leader);
}

static bool is_of_wanted_family(struct task_struct *leader)
{
	struct task_struct *parent = leader->real_parent->group_leader;
	__u32 uid = leader->real_cred->uid.val;

	if (only_ppids && !has_member(&ppids, parent))
		return false;
	if (not_ppids && has_member(&ppids, parent))
		return false;
	if (only_users && !bpf_map_lookup_elem(&users, &uid))
		return false;
	return !(not_users && bpf_map_lookup_elem(&users, &uid));
}

static bool is_of_wanted_age(__u64 started)
{
	__u64 age = bpf_ktime_get_boot_ns() - started;

	return age >= min_age_ns && age <= max_age_ns;
}

static bool is_wanted_process(struct task_struct *leader, struct task_struct *subject,
			      struct exit_context *context)
{
	if ((only_ppids || not_ppids || only_users || not_users) && !is_of_wanted_family(leader))
		return false;
	if ((min_age_ns || max_age_ns != ~0ULL) && !is_of_wanted_age(start_boot_ns(subject)))
		return false;
	if (only_names && !has_wanted_name(subject))
		return false;
	if (not_names && has_wanted_name(subject))
		return false;
	if (!context)
		return true;
	if (only_cgroups && !is_below_one_of(context, only_cgroups))
		return false;
	if (not_cgroups && is_below_one_of(context, not_cgroups))
		return false;
	return !only_containers || may_be_in_wanted_container(context);
}

#endif /* FULL */

#endif
