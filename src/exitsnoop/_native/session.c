// SPDX-License-Identifier: Apache-2.0
/* The extension module: loads and attaches exit.bpf.c, moves its records to Python in order of time.
 * It knows bytes and libbpf. What a record means, what to trace and why is decided in Python.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/types.h>

#include "exit.skel.h"
#include "layout.h"
#include "ring.h"

typedef struct {
	PyObject_HEAD
	struct exit_bpf *skeleton;
	struct ring ring;
} Session;

/* What libbpf says while it loads, the verifier's log included; the end of it matters most. */
static _Thread_local struct {
	char text[4096];
	size_t length;
} libbpf_log;

static int keep_log(enum libbpf_print_level level, const char *format, va_list args)
{
	const size_t size = sizeof(libbpf_log.text);
	char *message, *end;
	size_t length, kept;
	int written;

	if (level == LIBBPF_DEBUG)
		return 0;
	written = vasprintf(&message, format, args); /* with a verifier's log, very long */
	if (written < 0)
		return 0;
	length = (size_t)written < size ? (size_t)written : size;
	end = message + written - length;
	kept = libbpf_log.length + length > size ? size - length : libbpf_log.length;
	memmove(libbpf_log.text, libbpf_log.text + libbpf_log.length - kept, kept);
	memcpy(libbpf_log.text + kept, end, length);
	libbpf_log.length = kept + length;
	free(message);
	return 0;
}

static PyObject *session_error(PyTypeObject *type)
{
	PyObject *module = PyType_GetModule(type);

	return module ? PyObject_GetAttrString(module, "SessionError") : NULL;
}

/* Raises SessionError(step, errno, log). Returns -1, so that callers can return it. */
static int raise_refusal(PyTypeObject *type, const char *step, int error)
{
	PyObject *exception = session_error(type);
	PyObject *log = PyUnicode_DecodeUTF8(libbpf_log.text, (Py_ssize_t)libbpf_log.length,
					     "replace");
	PyObject *args = exception && log ? Py_BuildValue("siO", step, error, log) : NULL;

	if (args)
		PyErr_SetObject(exception, args);
	Py_XDECREF(args);
	Py_XDECREF(log);
	Py_XDECREF(exception);
	return -1;
}

struct tunables {
	int failed;
	int per_thread;
	int preemptible;
	int why;
	const char *statuses; /* signal_set and code_set of exit.bpf.c, or nothing */
	Py_ssize_t statuses_bytes;
	unsigned int ring_bytes;
	__u32 *pids;
	unsigned int pid_count;
};

static void apply_tunables(struct exit_bpf *skeleton, const struct tunables *tunables)
{
	skeleton->rodata->failed = tunables->failed;
	skeleton->rodata->per_thread = tunables->per_thread;
	skeleton->rodata->only_pids = tunables->pid_count > 0;
	skeleton->rodata->preemptible = tunables->preemptible;
	skeleton->rodata->why = tunables->why;
	if (tunables->statuses_bytes) {
		skeleton->rodata->only_statuses = true;
		memcpy(&skeleton->rodata->signal_set, tunables->statuses, 8);
		memcpy(&skeleton->rodata->code_set, tunables->statuses + 8, 32);
	}
	bpf_program__set_autoload(skeleton->progs.on_signal, tunables->why);
	bpf_map__set_autocreate(skeleton->maps.signals, tunables->why);
	bpf_map__set_autocreate(skeleton->maps.oom_kills, tunables->why);
	bpf_map__set_autocreate(skeleton->maps.oom_scratch, tunables->why);
	bpf_program__set_autoload(skeleton->progs.on_exit_if_missed_1, tunables->preemptible);
	bpf_program__set_autoload(skeleton->progs.on_exit_if_missed_2, tunables->preemptible);
	bpf_program__set_autoload(skeleton->progs.on_exit_if_missed_3, tunables->preemptible);
	bpf_map__set_max_entries(skeleton->maps.exits, tunables->ring_bytes);
	if (tunables->pid_count)
		bpf_map__set_max_entries(skeleton->maps.pids, tunables->pid_count);
	else
		bpf_map__set_autocreate(skeleton->maps.pids, false);
}

