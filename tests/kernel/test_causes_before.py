"""What a process was asked, or took a fault for, before it ended in another way."""

import subprocess
import sys
import time
from pathlib import Path
from signal import (
    SIGABRT,
    SIGALRM,
    SIGBUS,
    SIGCONT,
    SIGFPE,
    SIGHUP,
    SIGILL,
    SIGINT,
    SIGKILL,
    SIGPIPE,
    SIGQUIT,
    SIGSEGV,
    SIGSTOP,
    SIGSYS,
    SIGTERM,
    SIGTRAP,
    SIGUSR1,
    SIGXCPU,
    SIGXFSZ,
)

import pytest
from support.causes import assert_killed, assert_only, cause_of
from support.machine import need_of_kernel
from support.processes import Puppet
from support.stage import Stage
from support.truth import record_of, recorded
from support.waiting import until

from exitsnoop.filters.filters import Filters
from exitsnoop.filters.match import match
from exitsnoop.host.processes import stat
from exitsnoop.kernel.features import has_loops
from exitsnoop.model.batch import Exits

REQUESTS = [SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGTERM, SIGXCPU]
RAISED_AGAIN = [SIGPIPE, SIGALRM, SIGXFSZ]
FAULTS = [SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGSYS]


@pytest.mark.parametrize("number", [*REQUESTS, *RAISED_AGAIN, *FAULTS])
def test_the_cause_of_a_signal_raised_again_is_its_first_sender(stage: Stage, number: int) -> None:
    with recorded(why=True) as exits:
        victim, sender = stage.puppet(), stage.puppet()
        victim.ask("handle_and", "raise", int(number))
        sender.kill(victim, number)
        assert victim.wait() == -number
    cause = cause_of(exits, victim)
    assert_killed(cause, sender)
    assert (cause.reraised, cause.after) == (True, None)
    assert cause.text.endswith(", raised again after it was handled")


