// SPDX-License-Identifier: Apache-2.0
#include <stddef.h>

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <linux/types.h>

#include "bpf/event.h"
#include "layout.h"

struct field {
	const char *name;
	size_t offset;
	size_t size;
};

#define FIELD(type, name) { #name, offsetof(struct type, name), sizeof(((struct type *)0)->name) }

static const struct field exit_event[] = {
	FIELD(exit_event, boot_ns),	FIELD(exit_event, start_boot_ns),
	FIELD(exit_event, pid),		FIELD(exit_event, tid),
	FIELD(exit_event, ppid),	FIELD(exit_event, status),
	FIELD(exit_event, last_thread), FIELD(exit_event, wanted),
	FIELD(exit_event, comm),	{ NULL, 0, 0 },
};

static const struct field signal_evidence[] = {
	FIELD(signal_evidence, boot_ns),       FIELD(signal_evidence, kind),
	FIELD(signal_evidence, start_boot_ns), FIELD(signal_evidence, address),
	FIELD(signal_evidence, stack_start),   FIELD(signal_evidence, limit),
	FIELD(signal_evidence, pid),	       FIELD(signal_evidence, flags),
	FIELD(signal_evidence, si_code),       FIELD(signal_evidence, syscall),
	FIELD(signal_evidence, syscall_arch),  FIELD(signal_evidence, thread),
	FIELD(signal_evidence, sender_pid),    FIELD(signal_evidence, sender_ppid),
	FIELD(signal_evidence, sender_uid),    FIELD(signal_evidence, sender_args_bytes),
	FIELD(signal_evidence, sender_comm),   FIELD(signal_evidence, tty),
	FIELD(signal_evidence, sender_args),   { NULL, 0, 0 },
};

static const struct field oom_evidence[] = {
	FIELD(oom_evidence, boot_ns),
	FIELD(oom_evidence, kind),
	FIELD(oom_evidence, start_boot_ns),
	FIELD(oom_evidence, pid),
	FIELD(oom_evidence, cgroup_bytes),
	FIELD(oom_evidence, anon_pages),
	FIELD(oom_evidence, file_pages),
	FIELD(oom_evidence, shmem_pages),
	FIELD(oom_evidence, limit_pages),
	FIELD(oom_evidence, cgroup),
	{ NULL, 0, 0 },
};

static const struct field exit_context[] = {
	FIELD(exit_context, boot_ns),
	FIELD(exit_context, kind),
	FIELD(exit_context, start_boot_ns),
	FIELD(exit_context, user_ns),
	FIELD(exit_context, system_ns),
	FIELD(exit_context, run_ns),
	FIELD(exit_context, told_user_ns),
	FIELD(exit_context, told_system_ns),
	FIELD(exit_context, peak_pages),
	FIELD(exit_context, read_bytes),
	FIELD(exit_context, write_bytes),
	FIELD(exit_context, minor_faults),
	FIELD(exit_context, major_faults),
	FIELD(exit_context, voluntary_switches),
	FIELD(exit_context, involuntary_switches),
	FIELD(exit_context, exec_id),
	FIELD(exit_context, tid),
	FIELD(exit_context, flags),
	FIELD(exit_context, uid),
	FIELD(exit_context, nspid),
	FIELD(exit_context, cgroup_bytes),
	FIELD(exit_context, hostname_bytes),
	FIELD(exit_context, ancestors),
	FIELD(exit_context, more_ancestors),
	FIELD(exit_context, parent_comm),
	{ NULL, 0, 0 },
};

static const struct field exec_image[] = {
	FIELD(exec_image, boot_ns),
	FIELD(exec_image, kind),
	FIELD(exec_image, start_boot_ns),
	FIELD(exec_image, peak_pages),
	FIELD(exec_image, all_args_bytes),
	FIELD(exec_image, pid),
	FIELD(exec_image, flags),
	FIELD(exec_image, exe_bytes),
	FIELD(exec_image, args_bytes),
	FIELD(exec_image, exec_id),
	{ NULL, 0, 0 },
};

static const struct field forked[] = {
	FIELD(forked, boot_ns),	      FIELD(forked, kind),
	FIELD(forked, start_boot_ns), FIELD(forked, parent_start_boot_ns),
	FIELD(forked, exec_id),	      FIELD(forked, pid),
	FIELD(forked, parent_pid),    { NULL, 0, 0 },
};

static const struct field gone[] = {
	FIELD(gone, boot_ns), FIELD(gone, kind), FIELD(gone, start_boot_ns),
	FIELD(gone, pid),     { NULL, 0, 0 },
};

static int add_layout(PyObject *module, const char *name, const struct field *fields)
{
	PyObject *layout = PyList_New(0);
	int failed = !layout;

	for (const struct field *field = fields; !failed && field->name; field++) {
		PyObject *entry = Py_BuildValue("(skk)", field->name, (unsigned long)field->offset,
						(unsigned long)field->size);

		failed = !entry || PyList_Append(layout, entry);
		Py_XDECREF(entry);
	}
	failed = failed || PyModule_AddObjectRef(module, name, layout);
	Py_XDECREF(layout);
	return failed;
}

int add_layouts(PyObject *module)
{
	return add_layout(module, "EXIT_EVENT", exit_event) ||
	       add_layout(module, "SIGNAL_EVIDENCE", signal_evidence) ||
	       add_layout(module, "OOM_EVIDENCE", oom_evidence) ||
	       add_layout(module, "EXIT_CONTEXT", exit_context) ||
	       add_layout(module, "EXEC_IMAGE", exec_image) ||
	       add_layout(module, "FORKED", forked) || add_layout(module, "GONE", gone);
}
