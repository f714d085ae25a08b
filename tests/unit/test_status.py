"""Every wait status, against the interpreter's own reading of it; every signal's name."""

import os
import signal
import subprocess

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
        (32, "signal 32"),
        (33 | 0x80, "signal 33, core dumped"),
        (34, "signal 34 (RTMIN)"),
        (35, "signal 35 (RTMIN+1)"),
        (64, "signal 64 (RTMAX)"),
    ],
)
def test_text(word: int, text: str) -> None:
    assert status.describe(word) == text


def test_every_signal_has_a_name_of_its_own() -> None:
    assert sorted(status.SIGNAL_NAMES) == list(range(1, 65))
    assert len(set(status.SIGNAL_NAMES.values())) == 64


def test_names_agree_with_the_c_library() -> None:
    for number in range(1, 32):
        if number in (16, 29):  # STKFLT: Python 3.11 knows it; IO is called POLL by Python
            continue
        assert signal.Signals(number).name == f"SIG{status.signal_name(number)}"
    assert status.SIGNALS["RTMIN"] == signal.SIGRTMIN
    assert status.SIGNALS["RTMAX"] == signal.SIGRTMAX


def kill_l(*words: str) -> list[str]:
    """What bash's `kill -l` says of each: a name for a number, a number for a name."""
    script = 'for word; do echo "$(kill -l "$word")"; done'
    return subprocess.check_output(["bash", "-c", script, "-", *words], text=True).split("\n")[:-1]


def test_names_are_those_of_kill_l() -> None:
    """Except for two that bash gives as POLL and as nothing: 29, and the C library's own."""
    names = kill_l(*map(str, range(1, 65)))
    ours = [status.signal_name(number) for number in range(1, 65)]
    assert (names[28], names[31], names[32]) in {("IO", "", ""), ("POLL", "", "")}
    names[28], names[31], names[32] = "IO", "32", "33"
    assert ours == names


def test_what_is_shown_can_be_typed_back() -> None:
    for number in range(1, 65):
        name = status.full_signal_name(number)
        assert name
        for spelling in (name, name[3:], name.lower(), name[3:].lower(), name.capitalize()):
            assert status.signal_number(spelling) == number


def test_real_time_signals_are_counted_from_either_end() -> None:
    for base, signs in (("RTMIN", range(31)), ("RTMAX", range(0, -31, -1))):
        for distance in signs:
            number = int(getattr(signal, f"SIG{base}")) + distance
            sign = "-" if base == "RTMAX" else "+"
            assert status.signal_number(f"{base}{sign}{abs(distance)}") == number


@pytest.mark.parametrize(
    "name",
    [
        *("", "SIG", "SIGSIGKILL", "KLL", "KILL ", "0", "65", "9", "RTMIN+31", "RTMAX-31"),
        *("RTMIN-1", "RTMAX+1", "RTMIN+", "RTMIN+-1", "RTMIN+1+1", "RTMIN+\u0661", "RTMIN++1"),
        "RTMIN+99999999999999999999",
    ],
)
def test_what_is_no_signal(name: str) -> None:
    assert status.signal_number(name) is None
