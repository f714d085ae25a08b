/* SPDX-License-Identifier: Apache-2.0 */
/* What it uses: CPUs, memory and files. */
#ifndef LIVES_USES_H
#define LIVES_USES_H

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../puppet.h"
#include "sizes.h"

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

#endif