def test_a_fault_raised_again_is_that_fault(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.ask("handle_and", "raise", int(SIGSEGV))
        victim.die("touch", 0x40)
        assert victim.wait() == -SIGSEGV
    cause = cause_of(exits, victim)
    assert (cause.kind, cause.address, cause.reraised) == ("fault", 0x40, True)
    assert cause.thread
    assert cause.thread.tid == victim.pid


def test_a_filter_for_the_cause_finds_what_was_raised_again(stage: Stage) -> None:
    with recorded(causes=["fault"]) as exits:
        victim, other = stage.puppet(), stage.puppet()
        victim.ask("handle_and", "raise", int(SIGSEGV))
        victim.die("touch", 0x40)
        other.die("signal_itself", "raise", int(SIGSEGV))
    # Others may crash at the same time.
    ours = {victim.pid, other.pid}
    assert [record.pid for record in exits if record.pid in ours] == [victim.pid]


@pytest.mark.parametrize("number", REQUESTS)
def test_an_exit_after_a_request(stage: Stage, number: int) -> None:
    with recorded(why=True) as exits:
        victim, sender = stage.puppet(), stage.puppet()
        victim.ask("handle_and", "exit", int(number))
        begun = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        sender.kill(victim, number)
        assert victim.wait() == 128 + number
        most = (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - begun) / 1e9
    cause = cause_of(exits, victim)
    assert_only(cause, "exited", "after")
    after = cause.after
    assert after
    assert (after.signal, after.kind, after.handled) == (number, "killed", "handled")
    assert after.sender
    assert (after.sender.pid, after.sender.args) == (sender.pid, sender.args)
    assert 0 <= after.seconds <= most
    assert cause.text.startswith(f"exit {128 + number}, ")
    assert f" after {after.signal_name} from deaths[{sender.pid}], run by " in cause.text


@pytest.mark.parametrize("number", [SIGALRM, SIGPIPE, SIGXFSZ])
def test_a_timer_that_goes_off_meanwhile_is_not_the_request(stage: Stage, number: int) -> None:
    """Nginx sets one while it ends its workers."""
    with recorded(why=True) as exits:
        victim, sender = stage.puppet(), stage.puppet()
        victim.ask("handle", int(SIGTERM))
        victim.ask("handle_and", "exit", int(number))
        sender.kill(victim, SIGTERM)
        sender.kill(victim, number)
        assert victim.wait() == 128 + number
    after = cause_of(exits, victim).after
    assert after
    assert (after.signal, after.sender and after.sender.pid) == (SIGTERM, sender.pid)


@pytest.mark.parametrize("failed", [True, False])
def test_what_was_asked_to_end_and_did(stage: Stage, failed: bool) -> None:
    """A recording finds the same."""
    with recorded(why=True) as everything, recorded(failed=failed, asked=True) as exits:
        fails, asked, itself, ignores, ends = [stage.puppet() for _ in range(5)]
        sender = stage.puppet()
        fails.die("exit", 3)
        asked.ask("handle", int(SIGTERM))
        sender.kill(asked, SIGTERM)
        asked.die("exit", 0)
        itself.ask("handle", int(SIGTERM))
        itself.ask("signal_itself", "kill", int(SIGTERM))
        itself.die("exit", 0)
        ignores.ask("ignore", int(SIGTERM))
        sender.kill(ignores, SIGTERM)
        ignores.die("exit", 0)
        ends.die("exit", 0)
        puppets = [fails, asked, itself, ignores, ends]
        for puppet in puppets:
            puppet.wait()
    ours = {puppet.pid for puppet in puppets}
    expected = {fails.pid, asked.pid} if failed else {asked.pid}
    assert {record.pid for record in exits} & ours == expected
    matches = match(Filters(failed=failed, asked=True), Exits.of(everything))
    found = {one.pid for one, passes in zip(everything, matches, strict=True) if passes}
    assert found & ours == expected


@pytest.mark.parametrize("way", ["abort", "exit"])
def test_an_end_after_a_fault(stage: Stage, way: str) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.ask("handle_and", way, int(SIGSEGV))
        victim.die("touch", 0x40)
        assert victim.wait() == (-SIGABRT if way == "abort" else 128 + SIGSEGV)
    cause = cause_of(exits, victim)
    assert cause.kind == ("abort" if way == "abort" else "exited")
    assert cause.after
    assert (cause.after.kind, cause.after.address) == ("fault", 0x40)
    # After an exit it is in the text only if it was just before: on a slow machine it may not be.
    assert ("after a segfault" in cause.text) == (way == "abort" or cause.after.seconds <= 0.1)


def test_an_end_after_what_looks_like_a_fault(stage: Stage) -> None:
    """Another process sent it: the text says so, however long the handler takes."""
    with recorded(why=True) as exits:
        victim, sender = stage.puppet(), stage.puppet()
        victim.ask("handle_and", "exit", int(SIGSEGV))
        sender.kill(victim, SIGSEGV)
        assert victim.wait() == 128 + SIGSEGV
    cause = cause_of(exits, victim)
    assert cause.after
    assert (cause.after.kind, cause.after.signal) == ("killed", SIGSEGV)
    assert f"after SIGSEGV from deaths[{sender.pid}]" in cause.text


@pytest.mark.parametrize("preparation", ["handle", "ignore", "block"])
@pytest.mark.parametrize("same", [True, False])
def test_a_kill_after_a_request(stage: Stage, preparation: str, same: bool) -> None:
    """The whole story of many an exit 137: a supervisor that lost patience."""
    with recorded(why=True) as exits:
        victim, supervisor = stage.puppet(), stage.puppet()
        killer = supervisor if same else stage.puppet()
        victim.ask(preparation, int(SIGTERM))
        supervisor.kill(victim, SIGTERM)
        victim.ask("default", int(SIGUSR1))  # it has taken the signal
        killer.kill(victim, SIGKILL)
        assert victim.wait() == -SIGKILL
    cause = cause_of(exits, victim)
    assert_killed(cause, killer)
    assert cause.after
    assert (
        cause.after.handled
        == {"handle": "handled", "ignore": "ignored", "block": "blocked"}[preparation]
    )
    assert cause.after.sender
    assert cause.after.sender.pid == supervisor.pid
    who = "the same" if same else f"deaths[{supervisor.pid}]"
    assert f" after SIGTERM from {who}" in cause.text
    assert cause.reraised is None


def stop_and_ask_to_end(supervisor: Puppet, victim: Puppet) -> None:
    supervisor.kill(victim, SIGSTOP)
    until(lambda: stat(victim.pid)[0] == b"T")
    supervisor.kill(victim, SIGTERM)


@pytest.mark.parametrize("preparation", ["handle", "default"])
def test_a_kill_after_a_request_to_what_was_stopped(stage: Stage, preparation: str) -> None:
    """It takes no other signal until it goes on."""
    with recorded(why=True) as exits:
        victim, supervisor = stage.puppet(), stage.puppet()
        victim.ask(preparation, int(SIGTERM))
        stop_and_ask_to_end(supervisor, victim)
        supervisor.kill(victim, SIGKILL)
        assert victim.wait() == -SIGKILL
    cause = cause_of(exits, victim)
    assert_killed(cause, supervisor)
    assert cause.after
    assert (cause.after.signal_name, cause.after.handled) == ("SIGTERM", "stopped")
    assert cause.text.endswith(" after SIGTERM from the same, which came while it was stopped")


def test_a_kill_after_a_request_to_what_is_in_the_kernel(stage: Stage) -> None:
    """As with a file system that does not answer."""
    with recorded(why=True) as exits:
        victim, supervisor = stage.puppet(), stage.puppet()
        victim.ask("handle", int(SIGTERM))
        victim.ask("wait_in_vfork")
        supervisor.kill(victim, SIGTERM)
        supervisor.kill(victim, SIGKILL)
        assert victim.wait() == -SIGKILL
    cause = cause_of(exits, victim)
    assert_killed(cause, supervisor)
    assert cause.after
    assert (cause.after.signal_name, cause.after.handled) == ("SIGTERM", "waiting")
    assert cause.text.endswith(" after SIGTERM from the same, which it had not taken yet")


@pytest.mark.parametrize("preparation", ["handle", "default"])
def test_what_was_stopped_and_went_on(stage: Stage, preparation: str) -> None:
    with recorded(why=True) as exits:
        victim, supervisor = stage.puppet(), stage.puppet()
        victim.ask(preparation, int(SIGTERM))
        stop_and_ask_to_end(supervisor, victim)
        supervisor.kill(victim, SIGCONT)
        if preparation == "handle":
            victim.ask("default", int(SIGUSR1))
            victim.die("exit", 3)
        assert victim.wait() == (3 if preparation == "handle" else -SIGTERM)
    cause = cause_of(exits, victim)
    if preparation == "default":
        assert_killed(cause, supervisor)
        assert cause.after is None
    else:
        assert cause.after
        assert (cause.after.signal_name, cause.after.handled) == ("SIGTERM", "handled")


def test_the_last_of_several_requests_is_told(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim, first, second = stage.puppet(), stage.puppet(), stage.puppet()
        victim.ask("handle", int(SIGHUP))
        victim.ask("handle", int(SIGTERM))
        first.kill(victim, SIGTERM)
        second.kill(victim, SIGHUP)
        victim.die("exit", 0)
    after = cause_of(exits, victim).after
    assert after
    assert after.sender
    assert (after.signal, after.sender.pid) == (SIGHUP, second.pid)


def test_what_asks_for_no_end_is_not_told(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim, sender = stage.puppet(), stage.puppet()
        victim.ask("handle", int(SIGUSR1))
        sender.kill(victim, SIGUSR1)
        victim.die("exit", 3)
    assert_only(cause_of(exits, victim), "exited")


def test_the_next_process_with_the_pid_was_not_asked(stage: Stage) -> None:
    with recorded(pids=[1], why=True), recorded(why=True) as exits:  # the first sees no end of it
        victim, sender = stage.puppet(), stage.puppet()
        victim.ask("handle_and", "exit", int(SIGTERM))
        sender.kill(victim, SIGTERM)
        victim.wait()
        following = stage.reused(victim.pid)
        following.die("exit", 9)
    (cause,) = [record.cause for record in exits if record.exit_code == 9]
    assert cause
    assert cause.after is None


DUMPING = """
import ctypes, os, resource, sys
resource.setrlimit(resource.RLIMIT_CORE, [resource.getrlimit(resource.RLIMIT_CORE)[1]] * 2)
much = b"x" * (200 << 20)
print("up", flush=True)
os.abort() if sys.argv[1] == "abort" else ctypes.memset(0x40, 1, 1)
"""


def dies_dumping(how: str, sender: Puppet, directory: Path) -> int | None:
    """Return the PID of a process that is killed while its core is written; None if not in time."""
    words = [sys.executable, "-S", "-c", DUMPING, how]
    with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=directory) as process:
        assert process.stdout
        process.stdout.readline()
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None and "CoreDumping:\t1" not in status.read_text():
            pass
        if process.poll() is None:
            sender.kill(process.pid, SIGKILL)
    for core in directory.iterdir():
        core.unlink()
    return process.pid if process.returncode == -SIGKILL else None


@pytest.mark.parametrize("how", ["abort", "fault"])
def test_a_kill_does_not_hide_what_dumped_core(stage: Stage, tmp_path: Path, how: str) -> None:
    """The kernel has put the SIGKILL in the place of the first signal by then."""
    need_of_kernel(has_loops(), "loops, to see crashes")
    with recorded(why=True) as exits:
        sender = stage.puppet()
        pid = next(filter(None, (dies_dumping(how, sender, tmp_path) for _ in range(20))))
    cause = record_of(exits, pid).cause
    assert cause
    assert_killed(cause, sender)
    after = cause.after
    assert after
    assert (after.kind, after.handled) == (how, "dumping core")
    assert after.address == (0x40 if how == "fault" else None)
    assert cause.text.endswith(", while it dumped core")
