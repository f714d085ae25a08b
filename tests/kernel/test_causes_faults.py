"""What a process does to itself: it exits, crashes, breaks a rule, or reaches a limit."""

import platform
import re
import subprocess
from pathlib import Path
from signal import (
    SIGBUS,
    SIGFPE,
    SIGILL,
    SIGKILL,
    SIGPIPE,
    SIGSEGV,
    SIGSYS,
    SIGTRAP,
    SIGXCPU,
    SIGXFSZ,
    Signals,
)

import pytest
from support.causes import assert_only, cause_of
from support.machine import kernel_has, need, need_of_kernel
from support.processes import Puppet
from support.stage import Stage
from support.truth import recorded

from exitsnoop import Cause
from exitsnoop.model.words import human_bytes

WHERE = pytest.mark.parametrize("where", [[], ["in_thread"]])
X86 = platform.machine() == "x86_64"
HAS_SITES = kernel_has("bpf_loop")  # where it crashed


def told(what: str | None) -> str | None:
    """What the CPU says, where exitsnoop can know it: on x86."""
    return what if X86 else None


def assert_fault(
    cause: Cause, victim: Puppet, where: list[str], *, access: str | None = None
) -> None:
    """It is a fault with an address, in the thread that had it, which tried this there."""
    assert_only(cause, "fault", "address", "thread", *(["access"] if access else []))
    assert cause.access == access
    assert cause.thread
    assert (cause.thread.tid != victim.pid) == bool(where)
    assert cause.thread.comm == "deaths"
    assert ("thread" in cause.text) == bool(where)


# What is said of a code, if it is more than its name. The compiler's instruction is ud2.
WORDS = {
    "FPE_INTDIV": "(division by zero or overflow)",
    "ILL_ILLOPN": "(an instruction that a compiler puts where a program must stop)",
}

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
    """A status is never taken for a signal, nor for what another program means by it."""
    with recorded(why=True) as exits:
        victims = [stage.puppet() for _ in range(256)]
        for code, victim in enumerate(victims):
            victim.die("exit", code)
            assert victim.wait() == code
    causes = [cause_of(exits, victim) for victim in victims]
    for cause in causes:
        assert_only(cause, "exited")
    assert [cause.text for cause in causes] == [f"exit {code}" for code in range(256)]


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
    assert_fault(cause, victim, where, access=told("write"))
    assert (cause.si_code, cause.address) == ("SEGV_MAPERR", address)
    doing = "writing" if cause.access else "at"
    then = "in deaths " if HAS_SITES else "(SEGV_MAPERR)"
    assert cause.text.startswith(f"segfault {doing} {address:#x} {then}")


@pytest.mark.parametrize(
    ("command", "access", "doing"),
    [("read_nothing", "read", "reading"), ("run_nothing", "execute", "executing")],
)
def test_what_was_tried_at_nothing(stage: Stage, command: str, access: str, doing: str) -> None:
    need_of_kernel(bool(told(access)), "word of what the CPU tried")
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.die(command, 0x10)
        assert victim.wait() == -SIGSEGV
    cause = cause_of(exits, victim)
    assert_fault(cause, victim, [], access=access)
    where = r"(, called from| in) deaths " if HAS_SITES else r" \(SEGV_MAPERR\)"
    assert re.match(f"segfault {doing} 0x10{where}", cause.text)


@pytest.mark.parametrize("preparation", ["block", "ignore"])
def test_a_fault_cannot_be_blocked_or_ignored(stage: Stage, preparation: str) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.ask(preparation, SIGSEGV.value)
        victim.die("touch", 0x123)
        assert victim.wait() == -SIGSEGV
    cause = cause_of(exits, victim)
    assert_fault(cause, victim, [], access=told("write"))
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
    assert_fault(cause._replace(after=None), victim, [], access=told("write"))
    assert cause.address == 0x123
    assert cause.after
    assert (cause.after.signal, cause.after.kind) == (SIGSEGV, "killed")


@WHERE
@pytest.mark.parametrize(
    ("command", "number", "code", "access"),
    [
        (["touch_read_only"], SIGSEGV, "SEGV_ACCERR", "write"),
        (["touch_truncated", "truncated"], SIGBUS, "BUS_ADRERR", "write"),
        *(
            (["call", name], number, code, None)
            for name, number, code in INSTRUCTIONS.get(platform.machine(), [])
        ),
    ],
)
def test_faults(
    stage: Stage,
    where: list[str],
    command: list[str],
    number: int,
    code: str,
    access: str | None,
) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        address = int(victim.die(*where, *command), 16)
        assert victim.wait() == -number
    cause = cause_of(exits, victim)
    assert_fault(cause, victim, where, access=told(access))
    assert (cause.si_code, cause.address) == (code, address)
    assert f"{address:#x}" in cause.text
    assert WORDS.get(code, code if not HAS_SITES else " in deaths ") in cause.text
    assert (" in deaths " in cause.text) == HAS_SITES


