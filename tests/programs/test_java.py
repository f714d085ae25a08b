"""The JVM: it has faults on purpose, and a handler that reports those that are none."""

import base64
import signal
import subprocess
from pathlib import Path

import pytest
from support.services import asked_to_end, need_program, one
from support.truth import recorded

from exitsnoop import Cause

# javac --release 8 of: class Up { public static void main(String[] a) throws Exception {
# System.out.println("up"); Thread.sleep(60000); } }
UP = """
yv66vgAAADQAJQoAAgADBwAEDAAFAAYBABBqYXZhL2xhbmcvT2JqZWN0AQAGPGluaXQ+AQADKClWCQAIAAkHAAoM
AAsADAEAEGphdmEvbGFuZy9TeXN0ZW0BAANvdXQBABVMamF2YS9pby9QcmludFN0cmVhbTsIAA4BAAJ1cAoAEAAR
BwASDAATABQBABNqYXZhL2lvL1ByaW50U3RyZWFtAQAHcHJpbnRsbgEAFShMamF2YS9sYW5nL1N0cmluZzspVgUA
AAAAAADqYAoAGAAZBwAaDAAbABwBABBqYXZhL2xhbmcvVGhyZWFkAQAFc2xlZXABAAQoSilWBwAeAQACVXABAARD
b2RlAQAEbWFpbgEAFihbTGphdmEvbGFuZy9TdHJpbmc7KVYBAApFeGNlcHRpb25zBwAkAQATamF2YS9sYW5nL0V4
Y2VwdGlvbgAgAB0AAgAAAAAAAgAAAAUABgABAB8AAAARAAEAAQAAAAUqtwABsQAAAAAACQAgACEAAgAfAAAAGwAC
AAEAAAAPsgAHEg22AA8UABW4ABexAAAAAAAiAAAABAABACMAAA==
"""

# javac -source 8 -target 8 -g:none of: class Crash {
# public static void main(String[] a) throws Exception {
# java.lang.reflect.Field unsafe = sun.misc.Unsafe.class.getDeclaredField("theUnsafe");
# unsafe.setAccessible(true); ((sun.misc.Unsafe) unsafe.get(null)).putLong(8, 1); } }
CRASH = """
yv66vgAAADQAKQoAAgADBwAEDAAFAAYBABBqYXZhL2xhbmcvT2JqZWN0AQAGPGluaXQ+AQADKClWBwAIAQAPc3VuL21p
c2MvVW5zYWZlCAAKAQAJdGhlVW5zYWZlCgAMAA0HAA4MAA8AEAEAD2phdmEvbGFuZy9DbGFzcwEAEGdldERlY2xhcmVk
RmllbGQBAC0oTGphdmEvbGFuZy9TdHJpbmc7KUxqYXZhL2xhbmcvcmVmbGVjdC9GaWVsZDsKABIAEwcAFAwAFQAWAQAX
amF2YS9sYW5nL3JlZmxlY3QvRmllbGQBAA1zZXRBY2Nlc3NpYmxlAQAEKFopVgoAEgAYDAAZABoBAANnZXQBACYoTGph
dmEvbGFuZy9PYmplY3Q7KUxqYXZhL2xhbmcvT2JqZWN0OwUAAAAAAAAACAoABwAeDAAfACABAAdwdXRMb25nAQAFKEpK
KVYHACIBAAVDcmFzaAEABENvZGUBAARtYWluAQAWKFtMamF2YS9sYW5nL1N0cmluZzspVgEACkV4Y2VwdGlvbnMHACgB
ABNqYXZhL2xhbmcvRXhjZXB0aW9uACAAIQACAAAAAAACAAAABQAGAAEAIwAAABEAAQABAAAABSq3AAGxAAAAAAAJACQA
JQACACMAAAApAAUAAgAAAB0SBxIJtgALTCsEtgARKwG2ABfAAAcUABsKtgAdsQAAAAAAJgAAAAQAAQAnAAA=
"""


def cause_of(directory: Path, returncode: int, *words: str) -> Cause:
    (directory / "Crash.class").write_bytes(base64.b64decode(CRASH))
    command = [need_program("java"), "-cp", str(directory), *words]
    with recorded(why=True) as exits:
        java = subprocess.Popen(command, cwd=directory, stdout=-3, stderr=-3)
        assert java.wait() == returncode
    return one(exits, java.pid, returncode)


def test_it_exits_with_a_code(tmp_path: Path) -> None:
    (tmp_path / "Up.class").write_bytes(base64.b64decode(UP))
    command = [need_program("java"), "-cp", str(tmp_path), "Up"]
    cause, returncode, sender = asked_to_end(command)
    assert (returncode, cause.kind) == (143, "exited")
    assert f" after SIGTERM from kill[{sender}]" in cause.text


def test_a_fault_on_purpose_is_not_why_it_exits(tmp_path: Path) -> None:
    """It has one as it starts, to see whether it could survive one."""
    cause = cause_of(tmp_path, 1, "NoSuchClass")
    assert cause.text == "exit 1"
    assert cause.after
    assert cause.after.signal == signal.SIGSEGV


@pytest.mark.parametrize(
    ("core", "returncode", "end"),
    [("+", -signal.SIGABRT, r"abort() in libjvm.so "), ("-", 1, "exit 1, ")],
)
def test_a_crash(tmp_path: Path, core: str, returncode: int, end: str) -> None:
    """What the report reads, and may not, is not the crash."""
    cause = cause_of(tmp_path, returncode, f"-XX:{core}CreateCoredumpOnCrash", "Crash")
    assert cause.text.startswith(end)
    assert " after a segfault writing 0x8 " in cause.text, cause
    assert cause.after
    assert (cause.after.kind, cause.after.address) == ("fault", 8)
