// SPDX-License-Identifier: Apache-2.0
/* Notes -> what takes them. Of contexts, forks and execs there is often one of each for every exit: they are
 * taken here.
 */
#include "notes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bpf/event.h"

#define KIND_AT offsetof(struct note_head, kind)

/* What decode/images.py calls Running: the image, earlier_peak_pages, exec_id. */
enum { IMAGE, EARLIER_PEAK, EXEC_ID, RUNNING };

/* What is needed to take forks and execs. */
struct images {
	PyObject *running; /* what runs, by process; None: they are given to others */
	PyObject *
		image; /* makes an Image of its path, its arguments, and how long all of them are */
	PyObject *path;	   /* makes a path of the names in it */
	unsigned int most; /* bytes of path and arguments; an exec with more is given to others */
};

static PyObject *process(uint32_t pid, uint64_t start_boot_ns)
{
	return Py_BuildValue("(IK)", (unsigned int)pid, (unsigned long long)start_boot_ns);
}

/* What a process runs, as it is in the dictionary; NULL without an exception if it is not in there. */
static PyObject *found(PyObject *running, uint32_t pid, uint64_t start_boot_ns)
{
	PyObject *key = process(pid, start_boot_ns), *value = NULL;

	if (key)
		value = PyDict_GetItemWithError(running, key);
	Py_XDECREF(key);
	return value;
}

/* Whether the exec that an image is of is the last one, or may be. */
static bool is_last(PyObject *of_exec, uint64_t exec_id)
{
	return of_exec == Py_None || PyLong_AsUnsignedLongLong(of_exec) == exec_id;
}

/* Note what a process runs that another one has forked; returns false without an exception if it is unknown. */
static bool take_fork(const struct forked *forked, PyObject *running)
{
	PyObject *above = found(running, forked->parent_pid, forked->parent_start_boot_ns);
	PyObject *image = Py_None, *key, *value;
	bool is_done = false;

	if (!above || !PyTuple_Check(above) || PyTuple_Size(above) != RUNNING)
		return false;
	if (is_last(PyTuple_GetItem(above, EXEC_ID), forked->exec_id))
		image = PyTuple_GetItem(above, IMAGE);
	if (PyErr_Occurred())
		return false;
	key = process(forked->pid, forked->start_boot_ns);
	value = Py_BuildValue("(OiK)", image, 0, (unsigned long long)forked->exec_id);
	if (key && value)
		is_done = PyDict_SetItem(running, key, value) == 0;
	Py_XDECREF(key);
	Py_XDECREF(value);
	return is_done;
}

/* Note what a process runs since an exec; returns false without an exception if that is for others. */
static bool take_exec(const char *bytes, Py_ssize_t size, const struct images *images)
{
	PyObject *exe = NULL, *args = NULL, *image = NULL, *key = NULL, *value = NULL;
	const Py_ssize_t head = offsetof(struct exec_image, parts);
	bool is_done = false;
	struct exec_image exec;

	if (size < head || size > head + (Py_ssize_t)images->most)
		return false;
	memcpy(&exec, bytes, head);
	if ((uint64_t)exec.exe_bytes + exec.args_bytes != (uint64_t)(size - head))
		return false;
	bytes += head;
	exe = PyObject_CallFunction(images->path, "y#", bytes, (Py_ssize_t)exec.exe_bytes);
	if (exec.flags & IMAGE_ARGS_UNREAD)
		args = Py_BuildValue("");
	else
		args = PyBytes_FromStringAndSize(bytes + exec.exe_bytes, exec.args_bytes);
	if (exe && args)
		image = PyObject_CallFunction(images->image, "OOK", exe, args,
					      (unsigned long long)exec.all_args_bytes);
	if (image) {
		key = process(exec.pid, exec.start_boot_ns);
		value = Py_BuildValue("(OKK)", image, (unsigned long long)exec.peak_pages,
				      (unsigned long long)exec.exec_id);
	}
	if (key && value)
		is_done = PyDict_SetItem(images->running, key, value) == 0;
	Py_XDECREF(exe);
	Py_XDECREF(args);
	Py_XDECREF(image);
	Py_XDECREF(key);
	Py_XDECREF(value);
	return is_done;
}

static bool give(PyObject *taker, PyObject *note)
{
	PyObject *result = PyObject_CallFunctionObjArgs(taker, note, NULL);

	Py_XDECREF(result);
	return result;
}

static bool take_note(PyObject *note, PyObject *takes, PyObject *otherwise, PyObject *contexts,
		      const struct images *images)
{
	PyObject *kind_bytes, *taker;
	struct forked forked;
	Py_ssize_t size;
	uint64_t kind;
	char *bytes;
	bool is_done;

	if (PyBytes_AsStringAndSize(note, &bytes, &size))
		return false;
	if (size < (Py_ssize_t)sizeof(struct note_head))
		return give(otherwise, note);
	memcpy(&kind, bytes + KIND_AT, sizeof(kind));
	if (kind == EXIT_CONTEXT)
		return PyList_Append(contexts, note) == 0;
	if (images->running != Py_None) {
		if (kind == FORKED && size == sizeof(forked)) {
			memcpy(&forked, bytes, sizeof(forked));
			is_done = take_fork(&forked, images->running);
		} else {
			is_done = kind == EXEC_IMAGE && take_exec(bytes, size, images);
		}
		if (is_done || PyErr_Occurred())
			return is_done;
	}
	kind_bytes = PyBytes_FromStringAndSize(bytes + KIND_AT, sizeof(kind));
	if (!kind_bytes)
		return false;
	taker = PyDict_GetItemWithError(takes, kind_bytes);
	is_done = !PyErr_Occurred() && give(taker ? taker : otherwise, note);
	Py_DECREF(kind_bytes);
	return is_done;
}

PyObject *take_notes(PyObject *Py_UNUSED(module), PyObject *args)
{
	PyObject *notes, *takes, *otherwise, *contexts;
	struct images images;

	if (!PyArg_ParseTuple(args, "O!O!OO!(OOOI):take_notes", &PyList_Type, &notes, &PyDict_Type,
			      &takes, &otherwise, &PyList_Type, &contexts, &images.running,
			      &images.image, &images.path, &images.most))
		return NULL;
	if (images.running != Py_None && !PyDict_Check(images.running))
		return PyErr_Format(PyExc_TypeError, "running is no dict");
	for (Py_ssize_t i = 0; i < PyList_Size(notes); i++) {
		PyObject *note = PyList_GetItem(notes, i);
		bool is_taken;

		Py_INCREF(note);
		is_taken = take_note(note, takes, otherwise, contexts, &images);
		Py_DECREF(note);
		if (!is_taken)
			return NULL;
	}
	Py_RETURN_NONE;
}
