// SPDX-License-Identifier: Apache-2.0
/* A puppet that prepares, sends signals, and dies in the way asked for.
 *
 * It answers a way of dying before, with the fact to be compared (an address, the number of a system
 * call); everything else afterwards. The commands are in the table at the end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "default_action.h"
#include "puppet.h"

#define STACK_BYTES 65536

static void spin(void)
{
	for (volatile int i = 0;; i++)
		;
}

static void *new_page(int protection)
{
	void *page = mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? (fail("mmap"), NULL) : page;
}

/* --- preparations --- */

static void do_nothing(int unused)
{
	(void)unused;
}

/* By system call: glibc keeps some signals to itself. */
static void set_mask(int how)
{
	unsigned long mask = 1UL << (number(1) - 1);

	check(syscall(SYS_rt_sigprocmask, how, &mask, NULL, sizeof(mask)));
}

static void block(void)
{
	set_mask(SIG_BLOCK);
	answer("blocked");
}

static void unblock(void)
{
	answer("unblocking");
	set_mask(SIG_UNBLOCK);
}

static void unblock_all(void)
{
	unsigned long none = 0;

	answer("unblocking");
	check(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none)));
}

static void handle(void)
{
	signal((int)number(1), do_nothing);
	answer("handled");
}

static void ignore(void)
{
	signal((int)number(1), SIG_IGN);
	answer("ignored");
}

static void set_default(void)
{
	signal((int)number(1), SIG_DFL);
	answer("default");
}

static void take(void) /* a blocked signal that is pending */
{
	sigset_t set;
	int taken;

	sigemptyset(&set);
	sigaddset(&set, (int)number(1));
	if (sigwait(&set, &taken))
		fail("sigwait");
	answer("%d", taken);
}

static void put(void) /* a text into a file: "put PATH TEXT" */
{
	int fd = (int)check(open(words[1], O_WRONLY));

	answer("%ld", check(write(fd, words[2], strlen(words[2]))));
	close(fd);
}

static void become(void) /* another user, in all ways */
{
	check(syscall(SYS_setgroups, 0, NULL));
	check(syscall(SYS_setresuid, number(1), number(1), number(1)));
	answer("%d", getuid());
}

static void enter_user_namespace(void)
{
	check(unshare(CLONE_NEWUSER));
	answer("%d", getuid());
}

static void new_group(void)
{
	check(setpgid(0, 0));
	answer("%d", getpgrp());
}

static void new_session(void)
{
	answer("%d", (int)check(setsid()));
}

static void take_terminal(void) /* "take_terminal PATH", for a new session */
{
	check(setsid());
	check(ioctl((int)check(open(words[1], O_RDWR)), TIOCSCTTY, 0));
	answer("%d", getpid());
}

/* --- children: "child COMMAND ..." does it and then waits --- */

static pid_t start_child(char *line, size_t size)
{
	int ends[2];
	FILE *told;
	pid_t pid;

	check(pipe(ends));
	pid = (pid_t)check(fork());
	if (!pid) {
		answers = fdopen(ends[1], "w");
		memmove(words, words + 1, sizeof(words) - sizeof(*words));
		do_command();
		wait_forever();
	}
	close(ends[1]);
	told = fdopen(ends[0], "r");
	if (!fgets(line, (int)size, told))
		fail("the child's answer");
	fclose(told);
	return pid;
}

static void child(void)
{
	char line[64];
	pid_t pid = start_child(line, sizeof(line));

	answer("%d %s", pid, strtok(line, "\n"));
}

static void *start_child_and_end(void *pid)
{
	char line[64];

	*(pid_t *)pid = start_child(line, sizeof(line));
	return NULL;
}

static void child_of_thread(void) /* of one that has ended when this answers */
{
	pthread_t thread;
	pid_t pid = 0;

	if (pthread_create(&thread, NULL, start_child_and_end, &pid))
		fail("pthread_create");
	pthread_join(thread, NULL);
	answer("%d", pid);
}

