"""What a process does to itself: it exits, crashes, breaks a rule, or reaches a limit."""

import os
import platform
import subprocess
from pathlib import Path
from signal import (
    SIGALRM,
    SIGBUS,
    SIGFPE,
    SIGILL,
    SIGKILL,
    SIGPIPE,
    SIGPROF,
    SIGSEGV,
    SIGSYS,
    SIGTERM,
    SIGTRAP,
    SIGUSR1,
    SIGVTALRM,
    SIGXCPU,
    SIGXFSZ,
)

import pytest
from support.causes import assert_only, cause_of
from support.machine import kernel_has, need
from support.stage import Stage
from support.truth import recorded

WHERE = pytest.mark.parametrize("where", [[], ["in_thread"]])


# What the CPU of each machine faults at. arm64 divides by zero, and tells where a breakpoint was.
INSTRUCTIONS = {
    "x86_64": [("divide", SIGFPE, "FPE_INTDIV"), ("illegal", SIGILL, "ILL_ILLOPN")],
    "aarch64": [
        ("illegal", SIGILL, "ILL_ILLOPC"),
        ("trap", SIGTRAP, "TRAP_BRKPT"),
        ("misaligned", SIGBUS, "BUS_ADRALN"),
    ],
}


def test_every_exit_code(stage: Stage) -> None:
    """A status is never taken for a signal, though shells mean one by 128+n."""
    with recorded(why=True) as exits:
        victims = [stage.puppet() for _ in range(256)]
        for code, victim in enumerate(victims):
            victim.die("exit", code)
            assert victim.wait() == code
    causes = [cause_of(exits, victim) for victim in victims]
    for cause in causes:
        assert_only(cause, "exited")
    texts = [cause.text for cause in causes]
    assert "usage" in texts[64]
    assert "data" in texts[65]
    assert all(len(text) > len("exit 64: ") for text in texts[64:79])
    assert len(set(texts[64:79])) == 15
    assert "126" in texts[126]
    assert texts[127] == "exit 127: command not found (shell)"
    assert "137" in texts[137]
    assert texts[3] == "exit 3"


def test_a_command_that_is_not_there() -> None:
    with recorded(why=True) as exits:
        shell = subprocess.Popen(["sh", "-c", "/nowhere/nothing"], stderr=subprocess.DEVNULL)
        assert shell.wait() == 127
    cause = cause_of(exits, shell.pid)
    assert_only(cause, "exited")
    assert "not found" in cause.text


@WHERE
@pytest.mark.parametrize("address", [0, 0x10, 0xDEAD000])
def test_a_write_to_nothing(stage: Stage, where: list[str], address: int) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.die(*where, "touch", address)
        assert victim.wait() == -SIGSEGV
    cause = cause_of(exits, victim)
    assert_only(cause, "fault", "address")
    assert (cause.si_code, cause.address) == ("SEGV_MAPERR", address)
    assert cause.text == f"segfault at {address:#x} (SEGV_MAPERR)"


@pytest.mark.parametrize("preparation", ["block", "ignore"])
def test_a_fault_cannot_be_blocked_or_ignored(stage: Stage, preparation: str) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.ask(preparation, SIGSEGV.value)
        victim.die("touch", 0x123)
        assert victim.wait() == -SIGSEGV
    cause = cause_of(exits, victim)
    assert_only(cause, "fault", "address")
    assert cause.address == 0x123


