"""Signals that a program blocks, and takes when it likes."""

import subprocess
from signal import SIGTERM

from support.truth import record_of, recorded

from exitsnoop.model.cause import Cause

BLOCK = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("up", flush=True)
"""
TAKE = "signal.sigwait([signal.SIGTERM])"


def end(code: int, then: str) -> tuple[Cause, int]:
    """Send a program SIGTERM while it blocks that; return its cause, and who sent it."""
    script = f"{BLOCK}{TAKE}\n{then}\nos._exit({code})"
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
    cause, sender = end(-SIGTERM, again)
    assert (cause.kind, cause.reraised) == ("killed", True)
    assert cause.text.startswith(f"killed by kill[{sender}] (SIGTERM)")
