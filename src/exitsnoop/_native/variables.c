// SPDX-License-Identifier: Apache-2.0
#include "variables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/btf.h>

/* Finds a global variable. Returns its size, 0 if there is no such variable. */
static __u32 find_variable(const struct bpf_object *bpf, const char *section_name, const char *name,
			   __u32 *offset)
{
	struct btf *btf = bpf_object__btf(bpf);
	int id = btf__find_by_name_kind(btf, section_name, BTF_KIND_DATASEC);
	const struct btf_type *section = id < 0 ? NULL : btf__type_by_id(btf, (__u32)id);

	for (int i = 0; section && i < btf_vlen(section); i++) {
		const struct btf_var_secinfo *variable = btf_var_secinfos(section) + i;
		const struct btf_type *type = btf__type_by_id(btf, variable->type);

		if (strcmp(btf__name_by_offset(btf, type->name_off), name) == 0) {
			*offset = variable->offset;
			return variable->size;
		}
	}
	return 0;
}

static int set_tunables(struct bpf_object *bpf, PyObject *tunables, char *values)
{
	PyObject *name, *value;
	Py_ssize_t at = 0, size;
	char *bytes;
	__u32 offset = 0;

	while (PyDict_Next(tunables, &at, &name, &value)) {
		const char *text = PyUnicode_AsUTF8AndSize(name, NULL);

		if (!text || PyBytes_AsStringAndSize(value, &bytes, &size))
			return -1;
		if (!size || find_variable(bpf, ".rodata", text, &offset) != (__u32)size) {
			PyErr_Format(PyExc_ValueError, "no tunable %U of %zd bytes", name, size);
			return -1;
		}
		memcpy(values + offset, bytes, (size_t)size);
	}
	return 0;
}

int variables_set(struct bpf_object *bpf, PyObject *tunables)
{
	struct bpf_map *map = bpf_object__find_map_by_name(bpf, ".rodata");
	size_t size;
	const void *defaults = bpf_map__initial_value(map, &size);
	char *values = malloc(size);
	int result;

	if (!values) {
		PyErr_NoMemory();
		return -1;
	}
	memcpy(values, defaults, size);
	result = set_tunables(bpf, tunables, values);
	if (!result)
		result = -bpf_map__set_initial_value(map, values, size);
	free(values);
	return result;
}

static const char *const counter_names[] = {
	[LOST] = "lost",
	[UNTRACKED] = "untracked",
	[UNDECIDED] = "undecided",
	[SIGNALS_RECORDED] = "signals_recorded",
	[TREE_MEMBERS] = "tree_members",
	[LATE_EXITS] = "late_exits",
};

int counters_open(struct counters *counters, const struct bpf_object *bpf)
{
	struct bpf_map *map = bpf_object__find_map_by_name(bpf, ".bss");
	void *variables;

	counters->bytes = (size_t)sysconf(_SC_PAGESIZE); /* they fit in one page */
	variables = mmap(NULL, counters->bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			 bpf_map__fd(map), 0);
	if (variables == MAP_FAILED)
		return errno;
	counters->variables = variables;
	for (int i = 0; i < COUNTERS; i++) {
		__u32 offset = 0;

		if (find_variable(bpf, ".bss", counter_names[i], &offset) == sizeof(__u64))
			counters->at[i] = (__u64 *)((char *)variables + offset);
	}
	return 0;
}

__u64 counters_get(const struct counters *counters, enum counter counter)
{
	const __u64 *count = counters->at[counter];

	return count ? __atomic_load_n(count, __ATOMIC_RELAXED) : 0;
}

void counters_add(const struct counters *counters, enum counter counter, __s64 more)
{
	__atomic_fetch_add(counters->at[counter], (__u64)more, __ATOMIC_RELAXED);
}

void counters_close(struct counters *counters)
{
	if (counters->variables)
		munmap(counters->variables, counters->bytes);
	*counters = (struct counters){ 0 };
}
