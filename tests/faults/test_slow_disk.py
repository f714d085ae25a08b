"""The disk takes its time, and exits go on."""

import fcntl
from pathlib import Path

from support.accounts import count
from support.recorded import compiled_shim, shimmed
from support.recorder import recording

STORM = 45_000  # three times what the kernel's buffer can hold


def test_a_storm_while_the_disk_stands_still(
    exitsnoop: str, loads: Path, store: Path, tmp_path: Path
) -> None:
    """Each commit waits for the disk; the recorder takes the exits into memory meanwhile."""
    gate = tmp_path / "gate"
    gate.touch()
    environment = shimmed(compiled_shim(tmp_path), store, gate=gate)
    with recording(exitsnoop, store, "-n", loads.name, env=environment) as recorder:
        with gate.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            truth = count(loads, "forks", STORM)
            assert len(recorder.exits()) < truth / 2  # it stood still
        assert recorder.stop() == 0, recorder.errors
        assert len(recorder.exits()) == truth
