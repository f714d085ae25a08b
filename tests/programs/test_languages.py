"""Runtimes of languages: they handle signals and faults, and then end in their own ways."""

import base64
import os
import signal
import subprocess
from pathlib import Path

import pytest
from support.services import at_a_terminal, kill, need_program, one, service
from support.truth import recorded

from exitsnoop import Exit

WAIT_IN_NODE = "console.log('up'); setInterval(() => {}, 1000)"
WAIT_IN_PYTHON = "import time; print('up', flush=True); time.sleep(60)"


def child_at_a_terminal(exits: list[Exit]) -> Exit:
    (record,) = [record for record in exits if record.ppid == os.getpid()]
    return record


def test_node_raises_sigterm_again() -> None:
    command = [need_program("node"), "-e", WAIT_IN_NODE]
    with recorded(why=True) as exits, service(command) as node:
        sender = kill(node.pid)
        returncode = node.wait()
    cause = one(exits, node.pid, returncode)
    assert (returncode, cause.kind, cause.reraised) == (-signal.SIGTERM, "killed", True)
    assert cause.text.startswith(f"killed by kill[{sender}] (SIGTERM), run by ")


def test_node_with_a_handler_of_its_own() -> None:
    handler = "process.on('SIGTERM', () => process.exit(0))"
    command = [need_program("node"), "-e", f"{handler}; {WAIT_IN_NODE}"]
    with recorded(why=True) as exits, service(command) as node:
        sender = kill(node.pid)
        returncode = node.wait()
    cause = one(exits, node.pid, returncode)
    assert (returncode, cause.kind) == (0, "exited")
    assert f" after SIGTERM from kill[{sender}]" in cause.text


def test_node_without_memory_aborts() -> None:
    script = "const hog = []; for (;;) hog.push(new Array(1000).fill({}))"
    command = [need_program("node"), "--max-old-space-size=20", "-e", script]
    with recorded(why=True) as exits:
        node = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        returncode = node.wait()
    assert one(exits, node.pid, returncode).kind == "abort"


# javac --release 8 of: class Up { public static void main(String[] a) throws Exception {
# System.out.println("up"); Thread.sleep(60000); } }
CLASS = """
yv66vgAAADQAJQoAAgADBwAEDAAFAAYBABBqYXZhL2xhbmcvT2JqZWN0AQAGPGluaXQ+AQADKClWCQAIAAkHAAoM
AAsADAEAEGphdmEvbGFuZy9TeXN0ZW0BAANvdXQBABVMamF2YS9pby9QcmludFN0cmVhbTsIAA4BAAJ1cAoAEAAR
BwASDAATABQBABNqYXZhL2lvL1ByaW50U3RyZWFtAQAHcHJpbnRsbgEAFShMamF2YS9sYW5nL1N0cmluZzspVgUA
AAAAAADqYAoAGAAZBwAaDAAbABwBABBqYXZhL2xhbmcvVGhyZWFkAQAFc2xlZXABAAQoSilWBwAeAQACVXABAARD
b2RlAQAEbWFpbgEAFihbTGphdmEvbGFuZy9TdHJpbmc7KVYBAApFeGNlcHRpb25zBwAkAQATamF2YS9sYW5nL0V4
Y2VwdGlvbgAgAB0AAgAAAAAAAgAAAAUABgABAB8AAAARAAEAAQAAAAUqtwABsQAAAAAACQAgACEAAgAfAAAAGwAC
AAEAAAAPsgAHEg22AA8UABW4ABexAAAAAAAiAAAABAABACMAAA==
"""


def test_a_jvm_exits_with_a_code(tmp_path: Path) -> None:
    (tmp_path / "Up.class").write_bytes(base64.b64decode(CLASS))
    command = [need_program("java"), "-cp", str(tmp_path), "Up"]
    with recorded(why=True) as exits, service(command) as java:
        sender = kill(java.pid)
        returncode = java.wait()
    cause = one(exits, java.pid, returncode)
    assert (returncode, cause.kind) == (143, "exited")
    assert f" after SIGTERM from kill[{sender}]" in cause.text


def test_a_key_that_node_raises_again() -> None:
    with recorded(why=True) as exits:
        status = at_a_terminal([need_program("node"), "-e", WAIT_IN_NODE], b"\x03")
    record = child_at_a_terminal(exits)
    assert record.status == status == signal.SIGINT
    assert record.cause
    assert (record.cause.kind, record.cause.reraised) == ("terminal", True)
    assert record.cause.text.startswith("ctrl-c on pts/")


def test_a_key_that_python_raises_again() -> None:
    with recorded(why=True) as exits:
        status = at_a_terminal(["/usr/bin/python3", "-c", WAIT_IN_PYTHON], b"\x03")
    record = child_at_a_terminal(exits)
    assert record.status == status == signal.SIGINT
    assert record.cause
    assert (record.cause.kind, record.cause.reraised) == ("terminal", True)


def test_a_key_is_found_by_its_cause() -> None:
    """Also where it was raised again."""
    with recorded(causes=["terminal"]) as exits:
        at_a_terminal(["/usr/bin/python3", "-c", WAIT_IN_PYTHON], b"\x03")
    assert child_at_a_terminal(exits).signal == signal.SIGINT


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
    with recorded(why=True) as exits, service(["perl", "-e", script]) as perl:
        sender = kill(perl.pid)
        returncode = perl.wait()
    cause = one(exits, perl.pid, returncode)
    assert (returncode, cause.kind) == (3, "exited")
    assert f" after SIGTERM from kill[{sender}]" in cause.text


@pytest.mark.parametrize("code", [137, 143, 127, 77])
def test_a_code_that_python_was_told_is_a_number(code: int) -> None:
    with recorded(why=True) as exits:
        python = subprocess.Popen(["/usr/bin/python3", "-c", f"raise SystemExit({code})"])
        returncode = python.wait()
    assert one(exits, python.pid, returncode).text == f"exit {code}"
