/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXITSNOOP_SESSION_H
#define EXITSNOOP_SESSION_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Adds Session and SessionError to the module; returns -1, with an exception, if it fails. */
int add_session(PyObject *module);

#endif
