// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "perf_event.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const formats[] = {
	"/sys/kernel/tracing/events/sched/%s/id",
	"/sys/kernel/debug/tracing/events/sched/%s/id", /* where only that is mounted */
};

/* Returns the number that perf knows a tracepoint by, or 0. */
static unsigned long number_of(const char *name)
{
	unsigned long number = 0;
	char path[96], text[16];
	FILE *file;

	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats) && !number; i++) {
		snprintf(path, sizeof(path), formats[i], name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(text, sizeof(text), file))
			number = strtoul(text, NULL, 10);
		fclose(file);
	}
	return number;
}

/* On one CPU, as an event is; a program of it runs on all. */
static int open_on_first_cpu(unsigned long number)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = number,
		.disabled = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
}

/* A filter of system calls may kill who makes this one: systemd's SystemCallFilter does, unless told
 * otherwise. So a child tries it first, which nobody else waits for (it ends with no signal).
 */
static bool is_survived(unsigned long number)
{
	long child = syscall(SYS_clone, 0L, 0L, 0L, 0L, 0L);
	int status = 0;

	if (!child) {
		prctl(PR_SET_DUMPABLE, 0); /* no core */
		_exit(open_on_first_cpu(number) < 0);
	}
	if (child < 0)
		return false;
	while (waitpid((pid_t)child, &status, __WALL) < 0)
		if (errno != EINTR)
			return false;
	return status == 0;
}

int perf_event_open_tracepoint(const char *name)
{
	unsigned long number = number_of(name);
	int fd;

	if (!number)
		return -ENOENT;
	if (prctl(PR_GET_SECCOMP) != SECCOMP_MODE_DISABLED && !is_survived(number))
		return -EPERM;
	fd = open_on_first_cpu(number);
	return fd < 0 ? -errno : fd;
}

PyObject *opens_tracepoint(PyObject *Py_UNUSED(module), PyObject *name)
{
	const char *text = PyUnicode_AsUTF8AndSize(name, NULL);
	int fd;

	if (!text)
		return NULL;
	fd = perf_event_open_tracepoint(text);
	if (fd >= 0)
		close(fd);
	return PyBool_FromLong(fd >= 0);
}
