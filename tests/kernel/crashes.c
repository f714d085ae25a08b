/* Crashes in the way that its first argument names, three calls below main(). Before that it writes a line,
 * "ADDRESS TID", and /proc/self/maps: what the address of the fault is, as far as that is known before (else
 * 0), and which thread will crash. The second argument: "thread" for another one than the first; the third:
 * "signal" for a handler that raises the signal again, "altstack" for one on a stack of its own, "returns" for
 * one that only restores the default, "to_process" and "to_first" for one that sends the signal there.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

static const char constant[8192] = "read-only";
static char data[8192];
static char *volatile where;
static void (*volatile call)(void);

static void announce(uintptr_t address)
{
	char buffer[65536];
	ssize_t bytes;
	int maps = open("/proc/self/maps", O_RDONLY);

	dprintf(1, "%#lx %d\n", (unsigned long)address, gettid());
	while ((bytes = read(maps, buffer, sizeof(buffer))) > 0)
		if (write(1, buffer, (size_t)bytes) != bytes)
			abort();
	close(maps);
	close(1);
}

static void at(const volatile void *address)
{
	where = (char *)address;
	announce((uintptr_t)address);
}

static NOINLINE void die_read(void)
{
	data[0] = *(volatile char *)where;
}

static NOINLINE void die_write(void)
{
	*(volatile char *)where = 1;
}

static NOINLINE void die_strlen(void)
{
	data[0] = (char)strlen(where);
	data[1] = 1;
}

static NOINLINE void die_call(void)
{
	call = (void (*)(void))where;
	call();
	data[0] = 1;
}

static NOINLINE int die_recursion(int depth)
{
	volatile char frame[512];

	frame[0] = (char)depth;
	return die_recursion(depth + 1) + frame[0];
}

static NOINLINE void die_large(void)
{
	volatile char frame[40 << 20];

	frame[0] = 1;
	data[0] = frame[0];
}

static NOINLINE void die_huge(void)
{
	volatile char frame[500 << 20];

	frame[0] = 1;
	data[0] = frame[0];
}

static NOINLINE void die_free(void)
{
	char *memory = malloc(64 << 10), *volatile wrong = memory + 64;

	data[0] = memory[0];
	free(wrong);
}

static NOINLINE void die_abort(void)
{
	abort();
}

static NOINLINE void die_assert(void)
{
	assert(!where);
}

static int compare(const void *left, const void *right)
{
	(void)left;
	(void)right;
	abort();
}

static NOINLINE void die_qsort(void)
{
	qsort(data, 16, 1, compare);
	data[0] = 1;
}

#ifdef __x86_64__
static void *code_that_writes(void)
{
	static const char bytes[] = { 0xc6, 0x07, 0x01, 0xc3 }; /* movb $1, (%rdi); ret */
	int all = PROT_READ | PROT_WRITE | PROT_EXEC;
	void *memory = mmap(NULL, 4096, all, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(memory, bytes, sizeof(bytes));
	return memory;
}

static NOINLINE void die_generated(void)
{
	((void (*)(char *))code_that_writes())((char *)16);
	data[0] = 1;
}

static NOINLINE void die_vsyscall(void)
{
	((void (*)(void))0xffffffffff600010)();
	data[0] = 1;
}

static NOINLINE void die_int3(void)
{
	__asm__ volatile("int3; nop");
}

static NOINLINE void die_hlt(void)
{
	__asm__ volatile("hlt");
}

static NOINLINE void die_astray(void)
{
	__asm__ volatile("xor %%esp, %%esp; push %%rax" ::: "memory");
}

static NOINLINE void die_swapgs(void)
{
	__asm__ volatile("swapgs");
}

static NOINLINE void die_rdtsc(void)
{
	if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV))
		_exit(99);
	__asm__ volatile("rdtsc" ::: "eax", "edx");
}

static NOINLINE void die_frame(void) /* reads at a frame pointer that is none */
{
	__asm__ volatile("push %rbp; movabs $0x1122334455667788, %rbp; mov (%rbp), %rax; pop %rbp");
}

static NOINLINE void die_movaps(void)
{
	__asm__ volatile("movaps %%xmm0, 1(%0)" ::"r"(data));
}
#endif

static void *file(const char *path, off_t bytes, off_t left)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *memory;

	if (fd < 0 || ftruncate(fd, bytes))
		_exit(99);
	memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memory[0] = 1;
	if (ftruncate(fd, left))
		_exit(99);
	return memory;
}

