// SPDX-License-Identifier: Apache-2.0
/* Session: loads and attaches exit.bpf.c, moves its records to Python in order of time.
 * It knows bytes and libbpf. Python decides what to trace, and what a record means.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/types.h>

#include "object.h"
#include "reader.h"
#include "session.h"

typedef struct {
	PyObject_HEAD
	struct object object;
	struct reader reader;
} Session;

/* The messages of libbpf while it loads, with the verifier's log. The end matters most, so it is kept. */
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

/* Opens, loads and attaches. Returns 0; -1 with an exception set; or an errno, with the step that failed
 * in *step.
 */
static int start(Session *self, const struct plan *plan, const char **step)
{
	struct object *object = &self->object;
	int error;

	*step = "open";
	error = object_open(object, plan);
	if (error)
		return error;
	*step = "types";
	Py_BEGIN_ALLOW_THREADS
	error = object_read_types(object);
	Py_END_ALLOW_THREADS
	if (error)
		return error;
	*step = "load";
	error = object_make_rings(object, plan);
	if (error)
		return error;
	Py_BEGIN_ALLOW_THREADS
	error = object_load(object);
	Py_END_ALLOW_THREADS
	if (error)
		return error;
	*step = "filter";
	error = object_fill(object, plan);
	if (error)
		return error;
	*step = "map";
	for (int i = 0; i < object->ring_count; i++) {
		struct ring ring;

		error = ring_open(&ring, object->rings[i], plan->ring_bytes);
		if (error)
			return error;
		reader_add(&self->reader, &ring);
	}
	*step = "attach";
	return object_attach(object);
}

static void stop(Session *self)
{
	reader_close(&self->reader);
	object_close(&self->object);
}

static int Session_init(Session *self, PyObject *args, PyObject *kwargs)
{
	static char *names[] = { "variant",    "tunables",   "programs", "maps",
				 "ring_bytes", "ring_nodes", NULL };
	const char *step = NULL;
	struct plan plan;
	int error;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "sO!O!O!IO!", names, &plan.variant,
					 &PyDict_Type, &plan.tunables, &PyTuple_Type,
					 &plan.programs, &PyDict_Type, &plan.maps, &plan.ring_bytes,
					 &PyTuple_Type, &plan.ring_nodes))
		return -1;
	if (self->object.bpf) {
		PyErr_SetString(PyExc_RuntimeError, "a session opens once");
		return -1;
	}
	libbpf_log.length = 0;
	error = start(self, &plan, &step);
	if (!error)
		return 0;
	stop(self);
	return error < 0 ? -1 : raise_refusal(Py_TYPE(self), step, error);
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
	if (self->object.bpf)
		return 0;
	PyErr_SetString(PyExc_ValueError, "the session is closed");
	return -1;
}

static PyObject *Session_filenos(Session *self, PyObject *Py_UNUSED(none))
{
	PyObject *filenos;

	if (require_open(self))
		return NULL;
	filenos = PyTuple_New(self->object.ring_count);
	for (int i = 0; filenos && i < self->object.ring_count; i++)
		PyTuple_SetItem(filenos, i, PyLong_FromLong(self->object.rings[i]));
	return filenos;
}

/* Takes the notes that are due with the first `count` exits. */
static PyObject *take_notes(struct reader *reader, size_t count)
{
	PyObject *notes = PyList_New(0);
	const struct note *note;

	while (notes && (note = reader_note(reader, count))) {
		PyObject *bytes = PyBytes_FromStringAndSize(note->bytes, (Py_ssize_t)note->size);

		if (!bytes || PyList_Append(notes, bytes)) {
			Py_XDECREF(bytes);
			Py_DECREF(notes);
			return NULL;
		}
		Py_DECREF(bytes);
		reader_drop_note(reader);
	}
	return notes;
}

static PyObject *Session_drain(Session *self, PyObject *args)
{
	struct reader *reader = &self->reader;
	PyObject *exits, *notes;
	unsigned long most;
	size_t count;

	if (!PyArg_ParseTuple(args, "k", &most) || require_open(self))
		return NULL;
	count = reader_read(reader, most);
	if (count == READER_NO_MEMORY)
		return PyErr_NoMemory();
	if (count == READER_BAD_RECORD) {
		PyErr_SetString(PyExc_ValueError, "malformed record from the BPF program");
		return NULL;
	}
	exits = PyBytes_FromStringAndSize((const char *)reader_exits(reader),
					  (Py_ssize_t)(count * sizeof(struct exit_event)));
	notes = exits ? take_notes(reader, count) : NULL;
	if (!notes) {
		Py_XDECREF(exits);
		return NULL;
	}
	reader_drop_exits(reader, count);
	if (reader_is_done(reader))
		reader->presses = false;
	return Py_BuildValue("(NNN)", exits, notes, PyBool_FromLong(reader_is_done(reader)));
}

