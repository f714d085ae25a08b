/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXITSNOOP_MEMORY_H
#define EXITSNOOP_MEMORY_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* return_memory() of _native.pyi. */
PyObject *return_memory(PyObject *module, PyObject *none);

#endif
