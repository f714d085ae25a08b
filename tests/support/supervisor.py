"""Sees to it that a test run leaves nothing behind, however it ends: pytest may be killed.

supervise() makes three processes of the one that calls it:

    the first       the one that make or the shell started: passes signals on, and the status back
    the supervisor  this file as a program, in a session of its own
    the tests       a child of the supervisor, in which supervise() returns

Orphans of the tests become children of the supervisor. When the tests have ended, or the first
process is gone, it ends every process that is left, and removes the cgroups and mounts that the
tests noted. If the supervisor itself is killed, the first process does so.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PASSED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
# What was told to end, or is about to, may take so long.
DYING_S = float(os.environ.get("DYING_S", "10"))
UNKILLABLE_S = 60  # nothing lives on so long after SIGKILL, unless it is frozen by someone else
# What a test cleans up after its time limit may take so long, too.
TEARDOWN_S = float(os.environ.get("TEARDOWN_S", "180"))

_test = _made = -1
"""What a run has: a pipe that takes the test that runs; a file that lists what was made."""


def supervise() -> None:
    """Return in the process that is to run the tests, with no signal ignored or blocked."""
    global _test, _made
    sys.stdout.flush()
    sys.stderr.flush()
    first = os.getpid()
    adopt_orphans(True)
    reading, _test = os.pipe()
    _made = os.memfd_create("made")
    supervisor = os.fork()
    if supervisor:
        os.close(reading)
        os.close(_test)
        _stand_by(supervisor)
    os.setsid()
    adopt_orphans(True)
    parent = os.getpid()
    tests = os.fork()
    if tests:
        for fd in (reading, _made):
            os.set_inheritable(fd, True)
        words = [__file__, *map(str, (first, tests, reading, _made))]
        os.execv(sys.executable, [sys.executable, "-I", "-S", *words])
    os.close(reading)
    os.setpgid(0, 0)
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    _reset_signals()


def note_made(path: Path) -> None:
    """Have a cgroup or a mount removed at the end of the run; to be called before it is made."""
    if _made >= 0:  # scripts use what notes, too, without a supervisor
        os.write(_made, os.fsencode(path) + b"\0")


def note_test(name: str, limit_s: float) -> None:
    """Have the run ended if this test does not end, although its time limit is over."""
    _note_test({"name": name, "limit": limit_s + TEARDOWN_S})


def note_end_of_test() -> None:
    """The test that was noted last has ended."""
    _note_test({"name": "", "limit": None})


def _note_test(note: dict[str, Any]) -> None:
    os.write(_test, json.dumps(note).encode() + b"\n")


def adopt_orphans(adopts: bool) -> None:
    """Have what its parent leaves behind become a child of this process, or no longer."""
    _prctl(PR_SET_CHILD_SUBREAPER, adopts)


def children_of(pid: int) -> list[int]:
    """Return the children of a process, of all its threads."""
    text = ""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            text += (task / "children").read_text()
    return [int(child) for child in text.split()]


def _prctl(option: int, value: int) -> None:
    assert ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0


def _reset_signals() -> None:
    """Undo what nohup and a shell's & do: what the tests start would inherit it."""
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:  # Python ignores them
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _stand_by(supervisor: int) -> NoReturn:
    """Be the first process."""
    _pass_on(supervisor)
    _, status = os.waitpid(supervisor, 0)
    if os.WIFSIGNALED(status):
        _say(f"the supervisor was ended by signal {os.WTERMSIG(status)}: cleaning up")
        _clean_up(_made)
    os._exit(_code(status))