static int fill_pids(struct exit_bpf *skeleton, const struct tunables *tunables)
{
	const __u64 unknown_start = 0;

	for (unsigned int i = 0; i < tunables->pid_count; i++) {
		int error = bpf_map__update_elem(skeleton->maps.pids, &tunables->pids[i],
						 sizeof(__u32), &unknown_start,
						 sizeof(unknown_start), BPF_ANY);
		if (error)
			return error;
	}
	return 0;
}

/* Opens, loads and attaches. On failure returns the errno and says at which step. */
static int start(Session *self, const struct tunables *tunables, const char **step)
{
	int error;

	*step = "open";
	self->skeleton = exit_bpf__open();
	if (!self->skeleton)
		return errno;
	apply_tunables(self->skeleton, tunables);
	*step = "load";
	error = exit_bpf__load(self->skeleton);
	if (error)
		return -error;
	*step = "filter";
	error = fill_pids(self->skeleton, tunables);
	if (error)
		return -error;
	*step = "map";
	error = ring_open(&self->ring, bpf_map__fd(self->skeleton->maps.exits),
			  tunables->ring_bytes);
	if (error)
		return error;
	*step = "attach";
	return -exit_bpf__attach(self->skeleton);
}

static void stop(Session *self)
{
	ring_close(&self->ring);
	exit_bpf__destroy(self->skeleton);
	self->skeleton = NULL;
}

/* Reads a sequence of ints into memory of PyMem_Malloc. Returns -1 with an exception set. */
static int read_pids(PyObject *sequence, struct tunables *tunables)
{
	Py_ssize_t count = PySequence_Size(sequence);

	if (count < 0)
		return -1;
	tunables->pids = PyMem_Malloc((size_t)count * sizeof(*tunables->pids) + 1);
	if (!tunables->pids) {
		PyErr_NoMemory();
		return -1;
	}
	for (Py_ssize_t i = 0; i < count; i++) {
		PyObject *item = PySequence_GetItem(sequence, i);
		unsigned long pid = item ? PyLong_AsUnsignedLong(item) : 0;

		Py_XDECREF(item);
		if (PyErr_Occurred())
			return -1;
		tunables->pids[i] = (__u32)pid;
	}
	tunables->pid_count = (unsigned int)count;
	return 0;
}

static int Session_init(Session *self, PyObject *args, PyObject *kwargs)
{
	static char *names[] = { "failed", "per_thread", "why",	       "preemptible",
				 "pids",   "statuses",	 "ring_bytes", NULL };
	struct tunables tunables = { 0 };
	const char *step = NULL;
	PyObject *pids;
	int error;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "ppppOy#I", names, &tunables.failed,
					 &tunables.per_thread, &tunables.why, &tunables.preemptible,
					 &pids, &tunables.statuses, &tunables.statuses_bytes,
					 &tunables.ring_bytes))
		return -1;
	if (tunables.statuses_bytes && tunables.statuses_bytes != 40) {
		PyErr_SetString(PyExc_ValueError, "statuses are 40 bytes, or none");
		return -1;
	}
	if (self->skeleton) {
		PyErr_SetString(PyExc_RuntimeError, "a session opens once");
		return -1;
	}
	if (read_pids(pids, &tunables)) {
		PyMem_Free(tunables.pids);
		return -1;
	}
	libbpf_log.length = 0;
	Py_BEGIN_ALLOW_THREADS
	error = start(self, &tunables, &step);
	if (error)
		stop(self);
	Py_END_ALLOW_THREADS
	PyMem_Free(tunables.pids);
	return error ? raise_refusal(Py_TYPE(self), step, error) : 0;
}

static void Session_dealloc(Session *self)
{
	PyTypeObject *type = Py_TYPE(self);
	freefunc free_object = (freefunc)PyType_GetSlot(type, Py_tp_free);

	stop(self);
	free_object(self);
	Py_DECREF(type);
}

static int require_open(Session *self)
{
	if (self->skeleton)
		return 0;
	PyErr_SetString(PyExc_ValueError, "the session is closed");
	return -1;
}

static PyObject *Session_fileno(Session *self, PyObject *Py_UNUSED(none))
{
	if (require_open(self))
		return NULL;
	return PyLong_FromLong(bpf_map__fd(self->skeleton->maps.exits));
}

