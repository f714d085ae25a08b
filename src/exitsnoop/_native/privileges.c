// SPDX-License-Identifier: Apache-2.0
/* Gives up the privileges of this process for good. Python decides which capabilities it keeps. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/capability.h>
#include <linux/types.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "privileges.h"

/* Without CAP_SETPCAP the bounding set stays as it is: no_new_privs forbids what it bounds. */
static int empty_bounding_set(void)
{
	for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) && errno != EPERM)
			return -1;
	return 0;
}

static int keep_only(__u64 kept)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data))
		return -1;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted &= (__u32)(kept >> 32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return (int)syscall(SYS_capset, &header, data);
}

/* The order matters: as soon as we have no more capabilities than another process of our user, it may
 * trace us, so we must not be dumpable by then; and emptying the bounding set needs a capability.
 */
static int drop(__u64 kept)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || empty_bounding_set() ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) || keep_only(kept))
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

PyObject *drop_privileges(PyObject *Py_UNUSED(module), PyObject *kept)
{
	__u64 mask = PyLong_AsUnsignedLongLong(kept);

	if (PyErr_Occurred())
		return NULL;
	if (drop(mask))
		return PyErr_SetFromErrno(PyExc_OSError);
	Py_RETURN_NONE;
}
