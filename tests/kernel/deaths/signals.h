/* SPDX-License-Identifier: Apache-2.0 */
/* Signals to others, "send HOW TARGET SIGNAL", and to itself; and those of a tracer. */
#ifndef DEATHS_SIGNALS_H
#define DEATHS_SIGNALS_H

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../puppet.h"

static void queue(pid_t pid, int signal, int code)
{
	siginfo_t info = { .si_signo = signal, .si_code = code };

	/* What it claims of its sender is wrong on purpose. */
	info.si_pid = 1;
	info.si_uid = 4242;
	check(syscall(SYS_rt_sigqueueinfo, pid, signal, &info));
}

static void send_as(const char *how, pid_t target, int signal)
{
	if (!strcmp(how, "kill"))
		check(kill(target, signal));
	else if (!strcmp(how, "group"))
		check(kill(-target, signal));
	else if (!strcmp(how, "tgkill"))
		check(syscall(SYS_tgkill, target, target, signal));
	else if (!strcmp(how, "tkill"))
		check(syscall(SYS_tkill, target, signal));
	else if (!strcmp(how, "sigqueue"))
		queue(target, signal, SI_QUEUE);
	else if (!strcmp(how, "forged_timer"))
		queue(target, signal, SI_TIMER);
	else if (!strcmp(how, "forged_kernel")) /* to itself alone */
		queue(target, signal, SI_KERNEL);
	else if (!strcmp(how, "pidfd"))
		check(syscall(SYS_pidfd_send_signal, check(syscall(SYS_pidfd_open, target, 0)),
			      signal, NULL, 0));
	else
		fail(how);
}

static void send_signal(void)
{
	send_as(words[1], (pid_t)number(2), (int)number(3));
	answer("sent");
}

static void send_to_each(void) /* "send_to_each SIGNAL PID..."; some may be gone, all are zombies */
{
	for (int i = 2; words[i]; i++)
		kill((pid_t)number(i), (int)number(1));
	answer("sent");
}

static void flood(void) /* "flood COUNT PID SIGNAL" */
{
	for (unsigned long left = number(1); left; left--)
		check(kill((pid_t)number(2), (int)number(3)));
	answer("sent");
}

static void signal_itself(void) /* "signal_itself HOW SIGNAL" */
{
	answer("%d", getpid());
	if (is(1, "raise"))
		raise((int)number(2));
	else
		send_as(words[1], getpid(), (int)number(2));
}

static void trace_until_end(void) /* the tracee dies with its tracer */
{
	check(ptrace(PTRACE_SEIZE, number(1), NULL, PTRACE_O_EXITKILL));
	answer("seized");
}

/* A signal that nobody sent, in the place of one that does nothing. */
static void inject(void)
{
	pid_t pid = (pid_t)number(1);
	int status;

	check(ptrace(PTRACE_SEIZE, pid, NULL, 0L));
	check(kill(pid, SIGURG));
	check(waitpid(pid, &status, __WALL));
	check(ptrace(PTRACE_CONT, pid, NULL, number(2)));
	check(waitpid(pid, &status, __WALL)); /* its parent may wait for it after us */
	answer("%d", status);
}

#endif
