// SPDX-License-Identifier: Apache-2.0
/* Many processes that end at the same moment, on one CPU if one is given. For each that ended, it prints
 * its PID and the status that waitpid gave.
 *
 *     strokes kill CPU COUNT       kill() to their process group
 *     strokes crash CPU COUNT      the same with SIGSEGV, without a core dump
 *     strokes exit CPU COUNT       each has four threads, which all call exit_group(7)
 *     strokes oom CPU COUNT DIR    one after another fills a cgroup that has a limit
 *     strokes cgroup DIR COUNT     cgroup.kill in this cgroup
 *     strokes flood COUNT          nobody's processes block all signals, and are sent 50 each; at the end
 *                                  of the input the last of them unblocks them
 *     strokes hold                 blocks all signals until the end of the input
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define NOBODY 65534

static int gate[2], ready[2]; /* children wait for the end of the first, and write to the second */

static void on_cpu(const char *cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(atoi(cpu), &set);
	check(!sched_setaffinity(0, sizeof(set), &set));
}

static void write_to(const char *directory, const char *file, const char *text)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	fd = open(path, O_WRONLY);
	check(fd >= 0 && write(fd, text, strlen(text)) > 0);
	close(fd);
}

static void wait_at_gate(void)
{
	char byte = 0;

	check(write(ready[1], &byte, 1) == 1);
	check(!read(gate[0], &byte, 1));
}

static void *leave(void *unused)
{
	(void)unused;
	wait_at_gate();
	_exit(7);
}

static void leave_with_threads(void)
{
	pthread_t thread;

	close(gate[1]);
	for (int i = 0; i < 3; i++)
		check(!pthread_create(&thread, NULL, leave, NULL));
	leave(NULL);
}

static pid_t *children;

/* Starts children, in a process group of their own if `group` is 0; each says so many times that it lives. */
static void start(int count, pid_t group, void (*live)(void), int readies)
{
	char byte;

	children = calloc((size_t)count, sizeof(*children));
	check(children && !pipe(gate) && !pipe(ready));
	for (int i = 0; i < count; i++) {
		children[i] = fork();
		check(children[i] >= 0);
		if (!children[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			live();
			_exit(0);
		}
		if (group >= 0)
			check(!setpgid(children[i], group ? group : (group = children[0])));
	}
	for (int i = 0; i < count * readies; i++)
		check(read(ready[0], &byte, 1) == 1);
}

static void wait_forever(void)
{
	close(gate[1]);
	wait_at_gate();
}

static void reap_one(pid_t pid)
{
	int status;

	check(waitpid(pid, &status, 0) == pid);
	printf("%d %d\n", pid, status);
}

static void reap(int count)
{
	for (int i = 0; i < count; i++)
		reap_one(children[i]);
}

static void grow(void)
{
	for (;;)
		memset(malloc(1 << 20), 1, 1 << 20);
}

static void out_of_memory(int count, const char *directory)
{
	for (int i = 0; i < count; i++) {
		pid_t pid = fork();

		check(pid >= 0);
		if (!pid) {
			write_to(directory, "cgroup.procs", "0");
			grow();
		}
		reap_one(pid);
	}
}

static void set_mask(void (*fill)(sigset_t *))
{
	sigset_t set;

	fill(&set);
	check(!sigprocmask(SIG_SETMASK, &set, NULL));
}

static void fill(sigset_t *set)
{
	sigfillset(set);
}

static void empty(sigset_t *set)
{
	sigemptyset(set);
}

static void block_and_wait(void)
{
	set_mask(fill);
	close(gate[1]);
	wait_at_gate();
	set_mask(empty);
}

/* Without what ends no process, and KILL, which does not wait. */
static int may_wait(int signal)
{
	return signal != SIGKILL && signal != SIGCHLD && signal != SIGURG && signal != SIGWINCH &&
	       signal != 32 && signal != 33 && /* the C library's, which cannot be blocked */
	       (signal < SIGCONT || signal > SIGTTOU);
}

static void until_input_ends(void)
{
	char byte;

	puts("ready");
	fflush(stdout);
	check(!read(STDIN_FILENO, &byte, 1));
}

static void flood(int count)
{
	check(!setresgid(NOBODY, NOBODY, NOBODY) && !setresuid(NOBODY, NOBODY, NOBODY));
	start(count, -1, block_and_wait, 1);
	for (int i = 0; i < count; i++)
		for (int signal = 1; signal <= SIGRTMAX; signal++)
			if (may_wait(signal))
				kill(children[i], signal);
	until_input_ends();
	for (int i = 0; i < count - 1; i++)
		kill(children[i], SIGKILL);
	for (int i = 0; i < count - 1; i++)
		reap_one(children[i]);
	close(gate[1]);
	reap_one(children[count - 1]);
}

static void hold(void)
{
	set_mask(fill);
	until_input_ends();
	set_mask(empty);
}

static void kill_group(int count, int signal)
{
	struct rlimit none = { 0, 0 };

	check(!setrlimit(RLIMIT_CORE, &none));
	start(count, 0, wait_forever, 1);
	kill(-children[0], signal);
	reap(count);
}

static void kill_cgroup(const char *directory, int count)
{
	char above[4096];

	snprintf(above, sizeof(above), "%s/..", directory);
	write_to(directory, "cgroup.procs", "0");
	start(count, -1, wait_forever, 1);
	write_to(above, "cgroup.procs", "0");
	write_to(directory, "cgroup.kill", "1");
	reap(count);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "hold")) {
		hold();
	} else if (!strcmp(what, "flood") && argc == 3) {
		flood(atoi(argv[2]));
	} else if (!strcmp(what, "cgroup") && argc == 4) {
		kill_cgroup(argv[2], atoi(argv[3]));
	} else if (argc >= 4) {
		int count = atoi(argv[3]);

		on_cpu(argv[2]);
		if (!strcmp(what, "kill")) {
			kill_group(count, SIGKILL);
		} else if (!strcmp(what, "crash")) {
			kill_group(count, SIGSEGV);
		} else if (!strcmp(what, "exit")) {
			start(count, -1, leave_with_threads, 4);
			close(gate[1]);
			reap(count);
		} else if (!strcmp(what, "oom") && argc == 5) {
			out_of_memory(count, argv[4]);
		}
	}
	return 0;
}
