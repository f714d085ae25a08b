/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that wait or end alone, and the wait for the end of the first of them. */
#ifndef ENDINGS_THREADS_H
#define ENDINGS_THREADS_H

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS 7

static void fail(const char *what)
{
	perror(what);
	exit(99);
}

static void thread_exit(int code) /* this thread alone: pthread_exit() does more */
{
	syscall(SYS_exit, code);
}

static void start_thread(void *(*body)(void *), long argument)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, body, (void *)argument))
		fail("pthread_create");
}

static void *wait_forever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void start_waiting_threads(void)
{
	for (int i = 0; i < THREADS; i++)
		start_thread(wait_forever, 0);
}

static void await_leader_death(void)
{
	char path[64], line[256] = "", *state;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", getpid());
	do {
		FILE *file = fopen(path, "r");

		if (!file || !fgets(line, sizeof(line), file))
			fail(path);
		fclose(file);
		state = strrchr(line, ')') + 2;
		sched_yield();
	} while (*state != 'Z');
}

#endif