@WHERE
@pytest.mark.parametrize(
    ("command", "number", "trap"),
    [
        (["call", "trap"], SIGTRAP, "breakpoint"),
        (["call", "privileged"], SIGSEGV, "privileged instruction (hlt)"),
        (["call", "unaligned"], SIGSEGV, "unaligned access, or a wild pointer"),
        (["call", "ill_framed"], SIGSEGV, "invalid signal frame"),
        (["call", "vsyscall"], SIGSEGV, "call of the vsyscall page"),
        (["touch", 0x8000_0000_0000_0123], SIGSEGV, "wild pointer (not a canonical address)"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else None,
)
def test_faults_without_an_address(
    stage: Stage, where: list[str], command: list[object], number: int, trap: str
) -> None:
    """x86 gives none: the kernel says only SI_KERNEL."""
    need(X86, "these instructions are those of x86")
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.die(*where, *command)
        assert victim.wait() == -number
    cause = cause_of(exits, victim)
    if cause.si_code == "SEGV_MAPERR":  # a kernel without a vsyscall page
        assert "vsyscall" in command
        return
    assert_only(cause, "fault", "thread", *(["trap"] if told(trap) else []))
    assert (cause.si_code, cause.trap) == ("SI_KERNEL", told(trap))
    assert (cause.trap or "SI_KERNEL") in cause.text


if not X86:

    def test_an_address_with_a_tag(stage: Stage) -> None:
        """To arm64 the upper byte is a tag; only a handler gets none."""
        address = 0x8000_0000_0000_0123
        with recorded(why=True) as exits:
            victim = stage.puppet()
            victim.die("touch", address)
            assert victim.wait() == -SIGSEGV
        cause = cause_of(exits, victim)
        assert_fault(cause, victim, [])
        assert (cause.si_code, cause.address) == ("SEGV_MAPERR", address)


@WHERE
@pytest.mark.parametrize("handled", [False, True])
@pytest.mark.parametrize("way", [["overflow"], ["overflow_at_once", 0]])
def test_stack_overflows(stage: Stage, where: list[str], handled: bool, way: list[object]) -> None:
    """A handler does not help: it has no stack to run on."""
    simple = not where and not handled and way == ["overflow"]
    need_of_kernel(simple or bool(told("the stack pointer")), "word of the stack pointer")
    with recorded(why=True) as exits:
        victim = stage.puppet()
        if handled:
            victim.ask("handle", int(SIGSEGV))
        victim.die(*where, *way)
        assert victim.wait() == -SIGSEGV
    cause = cause_of(exits, victim)
    assert cause.kind == "fault"
    if handled:
        assert cause.trap == "no room on the stack for a signal handler"
    if not (handled and where):  # nothing says how far the stack of another thread goes
        assert ", stack overflow" in cause.text


def test_an_exec_that_cannot_go_back() -> None:
    """More arguments than the stack has room for: when that is found out, the program is gone."""
    with recorded(why=True) as exits:
        victim = subprocess.Popen(["prlimit", "--stack=8192:8192", "/bin/true", *["x"] * 3000])
        assert victim.wait() == -SIGSEGV
    cause = cause_of(exits, victim.pid)
    assert_only(cause, "kernel")
    assert "never ran" in cause.text


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
    limit = soft if number == SIGXCPU else hard
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.die("use_realtime", soft, hard)
        assert victim.wait() == -number
    cause = cause_of(exits, victim)
    assert_only(cause, "cpu_limit")
    told = f"of {limit / 1_000_000:g} s without a pause ({Signals(number).name})"
    assert cause.text == f"CPU time limit at real-time priority {told}"


@pytest.mark.parametrize(
    ("size", "how"),
    [
        (0, "pwrite"),
        (10_000, "pwrite"),
        (5_000_000_000, "pwrite"),
        *[(4096, how) for how in ("write", "truncate", "allocate", "send", "copy", "splice")],
    ],
)
def test_file_limit(stage: Stage, tmp_path: Path, size: int, how: str) -> None:
    """Where it crashed is where the file is known."""
    path = tmp_path / "outgrown file"
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.die("outgrow_file_limit", size, tmp_path, how)
        assert victim.wait() == -SIGXFSZ
    cause = cause_of(exits, victim)
    is_known = X86 and HAS_SITES
    assert_only(cause, "file_limit", "limit", *["path"] * is_known)
    assert (cause.limit, cause.path) == (size, str(path) if is_known else None)
    by = f", reached by '{path}'" if is_known else ""
    assert cause.text == f"file size limit of {human_bytes(size)}{by} (SIGXFSZ)"
