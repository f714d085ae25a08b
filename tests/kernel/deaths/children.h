/* SPDX-License-Identifier: Apache-2.0 */
/* Children, which wait: "child COMMAND ..." does it before. */
#ifndef DEATHS_CHILDREN_H
#define DEATHS_CHILDREN_H

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../puppet.h"

static pid_t start_child(char *line, size_t size)
{
	int ends[2];
	FILE *told;
	pid_t pid;

	check(pipe(ends));
	pid = (pid_t)check(fork());
	if (!pid) {
		answers = fdopen(ends[1], "w");
		memmove(words, words + 1, sizeof(words) - sizeof(*words));
		do_command();
		wait_forever();
	}
	close(ends[1]);
	told = fdopen(ends[0], "r");
	if (!fgets(line, (int)size, told))
		fail("the child's answer");
	fclose(told);
	return pid;
}

static void child(void)
{
	char line[64];
	pid_t pid = start_child(line, sizeof(line));

	answer("%d %s", pid, strtok(line, "\n"));
}

static void wait_in_vfork(void) /* until the child ends: meanwhile it takes only SIGKILL */
{
	pid_t pid = vfork();

	if (!check(pid)) {
		check(prctl(PR_SET_PDEATHSIG, SIGKILL));
		answer("waiting");
		wait_forever();
	}
}

static void *start_child_and_end(void *pid)
{
	char line[64];

	*(pid_t *)pid = start_child(line, sizeof(line));
	return NULL;
}

static void child_of_thread(void) /* of one that has ended when this answers */
{
	pthread_t thread;
	pid_t pid = 0;

	if (pthread_create(&thread, NULL, start_child_and_end, &pid))
		fail("pthread_create");
	pthread_join(thread, NULL);
	answer("%d", pid);
}

static void spawn(void)
{
	for (unsigned long left = number(1); left; left--) {
		pid_t pid = (pid_t)check(fork());

		if (!pid)
			wait_forever();
		fprintf(answers, "%d ", pid);
	}
	answer("");
}

static void reap(void)
{
	for (unsigned long left = number(1); left; left--) {
		int status;
		pid_t pid = (pid_t)check(wait(&status));

		fprintf(answers, "%d %d ", pid, status);
	}
	answer("");
}

static void stopped_child(void) /* in a process group of its own */
{
	int status;
	pid_t pid = (pid_t)check(fork());

	if (!pid) {
		setpgid(0, 0);
		raise(SIGSTOP);
		wait_forever();
	}
	check(waitpid(pid, &status, WUNTRACED));
	answer("%d", pid);
}

static void wait_for_end(void)
{
	answer("waiting");
	wait_forever();
}

static void die_with_parent(void)
{
	check(prctl(PR_SET_PDEATHSIG, number(1)));
	answer("%d", getppid());
}

#endif
