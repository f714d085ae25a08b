/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXITSNOOP_LAYOUT_H
#define EXITSNOOP_LAYOUT_H

#include <Python.h>

/* Adds EXIT_EVENT, SIGNAL_EVIDENCE and OOM_EVIDENCE to the module: event.h as the compiler lays it out,
 * for the test that compares it with the Python side. Returns 0, or not with an exception set.
 */
int add_layouts(PyObject *module);

#endif
