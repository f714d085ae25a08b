/* SPDX-License-Identifier: Apache-2.0 */
/* Other programs and other processes: by exec, fork, vfork and posix_spawn(). */
#ifndef LIVES_PROGRAMS_H
#define LIVES_PROGRAMS_H

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../puppet.h"
#include "sizes.h"

static char self[PAGE]; /* the path of this program */

static void exec_it(void) /* "exec PATH ARG..." */
{
	check(execv(words[1], words + 1));
}

static void exec_deleted(void) /* the same, of a file that has no name any more */
{
	int fd = (int)check(open(words[1], O_RDONLY | O_CLOEXEC));

	check(unlink(words[1]));
	check(fexecve(fd, words + 1, environ));
}

static void exec_memfd(void) /* "exec_memfd NAME ARG...": this program, of no file */
{
	int from = (int)check(open(self, O_RDONLY | O_CLOEXEC)), to;
	char block[BLOCK];
	ssize_t bytes;

	to = (int)check(syscall(SYS_memfd_create, words[1], MFD_CLOEXEC));
	while ((bytes = check(read(from, block, sizeof(block)))))
		check(write(to, block, (size_t)bytes));
	check(fexecve(to, words + 1, environ));
}

/* The peak memory that the kernel reports for a child, in KiB. */
static void answer_for(pid_t pid)
{
	struct rusage usage;
	int status;

	check(wait4(pid, &status, 0, &usage));
	if (status)
		fail("the child");
	answer("%d %ld", pid, usage.ru_maxrss);
}

static void spawn_by_vfork(void) /* "vfork ARG...": this program, which quits */
{
	pid_t pid = vfork();

	if (!pid) {
		execv(self, words);
		_exit(98);
	}
	answer_for(pid);
}

static void spawn(void) /* the same by posix_spawn() */
{
	pid_t pid;

	if (posix_spawn(&pid, self, NULL, NULL, words, environ))
		fail("posix_spawn");
	answer_for(pid);
}

static void fork_one(void) /* a child that ends at once */
{
	pid_t pid = (pid_t)check(fork());

	if (!pid)
		_exit((int)number(1));
	answer_for(pid);
}

/* "descend COUNT": a child, its child and so on, which all wait; their PIDs, the child's first. */
static void descend(void)
{
	unsigned long count = number(1);
	int ends[2];
	pid_t pid;

	check(pipe(ends));
	for (unsigned long level = 1; level <= count; level++) {
		if (check(fork())) {
			if (level > 1)
				wait_forever();
			break;
		}
		pid = getpid();
		check(write(ends[1], &pid, sizeof(pid)));
		if (level == count)
			wait_forever();
	}
	for (; count; count--) {
		check(read(ends[0], &pid, sizeof(pid)));
		fprintf(answers, "%d ", pid);
	}
	close(ends[0]);
	close(ends[1]);
	answer("");
}

#endif
