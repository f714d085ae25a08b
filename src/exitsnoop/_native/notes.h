/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXITSNOOP_NOTES_H
#define EXITSNOOP_NOTES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* take_notes() of _native.pyi. */
PyObject *take_notes(PyObject *module, PyObject *args);

#endif
