"""Where a process crashed, as `why` has it; and names of functions, compared with c++filt."""

import subprocess

import pytest
from support.fakes import record

from exitsnoop.model.cause import At, Cause, Mapped, Thread
from exitsnoop.model.functions import function_name
from exitsnoop.reports import crash


def test_a_stack_that_ends() -> None:
    inner = At("/a/libfoo.so (deleted)", "ab", 4096, "_ZN3foo3barEi", 28)
    repeated = At("/a/app", "cd", 8192, "again", 5)
    stack = (inner, repeated, repeated, At("/a/li\x1bb", None, 16), At(None))
    cause = Cause(
        "fault",
        "",
        stack=stack,
        stack_complete=False,
        thread=Thread(8, "io\n"),
        mapping=Mapped("file", "/srv/a b", 4),
    )
    assert crash.where(record(pid=7, cause=cause)) == [
        "in the thread io\\n[8]:",
        "  foo::bar+0x1c in libfoo.so",
        "  again+0x5 in app (2 times)",
        "  li\\033b+0x10",
        "  code without a file",
        "What called these is not known.",
        "The address is in /srv/a\\ b.",
    ]


def test_a_stack_that_is_long() -> None:
    stack = tuple(At("/a", None, nth, f"f{nth}", 0) for nth in range(20))
    lines = crash.where(record(cause=Cause("abort", "", stack=stack, stack_complete=True)))
    assert lines[-1] == "  and 4 more (--json has them)"
    assert len(lines) == 17


@pytest.mark.parametrize("cause", [None, Cause("exited", "exit 1"), Cause("abort", "abort()")])
def test_nothing_is_known(cause: Cause | None) -> None:
    assert crash.where(record(cause=cause)) == []


@pytest.mark.parametrize(
    ("mangled", "name"),
    [
        ("main", "main"),
        ("_ZN3foo3barEv", "foo::bar"),
        ("_ZNK3foo3barEiPKc", "foo::bar"),
        ("_Z5plaini", "plain"),
        ("_ZL6statici", "static"),
        ("_ZN4nodeL5AbortERKN2v820FunctionCallbackInfoINS0_5ValueEEE", "node::Abort"),
        ("_ZNSt6thread4joinEv", "std::thread::join"),
        ("_ZN3FooC2Ev", "Foo::Foo"),
        ("_ZN3FooD1Ev", "Foo::~Foo"),
        ("_ZN4core9panicking5panic17h0123456789abcdefE", "core::panicking::panic"),
    ],
)
def test_names_of_functions(mangled: str, name: str) -> None:
    assert function_name(mangled) == name
    filtered = subprocess.check_output(["c++filt", "-p", mangled], text=True).strip()
    if "17h" not in mangled:
        assert filtered.replace(" const", "") == name


@pytest.mark.parametrize(
    "mangled", ["_Z", "_ZN", "_ZN3fo", "_ZN3foo3barIiEEv", "_ZN3fooplEv", "_ZN9999E", "_ZNSt"]
)
def test_names_that_stay_as_they_are(mangled: str) -> None:
    assert function_name(mangled) == mangled
