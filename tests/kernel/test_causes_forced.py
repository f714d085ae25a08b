"""SIGSEGV that the kernel forces on a thread which the CPU has nothing against."""

import platform
from signal import SIGSEGV, SIGTERM

import pytest
from support.causes import cause_of
from support.machine import SLOW, need_of_kernel
from support.stage import Stage
from support.truth import recorded

from exitsnoop import Cause

if platform.machine() != "x86_64":
    pytest.skip("what the CPU says is read on x86-64 only", allow_module_level=True)
# A fault that was handled before leaves what the CPU said of it, which has nothing to do with this.
FAULTED = pytest.mark.parametrize("faulted", [False, True])


def forced(stage: Stage, faulted: bool, *way: object) -> Cause:
    """Have a process end so; return the cause without what came before."""
    with recorded(why=True) as exits:
        victim = stage.puppet()
        if faulted:
            assert victim.ask("survive_fault") == "survived"
        victim.die(*way)
        assert victim.wait() == -SIGSEGV
    cause = cause_of(exits, victim)
    assert (cause.kind, cause.si_code) == ("fault", "SI_KERNEL")
    assert "stack overflow" not in cause.text
    return cause


@FAULTED
@pytest.mark.parametrize("used", [1, 1_000_000])
def test_an_overwritten_rseq_area(stage: Stage, faulted: bool, used: int) -> None:
    """Much of the stack is in use: it grew, so the stack pointer is near its begin at once."""
    cause = forced(stage, faulted, "overwrite_rseq", used)
    assert cause.trap == "rseq area of the thread overwritten"
    assert (cause.after is not None) == faulted
    assert (" after a segfault writing 0x" in cause.text) == faulted


def test_an_overwritten_rseq_area_of_a_thread(stage: Stage) -> None:
    cause = forced(stage, False, "in_thread", "overwrite_rseq", 1)
    assert cause.trap == "rseq area of the thread overwritten"
    assert ", thread deaths[" in cause.text


@FAULTED
def test_a_signal_stack_without_room(stage: Stage, faulted: bool) -> None:
    """The handler raises the signal again and again.

    On an emulated CPU, the kernel tries for ever to write the last frame, and cannot be stopped.
    """
    need_of_kernel(not SLOW, "end of a signal without room")
    cause = forced(stage, faulted, "overflow_signal_stack")
    assert cause.trap == "no room on the signal stack for a signal handler"
    assert cause.after
    assert cause.after.signal == SIGTERM


@FAULTED
@pytest.mark.parametrize("where", [[], ["in_thread"]])
def test_a_signal_stack_that_is_no_memory(stage: Stage, faulted: bool, where: list[str]) -> None:
    cause = forced(stage, faulted, *where, "have_no_signal_stack")
    assert cause.trap == "signal stack not usable"
    assert cause.after
    assert cause.after.signal == SIGTERM
    assert " after SIGTERM from itself" in cause.text
