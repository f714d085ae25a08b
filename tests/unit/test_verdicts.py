"""The words of verdicts: over made exits, of every kind of cause."""

from typing import Any, get_args

import pytest

from exitsnoop import CauseKind
from exitsnoop.model.cause import After, Cause, Oom, Sender
from exitsnoop.model.cgroup import Container
from exitsnoop.reports.verdicts import brief, ends_in_words, verdict
from exitsnoop.testing import make_exit

PKILL = Sender(50, 40, "pkill", 0)
HOSTILE = Sender(
    50, 40, "pkill", 0, container=Container("docker", "ab" * 32), container_name="x\n (y)"
)
BOSS = Sender(1, 0, "x [9]\n", 0)
MIB = 1 << 20
TOLD: dict[str, list[tuple[dict[str, Any], str]]] = {
    "exited": [
        ({"exit_code": 0}, "exited with code 0"),
        ({"exit_code": 137}, "exited with code 137"),
    ],
    "killed": [
        ({"signal": 9, "sender": PKILL}, "was killed by pkill[50] with SIGKILL"),
        (
            {"signal": 9, "sender": HOSTILE},
            r"was killed by pkill[50] from container 'x\n (y)' with SIGKILL",
        ),
        ({"signal": 9, "sender": BOSS}, r"was killed by its parent x\ [9]\n[1] with SIGKILL"),
    ],
    "self": [
        ({"signal": 15}, "sent itself SIGTERM"),
        (
            {"signal": 15, "meant_for": "process group"},
            "sent SIGTERM to its process group, and so to itself",
        ),
    ],
    "abort": [
        (
            {"signal": 6, "core_dumped": True, "text": "abort() in a m+0x3, an assertion failed"},
            "called abort() in a m+0x3, an assertion failed (SIGABRT), and left a core",
        )
    ],
    "fault": [({"signal": 11, "text": "segfault at 0x8"}, "crashed with SIGSEGV: segfault at 0x8")],
    "oom": [
        ({"signal": 9}, "was killed by the kernel, which was out of memory"),
        (
            {"signal": 9, "oom": Oom(1, 2, 3, "/a", 64 * MIB, PKILL)},
            "was killed by the kernel: its cgroup reached its limit of 64.0M",
        ),
        (
            {"signal": 9, "oom": Oom(1, 2, 3, None, None, PKILL)},
            "was killed by the kernel: the whole system was out of memory",
        ),
    ],
    "seccomp": [
        (
            {"signal": 31, "text": "system call 41 (socket), forbidden by seccomp"},
            "was ended by SIGSYS: system call 41 (socket), forbidden by seccomp",
        )
    ],
    "pipe": [({"signal": 13}, "wrote to a pipe or socket that nobody reads (SIGPIPE)")],
    "timer": [
        (
            {"signal": 14, "text": "alarm (alarm or setitimer, SIGALRM)"},
            "was ended by SIGALRM: alarm (alarm or setitimer, SIGALRM)",
        )
    ],
    "cpu_limit": [
        (
            {"signal": 24, "text": "CPU time limit of 5 s (SIGXCPU)"},
            "reached its CPU time limit of 5 s (SIGXCPU)",
        )
    ],
    "file_limit": [
        (
            {"signal": 25, "text": "file size limit of 1.0M (SIGXFSZ)"},
            "reached its file size limit of 1.0M (SIGXFSZ)",
        )
    ],
    "terminal": [
        ({"signal": 2, "text": "ctrl-c on pts/3"}, "was ended by SIGINT: ctrl-c on pts/3")
    ],
    "hangup": [({"signal": 1, "text": "hangup of pts/3"}, "was ended by SIGHUP: hangup of pts/3")],
    "parent_death": [
        ({"signal": 15, "text": "parent a[2] died"}, "was ended by SIGTERM: parent a[2] died")
    ],
    "other_thread": [
        (
            {"text": "ended by thread a[2]: exit 0"},
            "exited with code 0: ended by thread a[2]: exit 0",
        )
    ],
    "namespace": [
        ({"signal": 9, "text": "init a[2] died"}, "was ended by SIGKILL: init a[2] died")
    ],
    "tracer": [
        ({"signal": 9, "text": "tracer a[2] died"}, "was ended by SIGKILL: tracer a[2] died")
    ],
    "kernel": [
        (
            {"signal": 29, "text": "SIGIO from the kernel"},
            "was ended by SIGIO: SIGIO from the kernel",
        )
    ],
    "unknown": [
        (
            {"signal": 9, "text": "SIGKILL, not seen being sent\x1b"},
            r"was ended by SIGKILL: SIGKILL, not seen being sent\033",
        )
    ],
}
CASES = [(kind, *case) for kind, cases in TOLD.items() for case in cases]


