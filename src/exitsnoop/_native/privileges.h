/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXITSNOOP_PRIVILEGES_H
#define EXITSNOOP_PRIVILEGES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* drop_privileges() of _native.pyi. */
PyObject *drop_privileges(PyObject *module, PyObject *kept);

#endif
