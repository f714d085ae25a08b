/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Paths, as event.h has them: the names, the nearest first.
 */
#ifndef EXITSNOOP_PATHS_BPF_H
#define EXITSNOOP_PATHS_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "kernel_types.bpf.h"
#include "loops.bpf.h"

/* How many names of a path are read, and how far above a cgroup its top is looked for. */
#ifdef LOOPS
#define CGROUP_LEVELS 48
#define MAX_CLIMB 8192
#else
#define CGROUP_LEVELS 32
#define MAX_CLIMB 256
#endif
#define FILE_LEVELS 64

/* Without bounds the verifier finds that all turns of a loop are alike, and follows only one. */
#define FORGET_BOUNDS(at, bytes)                                                                   \
	do {                                                                                       \
		barrier_var(at);                                                                   \
		(at) &= (bytes) - 1;                                                               \
	} while (0)

/* For the verifier: the compiler may check a copy of what is used afterwards. */
#define CLAMP(at, most) asm volatile("if %0 <= %1 goto +1; %0 = %1" : "+r"(at) : "i"(most))

/* A call: in a loop, the compiler may otherwise take the question out of it, and the answer with it. */
static __noinline struct kernfs_node *node_above(struct kernfs_node *node)
{
	if (bpf_core_field_exists(node->__parent))
		return BPF_CORE_READ(node, __parent);
	return BPF_CORE_READ((struct kernfs_node___before_6_15 *)node, parent);
}

/* Writes the path of a cgroup to CGROUP_PATH_BYTES; returns its bytes. */
static __u32 read_cgroup_path(char *path, struct kernfs_node *node)
{
	__u32 at = 0;

	for (int level = 0; level < CGROUP_LEVELS; level++) {
		struct kernfs_node *parent = node_above(node);
		long read;

		if (at > CGROUP_PATH_BYTES - NAME_BYTES)
			break;
		if (!parent) { /* the root, which has no name */
			path[at] = 0;
			at += 1;
			break;
		}
		read = bpf_probe_read_kernel_str(path + at, NAME_BYTES, BPF_CORE_READ(node, name));
		if (read <= 0)
			break;
		at += read;
		node = parent;
		FORGET_BOUNDS(at, CGROUP_PATH_BYTES);
	}
	return at;
}

/* Whether a path of so many bytes goes up to the root: then an empty name is the last. */
static bool is_whole(const char *path, __u32 bytes)
{
	return bytes && !path[(bytes - 1) & (CGROUP_PATH_BYTES - 1)] &&
	       (bytes == 1 || !path[(bytes - 2) & (CGROUP_PATH_BYTES - 1)]);
}

/* Which part of a path is looked at. It is in a map for the same reason as a path_walk. */
struct path_part {
	__u32 climbed; /* how many levels */
	__u32 at;      /* in the buffer: 0, or CGROUP_PATH_BYTES */
	__u32 bytes;
};

struct climb {
	struct kernfs_node *node;
	struct path_part *part;
	__u32 most;
};

static long climb_one(__u32 number, void *data)
{
	struct climb *climb = data;
	struct kernfs_node *parent = node_above(climb->node);

	if (!parent || number >= climb->most)
		return 1;
	climb->node = parent;
	climb->part->climbed = number + 1;
	return 0;
}

/* Goes up so many levels, or to the root if that is less. */
static struct kernfs_node *go_up(struct kernfs_node *node, struct path_part *part, __u32 most)
{
	struct climb climb = { .node = node, .part = part, .most = most };

	part->climbed = 0;
	WALK(MAX_CLIMB, climb_one, climb);
	return climb.node;
}

/* Reads the names of a cgroup that are so many levels below the root at most, into what follows its path.
 * Returns false if the root is too far away.
 */
static bool read_top(char *path, struct kernfs_node *node, struct path_part *part, __u32 levels)
{
	struct kernfs_node *top = node;

	if (node_above(go_up(node, part, MAX_CLIMB)))
		return false;
	if (part->climbed > levels)
		top = go_up(node, part, part->climbed - levels);
	part->at = CGROUP_PATH_BYTES;
	part->bytes = read_cgroup_path(path + CGROUP_PATH_BYTES, top);
	return true;
}

