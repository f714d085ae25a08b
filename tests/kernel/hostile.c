// SPDX-License-Identifier: Apache-2.0
/* A family whose every name is somebody's choice, for test_hostile.py:
 *
 *   hostile HOSTNAME CGROUP PARENT VICTIM SENDER WORD...
 *
 * moves to the cgroup (its file cgroup.procs) and to a host name of its own, is called PARENT, and
 * forks VICTIM, which overwrites its arguments, and SENDER, which ends VICTIM by SIGTERM. Prints their
 * PIDs and statuses: "PARENT VICTIM STATUS SENDER STATUS".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static long check(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(99);
	}
	return result;
}

static void join(const char *cgroup)
{
	int fd = check(open(cgroup, O_WRONLY), cgroup);

	check(write(fd, "0", 1), cgroup);
	close(fd);
}

int main(int argc, char **argv)
{
	char *end = argv[argc - 1] + strlen(argv[argc - 1]);
	int ready[2], victim_status, sender_status;
	pid_t victim, sender;
	char byte;

	if (argc < 6)
		return 98;
	check(unshare(CLONE_NEWUTS), "unshare");
	check(sethostname(argv[1], strlen(argv[1])), "sethostname");
	join(argv[2]);
	check(prctl(PR_SET_NAME, argv[3]), "prctl");
	check(pipe(ready), "pipe");
	victim = check(fork(), "fork");
	if (!victim) {
		check(prctl(PR_SET_NAME, argv[4]), "prctl");
		memset(argv[0], '\033', (size_t)(end - argv[0])); /* as setproctitle() does */
		check(write(ready[1], "!", 1), "write");
		for (;;)
			pause();
	}
	check(read(ready[0], &byte, 1), "read");
	sender = check(fork(), "fork");
	if (!sender) {
		check(prctl(PR_SET_NAME, argv[5]), "prctl");
		check(kill(victim, SIGTERM), "kill");
		_exit(7);
	}
	check(waitpid(victim, &victim_status, 0), "waitpid");
	check(waitpid(sender, &sender_status, 0), "waitpid");
	printf("%d %d %d %d %d\n", getpid(), victim, victim_status, sender, sender_status);
	return 3;
}
