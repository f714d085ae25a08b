/* SPDX-License-Identifier: Apache-2.0 */
/* What the child does: each function ends the process in one way. */
#ifndef ENDINGS_ENDS_H
#define ENDINGS_ENDS_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../default_action.h"
#include "threads.h"

static const char *program; /* the path of this one, for those who exec */

static void allow_core(int allowed)
{
	struct rlimit limit = { allowed ? RLIM_INFINITY : 0, allowed ? RLIM_INFINITY : 0 };

	setrlimit(RLIMIT_CORE, &limit);
}

static void end_by_signal(int number)
{
	unsigned long none = 0;

	set_default_action(number);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
	syscall(SYS_kill, getpid(), number);
	wait_forever(NULL);
}

static void end_exit(int code)
{
	_exit(code);
}

static void end_signal(int number)
{
	allow_core(0);
	end_by_signal(number);
}

static void end_signal_core(int number)
{
	allow_core(1);
	end_by_signal(number);
}

static void *exit_group_in_thread(void *code)
{
	_exit((long)code);
}

static void end_exit_group_by_thread(int code)
{
	start_waiting_threads();
	start_thread(exit_group_in_thread, code);
	wait_forever(NULL);
}

static void *exit_group_after_leader(void *code)
{
	await_leader_death();
	_exit((long)code);
}

static void end_leader_first(int code)
{
	start_thread(exit_group_after_leader, code);
	thread_exit(code ^ 0xff);
}

static void *raw_exit_after_leader(void *code)
{
	await_leader_death();
	thread_exit((long)code);
	return NULL;
}

static void end_leader_first_raw(int code)
{
	start_thread(raw_exit_after_leader, code);
	thread_exit(code ^ 0xff);
}

static void *signal_after_leader(void *number)
{
	await_leader_death();
	end_by_signal((long)number);
	return NULL;
}

static void end_leader_first_signal(int number)
{
	start_waiting_threads();
	start_thread(signal_after_leader, number);
	thread_exit(0);
}

static void *raw_exit(void *code)
{
	thread_exit((long)code);
	return NULL;
}

static void end_all_raw(int code)
{
	for (int i = 0; i < THREADS; i++)
		start_thread(raw_exit, code + i);
	thread_exit(code ^ 0xff);
}

static void *exec_exit(void *code)
{
	char text[16];

	snprintf(text, sizeof(text), "%ld", (long)code);
	execl(program, "endings", "exit", text, (char *)NULL);
	fail("execl");
	return NULL;
}

static void end_exec(int code)
{
	exec_exit((void *)(long)code);
}

static void end_exec_by_thread(int code)
{
	start_waiting_threads();
	start_thread(exec_exit, code);
	wait_forever(NULL);
}

static void *exec_after_leader(void *code)
{
	await_leader_death();
	return exec_exit(code);
}

static void end_exec_after_leader(int code)
{
	start_waiting_threads();
	start_thread(exec_after_leader, code);
	thread_exit(3);
}

static void *crash(void *unused)
{
	(void)unused;
	*(volatile int *)0 = 1;
	return NULL;
}

static void end_crash_in_thread(int core)
{
	allow_core(core & 1);
	start_waiting_threads();
	start_thread(crash, 0);
	wait_forever(NULL);
}

static void *abort_in_thread(void *unused)
{
	(void)unused;
	abort();
}

static void end_abort_in_thread(int core)
{
	allow_core(core & 1);
	start_waiting_threads();
	start_thread(abort_in_thread, 0);
	wait_forever(NULL);
}

static void end_exit_race(int code) /* several threads call exit_group(), one wins */
{
	for (int i = 0; i < THREADS; i++)
		start_thread(exit_group_in_thread, code + i);
	_exit(code ^ 0xff);
}

#endif
