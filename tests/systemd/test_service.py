"""exitsnoop.service under a real systemd: from its installation to its removal, in this order."""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.disks import fill
from support.recorder import exits
from support.service import (
    COMMAND,
    STORE,
    put_in_place,
    record,
    recorded_of,
    run_service,
    shown,
    status_of,
    systemctl,
)
from support.waiting import until

from exitsnoop.recorder.install import UNIT, UNITS
from exitsnoop.store.recording import Recording


@pytest.fixture(scope="module", autouse=True)
def _service() -> Iterator[None]:
    put_in_place()
    installed = record("--install", "--max-size", "16M")
    assert installed.returncode == 0, installed.stderr
    yield
    systemctl("reset-failed", UNIT, check=False)
    assert record("--uninstall").returncode == 0
    assert not (UNITS / UNIT).exists()
    assert systemctl("is-active", UNIT, check=False) != "active"
    assert (STORE / "lock").exists()


def main_pid() -> int:
    return int(shown("MainPID"))


def is_another(before: int) -> bool:
    """Whether another process is the recorder, and records."""
    return main_pid() not in (0, before) and systemctl("is-active", UNIT, check=False) == "active"


def test_it_is_active_when_it_records() -> None:
    """READY=1 comes when no exit is missed any more: the next one is recorded."""
    assert systemctl("is-active", UNIT) == "active"
    assert systemctl("is-enabled", UNIT) == "enabled"
    run_service("first", "exit 3")
    (found,) = recorded_of("first.service")
    assert (found.comm, found.exit_code, found.user) == ("sh", 3, "root")
    assert found.args == ("/bin/sh", "-c", "exit 3")
    assert (STORE.stat().st_mode & 0o777, STORE.group()) == (0o750, "adm")
    assert {path.group() for path in STORE.iterdir()} == {"adm"}
    assert status_of()["pid"] == main_pid()


def test_it_has_no_privileges_and_goes_first() -> None:
    status = Path(f"/proc/{main_pid()}/status").read_text()
    assert set(re.findall(r"^Cap(?:Eff|Prm|Inh|Amb):\t(\w+)", status, re.M)) == {"0" * 16}
    assert re.search(r"^NoNewPrivs:\t1$", status, re.M)
    assert re.search(r"^Seccomp:\t2$", status, re.M)
    policy = os.sched_getscheduler(main_pid())
    assert policy == os.SCHED_RR | os.SCHED_RESET_ON_FORK


@pytest.mark.parametrize(
    ("name", "script", "kind"),
    [
        ("crasher", "kill -SEGV $$", "self"),
        ("failer", "exit 78", "exited"),
        ("missing", "no-such-command", "exited"),
    ],
)
def test_units_are_recorded_by_name(name: str, script: str, kind: str) -> None:
    run_service(name, script)
    found = recorded_of(f"{name}.service")[-1]
    assert found.cause
    assert found.cause.kind == kind


def test_a_service_that_systemd_kills_has_its_sender() -> None:
    """Its memory is limited, or it did not stop in time."""
    run_service(
        "slow", "trap '' TERM; sleep 600 & wait; wait", "RuntimeMaxSec=1", "TimeoutStopSec=1"
    )
    killed = [found for found in recorded_of("slow.service", 2) if found.signal == signal.SIGKILL]
    assert killed
    assert all(found.cause and found.cause.sender for found in killed)
    assert {found.cause.sender.pid for found in killed if found.cause and found.cause.sender} == {1}


def test_what_filled_a_cgroup() -> None:
    """The kernel's log has it: the unit lets the recorder read that."""
    file = Path("/dev/shm/filled")
    script = f"head -c 20M /dev/zero >{file}; tail /dev/zero"
    try:
        run_service("filled", script, "MemoryMax=32M", "MemorySwapMax=0")
    finally:
        file.unlink()
    (victim,) = [found for found in recorded_of("filled.service", 2) if found.comm == "tail"]
    assert victim.cause
    assert victim.cause.oom
    assert 19 << 20 <= (victim.cause.oom.cgroup_shmem or 0) <= 21 << 20


def test_it_says_how_it_stands() -> None:
    until(lambda: " are on disk" in shown("StatusText"))
    assert re.fullmatch(
        r"all exits up to \d{4}-\d\d-\d\d [\d:]{8} are on disk.*", shown("StatusText")
    )
    assert 'Status: "all exits up to' in systemctl("status", UNIT, check=False)


def test_it_is_started_again_when_it_was_killed() -> None:
    """What was recorded before is there, and the gap has its reason."""
    before = main_pid()
    known = {found.boot_ns for found in exits(STORE)}
    systemctl("kill", "--signal", "KILL", UNIT)
    until(
        lambda: (
            main_pid() not in (0, before) and systemctl("is-active", UNIT, check=False) == "active"
        )
    )
    assert known <= {found.boot_ns for found in exits(STORE)}
    assert [stretch.ended for stretch in Recording(STORE).recorded()][-2:] == ["killed", None]
    run_service("second", "exit 4")
    assert recorded_of("second.service")[-1].exit_code == 4
    assert int(shown("NRestarts")) == 1


def test_a_recorder_that_hangs_is_started_again() -> None:
    """The watchdog ends it: it gives no sign of life while it is stopped."""
    with changed("WatchdogSec=20s"):
        systemctl("restart", UNIT)
        before = main_pid()
        first = shown("WatchdogTimestampMonotonic")
        until(lambda: shown("WatchdogTimestampMonotonic") != first)
        os.kill(before, signal.SIGSTOP)
        until(lambda: is_another(before))
        journal = subprocess.check_output(["journalctl", "--unit", UNIT, "--no-pager"], text=True)
        assert "Watchdog timeout" in journal


def test_it_stops_as_it_should() -> None:
    systemctl("stop", UNIT)
    assert shown("Result") == "success"
    assert [stretch.ended for stretch in Recording(STORE).recorded()][-1] == "stopped"
    assert not list(STORE.glob("*-wal"))
    assert record("--status").returncode == 3
    systemctl("start", UNIT)


def test_a_full_disk_is_got_over() -> None:
    """The recording is on a small file system, which others fill up."""
    systemctl("stop", UNIT)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", STORE], check=True)
    try:
        with changed("ExecStart=", f"ExecStart={COMMAND} record --max-size 16M --keep-free 0"):
            systemctl("start", UNIT)
            (STORE / "ballast").unlink()  # its room goes to the others
            for name in ("hog", "more"):
                fill(STORE / name)
            until(_fails_to_write)
            (STORE / "hog").unlink()
            until(lambda: "are on disk" in shown("StatusText"))
            assert systemctl("is-active", UNIT) == "active"
            systemctl("stop", UNIT)
    finally:
        subprocess.run(["umount", STORE], check=True)
    systemctl("start", UNIT)


def _fails_to_write() -> bool:
    run_service("writer", "kill -KILL $$")
    return shown("StatusText").startswith("cannot write: ")


@contextlib.contextmanager
def changed(*lines: str) -> Iterator[None]:
    """Change the service while the block runs."""
    override = Path(f"/run/systemd/system/{UNIT}.d/changed.conf")
    override.parent.mkdir(parents=True, exist_ok=True)
    override.write_text("\n".join(["[Service]", *lines, ""]))
    systemctl("daemon-reload")
    try:
        yield
    finally:
        override.unlink()
        systemctl("daemon-reload")
