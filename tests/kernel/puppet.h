// SPDX-License-Identifier: Apache-2.0
/* A program that follows commands, for stage.py: it says "ready PID" (in its own PID namespace),
 * then takes a command a line of input, its words apart by spaces, and answers each with one line.
 * At the end of input it exits with 0.
 */
#ifndef PUPPET_H
#define PUPPET_H

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS 8192

struct command {
	const char *name;
	void (*run)(void);
};

extern const struct command commands[]; /* the program's, ended by one without a name */

static char *words[WORDS + 1]; /* the command and what it is about, NULL after the last */
static FILE *answers;

static void fail(const char *what)
{
	perror(what);
	_exit(99);
}

static long check(long result)
{
	if (result < 0)
		fail(words[0]);
	return result;
}

static void answer(const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vfprintf(answers, format, values);
	va_end(values);
	putc('\n', answers);
	fflush(answers);
}

static unsigned long number(int position)
{
	return words[position] ? strtoul(words[position], NULL, 0) : 0;
}

static int is(int position, const char *word)
{
	return words[position] && !strcmp(words[position], word);
}

static void wait_forever(void)
{
	for (;;)
		pause();
}

static void do_command(void)
{
	for (const struct command *command = commands; command->name; command++)
		if (is(0, command->name)) {
			command->run();
			return;
		}
	fprintf(stderr, "there is no command %s\n", words[0]);
	_exit(97);
}

static void start_thread(void *(*body)(void *), void *argument)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, body, argument))
		fail("pthread_create");
}

static void *do_in_thread(void *unused)
{
	do_command();
	return unused;
}

static void in_thread(void) /* "in_thread COMMAND ...": the main thread waits */
{
	memmove(words, words + 1, sizeof(words) - sizeof(*words));
	start_thread(do_in_thread, NULL);
	wait_forever();
}

static void serve(void)
{
	static char *line;
	static size_t size;

	while (getline(&line, &size, stdin) > 0) {
		int count = 0;

		for (char *word = strtok(line, " \n"); word && count < WORDS;
		     word = strtok(NULL, " \n"))
			words[count++] = word;
		words[count] = NULL;
		if (count)
			do_command();
	}
}

static void get_ready(void)
{
	answers = stdout;
	answer("ready %d", getpid());
}

#endif
