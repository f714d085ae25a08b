/* SPDX-License-Identifier: Apache-2.0
 *
 * A tracepoint as a perf event, which can have BPF programs that are never preempted: bpf/once.bpf.h.
 */
#ifndef EXITSNOOP_PERF_EVENT_H
#define EXITSNOOP_PERF_EVENT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Opens a tracepoint of the scheduler. Returns a descriptor, or the negative of an errno: tracefs may not
 * be mounted or readable, or perf_event_open() not be allowed.
 */
int perf_event_open_tracepoint(const char *name);

/* opens_tracepoint() of _native.pyi. */
PyObject *opens_tracepoint(PyObject *module, PyObject *name);

#endif
