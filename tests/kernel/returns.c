// SPDX-License-Identifier: Apache-2.0
/* A fault whose handler returned, or did not, some time before the end.
 *
 *     returns HANDLER END [thread]
 *
 * HANDLER: goes_on       jumps back to where the program goes on, with the mask of then
 *          looks_around  has a fault itself, which it survives, and stays
 *          has_others    other threads have such faults, and go on, while it stays
 *          stays
 * END: exit (with 3) or abort, 0.3 s after the fault. With "thread", a thread has the fault; if it goes on, it
 * leaves.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static const char *handler, *end;
static sigjmp_buf program, inner, other;
static __thread int is_other;
static volatile sig_atomic_t faults;

static void finish(void)
{
	struct timespec later = { .tv_nsec = 300000000 };

	while (nanosleep(&later, &later))
		;
	if (!strcmp(end, "abort"))
		abort();
	_exit(3);
}

static void *have_other_faults(void *unused)
{
	sigset_t own;

	is_other = 1;
	sigemptyset(&own);
	sigaddset(&own, SIGSEGV);
	check(!sigprocmask(SIG_UNBLOCK, &own, NULL));
	for (volatile int left = 3; left; left--)
		if (!sigsetjmp(other, 1))
			*(volatile int *)16 = 1;
	return unused;
}

static void had_fault(int signal)
{
	sigset_t own;
	pthread_t thread;

	if (is_other)
		siglongjmp(other, 1);
	if (faults++)
		siglongjmp(inner, 1);
	if (!strcmp(handler, "goes_on"))
		siglongjmp(program, 1);
	if (!strcmp(handler, "looks_around") && !sigsetjmp(inner, 1)) {
		sigemptyset(&own);
		sigaddset(&own, signal);
		check(!sigprocmask(SIG_UNBLOCK, &own, NULL));
		(void)*(volatile int *)4096;
	}
	for (int left = strcmp(handler, "has_others") ? 0 : 2; left; left--) {
		check(!pthread_create(&thread, NULL, have_other_faults, NULL));
		check(!pthread_join(thread, NULL));
	}
	finish();
}

static void *have_fault(void *unused)
{
	if (!sigsetjmp(program, 1))
		*(volatile int *)8 = 1;
	return unused;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = had_fault };
	pthread_t thread;

	check(argc >= 3);
	handler = argv[1];
	end = argv[2];
	sigfillset(&action.sa_mask);
	check(!sigaction(SIGSEGV, &action, NULL));
	if (argc > 3) {
		check(!pthread_create(&thread, NULL, have_fault, NULL));
		check(!pthread_join(thread, NULL));
	} else {
		have_fault(NULL);
	}
	finish();
}
