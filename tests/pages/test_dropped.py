"""What was dropped to make room is counted by the hour, and the headline says so."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.recorded import BOOT, OFFSET_NS, SECOND_NS, SMALL, START_NS, exits, writer

from exitsnoop.pages import heat
from exitsnoop.reports.overview.gather import gather
from exitsnoop.reports.overview.headline import findings
from exitsnoop.reports.overview.period import HOUR_NS, period
from exitsnoop.store.recording import Recording

COUNT = 6000
STEP_NS = 20 * SECOND_NS
FROM_NS = OFFSET_NS + START_NS


@pytest.fixture
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Bins begin at round local times."""
    monkeypatch.setenv("TZ", "UTC0")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_in_utc")
def test_counts_of_what_was_dropped(store: Path) -> None:
    recorder = writer(store, limits=SMALL, boot=BOOT)
    unlike = random.Random(17)
    for first in range(0, COUNT, 200):
        numbers = range(first, first + 200)
        boot_ns = [START_NS + nth * STEP_NS + 1 for nth in numbers]
        some = exits(
            numbers,
            boot_ns=boot_ns,
            start_boot_ns=[at - 1000 for at in boot_ns],
            args=[(unlike.randbytes(3000).hex(),) for _ in numbers],
        )
        recorder.add(some)
        recorder.commit()
    assert recorder.close() == 0
    end_ns = FROM_NS + COUNT * STEP_NS
    recording = Recording(store)
    complete_ns = recording.complete_since()
    assert complete_ns
    assert FROM_NS + 4 * HOUR_NS < complete_ns < end_ns - HOUR_NS
    begin_ns = -(-FROM_NS // HOUR_NS) * HOUR_NS
    chosen = period(begin_ns, end_ns, HOUR_NS, end_ns)
    of = gather(recording, chosen, lambda _: None)
    counted = range((begin_ns - FROM_NS) // STEP_NS, COUNT)
    assert sum(of.exits) == len(counted)
    failed = [nth for nth in counted if nth % 5 == 0]
    assert of.failed == len(failed)
    truth = Counter("killed" if nth % 50 == 0 else "code" for nth in failed)
    assert {name: bins.total() for name, bins in heat.counts(of).items()} == truth
    hours = Counter((FROM_NS + nth * STEP_NS + 1) // HOUR_NS for nth in counted)
    assert chosen.bin_ns == HOUR_NS
    assert list(of.exits) == [hours[hour] for hour in sorted(hours)]
    assert sum(one.times for one in of.ways) == len(failed)
    assert any("were dropped" in finding.text for finding in findings(of))
    assert of.complete_ns % HOUR_NS == 0
    assert complete_ns <= of.complete_ns < complete_ns + HOUR_NS
    kept = [nth for nth in counted if FROM_NS + nth * STEP_NS + 1 >= of.complete_ns]
    assert sum(of.lived.well) + sum(map(sum, of.lived.failed.values())) == len(kept)
