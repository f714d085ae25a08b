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
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "default_action.h"

#define THREADS 7
#define AT_A_TIME 12
#define PIDS 4194304

static const char *program;
static pid_t reaper; /* adopts orphans, waits for all */

static void fail(const char *what)
{
	perror(what);
	exit(99);
}

static long long boot_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void thread_exit(int code) /* this thread alone: pthread_exit() does more */
{
	syscall(SYS_exit, code);
}

static void start_thread(void *(*body)(void *), long argument)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, body, (void *)argument))
		fail("pthread_create");
}

static void *wait_forever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void start_waiting_threads(void)
{
	for (int i = 0; i < THREADS; i++)
		start_thread(wait_forever, 0);
}

static void await_leader_death(void)
{
	char path[64], line[256] = "", *state;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", getpid());
	do {
		FILE *file = fopen(path, "r");

		if (!file || !fgets(line, sizeof(line), file))
			fail(path);
		fclose(file);
		state = strrchr(line, ')') + 2;
		sched_yield();
	} while (*state != 'Z');
}

static void allow_core(int allowed)
{
	struct rlimit limit = { allowed ? RLIM_INFINITY : 0, allowed ? RLIM_INFINITY : 0 };

	setrlimit(RLIMIT_CORE, &limit);
}

static void end_by_signal(int number)
{
	unsigned long none = 0;

	set_default_action(number);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
	syscall(SYS_kill, getpid(), number);
	wait_forever(NULL);
}

/* --- what the child does --- */

static void end_exit(int code)
{
	_exit(code);
}

static void end_signal(int number)
{
	allow_core(0);
	end_by_signal(number);
}

static void end_signal_core(int number)
{
	allow_core(1);
	end_by_signal(number);
}

static void *exit_group_in_thread(void *code)
{
	_exit((long)code);
}

static void end_exit_group_by_thread(int code)
{
	start_waiting_threads();
	start_thread(exit_group_in_thread, code);
	wait_forever(NULL);
}

static void *exit_group_after_leader(void *code)
{
	await_leader_death();
	_exit((long)code);
}

static void end_leader_first(int code)
{
	start_thread(exit_group_after_leader, code);
	thread_exit(code ^ 0xff);
}

static void *raw_exit_after_leader(void *code)
{
	await_leader_death();
	thread_exit((long)code);
	return NULL;
}

static void end_leader_first_raw(int code)
{
	start_thread(raw_exit_after_leader, code);
	thread_exit(code ^ 0xff);
}

static void *signal_after_leader(void *number)
{
	await_leader_death();
	end_by_signal((long)number);
	return NULL;
}

static void end_leader_first_signal(int number)
{
	start_waiting_threads();
	start_thread(signal_after_leader, number);
	thread_exit(0);
}

static void *raw_exit(void *code)
{
	thread_exit((long)code);
	return NULL;
}

static void end_all_raw(int code)
{
	for (int i = 0; i < THREADS; i++)
		start_thread(raw_exit, code + i);
	thread_exit(code ^ 0xff);
}

static void *exec_exit(void *code)
{
	char text[16];

	snprintf(text, sizeof(text), "%ld", (long)code);
	execl(program, "endings", "exit", text, (char *)NULL);
	fail("execl");
	return NULL;
}

static void end_exec(int code)
{
	exec_exit((void *)(long)code);
}

static void end_exec_by_thread(int code)
{
	start_waiting_threads();
	start_thread(exec_exit, code);
	wait_forever(NULL);
}

static void *exec_after_leader(void *code)
{
	await_leader_death();
	return exec_exit(code);
}

static void end_exec_after_leader(int code)
{
	start_waiting_threads();
	start_thread(exec_after_leader, code);
	thread_exit(3);
}

static void *crash(void *unused)
{
	(void)unused;
	*(volatile int *)0 = 1;
	return NULL;
}

