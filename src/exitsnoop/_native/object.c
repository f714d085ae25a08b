// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "object.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "extract.h"
#include "perf_event.h"

#include "full.skel.h"
#include "full_without_loops.skel.h"
#include "small.skel.h"

static const struct {
	const char *name;
	const void *(*bytes)(size_t *size);
} variants[] = {
	{ "small", small_bpf__elf_bytes },
	{ "full", full_bpf__elf_bytes },
	{ "full_without_loops", full_without_loops_bpf__elf_bytes },
};

static int choose_programs(struct object *object, PyObject *names)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object->bpf) {
		PyObject *name = PyUnicode_FromString(bpf_program__name(program));
		int chosen = name ? PySequence_Contains(names, name) : -1;

		Py_XDECREF(name);
		if (chosen < 0)
			return -1;
		bpf_program__set_autoload(program, chosen);
	}
	return 0;
}

static struct bpf_map *map_of(const struct object *object, const char *name)
{
	return bpf_object__find_map_by_name(object->bpf, name);
}

static int choose_maps(struct object *object, PyObject *maps)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object->bpf) {
		PyObject *wanted = PyDict_GetItemString(maps, bpf_map__name(map));
		unsigned long size;

		if (bpf_map__is_internal(map))
			continue;
		bpf_map__set_autocreate(map, wanted != NULL);
		if (!wanted)
			continue;
		size = PyLong_AsUnsignedLong(PyTuple_GetItem(wanted, 0));
		if (PyErr_Occurred())
			return -1;
		if (size)
			bpf_map__set_max_entries(map, (__u32)size);
	}
	return 0;
}

static _Thread_local const struct object *loading;

/* Does what libbpf does for tp_btf, but without its own copy of the kernel's types: until now libbpf takes
 * the program for one that needs none.
 */
static int prepare(struct bpf_program *program, struct bpf_prog_load_opts *options, long cookie)
{
	const char *event = strchr(bpf_program__section_name(program), '/');

	(void)cookie;
	options->attach_btf_id = kernel_btf_typedef(&loading->kernel, "btf_trace_", event + 1);
	if (!options->attach_btf_id)
		return -ESRCH;
	return bpf_program__set_type(program, BPF_PROG_TYPE_TRACING);
}

int object_register(void)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, options, .prog_prepare_load_fn = prepare);
	int handler = libbpf_register_prog_handler("exitsnoop+", BPF_PROG_TYPE_RAW_TRACEPOINT,
						   BPF_TRACE_RAW_TP, &options);

	return handler < 0 ? -handler : 0;
}

/* Opens the object with a file for the kernel's types, which is still empty. A memfd has a name only in
 * /proc: where that is not mounted, libbpf reads all types by itself. Returns 0 or an errno.
 */
static int open_bytes(struct object *object, const void *bytes, size_t size)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "exitsnoop");
	char path[32];

	object->types = memfd_create("types", MFD_CLOEXEC);
	if (object->types < 0)
		return errno;
	object->has_types = true;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", object->types);
	if (!access(path, R_OK))
		options.btf_custom_path = path;
	object->bpf = bpf_object__open_mem(bytes, size, &options);
	return object->bpf ? 0 : errno;
}

int object_open(struct object *object, const struct plan *plan)
{
	int result;

	for (size_t i = 0; i < sizeof(variants) / sizeof(*variants); i++)
		if (strcmp(variants[i].name, plan->variant) == 0) {
			size_t size;
			const void *bytes = variants[i].bytes(&size);

			result = open_bytes(object, bytes, size);
			if (result)
				return result;
		}
	if (!object->bpf) {
		PyErr_Format(PyExc_ValueError, "no variant %s", plan->variant);
		return -1;
	}
	result = variables_set(object->bpf, plan->tunables);
	if (result)
		return result;
	return choose_programs(object, plan->programs) || choose_maps(object, plan->maps) ? -1 : 0;
}

int object_make_rings(struct object *object, const struct plan *plan)
{
	Py_ssize_t count = PyTuple_Size(plan->ring_nodes);

	if (count < 1 || count > MAX_RINGS) {
		PyErr_SetString(PyExc_ValueError, "there must be a ring, and not too many");
		return -1;
	}
	for (Py_ssize_t i = 0; i < count; i++) {
		long node = PyLong_AsLong(PyTuple_GetItem(plan->ring_nodes, i));
		LIBBPF_OPTS(bpf_map_create_opts, options);
		int fd;

		if (PyErr_Occurred())
			return -1;
		if (node >= 0) {
			options.map_flags = BPF_F_NUMA_NODE;
			options.numa_node = (__u32)node;
		}
		fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, plan->ring_bytes, &options);
		if (fd < 0)
			return -fd;
		object->rings[object->ring_count++] = fd;
	}
	if (count == 1) {
		bpf_map__set_autocreate(map_of(object, "ring"), true);
		return -bpf_map__reuse_fd(map_of(object, "ring"), object->rings[0]);
	}
	bpf_map__set_autocreate(map_of(object, "rings"), true);
	bpf_map__set_max_entries(map_of(object, "rings"), (__u32)count);
	return -bpf_map__set_inner_map_fd(map_of(object, "rings"), object->rings[0]);
}

static int put_rings(struct object *object)
{
	int error = 0;

	for (int i = 0; object->ring_count > 1 && i < object->ring_count && !error; i++)
		error = -bpf_map__update_elem(map_of(object, "rings"), &i, sizeof(i),
					      &object->rings[i], sizeof(int), BPF_ANY);
	return error;
}

