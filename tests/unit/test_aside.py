"""Work that is done aside, where memory is short."""

import subprocess
import sys

# Children that may have ever more memory beside the stack of a thread; each prints how it ended.
SCRIPT = """
import os, resource, signal, threading
from exitsnoop.host.aside import Aside

STACK, PAGE = 1 << 20, resource.getpagesize()
threading.stack_size(STACK)
aside = Aside(0.1, 0.1, 0.1)
for pages in range(64):
    pid = os.fork()
    if not pid:
        signal.alarm(20)
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * PAGE
        resource.setrlimit(resource.RLIMIT_AS, (now + STACK + pages * PAGE,) * 2)
        done = []
        aside.do(lambda: None, done.append)
        os._exit(1 if done else 2 if aside.is_late else 3)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
DONE, LATE, NO_THREAD = "123"


def test_a_thread_that_has_no_memory_to_begin_is_not_waited_for() -> None:
    command = [sys.executable, "-B", "-c", SCRIPT]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert {*ended.stdout.split()} == {DONE, LATE, NO_THREAD}