static void spawn(void)
{
	for (unsigned long left = number(1); left; left--) {
		pid_t pid = (pid_t)check(fork());

		if (!pid)
			wait_forever();
		fprintf(answers, "%d ", pid);
	}
	answer("");
}

static void reap(void)
{
	for (unsigned long left = number(1); left; left--) {
		int status;
		pid_t pid = (pid_t)check(wait(&status));

		fprintf(answers, "%d %d ", pid, status);
	}
	answer("");
}

static void stopped_child(void) /* in a process group of its own */
{
	int status;
	pid_t pid = (pid_t)check(fork());

	if (!pid) {
		setpgid(0, 0);
		raise(SIGSTOP);
		wait_forever();
	}
	check(waitpid(pid, &status, WUNTRACED));
	answer("%d", pid);
}

static void wait_for_end(void)
{
	answer("waiting");
	wait_forever();
}

static void die_with_parent(void)
{
	check(prctl(PR_SET_PDEATHSIG, number(1)));
	answer("%d", getppid());
}

/* --- signals to others: "send HOW TARGET SIGNAL" --- */

static void queue(pid_t pid, int signal, int code)
{
	siginfo_t info = { .si_signo = signal, .si_code = code };

	/* What it claims of its sender is wrong on purpose. */
	info.si_pid = 1;
	info.si_uid = 4242;
	check(syscall(SYS_rt_sigqueueinfo, pid, signal, &info));
}

static void send_as(const char *how, pid_t target, int signal)
{
	if (!strcmp(how, "kill"))
		check(kill(target, signal));
	else if (!strcmp(how, "group"))
		check(kill(-target, signal));
	else if (!strcmp(how, "tgkill"))
		check(syscall(SYS_tgkill, target, target, signal));
	else if (!strcmp(how, "tkill"))
		check(syscall(SYS_tkill, target, signal));
	else if (!strcmp(how, "sigqueue"))
		queue(target, signal, SI_QUEUE);
	else if (!strcmp(how, "forged_timer"))
		queue(target, signal, SI_TIMER);
	else if (!strcmp(how, "forged_kernel")) /* to itself alone */
		queue(target, signal, SI_KERNEL);
	else if (!strcmp(how, "pidfd"))
		check(syscall(SYS_pidfd_send_signal, check(syscall(SYS_pidfd_open, target, 0)),
			      signal, NULL, 0));
	else
		fail(how);
}

static void send_signal(void)
{
	send_as(words[1], (pid_t)number(2), (int)number(3));
	answer("sent");
}

static void send_to_each(void) /* "send_to_each SIGNAL PID..."; some may be gone, all are zombies */
{
	for (int i = 2; words[i]; i++)
		kill((pid_t)number(i), (int)number(1));
	answer("sent");
}

static void flood(void) /* "flood COUNT PID SIGNAL" */
{
	for (unsigned long left = number(1); left; left--)
		check(kill((pid_t)number(2), (int)number(3)));
	answer("sent");
}

/* --- ptrace --- */

static void trace_until_end(void) /* the tracee dies with its tracer */
{
	check(ptrace(PTRACE_SEIZE, number(1), NULL, PTRACE_O_EXITKILL));
	answer("seized");
}

/* A signal that nobody sent, in the place of one that does nothing. */
static void inject(void)
{
	pid_t pid = (pid_t)number(1);
	int status;

	check(ptrace(PTRACE_SEIZE, pid, NULL, 0L));
	check(kill(pid, SIGURG));
	check(waitpid(pid, &status, __WALL));
	check(ptrace(PTRACE_CONT, pid, NULL, number(2)));
	check(waitpid(pid, &status, __WALL)); /* its parent may wait for it after us */
	answer("%d", status);
}

/* --- ways to die --- */

static void end(void)
{
	answer("exiting");
	_exit((int)number(1));
}

