/* SPDX-License-Identifier: Apache-2.0 */
/* Many endings: some at a time, or all at once. */
#ifndef ENDINGS_STORMS_H
#define ENDINGS_STORMS_H

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "reaper.h"

#define AT_A_TIME 12

static int ends_a_process(int number)
{
	switch (number) {
	case SIGCHLD:
	case SIGCONT:
	case SIGURG:
	case SIGWINCH:
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return 0;
	}
	return number >= 1 && number <= 64;
}

static int pick_argument(enum argument argument, unsigned int *seed)
{
	int number;

	if (argument != SIGNAL)
		return (int)(rand_r(seed) & 0xff);
	do
		number = (int)(rand_r(seed) % 64) + 1;
	while (!ends_a_process(number));
	return number;
}

static int storm(int count, unsigned int seed)
{
	for (int i = 0; i < count; i++) {
		const struct kind *kind = &kinds[i % KINDS];

		while (children >= AT_A_TIME)
			reap_one();
		start(kind, pick_argument(kind->argument, &seed));
	}
	reap_rest();
	return 0;
}

static int gate[2]; /* a pipe: closed means open */

static void *exit_at_the_gate(void *code)
{
	char byte;

	if (read(gate[0], &byte, 1))
		fail("read");
	_exit((long)code);
}

static void *crash_at_the_gate(void *unused)
{
	char byte;

	if (read(gate[0], &byte, 1))
		fail("read");
	abort();
	return unused;
}

static const struct kind at_once = { "burst", NULL, NULL, CODE };
static const struct kind crashing = { "crash", NULL, NULL, CODE };

static int burst(const struct kind *kind, void *(*at_the_gate)(void *), int processes, int threads)
{
	int ready[2];
	char byte;

	allow_core(1);
	if (pipe(gate) || pipe(ready))
		fail("pipe");
	for (int i = 0; i < processes; i++) {
		long long now = boot_clock();
		pid_t pid = fork();

		if (!pid) {
			close(gate[1]);
			for (int t = 1; t < threads; t++)
				start_thread(at_the_gate, (i + t) & 0xff);
			if (write(ready[1], "", 1) != 1)
				fail("write");
			at_the_gate((void *)(long)(i & 0xff));
		}
		started[pid] = (struct started){ now, kind, threads };
		children++;
	}
	for (int i = 0; i < processes; i++)
		if (read(ready[0], &byte, 1) != 1)
			fail("read");
	close(gate[1]);
	reap_rest();
	return 0;
}

#endif