static void *pages(int protection, int flags)
{
	char *memory = mmap(NULL, 4 << 20, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return memory == MAP_FAILED ? NULL : memory + 8192;
}

static void *stack_guard(void)
{
	pthread_attr_t attributes;
	size_t size;
	void *lowest;

	pthread_getattr_np(pthread_self(), &attributes);
	pthread_attr_getstack(&attributes, &lowest, &size);
	return (char *)lowest - 64; /* glibc's guard lies below */
}

static NOINLINE void middle(const char *way)
{
	char here = 0, *heap = malloc(64 << 10);
	const char *path = getenv("CRASH_FILE");

#define IS(name) (!strcmp(way, name))
	if (IS("paused")) {
		char byte;

		dprintf(1, "paused\n");
		if (read(0, &byte, 1) == 1)
			at(NULL), die_read();
	} else if (IS("read_null"))
		at(NULL), die_read();
	else if (IS("strlen"))
		at((void *)24), die_strlen();
	else if (IS("write_null"))
		at((void *)8), die_write();
	else if (IS("call_null"))
		at(NULL), die_call();
	else if (IS("write_code"))
		at((char *)middle), die_write();
	else if (IS("write_constant"))
		at(constant + 16), die_write();
	else if (IS("call_data"))
		at(data + 64), die_call();
	else if (IS("call_heap"))
		at(heap + 64), die_call();
	else if (IS("call_stack"))
		at(&here), die_call();
	else if (IS("read_none"))
		at(pages(PROT_NONE, 0)), die_read();
	else if (IS("write_read_only"))
		at(pages(PROT_READ, 0)), die_write();
	else if (IS("read_truncated"))
		at((char *)file(path, 16384, 4096) + 8200), die_read();
	else if (IS("write_guard"))
		at(stack_guard()), die_write();
	else if (IS("write_wild"))
		at((void *)0xaaaaaaaaaaaaaaaa), die_write();
	else if (IS("recursion"))
		at(NULL), data[0] = (char)die_recursion(0);
	else if (IS("large"))
		at(NULL), die_large();
	else if (IS("huge"))
		at(NULL), die_huge();
	else if (IS("free"))
		at(NULL), die_free();
	else if (IS("abort"))
		at(NULL), die_abort();
	else if (IS("assert"))
		at(data), die_assert();
	else if (IS("qsort"))
		at(NULL), die_qsort();
#ifdef __x86_64__
	else if (IS("generated"))
		at((void *)16), die_generated();
	else if (IS("vsyscall"))
		at(NULL), die_vsyscall();
	else if (IS("int3"))
		at(NULL), die_int3();
	else if (IS("hlt"))
		at(NULL), die_hlt();
	else if (IS("astray"))
		at((void *)-8), die_astray();
	else if (IS("swapgs"))
		at(NULL), die_swapgs();
	else if (IS("rdtsc"))
		at(NULL), die_rdtsc();
	else if (IS("frame"))
		at(NULL), die_frame();
	else if (IS("movaps"))
		at(NULL), die_movaps();
#endif
	data[1] = 1;
}

static NOINLINE void *outer(void *way)
{
	middle(way);
	data[2] = 1;
	return NULL;
}

static int on_altstack;

static void use_altstack(void)
{
	stack_t stack = { .ss_sp = malloc(1 << 16), .ss_size = 1 << 16 };

	if (on_altstack && sigaltstack(&stack, NULL))
		_exit(99);
}

static void *in_thread(void *way)
{
	use_altstack();
	prctl(PR_SET_NAME, "io-3");
	return outer(way);
}

static void raise_again(int number)
{
	signal(number, SIG_DFL);
	raise(number);
}

static void restore(int number)
{
	signal(number, SIG_DFL);
}

static void send_to_process(int number)
{
	signal(number, SIG_DFL);
	kill(getpid(), number);
	pause();
}

static void send_to_first(int number)
{
	signal(number, SIG_DFL);
	tgkill(getpid(), getpid(), number);
	pause();
}

static void crash_too(int number)
{
	(void)number;
	where = (char *)16;
	die_write();
}

static void handle(const char *how)
{
	struct sigaction action = { .sa_handler = raise_again };

	if (!strcmp(how, "altstack")) {
		on_altstack = 1;
		use_altstack();
		action.sa_flags = SA_ONSTACK;
	}
	if (!strcmp(how, "at_once"))
		action.sa_flags = SA_NODEFER;
	if (!strcmp(how, "returns"))
		action.sa_handler = restore;
	if (!strcmp(how, "to_process"))
		action.sa_handler = send_to_process;
	if (!strcmp(how, "to_first"))
		action.sa_handler = send_to_first;
	if (!strcmp(how, "crash_too")) {
		action.sa_handler = crash_too;
		action.sa_flags = SA_RESETHAND | SA_NODEFER;
	}
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

int main(int count, char **words)
{
	const struct rlimit none = { 0, 0 };
	pthread_t thread;

	setrlimit(RLIMIT_CORE, &none);
	if (count < 2)
		return 99;
	if (count > 3)
		handle(words[3]);
	if (count > 2 && !strcmp(words[2], "thread")) {
		pthread_create(&thread, NULL, in_thread, words[1]);
		pthread_join(thread, NULL);
	} else {
		outer(words[1]);
	}
	return 98;
}