def test_a_fault_after_a_signal_of_the_same_number_was_sent(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim, sender = stage.puppet(), stage.puppet()
        victim.ask("handle", SIGSEGV.value)
        sender.kill(victim, SIGSEGV)
        victim.ask("default", SIGSEGV.value)
        victim.die("touch", 0x123)
        assert victim.wait() == -SIGSEGV
    cause = cause_of(exits, victim)
    assert_only(cause, "fault", "address")
    assert cause.address == 0x123


@WHERE
@pytest.mark.parametrize(
    ("command", "number", "code"),
    [
        (["touch_read_only"], SIGSEGV, "SEGV_ACCERR"),
        (["touch_truncated", "truncated"], SIGBUS, "BUS_ADRERR"),
        *(
            (["call", name], number, code)
            for name, number, code in INSTRUCTIONS.get(platform.machine(), [])
        ),
    ],
)
def test_faults(stage: Stage, where: list[str], command: list[str], number: int, code: str) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        address = int(victim.die(*where, *command), 16)
        assert victim.wait() == -number
    cause = cause_of(exits, victim)
    assert_only(cause, "fault", "address")
    assert (cause.si_code, cause.address) == (code, address)
    assert f"{address:#x}" in cause.text
    assert code in cause.text


def test_int3(stage: Stage) -> None:
    need(platform.machine() == "x86_64", "this instruction is one of x86")
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.die("call", "trap")
        assert victim.wait() == -SIGTRAP
    cause = cause_of(exits, victim)
    assert_only(cause, "fault")
    assert cause.si_code == "SI_KERNEL"


def test_an_address_no_memory_can_have(stage: Stage) -> None:
    """x86 does not tell it. To arm64 the upper byte is a tag; only a handler gets none."""
    address = 0x8000_0000_0000_0123
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.die("touch", address)
        assert victim.wait() == -SIGSEGV
    cause = cause_of(exits, victim)
    if platform.machine() == "x86_64":
        assert_only(cause, "fault")
        assert cause.si_code == "SI_KERNEL"
    else:
        assert_only(cause, "fault", "address")
        assert (cause.si_code, cause.address) == ("SEGV_MAPERR", address)


def test_stack_overflow(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.die("overflow")
        assert victim.wait() == -SIGSEGV
    cause = cause_of(exits, victim)
    assert cause.kind == "fault"
    assert cause.address
    assert "stack overflow" in cause.text


def test_a_bad_address_is_no_stack_overflow(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victims = [stage.puppet() for _ in range(3)]
        victims[0].die("touch", 0)
        victims[1].die("touch", 0x7000_0000_0000)
        victims[2].die("touch_read_only")
    for victim in victims:
        assert "stack" not in cause_of(exits, victim).text


@WHERE
@pytest.mark.parametrize("action", ["process", "trap"])
@pytest.mark.parametrize("call", ["getppid", "lseek"])  # lseek: on arm64, a name for another name
def test_seccomp(stage: Stage, where: list[str], action: str, call: str) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        number = int(victim.die(*where, "break_filter", action, call))
        assert victim.wait() == -SIGSYS
    cause = cause_of(exits, victim)
    if action == "process" and not kernel_has("force_sig_seccomp"):
        # Up to 5.14 the filter makes the process exit as if by the signal, which nobody sends.
        assert_only(cause, "seccomp")
        return
    assert_only(cause, "seccomp", "syscall")
    assert cause.syscall == number
    assert f" {number} ({call})," in cause.text


def test_seccomp_kills_the_only_thread(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.die("break_filter", "thread")
        assert victim.wait() == -SIGSYS
    cause = cause_of(exits, victim)
    assert cause.kind == "seccomp"
    assert cause.sender is None


@WHERE
@pytest.mark.parametrize("what", ["pipe", "socket"])
def test_closed_pipe(stage: Stage, where: list[str], what: str) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.die(*where, "break_pipe", what)
        assert victim.wait() == -SIGPIPE
    cause = cause_of(exits, victim)
    assert_only(cause, "pipe")
    assert cause.text == "closed pipe"


@pytest.mark.parametrize("way", ["raise", "kill"])
def test_a_sigpipe_of_its_own_is_no_pipe(stage: Stage, way: str) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.die("signal_itself", way, SIGPIPE.value)
    assert cause_of(exits, victim).kind == "self"


@pytest.mark.parametrize(
    ("timer", "number"),
    [
        ("alarm", SIGALRM),
        ("real", SIGALRM),
        ("virtual", SIGVTALRM),
        ("prof", SIGPROF),
        ("posix", SIGTERM),
        ("posix", SIGUSR1),
        ("posix", SIGALRM),
        ("posix", SIGKILL),
    ],
)
def test_timers(stage: Stage, timer: str, number: int) -> None:
    """It is no one's signal, though the interrupt comes while another process has the CPU.

    deaths.c sees to it which one: this machine may have processes that no BPF program runs in.
    """
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.die("time_out", timer, int(number))
        assert victim.wait() == -number
    assert_only(cause_of(exits, victim), "timer")


@pytest.mark.parametrize(
    ("soft", "hard", "number", "limit"), [(1, 4, SIGXCPU, 1), (1, 1, SIGKILL, 1)]
)
def test_cpu_limit(stage: Stage, soft: int, hard: int, number: int, limit: int) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.die("use_cpu", soft, hard)
        assert victim.wait() == -number
    cause = cause_of(exits, victim)
    assert_only(cause, "cpu_limit", "limit")
    assert cause.limit == limit


@pytest.mark.parametrize(
    ("soft", "hard", "number"), [(50_000, 10_000_000, SIGXCPU), (50_000, 50_000, SIGKILL)]
)
def test_the_limit_of_realtime_is_not_that_of_cpu_time(
    stage: Stage, soft: int, hard: int, number: int
) -> None:
    """RLIMIT_RTTIME has the same signals; RLIMIT_CPU is 10,000 s here."""
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.die("use_realtime", soft, hard)
        assert victim.wait() == -number
    cause = cause_of(exits, victim)
    assert cause.kind in ("kernel", "cpu_limit")
    assert cause.limit is None
    assert "None" not in cause.text
    assert "10000" not in cause.text


@pytest.mark.parametrize("size", [0, 10_000, 5_000_000_000])
def test_file_limit(stage: Stage, size: int) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.die("outgrow_file_limit", size, "outgrown")
        assert victim.wait() == -SIGXFSZ
    cause = cause_of(exits, victim)
    assert_only(cause, "file_limit", "limit")
    assert cause.limit == size


@pytest.mark.parametrize("number", [0, SIGTERM, SIGKILL])
def test_input_that_was_asked_to_be_told_of(stage: Stage, tmp_path: Path, number: int) -> None:
    """SIGIO, or the signal of F_SETSIG: the kernel's own, not of the process that wrote."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with recorded(why=True) as exits:
        victim, writer = stage.puppet(), stage.puppet()
        victim.ask("be_told_of_input", fifo, int(number))
        writer.ask("put", fifo, "x")
        victim.wait()
    cause = cause_of(exits, victim)
    assert_only(cause, "kernel")
    assert cause.si_code in ("SI_KERNEL", "POLL_IN")
