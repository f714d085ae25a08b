/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXITSNOOP_LINES_H
#define EXITSNOOP_LINES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* lines() of _native.pyi. */
PyObject *lines(PyObject *module, PyObject *args);

#endif
