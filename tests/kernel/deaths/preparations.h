/* SPDX-License-Identifier: Apache-2.0 */
/* What a process does before: its signals, its user, its group and its terminal. */
#ifndef DEATHS_PREPARATIONS_H
#define DEATHS_PREPARATIONS_H

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../puppet.h"

static void do_nothing(int unused)
{
	(void)unused;
}

static void raise_again(int number)
{
	signal(number, SIG_DFL);
	raise(number);
}

static void exit_at_once(int number)
{
	_exit(128 + number);
}

static void abort_at_once(int unused)
{
	(void)unused;
	abort();
}

static void handle_and(void) /* "handle_and raise|exit|abort SIGNAL" */
{
	void (*handler)(int) = is(1, "raise")  ? raise_again
			       : is(1, "exit") ? exit_at_once
					       : abort_at_once;

	check(signal((int)number(2), handler) == SIG_ERR ? -1 : 0);
	answer("handling");
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

#endif
