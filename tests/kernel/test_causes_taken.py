"""Signals that a program blocks, and takes when it likes."""

import subprocess
from signal import SIGTERM

import pytest
from support.truth import record_of, recorded

from exitsnoop.model.cause import Cause

# They read in a thread or loop of their own, as supervisors, JVMs and servers do.
BLOCK = """
import ctypes, os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("up", flush=True)
"""
TAKES = {
    "sigwait": "signal.sigwait([signal.SIGTERM])",
    "sigtimedwait": "signal.sigtimedwait([signal.SIGTERM], 60)",
    "signalfd": """
mask = ctypes.create_string_buffer(128)
mask[1] = 0x40  # bit 14
os.read(ctypes.CDLL(None).signalfd(-1, mask, 0), 128)
""",
    "a handler, later": """
sys.stdin.readline()
signal.signal(signal.SIGTERM, lambda *_: None)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
""",
    "nothing": "sys.stdin.readline()",
}


def end(way: str, code: int, then: str = "") -> tuple[Cause, int]:
    """Send a program SIGTERM while it blocks that; return its cause, and who sent it."""
    script = f"{BLOCK}{TAKES[way]}\n{then}\nos._exit({code})"
    with recorded(why=True) as exits:
        process = subprocess.Popen(
            ["/usr/bin/python3", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        sender = subprocess.Popen(["/bin/kill", "-TERM", str(process.pid)])
        assert sender.wait() == 0
        process.communicate("go on\n", timeout=60)
    assert process.returncode == code
    cause = record_of(exits, process.pid).cause
    assert cause
    return cause, sender.pid


@pytest.mark.parametrize("way", TAKES)
def test_only_what_still_waits_was_blocked(way: str) -> None:
    cause, sender = end(way, 3)
    assert cause.after
    assert cause.after.handled == ("blocked" if way == "nothing" else "handled")
    assert f" after SIGTERM from kill[{sender}]" in cause.text
    assert cause.text.endswith(", which it blocked") == (way == "nothing")


def test_a_signal_to_itself_that_waited_is_one() -> None:
    """It was blocked when it was sent; then it ended the process."""
    script = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.kill(os.getpid(), signal.SIGTERM)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
"""
    with recorded(why=True) as exits:
        process = subprocess.Popen(["/usr/bin/python3", "-c", script])
        assert process.wait() == -SIGTERM
    cause = record_of(exits, process.pid).cause
    assert cause
    assert (cause.kind, cause.text, cause.reraised) == ("self", "sent itself SIGTERM", None)


def test_what_was_taken_and_raised_again_is_the_first() -> None:
    again = "signal.pthread_sigmask(signal.SIG_UNBLOCK, [15]); os.kill(os.getpid(), 15)"
    cause, sender = end("sigwait", -SIGTERM, again)
    assert (cause.kind, cause.reraised) == ("killed", True)
    assert cause.text.startswith(f"killed by kill[{sender}] (SIGTERM)")


@pytest.mark.parametrize("way", ["sigwait", "nothing"])
def test_what_takes_it_did_what_it_was_asked(way: str) -> None:
    with recorded(failed=True, asked=True) as exits:
        end(way, 0)
    names = [one.comm for one in exits if one.exit_code == 0]
    assert ("python3" in names) == (way == "sigwait")
