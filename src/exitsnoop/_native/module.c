// SPDX-License-Identifier: Apache-2.0
/* The extension module: what Python may call. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "clock_steps.h"
#include "kernel_names.h"
#include "lines.h"
#include "memory.h"
#include "notes.h"
#include "perf_event.h"
#include "privileges.h"
#include "session.h"

static PyMethodDef native_functions[] = {
	{ "clock_steps", clock_steps, METH_NOARGS, NULL },
	{ "drop_privileges", drop_privileges, METH_O, NULL },
	{ "kernel_has_names", kernel_has_names, METH_O, NULL },
	{ "lines", lines, METH_VARARGS, NULL },
	{ "opens_tracepoint", opens_tracepoint, METH_O, NULL },
	{ "return_memory", return_memory, METH_NOARGS, NULL },
	{ "take_notes", take_notes, METH_VARARGS, NULL },
	{ NULL },
};

static PyModuleDef_Slot native_slots[] = { { Py_mod_exec, add_session }, { 0, NULL } };

static struct PyModuleDef native_module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "exitsnoop._native",
	.m_methods = native_functions,
	.m_slots = native_slots,
};

PyMODINIT_FUNC PyInit__native(void)
{
	return PyModuleDef_Init(&native_module);
}
