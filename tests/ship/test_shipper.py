"""The loop of a destination: each record arrives, is rejected, or is counted as given up."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.recorded import BOOT, START_NS, exits, record, writer
from support.shipping import AGO_NS, OFFSET_NS, made, ship

from exitsnoop.ship.destination import Answer, Batch, Destination
from exitsnoop.ship.state import Cursor, InUse, State
from exitsnoop.ship.stop import Stop
from exitsnoop.store import following
from exitsnoop.store.following import Missing
from exitsnoop.store.limits import Limits
from exitsnoop.store.recording import Recording

ACCEPTED = Answer()


class Taker(Destination):
    """A destination that notes what it accepts, and gives the answers of a list."""

    kind, where = "taker", "here"

    def __init__(
        self, *answers: Answer, failed: bool = False, stop: Callable[[], None] | None = None
    ) -> None:
        self.failed = failed
        self.pids: list[int] = []
        self.missing: list[Missing] = []
        self.attempts = 0
        self._answers = list(answers)
        self._stop = stop

    def deliver(self, batch: Batch) -> Answer:
        self.attempts += 1
        answer = self._answers.pop(0) if self._answers else ACCEPTED
        if answer.again_s is None:
            self.pids += batch.exits.column("pid") if len(batch.exits) else []
            self.missing += batch.missing
            assert {BOOT.boot_id} >= set(batch.exits.column("boot_id") if batch.exits else ())
        if self._stop:
            self._stop()
        return answer

    def close(self) -> None:
        """Nothing is held."""


def test_each_exit_arrives_once(store: Path) -> None:
    record(store, made(range(1, 1201)))
    taker = Taker()
    shipper, said = ship(store, taker)
    assert taker.pids == list(range(1, 1201))
    assert taker.attempts == 3  # pages of 500
    assert not said
    assert shipper.tally.delivered == 1200
    assert shipper.tally.is_whole
    again = Taker()
    ship(store, again)
    assert not again.attempts
    record(store, made(range(1201, 1301)))
    ship(store, again)
    assert again.pids == list(range(1201, 1301))


def test_only_failures_if_asked(store: Path) -> None:
    record(store, made(range(1, 1001)))
    taker = Taker(failed=True)
    ship(store, taker)
    assert taker.pids == list(range(5, 1001, 5))


def test_the_first_time_it_begins_at_the_lag(store: Path) -> None:
    record(store, exits(range(1, 101), OFFSET_NS), made(range(101, 201)))
    taker = Taker()
    ship(store, taker)
    assert taker.pids == list(range(101, 201))


def test_again_and_again(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not accepted stays; a refusal for good is counted, and said."""
    monkeypatch.setattr("exitsnoop.ship.shipper.FIRST_WAIT_S", 0.001)
    record(store, made(range(1, 101)))
    busy = Answer(again_s=0, said="HTTP 503")
    taker = Taker(busy, busy, Answer(again_s=0.01, said="HTTP 429"), Answer(3, None, "bad"))
    shipper, said = ship(store, taker)
    assert taker.pids == list(range(1, 101))
    assert taker.attempts == 4
    assert (shipper.tally.delivered, shipper.tally.rejected) == (97, 3)
    assert not shipper.tally.is_whole
    assert [line.partition(": ")[2].partition(";")[0] for line in said] == [
        "HTTP 503",
        "HTTP 429",
        "3 records were rejected, for good: bad",
        "it takes records again, after 0 s",
    ]


def test_a_stop_while_it_waits_keeps_the_cursor(store: Path) -> None:
    record(store, made(range(1, 101)))
    stop = Stop()
    taker = Taker(Answer(again_s=3600, said="HTTP 503"), stop=stop.stop)
    ship(store, taker, stop=stop)
    assert not taker.pids
    after = Taker()
    ship(store, after)
    assert after.pids == list(range(1, 101))


