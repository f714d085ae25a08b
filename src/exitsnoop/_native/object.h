/* SPDX-License-Identifier: Apache-2.0
 *
 * Loads and attaches exit.bpf.c: one of the objects that it was compiled to, with the tunables, programs
 * and maps of a plan. This knows names and bytes; kernel/plan.py knows what they mean.
 */
#ifndef EXITSNOOP_OBJECT_H
#define EXITSNOOP_OBJECT_H

#include <stdbool.h>

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <bpf/libbpf.h>
#include <linux/types.h>

#include "bpf/event.h"
#include "kernel_btf.h"
#include "misses.h"
#include "variables.h"

#define MAX_PROGRAMS 16

struct object {
	struct bpf_object *bpf;
	struct kernel_btf kernel; /* this and the next two only until it is loaded */
	bool has_types;
	int types; /* a file with the kernel's types that it needs */
	struct bpf_link *links[MAX_PROGRAMS];
	int link_count;
	int rings[MAX_RINGS]; /* descriptors */
	int ring_count;
	struct counters counters;
	struct misses misses;
};

struct plan {
	const char *variant;	 /* which object */
	PyObject *tunables;	 /* {name: bytes} */
	PyObject *programs;	 /* a tuple of names */
	PyObject *maps;		 /* {name: (max_entries, [(key, value), ...])} */
	unsigned int ring_bytes; /* of each */
	PyObject *ring_nodes;	 /* a tuple: the NUMA node of each, -1 for any */
};

/* Tells libbpf of our kind of programs. Call it once; returns 0 or an errno. */
int object_register(void);

/* These return 0; -1 with a Python exception set, where the plan is wrong; or an errno. */
int object_open(struct object *object, const struct plan *plan);
int object_make_rings(struct object *object, const struct plan *plan);
int object_read_types(struct object *object); /* this and the next may be called without the GIL */
int object_load(struct object *object);
int object_fill(struct object *object, const struct plan *plan);
int object_attach(struct object *object);

/* Adds a process to the tree, or removes one, while the programs run. Adding returns 0 or an errno:
 * EEXIST if it is in already.
 */
int object_join_tree(struct object *object, const void *pid, size_t pid_size, const void *start,
		     size_t start_size);
void object_leave_tree(struct object *object, const void *pid, size_t pid_size);

/* Takes a look at the events that no program saw: exits, and forks in the tree. misses.settled says how
 * many they are; returns whether there is no more to settle.
 */
bool object_settle_misses(struct object *object);

/* Detaches: nothing more comes, what is in the rings can still be read. Harmless when repeated. */
void object_detach(struct object *object);

/* Detaches and frees; harmless on one that is zeroed or closed. */
void object_close(struct object *object);

#endif
