"""Every wait status, against the interpreter's own reading of it; every signal's name."""

import os
import signal

import pytest

from exitsnoop.model import status


def test_parts_agree_with_the_os_module() -> None:
    for word in range(0x10000):
        if os.WIFEXITED(word):
            assert (status.exit_code(word), status.signal(word)) == (os.WEXITSTATUS(word), None)
        elif os.WIFSIGNALED(word):
            assert (status.exit_code(word), status.signal(word)) == (None, os.WTERMSIG(word))
            assert status.core_dumped(word) == os.WCOREDUMP(word)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        (0, "0"),
        (0x100, "code 1"),
        (0xFF00, "code 255"),
        (2, "signal 2 (INT)"),
        (9, "signal 9 (KILL)"),
        (0x8B, "signal 11 (SEGV), core dumped"),
        (10, "signal 10 (USR1)"),
        (29, "signal 29 (IO)"),
        (32, "signal 32 (RTMIN)"),
        (34, "signal 34 (RTMIN+2)"),
        (64, "signal 64 (RTMIN+32)"),
    ],
)
def test_text(word: int, text: str) -> None:
    assert status.describe(word) == text


def test_every_signal_has_a_name_of_its_own() -> None:
    assert sorted(status.SIGNAL_NAMES) == list(range(1, 65))
    assert len(set(status.SIGNAL_NAMES.values())) == 64


def test_names_agree_with_the_c_library() -> None:
    """For 1 to 31; above, C libraries count from a SIGRTMIN of their own."""
    for number in range(1, 32):
        if number in (16, 29):  # STKFLT: Python 3.11 knows it; IO is called POLL by Python
            continue
        assert signal.Signals(number).name == f"SIG{status.signal_name(number)}"