def _pass_on(pid: int) -> None:
    """Send the signals that this process gets to another, unless this one ignores them."""
    for number in PASSED_ON:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: _send(pid, number))


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _code(status: int) -> int:
    """Return the exit status that a shell would give for this wait status."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _say(text: str) -> None:
    print(f"tests: {text}", file=sys.stderr, flush=True)  # noqa: T201


# --- the supervisor ---


def main(first: int, tests: int, reading: int, made: int) -> int:
    """Wait for the end of the tests; clean up; return the exit status."""
    _pass_on(tests)
    signal.signal(signal.SIGCHLD, lambda *_: _reap_orphans(tests))
    _reap_orphans(tests)
    _wait(first, tests, reading)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _send(tests, signal.SIGKILL)  # if it is not they that have ended
    _, status = os.waitpid(tests, 0)
    code = _code(status)
    if os.WIFSIGNALED(status):
        _say(f"pytest was ended by signal {os.WTERMSIG(status)}: cleaning up")
        _tell_to_end()
    elif left := _left(made):
        _say("\n  ".join(["left behind by the tests:", *left]))
        code = code or 1
    _clean_up(made)
    return code


def _wait(first: int, tests: int, reading: int) -> None:
    """Until the tests have ended, or must: by their time limit, or with the first process."""
    ends = [os.pidfd_open(tests)]
    try:
        ends.append(os.pidfd_open(first))
    except ProcessLookupError:
        return
    test: dict[str, Any] = {"name": "", "limit": None}
    text = b""
    while True:
        ready, _, _ = select.select([*ends, reading], [], [], test["limit"])
        if not ready:
            _say(f"{test['name']} does not end")
            _send(tests, signal.SIGABRT)  # pytest then shows where it is
            select.select(ends, [], [], DYING_S)
        if reading not in ready or not set(ends).isdisjoint(ready):
            return
        *lines, text = (text + os.read(reading, 65536)).split(b"\n")
        for line in lines:
            test = json.loads(line)


def _reap_orphans(tests: int) -> None:
    """As the init of a machine does, which would have them otherwise."""
    for pid in children_of(os.getpid()):
        if pid != tests:
            with contextlib.suppress(ChildProcessError):  # one more SIGCHLD came, and it is reaped
                os.waitpid(pid, os.WNOHANG)


def _left(made: int) -> list[str]:
    """Return what the tests should have ended or removed."""
    _reap_for(DYING_S)
    cgroups, mounts = _which_are_there(made)
    return [*map(_description, _descendants(os.getpid())), *cgroups, *mounts]


def _which_are_there(made: int) -> tuple[list[str], list[str]]:
    """Return the cgroups and the mounts that are still there, in the order they were made."""
    noted = os.pread(made, os.fstat(made).st_size, 0).split(b"\0")
    paths = [os.fsdecode(path) for path in dict.fromkeys(noted) if path]
    cgroups = [path for path in paths if os.path.exists(f"{path}/cgroup.procs")]
    return cgroups, [path for path in paths if path not in cgroups and os.path.ismount(path)]


def _reap_for(seconds: float) -> None:
    """Give all descendants so long to end."""
    deadline = time.monotonic() + seconds
    while children_of(os.getpid()):
        if os.waitpid(-1, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                return
            select.select([], [], [], 0.01)


def _descendants(pid: int) -> list[int]:
    found = []
    for child in children_of(pid):
        found += [child, *_descendants(child)]
    return found


def _description(pid: int) -> str:
    words = b""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    return f"process {pid}: {words.replace(bytes(1), b' ').decode(errors='replace')}"


def _tell_to_end() -> None:
    """Let those clean up that can, such as guests with directories of their own."""
    for pid in _descendants(os.getpid()):
        _send(pid, signal.SIGTERM)
        _send(pid, signal.SIGCONT)
    _reap_for(DYING_S)


def _clean_up(made: int) -> None:
    """End all descendants, and remove what was made."""
    cgroups, mounts = _which_are_there(made)
    for path in cgroups:
        _thaw(path)  # what is frozen does not die
    deadline = time.monotonic() + UNKILLABLE_S
    while children := children_of(os.getpid()):  # orphans become children
        for pid in children:
            _send(pid, signal.SIGKILL)
        _reap_for(0.1)
        if time.monotonic() > deadline:
            _say("\n  ".join(["cannot end:", *map(_description, children)]))
            break
    for path in reversed(mounts):
        while os.path.ismount(path):
            subprocess.run(["umount", "--lazy", path], check=True)
    for path in reversed(cgroups):
        for directory, _, _ in os.walk(path, topdown=False):
            _remove_cgroup(directory)


def _thaw(path: str) -> None:
    for file, word in ((f"{path}/cgroup.freeze", "0"), (f"{path}/freezer.state", "THAWED")):
        if os.path.exists(file):
            Path(file).write_text(word)


def _remove_cgroup(path: str) -> None:
    """Remove one; the last of its processes may take a moment to be gone from it."""
    deadline = time.monotonic() + DYING_S
    while os.path.exists(path):
        try:
            os.rmdir(path)
        except OSError as error:
            if time.monotonic() > deadline:
                _say(f"cannot remove {path}: {error.strerror}")
                return
            select.select([], [], [], 0.01)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