@pytest.mark.parametrize(("kind", "known", "words"), CASES)
def test_what_is_told(kind: CauseKind, known: dict[str, Any], words: str) -> None:
    evidence = {name: known[name] for name in ("sender", "oom", "meant_for") if name in known}
    of = {name: known[name] for name in ("signal", "exit_code", "core_dumped") if name in known}
    cause = Cause(kind, known.get("text", "?"), **evidence)
    exit_ = make_exit(ppid=1, cause=cause, **of)
    assert verdict(exit_) == words
    for short in (brief(exit_), ends_in_words(kind, exit_.status)):
        assert short
        assert short.isprintable()


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (
            After(15, "SIGTERM", 0.25, "killed", "handled", PKILL),
            "exited with code 143, 0.2 s after SIGTERM from pkill[50]",
        ),
        (
            After(15, "SIGTERM", 12, "killed", "ignored", BOSS),
            r"exited with code 143, 12 s after SIGTERM from its parent x\ [9]\n[1], which it "
            "ignored",
        ),
        (
            After(2, "SIGINT", 0.5, "terminal", "handled", tty="pts/3"),
            "exited with code 143, 0.5 s after SIGINT on pts/3",
        ),
        (
            After(6, "SIGABRT", 0.5, "self", "handled"),
            "exited with code 143, 0.5 s after SIGABRT from itself",
        ),
        (
            After(13, "SIGPIPE", 0.002, "pipe", "ignored"),
            "exited with code 143, 2 ms after it wrote to a pipe or socket that nobody reads "
            "(SIGPIPE, which it ignored)",
        ),
        (
            After(15, "SIGTERM", 10, "killed", "stopped", PKILL),
            "exited with code 143, 10 s after SIGTERM from pkill[50], which came while it was "
            "stopped",
        ),
    ],
)
def test_what_came_before(after: After, words: str) -> None:
    told = after._replace(text="in the words of a row")
    cause = Cause("exited", "exit 143", after=told)
    assert verdict(make_exit(exit_code=143, cause=cause)) == words
    unsaid = Cause("exited", "exit 143: 128+15, as after SIGTERM of a command", after=after)
    assert verdict(make_exit(exit_code=143, cause=unsaid)) == "exited with code 143"


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("fault", "a segfault writing 0x1 (SEGV_MAPERR)"),
        ("seccomp", "system call 110 (getppid), forbidden by seccomp"),
        ("file_limit", "a file size limit of 4.0K (SIGXFSZ), which it ignored"),
        ("timer", "an alarm (alarm or setitimer, SIGALRM)"),
    ],
)
def test_what_came_before_in_the_words_of_a_row(kind: CauseKind, told: str) -> None:
    after = After(11, "SIGSEGV", 0.000062, kind, "handled", text=told)
    text = "exit 9, as its child ', 5 s after x'[7], 62 us after ..."
    cause = Cause("exited", text, after=after)
    assert verdict(make_exit(exit_code=9, cause=cause)).endswith(f"s after {told}")


def test_what_came_first() -> None:
    after = After(
        *(15, "SIGTERM", 10, "killed", "handled", PKILL),
        earlier=("SIGHUP", "SIGINT"),
        text="SIGTERM from the same (SIGHUP and SIGINT came first)",
    )
    told = verdict(make_exit(signal=9, cause=Cause("killed", "killed", PKILL, after=after)))
    assert told.endswith(", 10 s after SIGTERM from the same (SIGHUP and SIGINT came first)")


def test_a_killer_that_had_asked_before() -> None:
    after = After(15, "SIGTERM", 10, "killed", "handled", PKILL, text="SIGTERM from the same")
    cause = Cause("killed", "killed", PKILL, "kill", after=after)
    assert verdict(make_exit(signal=9, cause=cause)) == (
        "was killed by pkill[50] with SIGKILL, 10 s after SIGTERM from the same"
    )


def test_every_kind_has_words() -> None:
    assert TOLD.keys() == {*get_args(CauseKind)}


def test_without_causes() -> None:
    assert verdict(make_exit(exit_code=3)) == "exited with code 3; why was not recorded"
    assert verdict(make_exit(signal=9)) == "was ended by SIGKILL; why was not recorded"
    assert ends_in_words("", 9) == "SIGKILL"
