// SPDX-License-Identifier: Apache-2.0
/* A timer that the kernel cancels whenever somebody sets the wall clock. Python has timers of this kind
 * since 3.13.
 */
#include "clock_steps.h"

#include <errno.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* It must not expire: no clock is set to a time that late. The kernel's own numbers end in 2262. */
#define NEVER_S (INT64_MAX / 1000000000)

PyObject *clock_steps(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
	const struct itimerspec never = { .it_value.tv_sec = (time_t)NEVER_S };
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd < 0)
		return PyErr_SetFromErrno(PyExc_OSError);
	if (timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL)) {
		PyErr_SetFromErrno(PyExc_OSError);
		close(fd);
		return NULL;
	}
	return PyLong_FromLong(fd);
}
