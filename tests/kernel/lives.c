// SPDX-License-Identifier: Apache-2.0
/* A puppet that lives: it forks, becomes other programs and users, and uses memory, CPUs and files.
 *
 * With the argument "quit" it ends at once, silently. Any others mean nothing to it. The commands are
 * in the table at the end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "puppet.h"

#define BLOCK 65536
#define PAGE 4096

static char *args, *args_end; /* what it was started with, where the kernel looks for it */
static char self[PAGE];	      /* the path of this program */

/* --- who it is --- */

static void set_name(void)
{
	check(prctl(PR_SET_NAME, words[1]));
	answer("named");
}

static void set_uids(void) /* "set_uids REAL EFFECTIVE" */
{
	check(syscall(SYS_setresuid, number(1), number(2), -1));
	answer("%d %d", getuid(), geteuid());
}

static void set_hostname(void) /* in a UTS namespace of its own */
{
	check(unshare(CLONE_NEWUTS));
	check(sethostname(words[1], strlen(words[1])));
	answer("set");
}

static void retitle(void) /* as setproctitle does: over the arguments */
{
	memset(args, 0, (size_t)(args_end - args));
	snprintf(args, (size_t)(args_end - args), "%s", words[1]);
	answer("retitled");
}

static void move_args(void) /* as systemd does: elsewhere */
{
	static char text[1024];
	char *elsewhere = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);
	unsigned long stat[49] = { 0 }; /* numbered from the state, 0, as in proc(5) from 3 */
	struct prctl_mm_map map = { .brk = (unsigned long)sbrk(0), .exe_fd = (__u32)-1 };
	int fd = (int)check(open("/proc/self/stat", O_RDONLY));
	char *at;

	check(read(fd, text, sizeof(text) - 1));
	close(fd);
	at = strrchr(text, ')') + 3;
	for (int field = 1; field < 49; field++)
		stat[field] = strtoul(at, &at, 10);
	strcpy(elsewhere, words[1]);
	map.start_code = stat[23], map.end_code = stat[24], map.start_stack = stat[25];
	map.start_data = stat[42], map.end_data = stat[43], map.start_brk = stat[44];
	map.arg_start = (unsigned long)elsewhere;
	map.arg_end = map.arg_start + strlen(elsewhere) + 1;
	map.env_start = stat[47], map.env_end = stat[48];
	check(prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0));
	answer("moved");
}

static void pivot(void) /* "pivot DIRECTORY": it is the root of a mount namespace of its own */
{
	check(unshare(CLONE_NEWNS));
	check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	check(mount(words[1], words[1], NULL, MS_BIND, NULL));
	check(chdir(words[1]));
	check(syscall(SYS_pivot_root, ".", "."));
	check(umount2(".", MNT_DETACH));
	check(chdir("/"));
	answer("pivoted");
}

static void *serve_after_leader(void *unused)
{
	char state = 0;

	while (state != 'Z') {
		FILE *file = fopen("/proc/self/stat", "r");

		if (!file || fscanf(file, "%*d %*s %c", &state) != 1)
			fail("/proc/self/stat");
		fclose(file);
		sched_yield();
	}
	answer("handed over");
	serve();
	exit(0);
	return unused;
}

static void hand_over(void) /* another thread goes on, the leader ends */
{
	start_thread(serve_after_leader, NULL);
	syscall(SYS_exit, 0);
}

/* --- exec and fork --- */

static void exec_it(void) /* "exec PATH ARG..." */
{
	check(execv(words[1], words + 1));
}

static void exec_deleted(void) /* the same, of a file that has no name any more */
{
	int fd = (int)check(open(words[1], O_RDONLY | O_CLOEXEC));

	check(unlink(words[1]));
	check(fexecve(fd, words + 1, environ));
}

static void exec_memfd(void) /* "exec_memfd NAME ARG...": this program, of no file */
{
	int from = (int)check(open(self, O_RDONLY | O_CLOEXEC)), to;
	char block[BLOCK];
	ssize_t bytes;

	to = (int)check(syscall(SYS_memfd_create, words[1], MFD_CLOEXEC));
	while ((bytes = check(read(from, block, sizeof(block)))))
		check(write(to, block, (size_t)bytes));
	check(fexecve(to, words + 1, environ));
}

/* The peak memory that the kernel reports for a child, in KiB. */
static void answer_for(pid_t pid)
{
	struct rusage usage;
	int status;

	check(wait4(pid, &status, 0, &usage));
	if (status)
		fail("the child");
	answer("%d %ld", pid, usage.ru_maxrss);
}

static void spawn_by_vfork(void) /* "vfork ARG...": this program, which quits */
{
	pid_t pid = vfork();

	if (!pid) {
		execv(self, words);
		_exit(98);
	}
	answer_for(pid);
}

static void spawn(void) /* the same by posix_spawn() */
{
	pid_t pid;

	if (posix_spawn(&pid, self, NULL, NULL, words, environ))
		fail("posix_spawn");
	answer_for(pid);
}

static void fork_one(void) /* a child that ends at once */
{
	pid_t pid = (pid_t)check(fork());

	if (!pid)
		_exit((int)number(1));
	answer_for(pid);
}

/* "descend COUNT": a child, its child and so on, which all wait; their PIDs, the child's first. */
static void descend(void)
{
	unsigned long count = number(1);
	int ends[2];
	pid_t pid;

	check(pipe(ends));
	for (unsigned long level = 1; level <= count; level++) {
		if (check(fork())) {
			if (level > 1)
				wait_forever();
			break;
		}
		pid = getpid();
		check(write(ends[1], &pid, sizeof(pid)));
		if (level == count)
			wait_forever();
	}
	for (; count; count--) {
		check(read(ends[0], &pid, sizeof(pid)));
		fprintf(answers, "%d ", pid);
	}
	close(ends[0]);
	close(ends[1]);
	answer("");
}

