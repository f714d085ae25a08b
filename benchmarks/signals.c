/* SPDX-License-Identifier: MIT
 *
 * signals KIND COUNT: handles COUNT signals, and writes how much CPU time one of them took, in ns: the least
 * of ROUNDS. KIND is "faults" (SIGSEGV, as a JVM takes them for null checks), "writes" (to a pipe that nobody
 * reads, with SIGPIPE ignored), or the number of a signal that the process sends to itself by tgkill, as Go does
 * with SIGURG.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 7

static sigjmp_buf back;
static volatile long handled;

static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static void on_signal(int signal)
{
	(void)signal;
	handled++;
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

static void take_faults(long count)
{
	volatile char *nothing = mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile long left = count;

	sigsetjmp(back, 0);
	while (left-- > 0)
		*nothing = 1;
	munmap((void *)nothing, 1);
}

static int write_to_nobody(long count)
{
	int ends[2], failed = 0;

	if (pipe(ends) || close(ends[0]) || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return 1;
	for (long left = count; left > 0; left--)
		failed |= write(ends[1], "", 1) != -1;
	close(ends[1]);
	return failed;
}

static void send(int number, long count)
{
	long pid = getpid(), tid = syscall(SYS_gettid);

	for (long left = count; left > 0; left--)
		syscall(SYS_tgkill, pid, tid, number);
}

int main(int argc, char **argv)
{
	int number = argc > 2 ? atoi(argv[1]) : 0;
	long count = argc > 2 ? atol(argv[2]) : 0;
	struct sigaction action = { .sa_handler = number ? on_signal : on_fault,
				    .sa_flags = SA_NODEFER };
	int writes = argc > 2 && !strcmp(argv[1], "writes"), failed = 0;
	double least = 0;

	if (count < 1 || sigaction(number ? number : SIGSEGV, &action, NULL))
		return 2;
	for (int round = 0; round < ROUNDS; round++) {
		double start = now_ns(), each;

		if (writes)
			failed |= write_to_nobody(count);
		else if (number)
			send(number, count);
		else
			take_faults(count);
		each = (now_ns() - start) / count;
		if (!round || each < least)
			least = each;
	}
	printf("%.1f\n", least);
	return failed || (number && handled != ROUNDS * count);
}