static PyObject *Session_look(Session *self, PyObject *Py_UNUSED(none))
{
	size_t bytes;

	if (require_open(self))
		return NULL;
	bytes = reader_look(&self->reader);
	return Py_BuildValue("(nN)", (Py_ssize_t)bytes, PyBool_FromLong(self->reader.presses));
}

static PyObject *Session_settle(Session *self, PyObject *Py_UNUSED(none))
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	if (require_open(self))
		return NULL;
	while (self->object.bpf && !object_settle_misses(&self->object)) {
		Py_BEGIN_ALLOW_THREADS /* another thread may close the session */
		nanosleep(&pause, NULL);
		Py_END_ALLOW_THREADS
	}
	Py_RETURN_NONE;
}

static PyObject *Session_lost(Session *self, PyObject *Py_UNUSED(none))
{
	if (require_open(self))
		return NULL;
	object_settle_misses(&self->object);
	return Py_BuildValue("KK",
			     counters_get(&self->object.counters, LOST) +
				     counters_get(&self->object.counters, UNTRACKED) +
				     self->object.misses.settled,
			     counters_get(&self->object.counters, UNDECIDED));
}

static int require_tree(Session *self)
{
	if (require_open(self))
		return -1;
	if (self->object.counters.at[TREE_MEMBERS] &&
	    bpf_object__find_map_fd_by_name(self->object.bpf, "tree") >= 0)
		return 0;
	PyErr_SetString(PyExc_ValueError, "no tree was planned");
	return -1;
}

static PyObject *Session_join_tree(Session *self, PyObject *args)
{
	Py_ssize_t pid_size, start_size;
	char *pid, *start;
	int error;

	if (!PyArg_ParseTuple(args, "y#y#", &pid, &pid_size, &start, &start_size) ||
	    require_tree(self))
		return NULL;
	error = object_join_tree(&self->object, pid, (size_t)pid_size, start, (size_t)start_size);
	if (error && error != EEXIST) {
		raise_refusal(Py_TYPE(self), "filter", error);
		return NULL;
	}
	return PyBool_FromLong(!error);
}

static PyObject *Session_leave_tree(Session *self, PyObject *args)
{
	Py_ssize_t pid_size;
	char *pid;

	if (!PyArg_ParseTuple(args, "y#", &pid, &pid_size) || require_tree(self))
		return NULL;
	object_leave_tree(&self->object, pid, (size_t)pid_size);
	Py_RETURN_NONE;
}

static PyObject *Session_tree_members(Session *self, PyObject *Py_UNUSED(none))
{
	if (require_tree(self))
		return NULL;
	return PyLong_FromUnsignedLongLong(counters_get(&self->object.counters, TREE_MEMBERS));
}

static PyObject *Session_signals_recorded(Session *self, PyObject *Py_UNUSED(none))
{
	if (require_open(self))
		return NULL;
	return PyLong_FromUnsignedLongLong(counters_get(&self->object.counters, SIGNALS_RECORDED));
}

static PyObject *Session_detach(Session *self, PyObject *Py_UNUSED(none))
{
	if (require_open(self))
		return NULL;
	object_detach(&self->object);
	Py_RETURN_NONE;
}

static PyObject *Session_close(Session *self, PyObject *Py_UNUSED(none))
{
	stop(self);
	Py_RETURN_NONE;
}

static PyMethodDef session_methods[] = {
	{ "filenos", (PyCFunction)Session_filenos, METH_NOARGS, NULL },
	{ "drain", (PyCFunction)Session_drain, METH_VARARGS, NULL },
	{ "look", (PyCFunction)Session_look, METH_NOARGS, NULL },
	{ "lost", (PyCFunction)Session_lost, METH_NOARGS, NULL },
	{ "settle", (PyCFunction)Session_settle, METH_NOARGS, NULL },
	{ "join_tree", (PyCFunction)Session_join_tree, METH_VARARGS, NULL },
	{ "leave_tree", (PyCFunction)Session_leave_tree, METH_VARARGS, NULL },
	{ "tree_members", (PyCFunction)Session_tree_members, METH_NOARGS, NULL },
	{ "signals_recorded", (PyCFunction)Session_signals_recorded, METH_NOARGS, NULL },
	{ "detach", (PyCFunction)Session_detach, METH_NOARGS, NULL },
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

static int register_programs(void)
{
	errno = object_register();
	if (!errno)
		return 0;
	PyErr_SetFromErrno(PyExc_OSError);
	return -1;
}

int add_session(PyObject *module)
{
	PyObject *type = PyType_FromModuleAndSpec(module, &session_spec, NULL);
	PyObject *error = PyErr_NewException("exitsnoop._native.SessionError", NULL, NULL);
	int failed = !type || !error || PyModule_AddObjectRef(module, "Session", type) ||
		     PyModule_AddObjectRef(module, "SessionError", error) || register_programs();

	Py_XDECREF(type);
	Py_XDECREF(error);
	libbpf_set_print(keep_log);
	return failed ? -1 : 0;
}