static void end_crash_in_thread(int core)
{
	allow_core(core & 1);
	start_waiting_threads();
	start_thread(crash, 0);
	wait_forever(NULL);
}

static void *abort_in_thread(void *unused)
{
	(void)unused;
	abort();
}

static void end_abort_in_thread(int core)
{
	allow_core(core & 1);
	start_waiting_threads();
	start_thread(abort_in_thread, 0);
	wait_forever(NULL);
}

static void end_exit_race(int code) /* several threads call exit_group(), one wins */
{
	for (int i = 0; i < THREADS; i++)
		start_thread(exit_group_in_thread, code + i);
	_exit(code ^ 0xff);
}

/* --- how it is started; the child's PID, or that of the one that ends as told --- */

typedef void (*ending)(int);

static pid_t by_fork(ending end, int argument)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (!pid) {
		end(argument);
		_exit(98);
	}
	return pid;
}

static pid_t by_vfork(ending end, int argument)
{
	pid_t pid = vfork();

	if (pid < 0)
		fail("vfork");
	if (!pid)
		_exit(argument);
	(void)end;
	return pid;
}

static pid_t by_clone_without_signal(ending end, int argument)
{
	pid_t pid = (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0);

	if (pid < 0)
		fail("clone");
	if (!pid) {
		end(argument);
		_exit(98);
	}
	return pid;
}

static pid_t by_double_fork(ending end, int argument)
{
	int ends[2];
	pid_t orphan;

	if (pipe(ends))
		fail("pipe");
	if (!fork()) {
		pid_t pid = fork();

		if (!pid) {
			while (getppid() != reaper)
				sched_yield();
			end(argument);
		}
		if (write(ends[1], &pid, sizeof(pid)) != sizeof(pid))
			fail("write");
		_exit(0);
	}
	if (read(ends[0], &orphan, sizeof(orphan)) != sizeof(orphan))
		fail("read");
	close(ends[0]);
	close(ends[1]);
	return orphan;
}

static pid_t killed_with_threads(ending end, int argument)
{
	int ends[2];
	char ready;
	pid_t pid;

	(void)end;
	if (pipe(ends))
		fail("pipe");
	pid = fork();
	if (!pid) {
		start_waiting_threads();
		set_default_action(argument);
		if (write(ends[1], "", 1) != 1)
			fail("write");
		wait_forever(NULL);
	}
	if (read(ends[0], &ready, 1) != 1)
		fail("read");
	close(ends[0]);
	close(ends[1]);
	kill(pid, argument);
	return pid;
}

/* Traced to its end, PTRACE_EVENT_EXIT included; what it is sent is passed on. */
static pid_t by_ptrace(ending end, int argument)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		end(argument);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		fail("waitpid of a tracee");
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACEEXIT);
	ptrace(PTRACE_CONT, pid, NULL, 0L);
	for (;;) {
		siginfo_t info;

		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WSTOPPED | WNOWAIT))
			fail("waitid of a tracee");
		if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED)
			return pid; /* it ended; the reaper takes it */
		waitpid(pid, &status, 0);
		ptrace(PTRACE_CONT, pid, NULL, status >> 16 ? 0L : (long)WSTOPSIG(status));
	}
}

enum argument { CODE, SIGNAL, ANY };

