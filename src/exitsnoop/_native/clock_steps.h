/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXITSNOOP_CLOCK_STEPS_H
#define EXITSNOOP_CLOCK_STEPS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* clock_steps() of _native.pyi. */
PyObject *clock_steps(PyObject *module, PyObject *none);

#endif
