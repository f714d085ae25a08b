// SPDX-License-Identifier: Apache-2.0
/* A puppet that prepares, sends signals, and dies in the way asked for.
 *
 * It answers a way of dying before, with the fact to be compared (an address, the number of a system
 * call); everything else afterwards. The commands are in the table at the end.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <unistd.h>

#include "deaths/children.h"
#include "deaths/faults.h"
#include "deaths/files.h"
#include "deaths/forced.h"
#include "deaths/memory.h"
#include "deaths/preparations.h"
#include "deaths/signals.h"
#include "deaths/times.h"
#include "default_action.h"
#include "puppet.h"

#define FIRST_NAMESPACE "pid:[4026531836]" /* PROC_PID_INIT_INO, the same everywhere */

static void end(void)
{
	answer("exiting");
	_exit((int)number(1));
}

static void reboot_namespace(void) /* "reboot restart|power_off", except in the first namespace */
{
	char target[64];
	ssize_t length = readlink("/proc/self/ns/pid_for_children", target, sizeof(target));

	if (length != (ssize_t)strlen(FIRST_NAMESPACE) ||
	    memcmp(target, FIRST_NAMESPACE, (size_t)length))
		reboot(is(1, "restart") ? RB_AUTOBOOT : RB_POWER_OFF);
	fail("reboot");
}

static void do_abort(void)
{
	answer("aborting");
	abort();
}

const struct command commands[] = {
	{ "block", block },
	{ "unblock", unblock },
	{ "unblock_all", unblock_all },
	{ "handle", handle },
	{ "handle_and", handle_and },
	{ "ignore", ignore },
	{ "default", set_default },
	{ "take", take },
	{ "put", put },
	{ "become", become },
	{ "enter_user_namespace", enter_user_namespace },
	{ "new_group", new_group },
	{ "new_session", new_session },
	{ "take_terminal", take_terminal },
	{ "child", child },
	{ "wait_in_vfork", wait_in_vfork },
	{ "child_of_thread", child_of_thread },
	{ "spawn", spawn },
	{ "reap", reap },
	{ "stopped_child", stopped_child },
	{ "wait", wait_for_end },
	{ "die_with_parent", die_with_parent },
	{ "send", send_signal },
	{ "send_to_each", send_to_each },
	{ "flood", flood },
	{ "trace_until_end", trace_until_end },
	{ "inject", inject },
	{ "exit", end },
	{ "signal_itself", signal_itself },
	{ "abort", do_abort },
	{ "touch", touch },
	{ "touch_read_only", touch_read_only },
	{ "touch_truncated", touch_truncated },
	{ "call", call },
	{ "overflow", overflow },
	{ "overflow_at_once", overflow_at_once },
	{ "survive_fault", survive_fault },
	{ "overflow_signal_stack", overflow_signal_stack },
	{ "have_no_signal_stack", have_no_signal_stack },
	{ "overwrite_rseq", overwrite_rseq },
	{ "read_nothing", read_nothing },
	{ "run_nothing", run_nothing },
	{ "reboot", reboot_namespace },
	{ "in_thread", in_thread },
	{ "break_filter", break_filter },
	{ "break_pipe", break_pipe },
	{ "try_to_write", try_to_write },
	{ "time_out", time_out },
	{ "use_cpu", use_cpu },
	{ "use_realtime", use_realtime },
	{ "outgrow_file_limit", outgrow_file_limit },
	{ "be_told_of_input", be_told_of_input },
	{ "be_told_of_message", be_told_of_message },
	{ "post", post },
	{ "allocate", allocate },
	{ "allocate_in_vfork", allocate_in_vfork },
	{ "fill_file", fill_file },
	{ NULL, NULL },
};

/* Who runs the tests may ignore or block some: a shell does for what it runs in the background. */
static void forget_inherited_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	check(sigprocmask(SIG_SETMASK, &none, NULL));
	for (int number = 1; number <= 64; number++)
		set_default_action(number); /* fails for those that cannot be ignored either */
}

int main(void)
{
	struct rlimit none = { 0, 0 };

	check(setrlimit(RLIMIT_CORE, &none));
	forget_inherited_signals();
	get_ready();
	serve();
	return 0;
}
