/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DEFAULT_ACTION_H
#define DEFAULT_ACTION_H

#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* By system call: glibc keeps 32 and 33 to itself. It handles 33 once there are threads, and lets
 * posix_spawn() ignore both, so that what `make` starts has them ignored.
 */
static inline void set_default_action(int number)
{
	struct {
		void *handler;
		unsigned long flags;
		void *restorer;
		unsigned long mask;
	} action = { SIG_DFL, 0, NULL, 0 };

	syscall(SYS_rt_sigaction, number, &action, NULL, sizeof(action.mask));
}

#endif
