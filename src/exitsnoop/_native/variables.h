/* SPDX-License-Identifier: Apache-2.0
 *
 * The global variables of exit.bpf.c: its tunables, which are set before it is loaded; its counters,
 * which are read afterwards.
 */
#ifndef EXITSNOOP_VARIABLES_H
#define EXITSNOOP_VARIABLES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <bpf/libbpf.h>
#include <linux/types.h>

enum counter { LOST, UNTRACKED, UNDECIDED, SIGNALS_RECORDED, TREE_MEMBERS, LATE_EXITS, COUNTERS };

struct counters {
	void *variables; /* as they are now */
	size_t bytes;
	__u64 *at[COUNTERS]; /* in there; NULL: not in this variant */
};

/* Sets tunables, {name: bytes}. Returns 0; -1 with a Python exception set, or an errno. */
int variables_set(struct bpf_object *bpf, PyObject *tunables);

/* Maps the counters of an object that is loaded. Returns 0 or an errno. */
int counters_open(struct counters *counters, const struct bpf_object *bpf);

/* Its value; 0 if this variant does not have it. */
__u64 counters_get(const struct counters *counters, enum counter counter);

/* Adds to a counter that this variant has; the BPF programs may do so at the same time. */
void counters_add(const struct counters *counters, enum counter counter, __s64 more);

/* Harmless on one that is zeroed or closed. */
void counters_close(struct counters *counters);

#endif
