"""Records services on a disk that stays, in the first boot or the second: `... first|second`.

The first boot ends by a reset while the service records. In both, services end in all ways of
endings.py; what `exitsnoop why` answers is printed, and compared with what systemd says.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from support.endings import ENDINGS, come_true, prepare, said_by_systemd
from support.flight import Answers
from support.recorder import exits
from support.service import STORE, put_in_place, record, recorded_of, systemctl

from exitsnoop.cli import main
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording

DISK = Path("/disk/recording")
SAID = Path("/disk/said.json")
NAMES = list(ENDINGS)
IN_BOTH = "loops"
LOOP = 5  # how often systemd starts it
FIRST = [*NAMES[: len(NAMES) // 2], IN_BOTH]
SECOND = NAMES[len(NAMES) // 2 :]


def begin() -> None:
    """Install the service, with its recording on the disk."""
    DISK.mkdir(exist_ok=True)
    STORE.mkdir(exist_ok=True)
    subprocess.run(["mount", "--bind", DISK, STORE], check=True)
    put_in_place()
    installed = record("--install", "--max-size", "16M")
    assert installed.returncode == 0, installed.stderr
    prepare()


def ask(words: list[str]) -> tuple[int, str, str]:
    """Run exitsnoop in a process of its own, but not in a new Python, which starts slowly here."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        pid = os.fork()
        if not pid:
            os.dup2(out.fileno(), 1)
            os.dup2(errors.fileno(), 2)
            os._exit(main(words))
        _, status = os.waitpid(pid, 0)
        out.seek(0)
        errors.seek(0)
        return os.waitstatus_to_exitcode(status), out.read(), errors.read()


ANSWERS = Answers(STORE, ask)


def end_services(names: list[str]) -> dict[str, Any]:
    """Have them end; return the PID that systemd knows for each."""
    come_true(names)
    said = {name: said_by_systemd(name) for name in names}
    for name, (_, how) in said.items():
        if how != ENDINGS[name].systemd:
            WRONG.append(f"{name}: systemd says {how}")
        recorded_of(f"{name}.service")
    return {name: pid for name, (pid, _) in said.items()}


WRONG: list[str] = []


def check(name: str, pid: int, *more: str, gaps: list[str], history: int = 1) -> None:
    """What is answered about a service is right, and has its evidence, history and gaps."""
    unit = f"{name}.service"
    sys.stdout.write(f"\n# exitsnoop why {' '.join([unit, *more])}\n")
    text, told = ANSWERS.both(unit, *more)
    ending, found = ENDINGS[name], told["exit"]
    _, code, status = ending.systemd
    known = {
        "pid": (found["pid"], pid),
        "unit": (found["unit"], unit),
        "status": (found["exit_code"] if code == 1 else found["signal"], status),
        "cause": (found["cause"]["kind"], ending.kind),
        "gaps": ([gap["why"] for gap in told["gaps"]], gaps),
        "history": (told["history"]["count"], {IN_BOTH: history * LOOP, "master": 3}.get(name, 1)),
    }
    WRONG.extend(
        f"{unit}: {what} is {is_}, not {should}"
        for what, (is_, should) in known.items()
        if is_ != should
    )
    words = " ".join(text.split())
    WRONG.extend(f"{unit}: no {part!r}" for part in ending.says if not re.search(part, words))


def first() -> None:
    """Record how services end; leave the recorder at work."""
    begin()
    pids = end_services(FIRST)
    for name, pid in pids.items():
        check(name, pid, gaps=[])
    with SAID.open("w") as file:
        json.dump(pids, file)
        file.flush()
        os.fsync(file.fileno())


def second() -> None:
    """What was recorded before the reset is there, and the gap has its reason."""
    begin()
    pids = end_services(SECOND)
    for name, pid in pids.items():
        check(name, pid, gaps=["reboot"], history=2)
    for name, pid in json.loads(SAID.read_text()).items():
        check(name, pid, "--boot", "-1", gaps=["reboot"], history=2)
    check_recording()
    said = record("--status").stdout
    assert "(reboot)" in said, said
    systemctl("stop", "exitsnoop")
    sys.stdout.write(said)


def check_recording() -> None:
    """The boots are told apart."""
    recording = Recording(STORE)
    boots = recording.boots()
    assert len(boots) == 2, boots
    (crashed,) = exits(STORE, units=["crashes.service"])
    gaps = recording.gaps(crashed.wall_ns, time.time_ns())
    assert [gap.why for gap in gaps] == ["reboot"], gaps
    of_first = Query(boot_id=boots[0].boot_id)
    units = {one.unit for batch in recording.select(of_first).batches() for one in batch}
    assert {f"{name}.service" for name in FIRST} <= units
    assert not {f"{name}.service" for name in SECOND if name != IN_BOTH} & units


{"first": first, "second": second}[sys.argv[1]]()
assert not WRONG, "\n".join(WRONG)
sys.stdout.write(f"{sys.argv[1]} boot: all adds up\n")
