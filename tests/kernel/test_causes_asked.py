"""Signals that a process asked the kernel for: of input, of a message."""

import os
import platform
from pathlib import Path
from signal import SIGIO, SIGKILL, SIGTERM, SIGUSR1, Signals

import pytest
from support.causes import assert_only, cause_of
from support.machine import kernel_has
from support.stage import Stage
from support.truth import recorded

X86 = platform.machine() == "x86_64"


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
    if number:
        asked = ": a descriptor has input, as it had asked (F_SETSIG)"
    else:
        asked = ", as it had asked (O_ASYNC, F_NOTIFY or a lease)"
    assert cause.text == f"{Signals(number or SIGIO).name} from the kernel{asked}"
    assert cause.si_code == ("POLL_IN" if number else "SI_KERNEL")


def test_a_message_that_was_asked_to_be_told_of(stage: Stage) -> None:
    queue = f"/exitsnoop-{os.getpid()}"
    with recorded(why=True) as exits:
        victim, writer = stage.puppet(), stage.puppet()
        victim.ask("be_told_of_message", queue, int(SIGUSR1))
        writer.ask("post", queue)
        assert victim.wait() == -SIGUSR1
    cause = cause_of(exits, victim)
    assert (cause.kind, cause.si_code) == ("kernel", "SI_MESGQ")
    if X86 and kernel_has("bpf_task_pt_regs"):
        told = f": a message to its queue from deaths[{writer.pid}], as it had asked (mq_notify)"
        assert cause.text == f"SIGUSR1 from the kernel{told}"
