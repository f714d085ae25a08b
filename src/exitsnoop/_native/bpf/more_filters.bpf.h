/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Which exits are reported: the filters by family, user, name, cgroup and age. kernel/plan.py fills the
 * maps; each is created only with its tunable.
 */
#ifndef EXITSNOOP_MORE_FILTERS_BPF_H
#define EXITSNOOP_MORE_FILTERS_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "filter_sets.h"
#include "context.bpf.h"
#include "filters.bpf.h"
#include "paths.bpf.h"
#include "task.bpf.h"

const volatile bool only_ppids = false;	     /* only children of those in `ppids` */
const volatile bool not_ppids = false;	     /* only children of others */
const volatile bool only_users = false;	     /* only those of `users` */
const volatile bool not_users = false;	     /* only those of others */
const volatile bool only_names = false;	     /* only those with a name in `names` */
const volatile bool not_names = false;	     /* only those with another */
const volatile bool only_containers = false; /* only with a cgroup path in `containers` */
const volatile __u32 only_cgroups = 0;	     /* only those below these, the first of `cgroups` */
const volatile __u32 not_cgroups = 0;	     /* only those elsewhere */
const volatile __u32 cgroup_levels = 0;	     /* the most names that one of them has */
const volatile __u64 min_age_ns = 0;
const volatile __u64 max_age_ns = ~0ULL;

__u64 undecided; /* exits left out, whose cgroup has a path that was not read to its end */

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

/* Whether a text matches that has so many bytes, or ends before a NUL. globs.py makes the automaton. */
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

/* How much of a path is searched for a container: less before v5.17, as it makes a long program. */
#ifdef LOOPS
#define CONTAINER_BYTES CGROUP_PATH_BYTES
#else
#define CONTAINER_BYTES 512
#endif

/* Coarse: the pattern may be anywhere in the path. Python decides whether it names a container. */
static bool may_be_in_wanted_container(struct exit_context *context)
{
	__u32 zero = 0;
	struct glob_set *globs = bpf_map_lookup_elem(&containers, &zero);

	return globs && glob_matches(globs, context->parts, context->cgroup_bytes, CONTAINER_BYTES);
}

static bool is_below(const char *path, __u32 bytes, struct cgroup_filter *filter)
{
	__u32 start = bytes - filter->bytes;

	if (filter->bytes > bytes)
		return false;
	if (start && path[(start - 1) & (CGROUP_PATH_BYTES - 1)])
		return false; /* in the middle of a name */
	for (int i = 0; i < CGROUP_FILTER_BYTES; i++) {
		if ((__u32)i >= filter->bytes)
			return true;
		if (path[(start + i) & (CGROUP_PATH_BYTES - 1)] != filter->path[i])
			return false;
	}
	return true;
}

static bool is_below_one_of(const char *path, __u32 bytes, __u32 count)
{
	for (__u32 i = 0; i < MAX_CGROUP_FILTERS && i < count; i++) {
		__u32 key = i;
		struct cgroup_filter *filter = bpf_map_lookup_elem(&cgroups, &key);

		if (filter && is_below(path, bytes, filter))
			return true;
	}
	return false;
}

enum verdict { UNWANTED, WANTED, UNDECIDED };

/* The path up to the root decides; if that was not read, its top. */
static __noinline enum verdict is_of_wanted_cgroup(struct task_struct *task,
						   struct exit_context *context)
{
	struct path_part *part = &((struct context_buffer *)context)->part;
	__u32 count = only_cgroups ? only_cgroups : not_cgroups;
	char *path = context->parts;

	part->at = 0;
	part->bytes = context->cgroup_bytes;
	if (!is_whole(path, part->bytes) && !read_top(path, cgroup_node(task), part, cgroup_levels))
		return UNDECIDED;
	path += part->at & CGROUP_PATH_BYTES;
	if (!is_whole(path, part->bytes))
		return UNDECIDED;
	return is_below_one_of(path, part->bytes, count) == !!only_cgroups ? WANTED : UNWANTED;
}

/* Which containers the rest of a path may name is not known. */
static __noinline enum verdict is_of_wanted_container(struct exit_context *context)
{
	if (may_be_in_wanted_container(context))
		return WANTED;
	return is_whole(context->parts, context->cgroup_bytes) ? UNWANTED : UNDECIDED;
}

static bool counted(enum verdict verdict)
{
	if (verdict == UNDECIDED)
		__sync_fetch_and_add(&undecided, 1);
	return verdict == WANTED;
}

/* From now on another process that gets this one's PID is not taken for a parent in `ppids`. */
static inline void note_start_of_parent(struct task_struct *leader)
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

/* Whether the filters let it pass that are asked last, as they cost the most. */
static inline bool is_wanted_process(struct task_struct *task, struct task_struct *leader,
				     struct task_struct *subject, struct exit_context *context)
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
	if ((only_cgroups || not_cgroups) && !counted(is_of_wanted_cgroup(task, context)))
		return false;
	return !only_containers || counted(is_of_wanted_container(context));
}

#endif
