/* SPDX-License-Identifier: Apache-2.0 */
/* Starts children, waits for all of them, and prints a line for each. */
#ifndef ENDINGS_REAPER_H
#define ENDINGS_REAPER_H

#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include "kinds.h"

#define PIDS 4194304

static struct started {
	long long at;
	const struct kind *kind;
	int argument;
} *started; /* by PID */

static int children;

static long long boot_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void start(const struct kind *kind, int argument)
{
	long long now = boot_clock();
	pid_t pid;

	fflush(stdout);
	pid = kind->start(kind->end, argument);
	started[pid] = (struct started){ now, kind, argument };
	children++;
}

static void reap_one(void)
{
	static long long orphan_maker_started;
	int status;
	pid_t pid = waitpid(-1, &status, __WALL);

	if (pid < 0)
		fail("waitpid");
	if (WIFSTOPPED(status))
		return;
	if (!started[pid].kind) { /* the middle one of a double fork */
		printf("%d %d %d %lld %lld middle 0\n", pid, reaper, status, orphan_maker_started,
		       boot_clock());
		return;
	}
	printf("%d %d %d %lld %lld %s %d\n", pid, reaper, status, started[pid].at, boot_clock(),
	       started[pid].kind->name, started[pid].argument);
	started[pid].kind = NULL;
	children--;
}

static void reap_rest(void)
{
	while (children)
		reap_one();
	while (waitpid(-1, NULL, __WALL | WNOHANG) == 0)
		reap_one();
	fflush(stdout);
}

#endif
