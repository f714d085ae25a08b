/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXITSNOOP_KERNEL_NAMES_H
#define EXITSNOOP_KERNEL_NAMES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* kernel_has_names() of _native.pyi. */
PyObject *kernel_has_names(PyObject *module, PyObject *names);

#endif
