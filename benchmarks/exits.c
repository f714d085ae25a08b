/* The load: processes or threads that end as fast as they can be started, or at a given rate.
 *
 *   exits processes COUNT CPU...   on each of the CPUs COUNT processes (vfork, _exit)
 *   exits threads COUNT CPU...     on each of the CPUs COUNT threads
 *   exits deaths COUNT CPU         COUNT processes that a signal ends: faults, abort(), kills by others
 *   exits paced COUNT RATE         COUNT processes, RATE a second
 *
 * `processes`, `threads` and `deaths` call themselves "storm". What they print: nanoseconds an exit took, from start to start, the mean of
 * the CPUs; and how many processes, or threads, ended in all, this one and those that led the others
 * included. What `paced` prints: for each process its PID, and the time (CLOCK_BOOTTIME, nanoseconds)
 * at which its parent heard of its end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHORT_SLEEPS 1000 /* a second */
#define AT_A_TIME 64	  /* threads; a thread that ends makes no room before it is joined */

static void fail(const char *what)
{
	fprintf(stderr, "exits: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_BOOTTIME, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static pid_t end_a_process(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(0);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		fail("vfork");
	return pid;
}

static void end_processes(int count)
{
	while (count--)
		end_a_process();
}

/* One killed by its parent, then one by a process of its own, one that aborts, one that faults. */
static void end_by_signal(int number)
{
	static const struct rlimit no_core;
	pid_t killer, pid = fork();

	if (pid < 0)
		fail("fork");
	if (!pid) {
		setrlimit(RLIMIT_CORE, &no_core);
		if (number % 4 == 2)
			abort();
		if (number % 4 == 3)
			*(volatile char *)(long)(number << 4) = 1;
		pause();
		_exit(0);
	}
	if (number % 4 == 0)
		kill(pid, number % 8 ? SIGTERM : SIGKILL);
	if (number % 4 == 1) {
		killer = fork();
		if (!killer) {
			kill(pid, SIGTERM);
			_exit(0);
		}
		if (killer < 0 || waitpid(killer, NULL, 0) != killer)
			fail("fork");
	}
	if (waitpid(pid, NULL, 0) != pid)
		fail("waitpid");
}

static void end_by_signals(int count)
{
	while (count--)
		end_by_signal(count);
}

static void *do_nothing(void *nothing)
{
	return nothing;
}

static void end_threads(int count)
{
	pthread_t threads[AT_A_TIME];
	pthread_attr_t small; /* stacks that are kept, not mapped anew for each */

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10);
	while (count > 0) {
		int some = count < AT_A_TIME ? count : AT_A_TIME;

		for (int i = 0; i < some; i++)
			if (pthread_create(&threads[i], &small, do_nothing, NULL))
				fail("pthread_create");
		for (int i = 0; i < some; i++)
			pthread_join(threads[i], NULL);
		count -= some;
	}
}

static void stay_on(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		fail("sched_setaffinity");
}

/* All begin when the pipe is closed, so at once. */
static int on_each(void (*end)(int), int count, char **cpus, int cpu_count)
{
	int gate[2], times[2];
	long long took, sum = 0;
	char byte;

	prctl(PR_SET_NAME, "storm");
	if (pipe(gate) || pipe(times))
		fail("pipe");
	for (int i = 0; i < cpu_count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork");
		if (pid)
			continue;
		close(gate[1]);
		stay_on(atoi(cpus[i]));
		if (read(gate[0], &byte, 1))
			fail("read");
		took = now();
		end(count);
		took = now() - took;
		if (write(times[1], &took, sizeof(took)) != sizeof(took))
			fail("write");
		_exit(0);
	}
	close(gate[1]);
	for (int i = 0; i < cpu_count; i++) {
		if (read(times[0], &took, sizeof(took)) != sizeof(took))
			fail("read");
		sum += took;
	}
	while (wait(NULL) > 0)
		;
	printf("%lld %d\n", sum / cpu_count / count, count * cpu_count + cpu_count + 1);
	return 0;
}

/* To wake up takes longer than the pause between exits of a high rate: then several follow a sleep. */
static void sleep_until(long long due, int rate)
{
	struct timespec until;

	if (rate > SHORT_SLEEPS) {
		if (due <= now())
			return;
		due += 1000000;
	}
	until = (struct timespec){ due / 1000000000, due % 1000000000 };
	clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, NULL);
}

static int paced(int count, int rate)
{
	long long start = now();

	for (int i = 0; i < count; i++) {
		long long due = start + i * 1000000000LL / rate;
		pid_t pid;

		sleep_until(due, rate);
		pid = end_a_process();
		printf("%d %lld\n", pid, now());
	}
	return 0;
}

int main(int argc, char **argv)
{
	int count = argc > 3 ? atoi(argv[2]) : 0;

	if (count > 0 && !strcmp(argv[1], "processes"))
		return on_each(end_processes, count, argv + 3, argc - 3);
	if (count > 0 && !strcmp(argv[1], "threads"))
		return on_each(end_threads, count, argv + 3, argc - 3);
	if (count > 0 && !strcmp(argv[1], "deaths"))
		return on_each(end_by_signals, count, argv + 3, argc - 3);
	if (count > 0 && !strcmp(argv[1], "paced") && atoi(argv[3]) > 0)
		return paced(count, atoi(argv[3]));
	fprintf(stderr, "exits: see the top of its source\n");
	return 2;
}