int object_read_types(struct object *object)
{
	int error = kernel_btf_open(&object->kernel);

	if (!error)
		error = kernel_btf_find_types(&object->kernel);
	if (error)
		return error;
	return extract_types(&object->kernel, bpf_object__btf(object->bpf), object->types);
}

static void drop_types(struct object *object)
{
	kernel_btf_close(&object->kernel);
	if (object->has_types)
		close(object->types);
	object->has_types = false;
}

int object_load(struct object *object)
{
	int error;

	loading = object;
	error = -bpf_object__load(object->bpf);
	loading = NULL;
	drop_types(object);
	if (!error)
		error = put_rings(object);
	return error ? error : counters_open(&object->counters, object->bpf);
}

int object_join_tree(struct object *object, const void *pid, size_t pid_size, const void *start,
		     size_t start_size)
{
	int error = bpf_map__update_elem(map_of(object, "tree"), pid, pid_size, start, start_size,
					 BPF_NOEXIST);

	if (!error)
		counters_add(&object->counters, TREE_MEMBERS, 1);
	return -error;
}

void object_leave_tree(struct object *object, const void *pid, size_t pid_size)
{
	if (!bpf_map__delete_elem(map_of(object, "tree"), pid, pid_size, 0)) /* it may be gone */
		counters_add(&object->counters, TREE_MEMBERS, -1);
}

/* Returns 0, -1 with an exception set, or an errno. */
static int fill_map(struct object *object, struct bpf_map *map, PyObject *entries)
{
	Py_ssize_t count = PyList_Size(entries), key_size, value_size;
	bool is_tree = map == map_of(object, "tree");
	char *key, *value;

	for (Py_ssize_t i = 0; i < count; i++) {
		PyObject *entry = PyList_GetItem(entries, i);
		int error;

		if (!PyArg_ParseTuple(entry, "y#y#", &key, &key_size, &value, &value_size))
			return -1;
		if (is_tree)
			error = object_join_tree(object, key, (size_t)key_size, value,
						 (size_t)value_size);
		else
			error = -bpf_map__update_elem(map, key, (size_t)key_size, value,
						      (size_t)value_size, BPF_ANY);
		if (error && error != EEXIST)
			return error;
	}
	return count < 0 ? -1 : 0;
}

int object_fill(struct object *object, const struct plan *plan)
{
	PyObject *name, *wanted;
	Py_ssize_t at = 0;

	while (PyDict_Next(plan->maps, &at, &name, &wanted)) {
		const char *text = PyUnicode_AsUTF8AndSize(name, NULL);
		struct bpf_map *map = text ? bpf_object__find_map_by_name(object->bpf, text) : NULL;
		int error;

		if (!map) {
			PyErr_Format(PyExc_ValueError, "no map %U", name);
			return -1;
		}
		error = fill_map(object, map, PyTuple_GetItem(wanted, 1));
		if (error)
			return error;
	}
	return 0;
}

/* How often a program could not run. Counted since Linux kernel commit 9ed9e9ba2337 ("bpf: Count the
 * number of times recursion was prevented") (in v5.12); programs of raw tracepoints are guarded, so can
 * miss, since v6.1.
 */
static __u64 misses(const struct object *object, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object->bpf, name);
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
		return 0;
	return info.recursion_misses;
}

/* The exits that the first program missed, and no other has seen yet. `late` is read first: an exit that
 * comes in between then seems missed, which passes, and not the other way round.
 */
static __u64 missed_by_all(const struct object *object)
{
	__u64 seen = counters_get(&object->counters, LATE_EXITS);

	return misses(object, "on_exit") - seen;
}

static struct bpf_link *attach(const struct bpf_program *program)
{
	struct bpf_link *link;
	int event;

	if (bpf_program__type(program) != BPF_PROG_TYPE_TRACEPOINT)
		return bpf_program__attach_trace(program);
	event = perf_event_open_tracepoint(strrchr(bpf_program__section_name(program), '/') + 1);
	if (event < 0) {
		errno = -event;
		return NULL;
	}
	link = bpf_program__attach_perf_event(program, event);
	if (!link)
		close(event);
	return link;
}

int object_attach(struct object *object)
{
	struct bpf_program *program;
	__s64 missed;

	bpf_object__for_each_program(program, object->bpf) {
		struct bpf_link *link;

		if (!bpf_program__autoload(program))
			continue;
		if (object->link_count == MAX_PROGRAMS)
			return E2BIG;
		link = attach(program);
		if (!link)
			return errno;
		object->links[object->link_count++] = link;
	}
	/* Less than none if the last program has just been the first to see an event. */
	missed = (__s64)missed_by_all(object);
	object->misses.before = missed > 0 ? (__u64)missed : 0;
	return 0;
}

bool object_settle_misses(struct object *object)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return misses_look(&object->misses, missed_by_all(object),
			   (__u64)now.tv_sec * 1000000000 + (__u64)now.tv_nsec);
}

void object_detach(struct object *object)
{
	while (object->link_count)
		bpf_link__destroy(object->links[--object->link_count]);
}

void object_close(struct object *object)
{
	object_detach(object);
	while (object->ring_count)
		close(object->rings[--object->ring_count]);
	counters_close(&object->counters);
	bpf_object__close(object->bpf);
	drop_types(object);
	*object = (struct object){ 0 };
}
