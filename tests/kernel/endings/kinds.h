/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of endings: how the child is started, and what it does. */
#ifndef ENDINGS_KINDS_H
#define ENDINGS_KINDS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ends.h"
#include "starts.h"

enum argument { CODE, SIGNAL, ANY };

static const struct kind {
	const char *name;
	pid_t (*start)(ending end, int argument);
	ending end;
	enum argument argument;
} kinds[] = {
	{ "exit", by_fork, end_exit, CODE },
	{ "signal", by_fork, end_signal, SIGNAL },
	{ "signal_core", by_fork, end_signal_core, SIGNAL },
	{ "exit_group_by_thread", by_fork, end_exit_group_by_thread, CODE },
	{ "leader_first", by_fork, end_leader_first, CODE },
	{ "leader_first_raw", by_fork, end_leader_first_raw, CODE },
	{ "leader_first_signal", by_fork, end_leader_first_signal, SIGNAL },
	{ "all_raw", by_fork, end_all_raw, CODE },
	{ "exec", by_fork, end_exec, CODE },
	{ "exec_by_thread", by_fork, end_exec_by_thread, CODE },
	{ "exec_after_leader", by_fork, end_exec_after_leader, CODE },
	{ "crash_in_thread", by_fork, end_crash_in_thread, ANY },
	{ "abort_in_thread", by_fork, end_abort_in_thread, ANY },
	{ "exit_race", by_fork, end_exit_race, CODE },
	{ "vfork", by_vfork, end_exit, CODE },
	{ "clone_without_signal", by_clone_without_signal, end_exit, CODE },
	{ "double_fork", by_double_fork, end_exit, CODE },
	{ "double_fork_signal", by_double_fork, end_signal, SIGNAL },
	{ "killed_with_threads", killed_with_threads, NULL, SIGNAL },
	{ "ptrace", by_ptrace, end_exit, CODE },
	{ "ptrace_signal", by_ptrace, end_signal, SIGNAL },
};

#define KINDS ((int)(sizeof(kinds) / sizeof(*kinds)))

static const struct kind *kind_named(const char *name)
{
	for (int i = 0; i < KINDS; i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	fprintf(stderr, "endings: no kind %s\n", name);
	exit(97);
}

#endif