static struct cgroup_subsys_state *controller_css(struct css_set *set, int controller)
{
	struct cgroup_subsys_state *css = NULL;

	bpf_probe_read_kernel(&css, sizeof(css), (char *)&set->subsys + controller * sizeof(css));
	return css;
}

/* The cgroup of a task: in the hierarchy of version 2; if that is the root, as for all tasks where only
 * version 1 is used, in the hierarchy of a controller that every runtime and service manager uses.
 */
static struct kernfs_node *cgroup_node(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct kernfs_node *node = BPF_CORE_READ(set, dfl_cgrp, kn), *other;

	if (node_above(node))
		return node;
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id)) {
		int pids = bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id);

		other = BPF_CORE_READ(controller_css(set, pids), cgroup, kn);
		if (other && node_above(other))
			return other;
	}
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id)) {
		int memory = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);

		other = BPF_CORE_READ(controller_css(set, memory), cgroup, kn);
		if (other && node_above(other))
			return other;
	}
	return node;
}

/* How far a walk along a path has come. It has to be in a map, beside the record that the path goes into:
 * the verifier knows nothing of a map's contents, so that all turns of the loop are alike to it.
 */
struct path_walk {
	struct mount *mount;
	struct dentry *entry;
	__u32 start;
	__u32 at;
};

struct path_step {
	char *to;
	struct path_walk *walk;
	__u32 end;
};

/* Writes the next name, or climbs over a mount. Returns whether that was the top. */
static long write_next_name(__u32 number __attribute__((unused)), void *data)
{
	struct path_step *step = data;
	struct path_walk *walk = step->walk;
	char *to = step->to;
	struct dentry *entry = walk->entry, *parent = BPF_CORE_READ(entry, d_parent);
	struct mount *mount = walk->mount, *above = BPF_CORE_READ(mount, mnt_parent);
	bool at_mount = entry == BPF_CORE_READ(mount, mnt.mnt_root);
	bool at_root = entry == parent || at_mount;
	__u32 at = walk->at;
	long read;

	if (at > step->end - NAME_BYTES)
		return 1;
	if (at_root && above != mount) {
		walk->entry = BPF_CORE_READ(mount, mnt_mountpoint);
		walk->mount = above;
		return 0;
	}
	if (at_root && (at_mount || at != walk->start)) {
		to[at] = 0;
		walk->at = at + 1;
		return 1;
	}
	read = bpf_probe_read_kernel_str(to + at, NAME_BYTES, BPF_CORE_READ(entry, d_name.name));
	if (read <= 0)
		return 1;
	walk->at = at + read;
	walk->entry = parent;
	return 0;
}

/* Writes a path to `to`, from `start` on and not beyond `end`; returns where it ends. It is the path that
 * /proc/PID/exe or cwd gives to a process at the top of the mount namespace. A file of a file system that is
 * not mounted (memfd_create) has one name. levels: how many names are written at most.
 */
static __always_inline __u32 read_path(char *to, __u32 start, const __u32 end, struct path *path,
				       struct path_walk *walk, const __u32 levels)
{
	struct vfsmount *vfsmount = BPF_CORE_READ(path, mnt);
	struct dentry *entry = BPF_CORE_READ(path, dentry);
	struct path_step step = { .to = to, .walk = walk, .end = end };
	__u32 at = start;

	if (at > end - NAME_BYTES)
		return start;
	if (!BPF_CORE_READ(entry, d_hash.pprev) && entry != BPF_CORE_READ(vfsmount, mnt_root)) {
		to[at] = '/';
		to[at + 1] = 0;
		at += 2;
	}
	walk->mount = (void *)((char *)vfsmount - bpf_core_field_offset(struct mount, mnt));
	walk->entry = entry;
	walk->start = walk->at = at;
	WALK(levels, write_next_name, step);
	return walk->at;
}

#endif
