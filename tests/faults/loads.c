// SPDX-License-Identifier: Apache-2.0
/* Loads that count themselves: what they print is how many processes there were, by waitpid().
 *
 *   loads forks COUNT               COUNT children, one after the other
 *   loads bomb COUNT [PROCS]        COUNT processes, or some less, that fork as long as they may, in
 *                                   the cgroup of PROCS (its cgroup.procs), which limits them
 *   loads reuse COUNT [threads]     COUNT children of which each has names, arguments and an end of
 *                                   its own; threads: the first thread ends before the process does.
 *                                   A line each: PID NUMBER STATUS
 *   loads end NUMBER [threads]      what a child of `reuse` executes
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long check(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		_exit(99);
	}
	return result;
}

static void one_fork(void)
{
	pid_t child = check(vfork(), "vfork");

	if (!child)
		_exit(7);
	check(waitpid(child, NULL, 0), "waitpid");
}

static void forks(int count)
{
	for (int i = 0; i < count; i++)
		one_fork();
	printf("%d\n", count);
}

struct counts {
	atomic_int left, forked;
};

/* One more process, if there may be. Returns as fork() does, -1 also if enough have been. */
static pid_t bomb_fork(struct counts *counts)
{
	pid_t child;

	errno = 0;
	if (atomic_fetch_sub(&counts->left, 1) <= 0)
		return -1;
	child = fork();
	if (child > 0)
		atomic_fetch_add(&counts->forked, 1);
	if (child < 0)
		atomic_fetch_add(&counts->left, 1);
	return child;
}

static void bomb(int count, const char *procs)
{
	struct counts *counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int waited = 0;
	pid_t child;

	if (counts == MAP_FAILED)
		check(-1, "mmap");
	if (procs) {
		int fd = check(open(procs, O_WRONLY), procs);

		check(write(fd, "0", 1), procs);
		close(fd);
	}
	check(prctl(PR_SET_CHILD_SUBREAPER, 1), "prctl"); /* orphans come to us */
	atomic_store(&counts->left, count);
	while ((child = bomb_fork(counts)) >= 0 || errno == EAGAIN) {
		if (!child) {
			while ((child = bomb_fork(counts)) >= 0)
				;
			_exit(getpid() % 256);
		}
		if (child < 0 && wait(NULL) > 0) /* there may be no more at a time */
			waited++;
	}
	while (wait(NULL) > 0)
		waited++;
	if (waited != atomic_load(&counts->forked))
		_exit(98);
	printf("%d\n", waited);
}

static void *end_process(void *number)
{
	long i = (long)number;

	if (i % 3 == 1)
		kill(getpid(), SIGTERM);
	if (i % 3 == 2)
		for (;;)
			pause();
	exit(i % 200);
}

/* Ends like no other: its name has the number, and so have its status and who sends a signal. */
static void end(long number, const char *threads)
{
	char name[24];
	pthread_t thread;

	snprintf(name, sizeof(name), "r%ld", number);
	check(prctl(PR_SET_NAME, name), "prctl");
	if (number % 3 == 2)
		check(write(STDOUT_FILENO, "!", 1), "write");
	if (!threads)
		end_process((void *)number);
	check(-pthread_create(&thread, NULL, end_process, (void *)number), "pthread_create");
	syscall(SYS_exit, 0); /* this thread alone */
}

static void reuse(const char *program, long count, char *threads)
{
	for (long i = 0; i < count; i++) {
		int ready[2], status;
		pid_t child;
		char number[24], byte;

		check(pipe(ready), "pipe");
		fflush(stdout);
		child = check(fork(), "fork");
		if (!child) {
			dup2(ready[1], STDOUT_FILENO);
			close(ready[0]);
			close(ready[1]);
			snprintf(number, sizeof(number), "%ld", i);
			if (i % 4 == 3)
				end(i, threads); /* without an exec */
			execl(program, program, "end", number, threads, NULL);
			check(-1, "execl");
		}
		close(ready[1]);
		if (i % 3 == 2) { /* from outside, once it has its name */
			check(read(ready[0], &byte, 1), "read");
			check(kill(child, SIGKILL), "kill");
		}
		close(ready[0]);
		check(waitpid(child, &status, 0), "waitpid");
		printf("%d %ld %d\n", child, i, status);
	}
}

int main(int argc, char **argv)
{
	long count = argc > 2 ? atol(argv[2]) : 0;

	if (argc > 2 && !strcmp(argv[1], "forks"))
		forks(count);
	else if (argc > 2 && !strcmp(argv[1], "bomb"))
		bomb(count, argv[3]);
	else if (argc > 2 && !strcmp(argv[1], "reuse"))
		reuse(argv[0], count, argv[3]);
	else if (argc > 2 && !strcmp(argv[1], "end"))
		end(count, argv[3]);
	else
		return 97;
	return 0;
}
