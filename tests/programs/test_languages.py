"""Runtimes of languages: they handle signals and faults, and then end in their own ways."""

import os
import signal
import subprocess

import pytest
from support.services import asked_to_end, at_a_terminal, need_program, one
from support.truth import recorded

from exitsnoop import Cause

WAIT_IN_NODE = "console.log('up'); setInterval(() => {}, 1000)"
WAIT_IN_PYTHON = "import time; print('up', flush=True); time.sleep(60)"


def interrupted(*words: str) -> tuple[Cause, int]:
    """Run a program at a terminal, press ctrl-c; return its cause and its code, as Popen has it."""
    with recorded(causes=["terminal"]) as exits:
        ended = at_a_terminal(words, b"\x03")
    return one(exits, ended.pid, ended.returncode), ended.returncode


def test_node_raises_sigterm_again() -> None:
    command = [need_program("node"), "-e", WAIT_IN_NODE]
    cause, returncode, sender = asked_to_end(command)
    assert (returncode, cause.kind, cause.reraised) == (-signal.SIGTERM, "killed", True)
    assert cause.text.startswith(f"killed by kill[{sender}] (SIGTERM), run by ")


def test_node_with_a_handler_of_its_own() -> None:
    handler = "process.on('SIGTERM', () => process.exit(0))"
    command = [need_program("node"), "-e", f"{handler}; {WAIT_IN_NODE}"]
    cause, returncode, sender = asked_to_end(command)
    assert (returncode, cause.kind) == (0, "exited")
    assert f" after SIGTERM from kill[{sender}]" in cause.text


def test_node_without_memory_aborts() -> None:
    script = "const hog = []; for (;;) hog.push(new Array(1000).fill({}))"
    command = [need_program("node"), "--max-old-space-size=20", "-e", script]
    with recorded(why=True) as exits:
        node = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        returncode = node.wait()
    assert one(exits, node.pid, returncode).kind == "abort"


def test_a_key_that_node_raises_again() -> None:
    cause, returncode = interrupted(need_program("node"), "-e", WAIT_IN_NODE)
    assert (returncode, cause.kind, cause.reraised) == (-signal.SIGINT, "terminal", True)
    assert cause.text.startswith("ctrl-c on pts/")


def test_a_key_that_python_raises_again() -> None:
    cause, returncode = interrupted("/usr/bin/python3", "-c", WAIT_IN_PYTHON)
    assert (returncode, cause.kind, cause.reraised) == (-signal.SIGINT, "terminal", True)


def test_faulthandler_raises_a_fault_again() -> None:
    script = "import ctypes; ctypes.string_at(64)"
    command = ["/usr/bin/python3", "-X", "faulthandler", "-c", script]
    with recorded(why=True) as exits:
        python = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        returncode = python.wait()
    cause = one(exits, python.pid, returncode)
    assert (cause.kind, cause.address, cause.reraised) == ("fault", 64, True)


def test_perl_with_a_handler() -> None:
    script = "$| = 1; $SIG{TERM} = sub { exit 3 }; print qq(up\\n); sleep 60 while 1"
    cause, returncode, sender = asked_to_end(["perl", "-e", script])
    assert (returncode, cause.kind) == (3, "exited")
    assert f" after SIGTERM from kill[{sender}]" in cause.text


@pytest.mark.parametrize(
    "words",
    [
        ["/usr/bin/python3", "-c", "print('up')"],
        ["/usr/bin/python3", "-c", "while True: print('up' * 1000)"],
        ["node", "-e", "process.stdout.write('up', () => process.exit(3))"],
        ["bash", "-c", "trap '' PIPE; echo up || exit 5"],
    ],
)
def test_nobody_reads_what_it_writes(words: list[str]) -> None:
    """It ignores SIGPIPE, and fails by the error."""
    need_program(words[0])
    reader, writer = os.pipe()
    os.close(reader)
    with recorded(why=True) as exits:
        writes = subprocess.Popen(words, stdout=writer, stderr=subprocess.DEVNULL)
        os.close(writer)
        assert writes.wait() > 0
    cause = one(exits, writes.pid, writes.returncode)
    assert cause.text.startswith(f"exit {writes.returncode}, ")
    assert cause.text.endswith(" after it wrote to a closed pipe (SIGPIPE, which it ignored)")


@pytest.mark.parametrize("code", [137, 143, 127, 77])
def test_a_code_that_python_was_told_is_a_number(code: int) -> None:
    with recorded(why=True) as exits:
        python = subprocess.Popen(["/usr/bin/python3", "-c", f"raise SystemExit({code})"])
        returncode = python.wait()
    assert one(exits, python.pid, returncode).text == f"exit {code}"
