"""Services that end in different ways, and what must be said of each."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from support.service import shown, systemctl
from support.supervisor import children_of
from support.waiting import until

PROGRAMS = Path("/usr/local/bin")
UNITS = Path("/etc/systemd/system")
SIGTERM_BIT = 1 << 14


class Ending(NamedTuple):
    """A service, how it ends, and what is said of it.

    Attributes:
        unit: the lines of its section [Service].
        systemd: what systemd says: Result, ExecMainCode (1: exited, 2: killed), ExecMainStatus.
        kind: the kind of cause.
        says: parts of the answer, as regular expressions.
        end: ends it, if it does not end by itself; it is given the PID.
    """

    unit: str
    systemd: tuple[str, int, int]
    kind: str
    says: tuple[str, ...]
    end: Callable[[int], object] | None = None


def program(name: str, text: str) -> Path:
    """Write a script to where programs are."""
    path = PROGRAMS / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def _stop(pid: int) -> None:
    """Have systemd stop it, once it ignores SIGTERM."""
    until(lambda: _ignores_term(pid))
    systemctl("stop", "stubborn")


def _ignores_term(pid: int) -> bool:
    found = re.search(r"^SigIgn:\t(\w+)", Path(f"/proc/{pid}/status").read_text(), re.M)
    return bool(found and int(found[1], 16) & SIGTERM_BIT)


def _deploy(pid: int) -> None:
    subprocess.run([PROGRAMS / "deploy", str(pid)], check=True)


def _kill_master(pid: int) -> None:
    until(lambda: len(children_of(pid)) == 2)
    _deploy(pid)


def _clean_up(_: int) -> None:
    """Let a timer start a job that means another process."""
    systemctl("start", "cleanup.timer")


_KILLED_BY_SYSTEMD = r"was killed by its parent systemd\[1\] with "
ENDINGS = {
    "fails": Ending(
        "ExecStart=/bin/sh -c 'exit 78'",
        ("exit-code", 1, 78),
        "exited",
        (r"sh\[\d+\] exited with code 78\.",),
    ),
    "crashes": Ending(
        "ExecStart=/usr/local/bin/serviced fault",
        ("signal", 2, 11),
        "fault",
        (r"serviced\[\d+\] crashed with SIGSEGV: .*\b0x0\b",),
    ),
    "aborts": Ending(
        "ExecStart=/usr/local/bin/serviced abort",
        ("signal", 2, 6),
        "abort",
        (r"serviced\[\d+\] called abort\(\) in serviced main\+0x[0-9a-f]+ \(SIGABRT\)\.",),
    ),
    "deployed": Ending(
        "ExecStart=/usr/local/bin/serviced run",
        ("signal", 2, 9),
        "killed",
        (
            r"was killed by deploy\[\d+\] with SIGKILL\.",
            r"deploy\[\d+\], user root: /bin/sh /usr/local/bin/deploy \d+",
        ),
        _deploy,
    ),
    "eats": Ending(
        "MemoryMax=24M\nMemorySwapMax=0\nExecStart=/usr/local/bin/serviced eat",
        ("oom-kill", 2, 9),
        "oom",
        (
            r"was killed by the kernel: its cgroup reached its limit of 24\.0M\.",
            r"The limit of /system\.slice/eats\.service was hit: 24\.0M\.",
        ),
    ),
    "filtered": Ending(
        "SystemCallFilter=~uname\nExecStart=/usr/local/bin/serviced uname",
        ("signal", 2, 31),
        "seccomp",
        (r"uname",),
    ),
    "stubborn": Ending(
        "TimeoutStopSec=1\nExecStart=/usr/local/bin/serviced ignore",
        ("timeout", 2, 9),
        "killed",
        (
            _KILLED_BY_SYSTEMD + r"SIGKILL, .+ after SIGTERM from the same, which it ignored\.",
            r"systemctl\[\d+\], user root, asked for it: systemctl stop stubborn",
            r"TimeoutStopSec=",
        ),
        _stop,
    ),
    "watched": Ending(
        "WatchdogSec=2\nExecStart=/usr/local/bin/serviced run",
        ("watchdog", 2, 6),
        "killed",
        (_KILLED_BY_SYSTEMD + r"SIGABRT\.", "WatchdogSec="),
    ),
    "loops": Ending(
        "Restart=on-failure\nRestartSec=100ms\nExecStart=/bin/sh -c 'exit 3'",
        ("exit-code", 1, 3),
        "exited",
        (r"exited with code 3\.", r"A crash loop: \d+ deaths since "),
    ),
    "limited": Ending(
        "RuntimeMaxSec=1\nExecStart=/usr/local/bin/serviced run",
        ("timeout", 2, 15),
        "killed",
        (_KILLED_BY_SYSTEMD + r"SIGTERM\.", "RuntimeMaxSec="),
    ),
    "spins": Ending(
        "LimitCPU=1:5\nExecStart=/usr/local/bin/serviced spin",
        ("signal", 2, 24),
        "cpu_limit",
        (r"reached its CPU time limit",),
    ),
    "mailworker": Ending(
        "ExecStart=/usr/local/bin/serviced run --queue mail",
        ("signal", 2, 9),
        "killed",
        (
            r"was killed by pkill\[\d+\] with SIGKILL\.",
            r"pkill\[\d+\], user root: pkill -KILL -f queue",
            r"systemd\[1\] -> nightly-cleanup\[\d+\] -> pkill\[\d+\]",
            r"It ran in cleanup\.service\.",
        ),
        _clean_up,
    ),
    "master": Ending(
        "ExecStart=/usr/local/bin/serviced master",
        ("signal", 2, 9),
        "killed",
        (
            r"was killed by deploy\[\d+\] with SIGKILL\.",
            r"This was the first of 3 deaths",
            r"systemd\[1\] then killed what was left of master\.service\.",
        ),
        _kill_master,
    ),
    "missing": Ending(
        "ExecStart=/usr/local/bin/not-installed",
        ("exit-code", 1, 203),
        "exited",
        (r"exited with code 203\.", r"systemd could not start the program: 203 is its code EXEC, "),
    ),
}
"""By the name of the unit."""


def prepare() -> None:
    """Install the programs and the units."""
    source = Path(__file__).parents[1] / "vm" / "service.c"
    subprocess.run(["cc", "-g", "-o", PROGRAMS / "serviced", source], check=True)
    program("deploy", "kill -KILL $1")
    program("nightly-cleanup", "pkill -KILL -f queue\ntrue")
    for name, ending in ENDINGS.items():
        (UNITS / f"{name}.service").write_text(f"[Service]\n{ending.unit}\n")
    (UNITS / "cleanup.service").write_text(
        f"[Service]\nType=oneshot\nExecStart={PROGRAMS}/nightly-cleanup\n"
    )
    (UNITS / "cleanup.timer").write_text("[Timer]\nOnActiveSec=100ms\nAccuracySec=1ms\n")
    systemctl("daemon-reload")


def come_true(names: list[str]) -> None:
    """Start services, have them end, and wait until systemd has seen all of them end."""
    systemctl("start", "--no-block", *names)
    for name in names:
        end = ENDINGS[name].end
        if end:
            end(_main_pid(name))
    until(lambda: all(state == "failed" for state in states(names)))


def _main_pid(name: str) -> int:
    """Wait until it has been started; return its PID."""
    until(lambda: shown("ExecMainPID", name) != "0")
    return int(shown("ExecMainPID", name))


def states(names: list[str]) -> list[str]:
    """Return the state of each."""
    return systemctl("show", "--value", "--property=ActiveState", *names).split()


def said_by_systemd(name: str) -> tuple[int, tuple[str, int, int]]:
    """Return the PID that a service had, and how it ended, as in Ending.systemd."""
    lines = systemctl(
        "show", "--property=ExecMainPID,Result,ExecMainCode,ExecMainStatus", name
    ).splitlines()
    found = dict(line.split("=", 1) for line in lines)
    return int(found["ExecMainPID"]), (
        found["Result"],
        int(found["ExecMainCode"]),
        int(found["ExecMainStatus"]),
    )