static PyObject *Session_drain(Session *self, PyObject *Py_UNUSED(none))
{
	PyObject *exits, *evidence;
	size_t count;

	if (require_open(self))
		return NULL;
	count = ring_read(&self->ring);
	if (count == RING_NO_MEMORY)
		return PyErr_NoMemory();
	exits = PyBytes_FromStringAndSize((const char *)self->ring.staged,
					  (Py_ssize_t)(count * sizeof(*self->ring.staged)));
	evidence = PyBytes_FromStringAndSize(self->ring.evidence,
					     (Py_ssize_t)self->ring.evidence_bytes);
	if (!exits || !evidence) {
		Py_XDECREF(exits);
		Py_XDECREF(evidence);
		return NULL;
	}
	ring_release(&self->ring, count);
	return Py_BuildValue("(NNN)", exits, evidence, PyBool_FromLong(self->ring.complete));
}

/* How many events no program saw, at most: one that all missed counts in each of them. Counted since
 * Linux kernel commit 9ed9e9ba2337 ("bpf: Count the number of times recursion was prevented") (in
 * v5.12); programs of raw tracepoints are guarded, so can miss, since v6.1.
 */
static __u64 missed_by_all(const struct exit_bpf *skeleton)
{
	__u64 missed = ~0ULL;
	struct bpf_program *program;

	bpf_object__for_each_program(program, skeleton->obj) {
		struct bpf_prog_info info = { 0 };
		__u32 size = sizeof(info);

		if (!bpf_program__autoload(program) || program == skeleton->progs.on_signal)
			continue;
		if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
			return 0;
		if (info.recursion_misses < missed)
			missed = info.recursion_misses;
	}
	return missed;
}

static PyObject *Session_lost(Session *self, PyObject *Py_UNUSED(none))
{
	__u64 lost;

	if (require_open(self))
		return NULL;
	lost = __atomic_load_n(&self->skeleton->bss->lost, __ATOMIC_RELAXED);
	return PyLong_FromUnsignedLongLong(lost + missed_by_all(self->skeleton));
}

static PyObject *Session_signals_recorded(Session *self, PyObject *Py_UNUSED(none))
{
	if (require_open(self))
		return NULL;
	return PyLong_FromUnsignedLongLong(
		__atomic_load_n(&self->skeleton->bss->signals_recorded, __ATOMIC_RELAXED));
}

static PyObject *Session_close(Session *self, PyObject *Py_UNUSED(none))
{
	stop(self);
	Py_RETURN_NONE;
}

static PyMethodDef session_methods[] = {
	{ "fileno", (PyCFunction)Session_fileno, METH_NOARGS, NULL },
	{ "drain", (PyCFunction)Session_drain, METH_NOARGS, NULL },
	{ "lost", (PyCFunction)Session_lost, METH_NOARGS, NULL },
	{ "signals_recorded", (PyCFunction)Session_signals_recorded, METH_NOARGS, NULL },
	{ "close", (PyCFunction)Session_close, METH_NOARGS, NULL },
	{ NULL },
};

static PyType_Slot session_slots[] = {
	{ Py_tp_init, Session_init },
	{ Py_tp_dealloc, Session_dealloc },
	{ Py_tp_methods, session_methods },
	{ 0, NULL },
};

static PyType_Spec session_spec = {
	.name = "exitsnoop._native.Session",
	.basicsize = sizeof(Session),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = session_slots,
};

static int native_exec(PyObject *module)
{
	PyObject *type = PyType_FromModuleAndSpec(module, &session_spec, NULL);
	PyObject *error = PyErr_NewException("exitsnoop._native.SessionError", NULL, NULL);
	int failed = !type || !error || PyModule_AddObjectRef(module, "Session", type) ||
		     PyModule_AddObjectRef(module, "SessionError", error) || add_layouts(module);

	Py_XDECREF(type);
	Py_XDECREF(error);
	libbpf_set_print(keep_log);
	return failed ? -1 : 0;
}

static PyModuleDef_Slot native_slots[] = {
	{ Py_mod_exec, native_exec },
	{ 0, NULL },
};

static struct PyModuleDef native_module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "exitsnoop._native",
	.m_slots = native_slots,
};

PyMODINIT_FUNC PyInit__native(void)
{
	return PyModuleDef_Init(&native_module);
}
