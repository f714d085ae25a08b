// SPDX-License-Identifier: Apache-2.0
/* Whether names are in the kernel's BTF. kernel/features.py knows what they mean. */
#include "kernel_names.h"

#include <errno.h>

#include "kernel_btf.h"

static PyObject *found(const struct kernel_btf *kernel, PyObject *names)
{
	Py_ssize_t count = PyTuple_Size(names);
	PyObject *answers = count < 0 ? NULL : PyTuple_New(count);

	for (Py_ssize_t i = 0; answers && i < count; i++) {
		const char *name = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(names, i), NULL);

		if (!name || PyTuple_SetItem(answers, i,
					     PyBool_FromLong(kernel_btf_has_name(kernel, name)))) {
			Py_DECREF(answers);
			return NULL;
		}
	}
	return answers;
}

PyObject *kernel_has_names(PyObject *Py_UNUSED(module), PyObject *names)
{
	struct kernel_btf kernel;
	PyObject *answers;

	errno = kernel_btf_open(&kernel);
	if (errno)
		return PyErr_SetFromErrno(PyExc_OSError);
	answers = found(&kernel, names);
	kernel_btf_close(&kernel);
	return answers;
}
