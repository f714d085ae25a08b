/*
 * Preloaded into a recorder: stands between SQLite and the disk.
 *
 * Notes all that is done to files below $SHIM_DIRECTORY in $SHIM_LOG, in order, so that a test can
 * work out what a power cut could have left on the disk; and lets chosen calls fail.
 *
 * While another process has a lock (flock) on the file $SHIM_GATE, each sync waits: the disk stands still.
 *
 * A note is a line, after W followed by the bytes and a newline:
 *   C inode name      a file was created      T inode size          its size was set
 *   W inode at bytes  it was written to       S inode               it was synced
 *   R old new         a file was renamed      U name                it was removed
 *   D                 the directory was synced
 *   A number          shim_ack() was called
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_FDS 1024
enum { NOT_OURS, DIRECTORY, A_FILE };

static const char *directory;
static int log_fd = -1, gate_fd = -1;
static char kinds[MOST_FDS];
static long fail_at, fail_count, calls;
static int fail_error;

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void)
{
	directory = getenv("SHIM_DIRECTORY");
	const char *log = getenv("SHIM_LOG");
	const char *gate = getenv("SHIM_GATE");
	if (log)
		log_fd = REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (gate)
		gate_fd = REAL(open)(gate, O_RDONLY | O_CLOEXEC);
}

/* Lets `count` calls that change the disk fail, from the one that is the `at`th from now on. */
void shim_fail(long at, long count, int error)
{
	calls = 0;
	fail_at = at;
	fail_count = count;
	fail_error = error;
}

/* Returns how many calls have changed the disk since shim_fail(). */
long shim_calls(void)
{
	return calls;
}

static void put(const void *bytes, size_t length)
{
	for (const char *at = bytes; length;) {
		ssize_t written = REAL(write)(log_fd, at, length);
		if (written <= 0)
			abort();
		at += written;
		length -= (size_t)written;
	}
}

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
	if (log_fd < 0)
		return;
	char line[512];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	put(line, (size_t)length);
}

static void bytes_noted(const void *bytes, size_t length)
{
	if (log_fd < 0)
		return;
	put(bytes, length);
	put("\n", 1);
}

void shim_ack(long number)
{
	note("A %ld\n", number);
}

static int fails(void)
{
	calls++;
	if (fail_at && calls >= fail_at && calls < fail_at + fail_count) {
		errno = fail_error;
		return 1;
	}
	return 0;
}

/* Returns the name below the directory, NULL if it is elsewhere; -shm is memory, not disk. */
static const char *name_of(const char *path)
{
	size_t length = directory ? strlen(directory) : 0;
	if (!length || strncmp(path, directory, length) != 0 || path[length] != '/')
		return NULL;
	size_t all = strlen(path);
	return all > 4 && strcmp(path + all - 4, "-shm") == 0 ? NULL : path + length + 1;
}

static unsigned long inode_of(int fd)
{
	struct stat found;
	return fstat(fd, &found) == 0 ? found.st_ino : 0;
}

static int kind_of(int fd)
{
	return fd >= 0 && fd < MOST_FDS ? kinds[fd] : NOT_OURS;
}

static int opened(const char *path, int flags, mode_t mode, int (*open_)(const char *, int, ...))
{
	const char *name = name_of(path);
	int is_new = name && flags & O_CREAT && access(path, F_OK) != 0;
	if (is_new && fails())
		return -1;
	int fd = open_(path, flags, mode);
	if (fd < 0 || fd >= MOST_FDS)
		return fd;
	kinds[fd] = NOT_OURS;
	if (directory && strcmp(path, directory) == 0)
		kinds[fd] = DIRECTORY;
	if (name)
		kinds[fd] = A_FILE;
	if (is_new)
		note("C %lu %s\n", inode_of(fd), name);
	else if (name && flags & O_TRUNC)
		note("T %lu 0\n", inode_of(fd));
	return fd;
}

#define OPEN(function)                                                                             \
	int function(const char *path, int flags, ...)                                             \
	{                                                                                          \
		va_list arguments;                                                                 \
		va_start(arguments, flags);                                                        \
		mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;       \
		va_end(arguments);                                                                 \
		return opened(path, flags, mode, REAL(function));                                  \
	}
OPEN(open)
OPEN(open64)

#define PWRITE(function, offset_t)                                                                 \
	ssize_t function(int fd, const void *bytes, size_t length, offset_t at)                    \
	{                                                                                          \
		if (kind_of(fd) == A_FILE && fails()) {                                            \
			if (length > 1024) { /* a disk that fills up takes a part */               \
				int error = errno;                                                 \
				ssize_t part = REAL(function)(fd, bytes, 512, at);                 \
				if (part > 0) {                                                    \
					note("W %lu %ld %ld\n", inode_of(fd), (long)at,            \
					     (long)part);                                          \
					bytes_noted(bytes, (size_t)part);                          \
				}                                                                  \
				errno = error;                                                     \
			}                                                                          \
			return -1;                                                                 \
		}                                                                                  \
		ssize_t written = REAL(function)(fd, bytes, length, at);                           \
		if (written > 0 && kind_of(fd) == A_FILE) {                                        \
			note("W %lu %ld %ld\n", inode_of(fd), (long)at, (long)written);            \
			bytes_noted(bytes, (size_t)written);                                       \
		}                                                                                  \
		return written;                                                                    \
	}
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define TRUNCATE(function, offset_t)                                                               \
	int function(int fd, offset_t size)                                                        \
	{                                                                                          \
		if (kind_of(fd) == A_FILE && fails())                                              \
			return -1;                                                                 \
		int result = REAL(function)(fd, size);                                             \
		if (result == 0 && kind_of(fd) == A_FILE)                                          \
			note("T %lu %ld\n", inode_of(fd), (long)size);                             \
		return result;                                                                     \
	}
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

static void pass_gate(void)
{
	if (gate_fd < 0)
		return;
	flock(gate_fd, LOCK_SH);
	flock(gate_fd, LOCK_UN);
}

#define SYNC(function)                                                                             \
	int function(int fd)                                                                       \
	{                                                                                          \
		if (kind_of(fd) && fails())                                                        \
			return -1;                                                                 \
		pass_gate();                                                                       \
		int result = REAL(function)(fd);                                                   \
		if (result == 0 && kind_of(fd) == A_FILE)                                          \
			note("S %lu\n", inode_of(fd));                                             \
		else if (result == 0 && kind_of(fd) == DIRECTORY)                                  \
			note("D\n");                                                               \
		return result;                                                                     \
	}
SYNC(fsync)
SYNC(fdatasync)

int posix_fallocate(int fd, off_t at, off_t length)
{
	if (kind_of(fd) == A_FILE && fails())
		return errno;
	return REAL(posix_fallocate)(fd, at, length);
}

int posix_fallocate64(int fd, off64_t at, off64_t length)
{
	if (kind_of(fd) == A_FILE && fails())
		return errno;
	return REAL(posix_fallocate64)(fd, at, length);
}

int unlink(const char *path)
{
	const char *name = name_of(path);
	int result = REAL(unlink)(path);
	if (result == 0 && name)
		note("U %s\n", name);
	return result;
}

int rename(const char *from, const char *to)
{
	if (name_of(from) && fails())
		return -1;
	int result = REAL(rename)(from, to);
	if (result == 0 && name_of(from) && name_of(to))
		note("R %s %s\n", name_of(from), name_of(to));
	return result;
}

int close(int fd)
{
	if (fd >= 0 && fd < MOST_FDS)
		kinds[fd] = NOT_OURS;
	return REAL(close)(fd);
}
