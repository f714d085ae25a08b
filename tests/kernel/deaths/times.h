/* SPDX-License-Identifier: Apache-2.0 */
/* Timers that run out, and limits of CPU time. */
#ifndef DEATHS_TIMES_H
#define DEATHS_TIMES_H

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "../puppet.h"

static void spin(void)
{
	for (volatile int i = 0;; i++)
		;
}

/* Whoever is interrupted as the time is up must be known: another process, a child of ours, which has
 * our CPU for itself once we sleep. Realtime tasks may have it for 950 ms of a second; the child leaves
 * it to others for `pause_ms` before.
 */
static void leave_cpu_to_child(long pause_ms)
{
	struct timespec pause = { 0, pause_ms * 1000000 };
	struct sched_param higher = { .sched_priority = 2 }, lower = { .sched_priority = 1 };
	cpu_set_t here;
	pid_t parent = getpid();

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	check(sched_setaffinity(0, sizeof(here), &here));
	check(sched_setscheduler(0, SCHED_FIFO, &higher));
	if (check(fork()))
		return;
	check(prctl(PR_SET_PDEATHSIG, SIGKILL));
	if (getppid() != parent)
		_exit(0);
	nanosleep(&pause, NULL);
	check(sched_setscheduler(0, SCHED_FIFO, &lower));
	spin();
}

/* "time_out alarm|real|virtual|prof|posix SIGNAL [MS [CLOCK [BEFORE]]]": again each MS, if not 0; BEFORE others
 * of timer_create() are set first.
 */
static void time_out(void)
{
	long ms = words[3] ? number(3) : 0;
	struct itimerval soon = { { ms / 1000, ms % 1000 * 1000 }, { 0, 1000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = (int)number(2) };
	struct itimerspec once = { { ms / 1000, ms % 1000 * 1000000 }, { 0, 1000000 } };
	clockid_t clock = CLOCK_MONOTONIC;
	timer_t timer;

	if (words[3] && words[4]) {
		clock = (clockid_t)number(4);
		for (long i = words[5] ? number(5) : 0; i > 0; i--)
			check(timer_create(CLOCK_BOOTTIME, &event, &timer));
	}
	answer("waiting");
	if (is(1, "virtual") || is(1, "prof")) { /* the time of our own work */
		check(setitimer(is(1, "prof") ? ITIMER_PROF : ITIMER_VIRTUAL, &soon, NULL));
		spin();
	}
	if (clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID) {
		check(timer_create(clock, &event, &timer));
		check(timer_settime(timer, 0, &once, NULL));
		spin();
	}
	leave_cpu_to_child(is(1, "alarm") ? 700 : 0);
	if (is(1, "alarm")) {
		alarm(1);
	} else if (is(1, "real")) {
		check(setitimer(ITIMER_REAL, &soon, NULL));
	} else {
		check(timer_create(clock, &event, &timer));
		check(timer_settime(timer, 0, &once, NULL));
	}
	wait_forever();
}

static void use_cpu(void) /* "use_cpu SOFT HARD", seconds */
{
	struct rlimit limit = { number(1), number(2) };

	check(setrlimit(RLIMIT_CPU, &limit));
	answer("spinning");
	spin();
}

/* "use_realtime SOFT HARD", microseconds without sleep; the limit of CPU time is far away. */
static void use_realtime(void)
{
	struct rlimit limit = { number(1), number(2) }, far = { 10000, 10000 };
	struct sched_param first = { .sched_priority = 1 };

	check(setrlimit(RLIMIT_CPU, &far));
	check(setrlimit(RLIMIT_RTTIME, &limit));
	answer("spinning");
	check(sched_setscheduler(0, SCHED_FIFO, &first));
	spin();
}

#endif