static void signal_itself(void) /* "signal_itself HOW SIGNAL" */
{
	answer("%d", getpid());
	if (is(1, "raise"))
		raise((int)number(2));
	else
		send_as(words[1], getpid(), (int)number(2));
}

static void do_abort(void)
{
	answer("aborting");
	abort();
}

static void touch(void)
{
	answer("touching");
	*(volatile char *)number(1) = 1;
}

static void touch_read_only(void)
{
	char *address = (char *)new_page(PROT_READ) + 123;

	answer("%p", (void *)address);
	*(volatile char *)address = 1;
}

static void touch_truncated(void) /* "touch_truncated FILE": a mapping that its file left */
{
	int fd = (int)check(open(words[1], O_RDWR | O_CREAT | O_TRUNC, 0600));
	char *address;

	check(ftruncate(fd, 4096));
	address = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(ftruncate(fd, 0));
	answer("%p", (void *)(address + 45));
	address[45] = 1;
}

#if defined(__x86_64__)
asm(".text\n"
    "divide_here: xorl %ecx, %ecx\n"
    "divides_here: divl %ecx\n"
    "illegal_here: ud2\n"
    "trap_here: int3\n");
#elif defined(__aarch64__)
asm(".text\n"
    ".balign 4\n"
    "illegal_here: udf #0\n"
    "trap_here: brk #0\n");
#endif
extern char divide_here[], divides_here[], illegal_here[], trap_here[];

static const struct instruction {
	const char *name;
	char *start, *faults;
} instructions[] = {
#if defined(__x86_64__)
	{ "divide", divide_here, divides_here },
	{ "illegal", illegal_here, illegal_here },
	{ "trap", trap_here, trap_here },
#elif defined(__aarch64__) /* where a division by zero is zero */
	{ "illegal", illegal_here, illegal_here },
	{ "trap", trap_here, trap_here },
	{ "misaligned", illegal_here + 2, illegal_here + 2 },
#endif
	{ NULL, NULL, NULL },
};

static void call(void) /* "call INSTRUCTION" */
{
	for (const struct instruction *instruction = instructions; instruction->name; instruction++)
		if (is(1, instruction->name)) {
			answer("%p", (void *)instruction->faults);
			((void (*)(void))instruction->start)();
		}
	fail("this machine");
}

static int recurse(volatile char *above);
static int (*volatile deeper)(volatile char *) = recurse; /* GCC warns of what is meant here */

static int recurse(volatile char *above)
{
	volatile char frame[4096];

	frame[0] = *above;
	return deeper(frame) + frame[0];
}

static void overflow(void)
{
	struct rlimit limit = { STACK_BYTES, STACK_BYTES };
	char start = 0;

	check(setrlimit(RLIMIT_STACK, &limit));
	answer("recursing");
	recurse(&start);
}

static void break_filter(void) /* "break_filter process|thread|trap lseek|getppid" */
{
	int call = is(2, "lseek") ? SYS_lseek : SYS_getppid;
	unsigned int action = is(1, "process")	? SECCOMP_RET_KILL_PROCESS
			      : is(1, "thread") ? SECCOMP_RET_KILL_THREAD
						: SECCOMP_RET_TRAP;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { 4, code };

	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter));
	answer("%d", call);
	syscall(call, -1, 0L, 0);
}

static void break_pipe(void)
{
	int ends[2];

	check(is(1, "socket") ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends));
	close(ends[0]);
	answer("writing");
	check(write(ends[1], "", 1));
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

