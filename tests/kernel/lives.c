// SPDX-License-Identifier: Apache-2.0
/* A puppet that lives: it forks, becomes other programs and users, and uses memory, CPUs and files.
 *
 * With the argument "quit" it ends at once, silently. Any others mean nothing to it. The commands are
 * in the table at the end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lives/identity.h"
#include "lives/programs.h"
#include "lives/uses.h"
#include "puppet.h"

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