def test_what_is_too_old_is_given_up_and_reported(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exitsnoop.ship.shipper.FIRST_WAIT_S", 0.001)
    record(store, exits(range(1, 1101), OFFSET_NS), made(range(1101, 1151)))
    state = State(store.parent / "state", "taker", "here")
    state.write(Cursor(0))
    state.close()
    busy = Answer(again_s=0, said="HTTP 503")
    taker = Taker(busy, busy)
    shipper, said = ship(store, taker)
    # The last page has old ones and new ones, and so it is kept.
    assert taker.pids == list(range(1001, 1151))
    assert shipper.tally.given_up == 1000
    assert [(one.why, one.count) for one in taker.missing] == [("given up", 500)] * 2
    assert len({one.key for one in taker.missing}) == 2
    assert "500 exits given up, as they ended more than 24 h ago (--max-lag)" in said[1]
    counted = shipper.tally.totals()
    assert (counted["given_up"], counted["delivered"]) == (1000, 152)
    later, _ = ship(store, Taker())
    assert (later.tally.given_up, later.tally.totals()) == (0, counted)


def test_a_cursor_of_an_earlier_version_counted_nothing(store: Path) -> None:
    record(store, made(range(1, 101)))
    ship(store, Taker())
    (path,) = (store.parent / "state").glob("taker-*.json")
    known = json.loads(path.read_text())
    assert known.pop("counted")["delivered"] == 100
    path.write_text(json.dumps(known))
    shipper, said = ship(store, Taker())
    assert said == []
    assert not any(shipper.tally.totals().values())


def test_what_retention_dropped_is_counted(store: Path) -> None:
    """Exits that are dropped before their turn are reported, except those that were kept."""
    recorder = writer(store, limits=Limits(2 << 20, 0, 1e9))
    recorder.add(made(range(1, 101)))
    recorder.commit()
    ship(store, Taker())
    last = 101
    while Recording(store).oldest_id() < 1000:
        recorder.add(made(range(last, last + 500)))
        recorder.commit()
        last += 500
    recorder.close()
    for failed in (False, True):
        taker = Taker(failed=failed)
        taker.where = f"for {failed}"
        state = State(store.parent / "state", taker.kind, taker.where)
        state.write(Cursor(100))
        state.close()
        shipper, said = ship(store, taker)
        assert len(set(taker.pids)) == len(taker.pids)
        (told,) = {one.why for one in taker.missing}
        assert told == "dropped"
        dropped = sum(one.count or 0 for one in taker.missing)
        assert dropped == shipper.tally.dropped > 0
        if not failed:
            assert dropped + len(taker.pids) == last - 101
        assert any("had been dropped from the recording before their turn" in s for s in said)
        assert not shipper.tally.is_whole


@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize("aside", [False, True])
def test_what_is_damaged_is_counted(
    store: Path, monkeypatch: pytest.MonkeyPatch, failed: bool, aside: bool
) -> None:
    """A file that cannot be read is looked at again, then reported once, also as set aside."""
    monkeypatch.setattr("exitsnoop.ship.shipper.LOOK_S", 0.01)
    recorder = writer(store, limits=Limits(2 << 20, 0, 1e9))
    last = 1
    while len(list(store.glob("exits-*.db"))) < 4:
        recorder.add(made(range(last, last + 500)))
        recorder.commit()
        last += 500
    recorder.close()
    _, second, third, *_ = sorted(store.glob("exits-*.db"))
    assert not Path(f"{second}-wal").exists()
    lost = int(third.stem[-15:]) - int(second.stem[-15:])
    content = second.read_bytes()
    second.write_bytes(b"not a database".ljust(len(content), b"\0"))
    taker = Taker(failed=failed)
    state = State(store.parent / "state", taker.kind, taker.where)
    state.write(Cursor(0))
    state.close()
    if aside:
        second.rename(f"{second}.0.damaged")
    shipper, said = ship(store, taker)
    (told,) = taker.missing
    assert told.why == "damaged"
    assert told.count == (None if failed else lost)
    assert sum("cannot be read, as the recording is damaged" in line for line in said) == 1
    assert not shipper.tally.is_whole
    if not failed:
        assert len(taker.pids) == last - 1 - lost
        assert shipper.tally.dropped == lost
    again = Taker(failed=failed)
    _, said = ship(store, again)
    assert not again.attempts
    assert not said


def test_a_reason_that_passes_costs_nothing(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be read for a moment is not given up."""
    record(store, made(range(1, 101)))
    (path,) = store.glob("exits-*.db")
    content = path.read_bytes()
    path.write_bytes(b"not a database".ljust(len(content), b"\0"))
    state = State(store.parent / "state", "taker", "here")
    state.write(Cursor(0))
    state.close()
    monkeypatch.setattr("exitsnoop.ship.shipper.LOOK_S", 0.01)
    looks = 0
    page_after = following.page_after

    def mended(*given: Any, **more: Any) -> Any:
        nonlocal looks
        looks += 1
        if looks == 3:
            path.write_bytes(content)
        return page_after(*given, **more)

    monkeypatch.setattr(following, "page_after", mended)
    taker = Taker()
    ship(store, taker)
    assert taker.pids == list(range(1, 101))
    assert not taker.missing


def test_what_was_not_recorded_is_reported_once(store: Path) -> None:
    recorder = writer(store, since_ns=START_NS + AGO_NS)
    recorder.add(made(range(1, 11)), 7)
    recorder.commit()
    recorder.close("stopped")
    record(store, made(range(2_000_000, 2_000_010)), since_ns=START_NS + AGO_NS + 2_000_000_000)
    taker = Taker()
    shipper, _ = ship(store, taker)
    assert len(taker.pids) == 20
    assert {(one.why, one.count) for one in taker.missing} == {("overflow", 7), ("stopped", None)}
    assert shipper.tally.delivered == 22
    again = Taker()
    ship(store, again)
    assert not again.attempts


def test_another_recording_is_delivered_from_its_start(store: Path) -> None:
    record(store, made(range(1, 101)))
    ship(store, Taker())
    record(store, made(range(101, 111)))
    ship(store, Taker())
    for path in store.iterdir():
        path.unlink()
    record(store, made(range(1001, 1201)))
    taker = Taker()
    _, said = ship(store, taker)
    assert taker.pids == list(range(1001, 1201))
    assert "this is another recording than before" in said[0]


def test_two_with_one_cursor(tmp_path: Path) -> None:
    state = State(tmp_path, "taker", "here")
    with pytest.raises(InUse):
        State(tmp_path, "taker", "here")
    State(tmp_path, "taker", "there").close()
    state.close()
    State(tmp_path, "taker", "here").close()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"id": "x"}', '{"id": 1}'])
def test_a_damaged_cursor(store: Path, content: str) -> None:
    record(store, made(range(1, 11)))
    ship(store, Taker())
    (path,) = (store.parent / "state").glob("*.json")
    assert json.loads(path.read_text())["id"] == 10
    path.write_text(content)
    taker = Taker()
    _, said = ship(store, taker)
    assert taker.pids == list(range(1, 11))
    assert "is damaged: exits may be delivered a second time" in said[0]