/* --- what it uses --- */

static void fill(size_t bytes)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0);

	if (memory == MAP_FAILED)
		fail("mmap");
	madvise(memory, bytes, MADV_NOHUGEPAGE); /* a fault for each page */
	for (size_t at = 0; at < bytes; at += PAGE)
		memory[at] = 1;
}

static long long cpu_time(void) /* of this thread, ms */
{
	struct timespec used;

	check(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used));
	return used.tv_sec * 1000LL + used.tv_nsec / 1000000;
}

static void use_cpu(unsigned long ms)
{
	long long end = cpu_time() + (long long)ms;

	while (cpu_time() < end)
		for (volatile int i = 0; i < 100000; i++)
			;
}

static void spin(void) /* "spin MS" */
{
	use_cpu(number(1));
	answer("spun");
}

static void spin_in_kernel(void) /* "spin_in_kernel MS" */
{
	static char zeros[BLOCK];
	long long end = cpu_time() + (long long)number(1);
	int zero = (int)check(open("/dev/zero", O_RDONLY));

	while (cpu_time() < end)
		for (int i = 0; i < 16; i++)
			check(read(zero, zeros, sizeof(zeros)));
	answer("spun");
}

static void *spin_in_thread(void *unused)
{
	use_cpu(number(2));
	return unused;
}

static void spin_in_threads(void) /* "spin_in_threads COUNT MS"; they end */
{
	unsigned long count = number(1);
	pthread_t threads[WORDS];

	for (unsigned long i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, spin_in_thread, NULL))
			fail("pthread_create");
	for (unsigned long i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	answer("spun");
}

static pthread_barrier_t all_there;

static void *work_and_wait(void *unused)
{
	use_cpu(number(2));
	fill(number(3));
	pthread_barrier_wait(&all_there);
	wait_forever();
	return unused;
}

static void keep_threads(void) /* "keep_threads COUNT MS BYTES": each uses as much, and stays */
{
	unsigned long count = number(1);

	pthread_barrier_init(&all_there, NULL, (unsigned int)count + 1);
	for (unsigned long i = 0; i < count; i++)
		start_thread(work_and_wait, NULL);
	pthread_barrier_wait(&all_there);
	answer("there");
}

static void fill_memory(void) /* "fill BYTES" */
{
	fill(number(1));
	answer("filled");
}

static void nap(void) /* "nap COUNT" */
{
	struct timespec moment = { 0, 1000 };

	for (unsigned long left = number(1); left; left--)
		check(nanosleep(&moment, NULL));
	answer("rested");
}

static void write_file(void) /* "write FILE BYTES" */
{
	static char block[BLOCK];
	int fd = (int)check(open(words[1], O_WRONLY | O_CREAT | O_TRUNC, 0600));

	for (unsigned long left = number(2); left; left -= sizeof(block))
		check(write(fd, block, sizeof(block)));
	check(fsync(fd));
	close(fd);
	answer("written");
}

/* "read FILE": from the device, as it is in no cache any more; every page by a fault of its own. */
static void read_file(void)
{
	int fd = (int)check(open(words[1], O_RDONLY));
	off_t bytes = (off_t)check(lseek(fd, 0, SEEK_END));
	volatile char *file = mmap(NULL, (size_t)bytes, PROT_READ, MAP_SHARED, fd, 0);

	if (file == MAP_FAILED)
		fail("mmap");
	check(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	check(madvise((void *)file, (size_t)bytes, MADV_RANDOM));
	for (off_t at = 0; at < bytes; at += PAGE)
		(void)file[at];
	close(fd);
	answer("read");
}

static void end(void)
{
	answer("exiting");
	_exit((int)number(1));
}

static void end_telling_io(void) /* what /proc reports about it, the lines as words */
{
	char text[512];
	int fd = (int)check(open("/proc/self/io", O_RDONLY));
	ssize_t bytes = check(read(fd, text, sizeof(text) - 1));

	text[bytes] = 0;
	for (char *at = text; *at; at++)
		if (*at == '\n')
			*at = ' ';
	answer("%s", text);
	_exit(0);
}

const struct command commands[] = {
	{ "set_name", set_name },
	{ "set_uids", set_uids },
	{ "set_hostname", set_hostname },
	{ "retitle", retitle },
	{ "move_args", move_args },
	{ "pivot", pivot },
	{ "hand_over", hand_over },
	{ "in_thread", in_thread },
	{ "exec", exec_it },
	{ "exec_deleted", exec_deleted },
	{ "exec_memfd", exec_memfd },
	{ "vfork", spawn_by_vfork },
	{ "spawn", spawn },
	{ "fork", fork_one },
	{ "descend", descend },
	{ "spin", spin },
	{ "spin_in_kernel", spin_in_kernel },
	{ "spin_in_threads", spin_in_threads },
	{ "keep_threads", keep_threads },
	{ "fill", fill_memory },
	{ "nap", nap },
	{ "write", write_file },
	{ "read", read_file },
	{ "exit", end },
	{ "exit_telling_io", end_telling_io },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "quit"))
		return 0;
	args = argv[0];
	args_end = argv[argc - 1] + strlen(argv[argc - 1]) + 1;
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		self[0] = 0; /* in a root without /proc */
	get_ready();
	serve();
	return 0;
}
