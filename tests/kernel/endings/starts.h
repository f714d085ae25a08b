/* SPDX-License-Identifier: Apache-2.0 */
/* How the child is started: each function returns its PID, or that of the one that ends as told. */
#ifndef ENDINGS_STARTS_H
#define ENDINGS_STARTS_H

#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../default_action.h"
#include "threads.h"

static pid_t reaper; /* adopts orphans, waits for all */

typedef void (*ending)(int);

static pid_t by_fork(ending end, int argument)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (!pid) {
		end(argument);
		_exit(98);
	}
	return pid;
}

static pid_t by_vfork(ending end, int argument)
{
	pid_t pid = vfork();

	if (pid < 0)
		fail("vfork");
	if (!pid)
		_exit(argument);
	(void)end;
	return pid;
}

static pid_t by_clone_without_signal(ending end, int argument)
{
	pid_t pid = (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0);

	if (pid < 0)
		fail("clone");
	if (!pid) {
		end(argument);
		_exit(98);
	}
	return pid;
}

static pid_t by_double_fork(ending end, int argument)
{
	int ends[2];
	pid_t orphan;

	if (pipe(ends))
		fail("pipe");
	if (!fork()) {
		pid_t pid = fork();

		if (!pid) {
			while (getppid() != reaper)
				sched_yield();
			end(argument);
		}
		if (write(ends[1], &pid, sizeof(pid)) != sizeof(pid))
			fail("write");
		_exit(0);
	}
	if (read(ends[0], &orphan, sizeof(orphan)) != sizeof(orphan))
		fail("read");
	close(ends[0]);
	close(ends[1]);
	return orphan;
}

static pid_t killed_with_threads(ending end, int argument)
{
	int ends[2];
	char ready;
	pid_t pid;

	(void)end;
	if (pipe(ends))
		fail("pipe");
	pid = fork();
	if (!pid) {
		start_waiting_threads();
		set_default_action(argument);
		if (write(ends[1], "", 1) != 1)
			fail("write");
		wait_forever(NULL);
	}
	if (read(ends[0], &ready, 1) != 1)
		fail("read");
	close(ends[0]);
	close(ends[1]);
	kill(pid, argument);
	return pid;
}

/* Traced to its end, PTRACE_EVENT_EXIT included; what it is sent is passed on. */
static pid_t by_ptrace(ending end, int argument)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		end(argument);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		fail("waitpid of a tracee");
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACEEXIT);
	ptrace(PTRACE_CONT, pid, NULL, 0L);
	for (;;) {
		siginfo_t info;

		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WSTOPPED | WNOWAIT))
			fail("waitid of a tracee");
		if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED)
			return pid; /* it ended; the reaper takes it */
		waitpid(pid, &status, 0);
		ptrace(PTRACE_CONT, pid, NULL, status >> 16 ? 0L : (long)WSTOPSIG(status));
	}
}

#endif
