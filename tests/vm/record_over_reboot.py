"""Records services on a disk that stays, in the first boot or the second: `... first|second`.

The first boot ends by a reset while the service records.
"""

import subprocess
import sys
import time
from pathlib import Path

from support.recorder import exits
from support.service import STORE, put_in_place, record, recorded_of, run_service, systemctl

from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording

DISK = Path("/disk/recording")


def begin() -> None:
    """Install the service, with its recording on the disk."""
    DISK.mkdir(exist_ok=True)
    STORE.mkdir(exist_ok=True)
    subprocess.run(["mount", "--bind", DISK, STORE], check=True)
    put_in_place()
    installed = record("--install", "--max-size", "16M")
    assert installed.returncode == 0, installed.stderr


def first() -> None:
    """Record how services end; leave the recorder at work."""
    begin()
    run_service("crashes", "kill -SEGV $$")
    run_service("fails", "exit 78")
    recorded_of("crashes.service")
    recorded_of("fails.service")


def second() -> None:
    """What was recorded before the reset is there, and the gap has its reason."""
    begin()
    (crashed,) = exits(STORE, units=["crashes.service"])
    (failed,) = exits(STORE, units=["fails.service"])
    assert (crashed.signal, failed.exit_code) == (11, 78), (crashed, failed)
    run_service("later", "exit 3")
    recorded_of("later.service")
    recording = Recording(STORE)
    boots = recording.boots()
    assert len(boots) == 2, boots
    gaps = recording.gaps(crashed.wall_ns, time.time_ns())
    assert [gap.why for gap in gaps] == ["reboot"], gaps
    of_first = Query(boot_id=boots[0].boot_id)
    units = {one.unit for batch in recording.select(of_first).batches() for one in batch}
    assert {"crashes.service", "fails.service"} <= units
    assert "later.service" not in units
    said = record("--status").stdout
    assert "(reboot)" in said, said
    systemctl("stop", "exitsnoop")
    sys.stdout.write(said)


{"first": first, "second": second}[sys.argv[1]]()
sys.stdout.write(f"{sys.argv[1]} boot: all adds up\n")
