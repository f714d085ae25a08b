"""The verdicts, from evidence alone: no kernel."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exitsnoop import layout
from exitsnoop.causes.rules import RULES, judge
from exitsnoop.decode.signals import Evidence, Memory
from exitsnoop.model.cause import KINDS, Cause, Sender

BOB = Sender(712, 1, "bob", 1000, ("bob", "-9"))
SEEN, KERNEL = layout.EVIDENCE_SEEN, layout.EVIDENCE_KERNEL
NO_INFO, SELF = layout.EVIDENCE_NO_INFO, layout.EVIDENCE_SELF
DIES = layout.EVIDENCE_SENDER_EXITING
BROKEN = "the memory itself is broken"
KEY = "its protection key forbids it"
MEMORY = Memory(62 << 20, 1 << 20, 0, 0, "/app", 64 << 20, 64 << 20)


def case(flags: int = SEEN, **known: Any) -> Evidence:
    return Evidence(flags, BOB, **known)


TABLE = [
    # status, evidence, kind, text
    (0x0000, None, "exited", "exit 0"),
    (0x0300, None, "exited", "exit 3"),
    (0x4D00, None, "exited", "exit 77"),  # EX_NOPERM to some, other things to others
    (0x7F00, None, "exited", "exit 127"),  # of a program that is not a shell
    (0x8900, None, "exited", "exit 137"),
    (9, case(si_code=0), "killed", "killed by bob[712] uid 1000 (SIGKILL)"),
    (15, case(si_code=-1), "killed", "killed by bob[712] uid 1000 (SIGTERM)"),
    (15, case(si_code=-6), "killed", "killed by bob[712] uid 1000 (SIGTERM)"),
    (15, case(si_code=-60), "killed", "killed by bob[712] uid 1000 (SIGTERM)"),
    (9, case(SEEN | NO_INFO), "killed", "killed by bob[712] uid 1000 (SIGKILL)"),
    (6, case(si_code=0), "killed", "killed by bob[712] uid 1000 (SIGABRT)"),
    (11, case(si_code=0), "killed", "killed by bob[712] uid 1000 (SIGSEGV)"),
    (15, case(SEEN | SELF, si_code=-6), "self", "sent itself SIGTERM"),
    (9, case(SEEN | SELF, si_code=0), "self", "sent itself SIGKILL"),
    (0x86, case(SEEN | SELF, si_code=-6), "abort", "abort()"),
    (6, case(SEEN | SELF, si_code=0), "self", "sent itself SIGABRT"),
    (10, case(SEEN | SELF | NO_INFO), "self", "sent itself SIGUSR1"),
    (0x8B, case(SEEN | SELF, si_code=1), "fault", "segfault at 0x0 (SEGV_MAPERR)"),
    (11, case(SEEN | SELF, si_code=2, address=16), "fault", "segfault at 0x10 (SEGV_ACCERR)"),
    (11, case(SEEN | SELF, si_code=0x80), "fault", "segfault (SI_KERNEL)"),
    (7, case(SEEN | SELF, si_code=2, address=4096), "fault", "bus error at 0x1000 (BUS_ADRERR)"),
    (
        8,
        case(SEEN | SELF, si_code=1, address=1),
        "fault",
        "arithmetic fault at 0x1 (division by zero or overflow)",
    ),
    (
        8,
        case(SEEN | SELF, si_code=7, address=1),
        "fault",
        "arithmetic fault at 0x1 (invalid floating-point operation)",
    ),
    (8, case(SEEN | SELF, si_code=99, address=1), "fault", "arithmetic fault at 0x1 (99)"),
    (
        4,
        case(SEEN | SELF, si_code=2, address=1),
        "fault",
        "illegal instruction at 0x1 (ILL_ILLOPN)",
    ),
    (5, case(SEEN | SELF, si_code=0x80), "fault", "trap (SI_KERNEL)"),
    (
        31,
        case(SEEN | SELF, si_code=1, syscall=59),
        "seccomp",
        "system call 59, forbidden by seccomp",
    ),
    (31, case(layout.EVIDENCE_SECCOMP), "seccomp", "a system call that seccomp forbids"),
    (31, case(0), "unknown", "SIGSYS, not seen being sent"),
    (13, case(SEEN | SELF | NO_INFO), "pipe", "closed pipe"),
    (13, case(si_code=0), "killed", "killed by bob[712] uid 1000 (SIGPIPE)"),
    (14, case(SEEN | KERNEL), "timer", "alarm (alarm or setitimer, SIGALRM)"),
    (
        14,
        case(SEEN | KERNEL, timer_ns=500_000),
        "timer",
        "interval timer, every 500 us (SIGALRM)",
    ),
    (26, case(SEEN | KERNEL), "timer", "interval timer of user CPU time (SIGVTALRM)"),
    (10, case(si_code=-2), "timer", "timer (timer_create, SIGUSR1)"),
    *[
        (
            10,
            case(si_code=-2, timer_ns=0, timer_clock=clock),
            "timer",
            f"timer of {name} (timer_create, SIGUSR1)",
        )
        for clock, name in {
            0: "CLOCK_REALTIME",
            7: "CLOCK_BOOTTIME",
            16: "clock 16",
            -6 & ~4: "CPU time",
            -6 | 4: "CPU time of a thread",
        }.items()
    ],
    (
        10,
        case(SEEN | layout.EVIDENCE_OF_SENDER, si_code=-2),
        "killed",
        "killed by bob[712] uid 1000 (SIGUSR1)",
    ),
    (24, case(SEEN | KERNEL | SELF, limit=1), "cpu_limit", "CPU time limit of 1 s (SIGXCPU)"),
    (9, case(SEEN | KERNEL | SELF, limit=2), "cpu_limit", "CPU time limit of 2 s (SIGKILL)"),
    (
        25,
        case(SEEN | SELF | NO_INFO, limit=4096),
        "file_limit",
        "file size limit of 4.0K (SIGXFSZ)",
    ),
    (2, case(SEEN | KERNEL, tty="pts3"), "terminal", "ctrl-c on pts/3"),
    (3, case(SEEN | KERNEL, tty="tty1"), "terminal", "ctrl-\\ on tty1"),
    (1, case(SEEN | KERNEL, tty="pts3"), "hangup", "hangup of pts/3"),
    (1, case(SEEN | KERNEL), "hangup", "hangup of the terminal"),
    (
        15,
        case(SEEN | NO_INFO | DIES | layout.EVIDENCE_PDEATHSIG),
        "parent_death",
        "parent bob[712] died (PDEATHSIG)",
    ),
    (
        9,
        case(SEEN | KERNEL | DIES | layout.EVIDENCE_SENDER_IS_INIT),
        "namespace",
        "init bob[712] of its PID namespace died",
    ),
    (
        2,
        case(SEEN | KERNEL | layout.EVIDENCE_REBOOT),
        "namespace",
        "its PID namespace was halted or powered off by bob[712] (reboot)",
    ),
    (1, case(layout.EVIDENCE_REBOOT), "namespace", "its PID namespace was restarted (reboot)"),
    (
        15,
        case(SEEN | NO_INFO | DIES | layout.EVIDENCE_PDEATHSIG | layout.EVIDENCE_SENDER_GOES_ON),
        "parent_death",
        "thread 712 of parent bob[712] ended (PDEATHSIG)",
    ),
    (7, case(SEEN | SELF, si_code=1), "fault", "bus error (BUS_ADRALN)"),
    (
        11,
        case(SEEN | SELF | layout.EVIDENCE_IN_EXEC, si_code=0x80),
        "kernel",
        "exec failed when the old program was gone: the new one never ran",
    ),
    (
        9,
        case(SEEN | KERNEL | DIES | layout.EVIDENCE_SENDER_TRACES),
        "tracer",
        "tracer bob[712] died (EXITKILL)",
    ),
    (9, case(SEEN | KERNEL), "kernel", "SIGKILL from the kernel"),
    (10, case(SEEN | KERNEL), "kernel", "SIGUSR1 from the kernel"),
    (29, case(si_code=-5), "kernel", "SIGIO from the kernel"),
    (
        29,
        case(SEEN | KERNEL),
        "kernel",
        "SIGIO from the kernel, as it had asked (O_ASYNC, F_NOTIFY or a lease)",
    ),
    (
        12,
        case(si_code=6),
        "kernel",
        "SIGUSR2 from the kernel: a descriptor was hung up, as it had asked (F_SETSIG)",
    ),
    (29, case(si_code=7), "kernel", "SIGIO from the kernel"),
    (12, case(si_code=-3), "kernel", "SIGUSR2 from the kernel"),
    (7, case(SEEN | SELF, si_code=4, address=64), "fault", f"bus error at 0x40 ({BROKEN})"),
    (11, case(SEEN | SELF, si_code=4, address=64), "fault", f"segfault at 0x40 ({KEY})"),
    (24, case(SEEN | KERNEL | SELF), "kernel", "SIGXCPU from the kernel"),
    (
        15,
        case(SEEN | SELF | layout.EVIDENCE_OF_SENDER, si_code=0x80),
        "unknown",
        "SIGTERM, sent by the process to itself, marked as from the kernel",
    ),
    (9, None, "unknown", "SIGKILL, not seen being sent"),
    (
        34,
        case(SEEN | layout.EVIDENCE_SEVERAL, si_code=0),
        "unknown",
        "SIGRTMIN, sent by several processes, the first is unknown",
    ),
    (
        9,
        case(SEEN | KERNEL | layout.EVIDENCE_OOM, memory=MEMORY),
        "oom",
        "out of memory: cgroup /app limit 64.0M, anon 62.0M, triggered by bob[712]",
    ),
    (
        9,
        case(SEEN | KERNEL | layout.EVIDENCE_OOM, memory=MEMORY._replace(cgroup=None, limit=None)),
        "oom",
        "out of memory: system, anon 62.0M, triggered by bob[712]",
    ),
    (9, case(layout.EVIDENCE_OOM), "oom", "out of memory"),
    # The OOM killer had chosen it, but another was quicker; or it ended otherwise.
    (
        9,
        case(SEEN | layout.EVIDENCE_OOM, si_code=0),
        "killed",
        "killed by bob[712] uid 1000 (SIGKILL)",
    ),
    (
        15,
        case(SEEN | layout.EVIDENCE_OOM, si_code=0),
        "killed",
        "killed by bob[712] uid 1000 (SIGTERM)",
    ),
]


@pytest.mark.parametrize(("status", "evidence", "kind", "text"), TABLE)
def test_verdict(status: int, evidence: Evidence | None, kind: str, text: str) -> None:
    cause = judge(status, evidence)
    assert (cause.kind, cause.text) == (kind, text)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (64, "exit 64"),
        (126, "exit 126: as for a command that cannot run"),
        (127, "exit 127: as for a command not found"),
        (137, "exit 137: 128+9, as after SIGKILL of a command"),
        (193, "exit 193"),
    ],
)
def test_codes_of_a_shell_have_a_meaning(code: int, text: str) -> None:
    assert judge(code << 8, None, comm="bash").text == text


@pytest.mark.parametrize("name", ["init[1] uid 0 (", "", "a b", "it's", "(SIGKILL)", "x\\", "é"])
def test_a_name_cannot_forge_the_sentence(name: str) -> None:
    cause = judge(9, Evidence(SEEN, BOB._replace(comm=name), si_code=0))
    assert cause.text.startswith("killed by '")
    assert cause.text.endswith("'[712] uid 1000 (SIGKILL)")


PLAIN, QUOTED = r"[\w.:/@%+=,~#-]+", r"'((?:[^'\\]|\\['\\])*)'"
NAMES = st.text(max_size=15) | st.text("'\\()[]{} ,19auidSIGKL", max_size=15)


def read_back(form: str, text: str) -> str:
    """Return the name in a sentence, which has {} for it."""
    found = re.fullmatch(form.replace("{}", f"(?:({PLAIN})|{QUOTED})"), text, re.DOTALL)
    assert found
    return found[1] or re.sub(r"\\(.)", r"\1", found[2])


@given(NAMES)
def test_the_sentence_reads_back_whatever_the_name(name: str) -> None:
    cause = judge(9, Evidence(SEEN, BOB._replace(comm=name), si_code=0))
    assert read_back(r"killed by {}\[712\] uid 1000 \(SIGKILL\)", cause.text) == name


@given(NAMES)
def test_the_sentence_reads_back_whatever_the_cgroup_is_called(name: str) -> None:
    """Whoever owns a delegated cgroup names those in it."""
    memory = MEMORY._replace(cgroup=f"/user.slice/{name}")
    cause = judge(9, case(SEEN | KERNEL | layout.EVIDENCE_OOM, memory=memory))
    form = r"out of memory: cgroup {} limit 64\.0M, anon 62\.0M, triggered by bob\[712\]"
    assert read_back(form, cause.text) == memory.cgroup


def test_every_kind_has_a_rule_and_a_case() -> None:
    of_processes = set(KINDS) - {"other_thread"}
    assert {rule.kind for rule in RULES} | {"exited"} == of_processes
    assert {kind for _, _, kind, _ in TABLE} == of_processes


def test_a_sender_is_shown_only_where_a_process_sent_it_or_died() -> None:
    with_sender = {"killed", "parent_death", "namespace", "tracer"}
    for status, evidence, kind, _ in TABLE:
        known = kind in with_sender and bool(evidence and evidence.flags & SEEN)
        assert (judge(status, evidence).sender is not None) == known


def test_evidence_of_the_kinds() -> None:
    killed = judge(9, case(si_code=-6))
    assert (killed.sender, killed.how, killed.si_code) == (BOB, "tgkill", "SI_TKILL")
    fault = judge(11, case(SEEN | SELF, si_code=1, address=0))
    assert (fault.address, fault.si_code) == (0, "SEGV_MAPERR")
    assert judge(11, case(SEEN | SELF, si_code=0x80)).address is None
    oom = judge(9, case(SEEN | KERNEL | layout.EVIDENCE_OOM, memory=MEMORY)).oom
    assert oom is not None
    assert (oom.anon, oom.cgroup, oom.limit, oom.trigger) == (62 << 20, "/app", 64 << 20, BOB)
    assert judge(2, case(SEEN | KERNEL, tty="pts3")).tty == "pts/3"


@pytest.mark.parametrize(
    ("below", "overflow"),
    [(0, True), (8192, True), (-8192, True), (2 << 20, False), (-(4 << 20), False)],
)
def test_a_stack_overflow_is_told_by_its_address(below: int, overflow: bool) -> None:
    start, limit = 0x7FFF_0000_0000, 8 << 20
    known = case(
        SEEN | SELF, si_code=1, address=start - limit - below, limit=limit, stack_start=start
    )
    assert judge(11, known).text.endswith("stack overflow") == overflow


def test_no_status_is_without_a_verdict() -> None:
    for signal in range(1, 65):
        for flags in range(signal, 1 << 19, 131):  # other ones for each signal
            cause = judge(signal, Evidence(flags, BOB))
            assert isinstance(cause, Cause)
            assert cause.kind in KINDS