static void time_out(void) /* "time_out alarm|real|virtual|prof|posix SIGNAL" */
{
	struct itimerval soon = { { 0, 0 }, { 0, 1000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = (int)number(2) };
	struct itimerspec once = { { 0, 0 }, { 0, 1000000 } };
	timer_t timer;

	answer("waiting");
	if (is(1, "virtual") || is(1, "prof")) { /* the time of our own work */
		check(setitimer(is(1, "prof") ? ITIMER_PROF : ITIMER_VIRTUAL, &soon, NULL));
		spin();
	}
	leave_cpu_to_child(is(1, "alarm") ? 700 : 0);
	if (is(1, "alarm")) {
		alarm(1);
	} else if (is(1, "real")) {
		check(setitimer(ITIMER_REAL, &soon, NULL));
	} else {
		check(timer_create(CLOCK_MONOTONIC, &event, &timer));
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

static void outgrow_file_limit(void) /* "outgrow_file_limit BYTES FILE" */
{
	struct rlimit limit = { number(1), number(1) };
	int fd = (int)check(open(words[2], O_WRONLY | O_CREAT | O_TRUNC, 0600));

	check(setrlimit(RLIMIT_FSIZE, &limit));
	answer("writing");
	check(pwrite(fd, "", 1, (off_t)number(1)));
}

static void be_told_of_input(void) /* "be_told_of_input FIFO SIGNAL": O_ASYNC; SIGIO if 0 */
{
	int fd = (int)check(open(words[1], O_RDWR));

	check(fcntl(fd, F_SETOWN, getpid()));
	check(fcntl(fd, F_SETSIG, number(2)));
	check(fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK));
	answer("listening");
}

static void fill(size_t bytes)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		fail("mmap");
	madvise(memory, bytes, MADV_NOHUGEPAGE); /* so that the last page is the one too many */
	for (size_t at = 0; at < bytes; at += 4096)
		memory[at] = 1;
}

static void allocate(void) /* "allocate BYTES"; answers if there was room */
{
	fill(number(1));
	answer("allocated");
}

static void allocate_in_vfork(void) /* two processes with one memory */
{
	char both[64];
	pid_t pid = vfork();

	if (!pid) {
		snprintf(both, sizeof(both), "%d", getpid());
		answer("%s", both);
		fill(number(1));
		_exit(0);
	}
	wait_forever();
}

const struct command commands[] = {
	{ "block", block },
	{ "unblock", unblock },
	{ "unblock_all", unblock_all },
	{ "handle", handle },
	{ "ignore", ignore },
	{ "default", set_default },
	{ "take", take },
	{ "put", put },
	{ "become", become },
	{ "enter_user_namespace", enter_user_namespace },
	{ "new_group", new_group },
	{ "new_session", new_session },
	{ "take_terminal", take_terminal },
	{ "child", child },
	{ "child_of_thread", child_of_thread },
	{ "spawn", spawn },
	{ "reap", reap },
	{ "stopped_child", stopped_child },
	{ "wait", wait_for_end },
	{ "die_with_parent", die_with_parent },
	{ "send", send_signal },
	{ "send_to_each", send_to_each },
	{ "flood", flood },
	{ "trace_until_end", trace_until_end },
	{ "inject", inject },
	{ "exit", end },
	{ "signal_itself", signal_itself },
	{ "abort", do_abort },
	{ "touch", touch },
	{ "touch_read_only", touch_read_only },
	{ "touch_truncated", touch_truncated },
	{ "call", call },
	{ "overflow", overflow },
	{ "in_thread", in_thread },
	{ "break_filter", break_filter },
	{ "break_pipe", break_pipe },
	{ "time_out", time_out },
	{ "use_cpu", use_cpu },
	{ "use_realtime", use_realtime },
	{ "outgrow_file_limit", outgrow_file_limit },
	{ "be_told_of_input", be_told_of_input },
	{ "allocate", allocate },
	{ "allocate_in_vfork", allocate_in_vfork },
	{ NULL, NULL },
};

/* Who runs the tests may ignore or block some: a shell does for what it runs in the background. */
static void forget_inherited_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	check(sigprocmask(SIG_SETMASK, &none, NULL));
	for (int number = 1; number <= 64; number++)
		set_default_action(number); /* fails for those that cannot be ignored either */
}

int main(void)
{
	struct rlimit none = { 0, 0 };

	check(setrlimit(RLIMIT_CORE, &none));
	forget_inherited_signals();
	get_ready();
	serve();
	return 0;
}
