// SPDX-License-Identifier: Apache-2.0
/* What the C library does with memory that was freed. */
#include "memory.h"

#include <stdlib.h> /* says which C library it is */

#ifdef __GLIBC__
#include <malloc.h>
#endif

PyObject *return_memory(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
	Py_RETURN_NONE;
}
