"""Rare ends: seccomp's strict mode, a reboot of an init that unshared, a tracer's own signal."""

import subprocess
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM

import pytest
from support.causes import cause_of
from support.stage import Stage
from support.truth import record_of, recorded

STRICT = "import ctypes; c = ctypes.CDLL(None); c.prctl(22, 1, 0, 0, 0); c.getppid()"
REBOOT = """
import ctypes, os, sys, time
c = ctypes.CDLL(None)
c.unshare(0x20000000)
pid = os.fork()
if not pid:
    c.unshare(0x20000000)
    if sys.argv[2] == "fork" and not os.fork():
        time.sleep(60)
    c.reboot(int(sys.argv[1], 16))
    time.sleep(60)
print(pid, os.waitpid(pid, 0)[1])
"""


def test_the_strict_mode_of_seccomp() -> None:
    with recorded(why=True) as exits:
        strict = subprocess.Popen(["/usr/bin/python3", "-c", STRICT])
        assert strict.wait() == -SIGKILL
    cause = cause_of(exits, strict.pid)
    assert (cause.kind, cause.text) == ("seccomp", "a system call that seccomp forbids")


def test_a_filter_finds_the_strict_mode() -> None:
    with recorded(causes=["seccomp"]) as exits:
        strict = subprocess.Popen(["/usr/bin/python3", "-c", STRICT])
        strict.wait()
    assert strict.pid in [record.pid for record in exits]


@pytest.mark.parametrize(("how", "number"), [("4321fedc", SIGINT), ("01234567", SIGHUP)])
@pytest.mark.parametrize("inner", ["fork", "none"])
def test_a_reboot_of_an_init_that_began_another_namespace(
    how: str, number: int, inner: str
) -> None:
    """Its children are in a namespace below its own, which has an init of its own, or none yet."""
    command = ["/usr/bin/python3", "-c", REBOOT, how, inner]
    with recorded(why=True) as exits:
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    pid, status = map(int, told.split())
    record = record_of(exits, pid)
    assert record.status == status == number
    assert record.cause
    assert record.cause.kind == "namespace"


def test_a_signal_that_a_debugger_makes_up_names_the_debugger(stage: Stage) -> None:
    """It takes the place of another one, so nobody sends it."""
    with recorded(why=True) as exits:
        victim, debugger = stage.puppet(), stage.puppet()
        debugger.ask("inject", victim.pid, SIGTERM.value)
        assert victim.wait() == -SIGTERM
    cause = cause_of(exits, victim)
    assert cause.kind == "unknown"
    made_up = f"its tracer deaths[{debugger.pid}] may have made it up"
    assert cause.text == f"SIGTERM, not seen being sent: {made_up}"
