// A service that ends in the way that its first argument names, or runs until it is ended.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

struct request {
	int length;
};

static volatile struct request *next_request;

static int handle_request(void)
{
	return next_request->length; // there is none
}

static void eat(void)
{
	for (;;)
		memset(malloc(1 << 20), 1, 1 << 20);
}

// What a master does for its workers: they are children of it, and run as long as nobody ends them.
static void start_workers(void)
{
	for (int nth = 0; nth < 2; nth++)
		if (fork() == 0)
			return;
}

int main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "run";
	struct utsname name;

	if (!strcmp(way, "fault"))
		return handle_request();
	if (!strcmp(way, "abort"))
		abort();
	if (!strcmp(way, "eat"))
		eat();
	if (!strcmp(way, "uname"))
		return uname(&name);
	if (!strcmp(way, "spin"))
		for (;;)
			;
	if (!strcmp(way, "ignore"))
		signal(SIGTERM, SIG_IGN);
	if (!strcmp(way, "master"))
		start_workers();
	for (;;)
		pause();
}
