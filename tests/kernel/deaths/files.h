/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that come from files: a broken pipe, a limit of size, input. */
#ifndef DEATHS_FILES_H
#define DEATHS_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../puppet.h"

static void break_pipe(void)
{
	int ends[2];

	check(is(1, "socket") ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends));
	close(ends[0]);
	answer("writing");
	check(write(ends[1], "", 1));
}

static void try_to_write(void) /* to a pipe that nobody reads */
{
	int ends[2];
	ssize_t written;

	check(pipe(ends));
	close(ends[0]);
	written = write(ends[1], "", 1);
	answer("%s", written < 0 ? strerrorname_np(errno) : "written");
	close(ends[1]);
}

/* "outgrow_file_limit BYTES DIRECTORY pwrite|write|truncate|allocate|send|copy|splice" */
static void outgrow_file_limit(void)
{
	struct rlimit limit = { number(1), number(1) };
	off_t end = (off_t)number(1);
	int other, fd, ends[2];

	check(chdir(words[2]));
	other = (int)check(open("source", O_RDWR | O_CREAT, 0600));
	check(pwrite(other, "", 1, 0));
	fd = (int)check(open("outgrown file", O_WRONLY | O_CREAT | O_TRUNC, 0600));
	check(pipe(ends));
	check(write(ends[1], "", 1));
	check(lseek(fd, end, SEEK_SET));
	check(setrlimit(RLIMIT_FSIZE, &limit));
	answer("writing");
	if (is(3, "pwrite"))
		check(pwrite(fd, "", 1, end));
	else if (is(3, "write"))
		check(write(fd, "", 1));
	else if (is(3, "truncate"))
		check(ftruncate(fd, end + 1));
	else if (is(3, "allocate"))
		check(fallocate(fd, 0, end, 1));
	else if (is(3, "send"))
		check(sendfile(fd, other, NULL, 1));
	else if (is(3, "copy"))
		check(copy_file_range(other, NULL, fd, NULL, 1, 0));
	else
		check(splice(ends[0], NULL, fd, NULL, 1, 0));
}

static void be_told_of_input(void) /* "be_told_of_input FIFO SIGNAL": O_ASYNC; SIGIO if 0 */
{
	int fd = (int)check(open(words[1], O_RDWR));

	check(fcntl(fd, F_SETOWN, getpid()));
	check(fcntl(fd, F_SETSIG, number(2)));
	check(fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK));
	answer("listening");
}

static void be_told_of_message(void) /* "be_told_of_message QUEUE SIGNAL" */
{
	mqd_t queue = (mqd_t)check(mq_open(words[1], O_RDWR | O_CREAT | O_EXCL, 0600, NULL));
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = (int)number(2) };

	check(mq_notify(queue, &event));
	answer("listening");
}

static void post(void) /* the first message of a queue, which is removed */
{
	mqd_t queue = (mqd_t)check(mq_open(words[1], O_RDWR));

	check(mq_unlink(words[1]));
	answer("%ld", check(mq_send(queue, "", 1, 0)));
}

#endif
