/* SPDX-License-Identifier: Apache-2.0 */
/* Loads of one kind that report next to nothing: by vfork(), exec and threads. */
#ifndef ENDINGS_LOADS_H
#define ENDINGS_LOADS_H

#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "starts.h"

static int vforks(int count)
{
	int waited = 0;

	for (int i = 0; i < count; i++) {
		pid_t pid = by_vfork(NULL, i & 1);

		waited += waitpid(pid, NULL, 0) == pid;
	}
	printf("%d\n", waited);
	return 0;
}

static int execs(int count, useconds_t pause_us)
{
	char number[16];

	for (int i = 1; i <= 2 * count; i++) {
		pid_t pid;

		if (i & 1 && pause_us)
			usleep(pause_us);
		snprintf(number, sizeof(number), "%d", i / 2);
		pid = fork();
		if (!pid && i & 1)
			_exit(1);
		if (!pid) {
			execl("/proc/self/exe", "endings", "exit", number, NULL);
			_exit(97);
		}
		if (waitpid(pid, NULL, 0) != pid)
			fail("waitpid");
	}
	return 0;
}

static void *do_nothing(void *unused)
{
	return unused;
}

static int threads(int count)
{
	for (int i = 0; i < count; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, do_nothing, NULL))
			fail("pthread_create");
		pthread_join(thread, NULL);
	}
	return 0;
}

#endif
