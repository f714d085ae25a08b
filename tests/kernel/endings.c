// SPDX-License-Identifier: Apache-2.0
/* Ends processes in every way there is, and says what waitpid() told of each: the truth that the
 * tracer's records are compared with.
 *
 *   endings run KIND ARG            one ending
 *   endings storm COUNT SEED        COUNT endings of all kinds, some at a time
 *   endings burst PROCESSES THREADS all of them at once, every thread calling exit_group()
 *   endings crash PROCESSES THREADS the same, every thread causing a core dump
 *   endings serve                   a child a line of input ("KIND ARG"), until end of file
 *   endings kinds                   the names of the kinds
 *   endings vforks COUNT            as fast as it goes; prints only how many were waited for
 *   endings execs COUNT PAUSE_US    so often: a pause, a child that exits with 1, one that execs `exit N`
 *   endings hang                    has threads and waits for ever; prints PID and a TID
 *   endings threads COUNT           starts and joins COUNT threads; prints nothing
 *   endings name NAME               is called NAME when it exits
 *   endings exit CODE               exits (for those who exec)
 *
 * Output, a line each: PID PPID STATUS STARTED_NS REAPED_NS KIND ARG; times on the boot clock, taken
 * before the process was created and after it was waited for.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "endings/kinds.h"
#include "endings/loads.h"
#include "endings/reaper.h"
#include "endings/storms.h"

static void *tell_tid(void *unused)
{
	printf("%d %ld\n", getpid(), syscall(SYS_gettid));
	fflush(stdout);
	return wait_forever(unused);
}

static int serve(void)
{
	char name[64];
	int argument;

	while (scanf("%63s %d", name, &argument) == 2) {
		start(kind_named(name), argument);
		reap_rest();
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	if (!strcmp(mode, "exit"))
		return atoi(argv[2]);
	if (!strcmp(mode, "kinds")) {
		for (int i = 0; i < KINDS; i++)
			puts(kinds[i].name);
		return 0;
	}
	if (!strcmp(mode, "vforks"))
		return vforks(atoi(argv[2]));
	if (!strcmp(mode, "execs") && argc == 4)
		return execs(atoi(argv[2]), (useconds_t)atoi(argv[3]));
	if (!strcmp(mode, "threads"))
		return threads(atoi(argv[2]));
	if (!strcmp(mode, "hang")) {
		start_thread(tell_tid, 0);
		wait_forever(NULL);
	}
	if (!strcmp(mode, "name"))
		return prctl(PR_SET_NAME, argv[2]);
	program = realpath("/proc/self/exe", NULL);
	reaper = getpid();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	started = mmap(NULL, PIDS * sizeof(*started), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (started == MAP_FAILED)
		fail("mmap");
	if (!strcmp(mode, "run") && argc == 4) {
		start(kind_named(argv[2]), atoi(argv[3]));
		reap_rest();
		return 0;
	}
	if (!strcmp(mode, "storm") && argc == 4)
		return storm(atoi(argv[2]), (unsigned int)atoi(argv[3]));
	if (!strcmp(mode, "burst") && argc == 4)
		return burst(&at_once, exit_at_the_gate, atoi(argv[2]), atoi(argv[3]));
	if (!strcmp(mode, "crash") && argc == 4)
		return burst(&crashing, crash_at_the_gate, atoi(argv[2]), atoi(argv[3]));
	if (!strcmp(mode, "serve"))
		return serve();
	fprintf(stderr, "endings: see the top of its source\n");
	return 97;
}
