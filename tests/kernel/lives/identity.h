/* SPDX-License-Identifier: Apache-2.0 */
/* Who it is: its name, its users, its arguments, its root and its threads. */
#ifndef LIVES_IDENTITY_H
#define LIVES_IDENTITY_H

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../puppet.h"
#include "sizes.h"

static char *args, *args_end; /* what it was started with, where the kernel looks for it */

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

#endif