static const struct kind {
	const char *name;
	pid_t (*start)(ending end, int argument);
	ending end;
	enum argument argument;
} kinds[] = {
	{ "exit", by_fork, end_exit, CODE },
	{ "signal", by_fork, end_signal, SIGNAL },
	{ "signal_core", by_fork, end_signal_core, SIGNAL },
	{ "exit_group_by_thread", by_fork, end_exit_group_by_thread, CODE },
	{ "leader_first", by_fork, end_leader_first, CODE },
	{ "leader_first_raw", by_fork, end_leader_first_raw, CODE },
	{ "leader_first_signal", by_fork, end_leader_first_signal, SIGNAL },
	{ "all_raw", by_fork, end_all_raw, CODE },
	{ "exec", by_fork, end_exec, CODE },
	{ "exec_by_thread", by_fork, end_exec_by_thread, CODE },
	{ "exec_after_leader", by_fork, end_exec_after_leader, CODE },
	{ "crash_in_thread", by_fork, end_crash_in_thread, ANY },
	{ "abort_in_thread", by_fork, end_abort_in_thread, ANY },
	{ "exit_race", by_fork, end_exit_race, CODE },
	{ "vfork", by_vfork, end_exit, CODE },
	{ "clone_without_signal", by_clone_without_signal, end_exit, CODE },
	{ "double_fork", by_double_fork, end_exit, CODE },
	{ "double_fork_signal", by_double_fork, end_signal, SIGNAL },
	{ "killed_with_threads", killed_with_threads, NULL, SIGNAL },
	{ "ptrace", by_ptrace, end_exit, CODE },
	{ "ptrace_signal", by_ptrace, end_signal, SIGNAL },
};

#define KINDS ((int)(sizeof(kinds) / sizeof(*kinds)))

/* --- the reaper --- */

static struct started {
	long long at;
	const struct kind *kind;
	int argument;
} *started; /* by PID */

static int children;

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

static void start(const struct kind *kind, int argument)
{
	long long now = boot_clock();
	pid_t pid;

	fflush(stdout);
	pid = kind->start(kind->end, argument);
	started[pid] = (struct started){ now, kind, argument };
	children++;
}

static void reap_one(void)
{
	static long long orphan_maker_started;
	int status;
	pid_t pid = waitpid(-1, &status, __WALL);

	if (pid < 0)
		fail("waitpid");
	if (WIFSTOPPED(status))
		return;
	if (!started[pid].kind) { /* the middle one of a double fork */
		printf("%d %d %d %lld %lld middle 0\n", pid, reaper, status, orphan_maker_started,
		       boot_clock());
		return;
	}
	printf("%d %d %d %lld %lld %s %d\n", pid, reaper, status, started[pid].at, boot_clock(),
	       started[pid].kind->name, started[pid].argument);
	started[pid].kind = NULL;
	children--;
}

static void reap_rest(void)
{
	while (children)
		reap_one();
	while (waitpid(-1, NULL, __WALL | WNOHANG) == 0)
		reap_one();
	fflush(stdout);
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

static int vforks(int count)
{
	int waited = 0;

	for (int i = 0; i < count; i++) {
		pid_t pid = by_vfork(NULL, i & 1);

		waited += waitpid(pid, NULL, 0) == pid;
	}
	printf("%d\n", waited);
	return 0;
}

static int execs(int count, useconds_t pause_us)
{
	char number[16];

	for (int i = 1; i <= 2 * count; i++) {
		pid_t pid;

		if (i & 1 && pause_us)
			usleep(pause_us);
		snprintf(number, sizeof(number), "%d", i / 2);
		pid = fork();
		if (!pid && i & 1)
			_exit(1);
		if (!pid) {
			execl("/proc/self/exe", "endings", "exit", number, NULL);
			_exit(97);
		}
		if (waitpid(pid, NULL, 0) != pid)
			fail("waitpid");
	}
	return 0;
}

static void *do_nothing(void *unused)
{
	return unused;
}

static int threads(int count)
{
	for (int i = 0; i < count; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, do_nothing, NULL))
			fail("pthread_create");
		pthread_join(thread, NULL);
	}
	return 0;
}

static void *tell_tid(void *unused)
{
	printf("%d %ld\n", getpid(), syscall(SYS_gettid));
	fflush(stdout);
	return wait_forever(unused);
}

static const struct kind *kind_named(const char *name)
{
	for (int i = 0; i < KINDS; i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	fprintf(stderr, "endings: no kind %s\n", name);
	exit(97);
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
