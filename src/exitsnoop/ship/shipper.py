"""The loop of one destination: reads the recording, delivers, and moves the cursor."""

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.batch import Exits
from exitsnoop.ship.destination import Answer, Batch, Destination
from exitsnoop.ship.state import Cursor, State
from exitsnoop.ship.stop import Stop
from exitsnoop.ship.tally import Tally
from exitsnoop.store import following
from exitsnoop.store.boots import Boot
from exitsnoop.store.errors import NoStore
from exitsnoop.store.following import Missing, Page
from exitsnoop.store.recording import Recording

LOOK_S = 1.0
"""How often the recording is looked at: the recorder writes at most once a second, too."""
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
"""Between attempts, unless the destination names a time; each wait is twice the one before."""
SAVE_S = 10.0
"""A cursor that moved without a delivery is written this often at most."""
_SAY_AGAIN_S = 600.0
_SAY_OF_MANY_S = 60.0
_LOOK_TWICE_S = 0.2
_LOOKS = 5
"""What cannot be read so often, once a second, is damaged."""


class Shipper:
    """Delivers a recording to one destination, until all is delivered or the word is given.

    The cursor moves only past what the destination accepted, or what was counted.

    Args:
        store: the directory of the recording.
        state: keeps the cursor.
        destination: takes the records.
        stop: ends it.
        max_lag_s: while the destination does not take them, exits are given up so long after they
            ended. It is also how far back the first delivery begins.
        say: is given a line for people.
        once: end when all is delivered that is recorded.

    Attributes:
        tally: what became of the records.
    """

    def __init__(
        self,
        store: Path,
        state: State,
        destination: Destination,
        stop: Stop,
        *,
        max_lag_s: float,
        say: Callable[[str], None],
        once: bool = False,
    ) -> None:
        self.tally = Tally(before=state.cursor.counted if state.cursor else {})
        self.name = f"{destination.kind} {destination.where}".rstrip()
        self._store = store
        self._state = state
        self._destination = destination
        self._stop = stop
        self._max_lag_ns = round(max_lag_s * SECOND_NS)
        self._tell = say
        self._once = once
        self._keeps = destination.kept is not None
        self._saved_at = float("-inf")
        self._failures = 0
        self._failed_at = 0.0
        self._said = ("", 0.0)
        self._said_of: dict[str, float] = {}
        self._not_before = 0.0
        self._changes: object = None
        self._look_again = True
        self._looked_at = float("-inf")
        self._doubts = 0
        self._boots: dict[str, Boot] = {}
        self._is_there = True

    def run(self) -> None:
        """Deliver. Raises StoreError, OSError if the cursor cannot be written at the start."""
        cursor = self._first_cursor()
        try:
            while not self._stop.is_given():
                cursor, is_idle = self._step(cursor)
                if is_idle:
                    self._destination.idle()
                    if self._once or self._stop.wait(LOOK_S):
                        break
        finally:
            self._save(cursor)
            self._destination.close()

    def _say(self, line: str) -> None:
        self._tell(f"{self.name}: {line}")

    def _say_of_many(self, about: str, line: str) -> None:
        """Say a line, but not one about the same again and again: there is one for each page."""
        now = time.monotonic()
        if now - self._said_of.get(about, float("-inf")) >= _SAY_OF_MANY_S:
            self._said_of[about] = now
            self._say(line)

    def _first_cursor(self) -> Cursor:
        if self._state.is_damaged:
            self._say(f"{self._state.path} is damaged: exits may be delivered a second time")
        cursor = self._state.cursor
        if cursor is None:
            recording = Recording(self._store)
            since_ns = time.time_ns() - (0 if self._destination.from_now else self._max_lag_ns)
            old, marks = following.missing_after(recording, following.Marks())
            pending = [one for one in old if (one.to_ns or 0) >= since_ns]
            cursor = Cursor(following.id_before(recording, since_ns), None, marks, pending)
            cursor.damaged = _names(recording.unreadable)
        elif cursor.kept is not None:
            self._destination.kept = cursor.kept
        self._state.write(cursor)
        return cursor

    def _step(self, cursor: Cursor) -> tuple[Cursor, bool]:
        """Deliver a page; return the cursor behind it, and whether there was nothing to deliver."""
        recording = self._recording()
        if recording is None or not self._has_news(recording):
            return cursor, True
        if self._is_another(cursor):
            self._say("this is another recording than before: it is delivered from its start on")
            cursor = Cursor(0, pending=cursor.pending)
        page = following.page_after(recording, cursor.id, failed=self._destination.failed)
        unreadable = _names(recording.unreadable if page is None else page.unreadable)
        news = [name for name in unreadable if name not in cursor.damaged]
        if self._is_in_doubt(news):
            return cursor, self._stop.wait(LOOK_S)
        missing, marks = self._missing(recording, cursor, page)
        missing += self._not_read(page, news, cursor)
        cursor = replace(cursor, damaged=[*cursor.damaged, *news])
        owed = [*cursor.pending, *missing]
        exits = Exits({}) if page is None else page.exits
        after = replace(cursor, marks=marks, pending=[])
        if page is not None:
            after.id, after.boot_ns = page.last_id, _boot_ns(recording, page)
        if not exits and not owed:
            self.tally.waiting_since_ns = None
            if after != cursor and time.monotonic() - self._saved_at >= SAVE_S:
                self._save(after)
            self._look_again |= page is not None
            return after, page is None
        self._look_again = True
        batch = Batch(exits, owed, self._boots_of(recording, exits))
        return self._delivered(batch, cursor, after), False

    def _is_in_doubt(self, news: list[str]) -> bool:
        """Return whether to look again at files that cannot be read: the reason may pass."""
        self._doubts = self._doubts + 1 if news else 0
        self._look_again |= bool(news)
        return 0 < self._doubts < _LOOKS

    def _has_news(self, recording: Recording) -> bool:
        """Return whether something may have been recorded since all was delivered."""
        changes = recording.changes()
        has_news = self._look_again or changes != self._changes
        # A change within the same tick of the clock would not show: look once more.
        self._look_again = changes != self._changes
        self._changes = changes
        return has_news

    def _missing(
        self, recording: Recording, cursor: Cursor, page: Page | None
    ) -> tuple[list[Missing], following.Marks]:
        """Return what is missing; it is in all files, so it is not looked for with each page."""
        now = time.monotonic()
        if page is not None and now - self._looked_at < LOOK_S:
            return [], cursor.marks
        self._looked_at = now
        return following.missing_after(recording, cursor.marks)

    def _boots_of(self, recording: Recording, exits: Exits) -> dict[str, Boot]:
        """Return the boots; they are in all files, too."""
        boot_ids = set(exits.column("boot_id")) if len(exits) else set()
        if not self._boots or not boot_ids <= self._boots.keys():
            self._boots = {boot.boot_id: boot for boot in recording.boots()}
        return self._boots

    def _recording(self) -> Recording | None:
        """Return the recording as it is now; None if somebody removed it."""
        try:
            recording = Recording(self._store)
        except NoStore:
            if self._is_there:
                self._say(f"there is no recording in {self._store} any more: waiting for one")
            self._is_there = False
            return None
        self._is_there = True
        return recording

    def _is_another(self, cursor: Cursor) -> bool:
        """Return whether the recording was begun anew; look twice, as files come and go."""
        return _seems_another(self._store, cursor) and (
            not self._stop.wait(_LOOK_TWICE_S) and _seems_another(self._store, cursor)
        )

    def _not_read(self, page: Page | None, news: list[str], cursor: Cursor) -> list[Missing]:
        """Return what could not be read up to the end of a page; count it and say it.

        news: files that turned out to be damaged.
        """
        here = f"{cursor.series}/{cursor.id + 1}-{page.last_id if page else ''}"
        found = []
        if page and page.dropped:
            at_most = "at most " if self._destination.failed else ""
            self.tally.dropped += page.dropped
            self._say_of_many(
                "dropped",
                f"{at_most}{_exits(self.tally.dropped)} had been dropped from the recording before "
                "their turn: give it more room (exitsnoop record --max-size), or deliver sooner",
            )
            found.append(Missing(f"{here}/dropped", "dropped", page.dropped, None, None))
        damaged = page.damaged if page else None
        self.tally.unreadable += len(news)
        if damaged or (damaged is None and news):
            self.tally.dropped += damaged or 0
            count = "exits" if damaged is None else f"at most {_exits(damaged)}"
            where = f" in {', '.join(news)}" if news else ""
            self._say(f"{count}{where} cannot be read, as the recording is damaged")
            found.append(Missing(f"{here}/damaged", "damaged", damaged, None, None))
        return found

    def _delivered(self, batch: Batch, cursor: Cursor, after: Cursor) -> Cursor:
        """Deliver a batch, again and again; return the cursor behind it, or the one before it."""
        walls = batch.exits.column("wall_ns") if len(batch.exits) else []
        self.tally.waiting_since_ns = min(walls, default=None)
        while not self._stop.is_given():
            if self._failures and walls and time.time_ns() - max(walls) > self._max_lag_ns:
                self._give_up(batch, cursor, after)
                return after
            if self._stop.wait(self._not_before - time.monotonic()):
                break
            answer = self._destination.deliver(batch)
            if answer.again_s is None:
                self._accepted(batch, answer)
                if self._is_time_to_save():
                    self._save(after)
                return after
            self._wait_after(answer)
            if not walls:  # exits may be there to deliver with it by then
                after.owe(batch.missing)
                return after
        return cursor

    def _accepted(self, batch: Batch, answer: Answer) -> None:
        self.tally.waiting_since_ns = None
        self.tally.delivered += len(batch) - answer.rejected
        self.tally.rejected += answer.rejected
        if answer.rejected:
            count = self.tally.rejected
            records = "1 record was" if count == 1 else f"{count:,} records were"
            self._say_of_many("rejected", f"{records} rejected, for good: {answer.said}")
        elif answer.said:
            self._say_of_many("accepted", answer.said)
        if self._failures:
            down_s = time.monotonic() - self._failed_at
            self._say(f"it takes records again, after {down_s:.0f} s; {self.tally.line()}")
        self._failures, self._said = 0, ("", 0.0)

    def _wait_after(self, answer: Answer) -> None:
        """Say that an attempt failed, and decide when the next one is."""
        now = time.monotonic()
        self._failed_at = self._failed_at if self._failures else now
        doubled_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(self._failures, 30))
        wait_s = doubled_s * random.uniform(0.5, 1.0)  # noqa: S311 - so that not all come at once
        if answer.again_s:
            wait_s = min(answer.again_s, self._max_lag_ns / SECOND_NS)
        self._failures += 1
        self._not_before = now + wait_s
        said, said_at = self._said
        if answer.said != said or now - said_at >= _SAY_AGAIN_S:
            self._say(f"{answer.said}; the next attempt is in {wait_s:.0f} s")
            self._said = (answer.said, now)

    def _give_up(self, batch: Batch, cursor: Cursor, after: Cursor) -> None:
        """Count exits as given up, and owe the destination word of them."""
        count, walls = len(batch.exits), batch.exits.column("wall_ns")
        self.tally.waiting_since_ns = None
        self.tally.given_up += count
        key = f"{cursor.series}/{cursor.id + 1}-{after.id}/given up"
        after.owe([*batch.missing, Missing(key, "given up", count, min(walls), max(walls))])
        hours = self._max_lag_ns / SECOND_NS / 3600
        self._say_of_many(
            "given up",
            f"{_exits(self.tally.given_up)} given up, as they ended more than {hours:g} h ago "
            "(--max-lag)",
        )
        self._save(after)

    def _is_time_to_save(self) -> bool:
        """Return whether the cursor is to be written, though what is kept can be made again."""
        return not self._keeps or time.monotonic() - self._saved_at >= SAVE_S

    def _save(self, cursor: Cursor) -> None:
        """Write the cursor. If that fails, go on: then some records come twice."""
        cursor = replace(cursor, kept=self._destination.kept, counted=self.tally.totals())
        try:
            self._state.write(cursor)
            self._saved_at = time.monotonic()
        except OSError as error:
            self._say(
                f"the cursor cannot be written to {self._state.path} ({error.strerror}): after a "
                "restart, records may be delivered a second time"
            )


def _names(paths: Iterable[Path]) -> list[str]:
    """Return the names of files; one that is set aside as damaged keeps its name here."""
    return sorted({path.name.partition(".db")[0] for path in paths})


def _seems_another(store: Path, cursor: Cursor) -> bool:
    """Return whether the exit of the cursor is not in the recording, but another one is."""
    try:
        recording = Recording(store)
    except NoStore:
        return False
    if cursor.boot_ns is not None:
        known = following.boot_ns_of(recording, cursor.id)
        if known not in (None, cursor.boot_ns):
            return True
    return cursor.id > recording.newest_id() and not recording.unreadable


def _boot_ns(recording: Recording, page: Page) -> int | None:
    """Return the time of the last exit of a page by the boot clock."""
    if len(page.exits) and page.exits.column("id")[-1] == page.last_id:
        return int(page.exits.column("boot_ns")[-1])
    return following.boot_ns_of(recording, page.last_id)


def _exits(count: int) -> str:
    return "1 exit" if count == 1 else f"{count:,} exits"


def latest(shippers: Iterable[Shipper]) -> str:
    """Return a line about all of them for the service manager."""
    return "; ".join(f"{shipper.name}: {shipper.tally.line()}" for shipper in shippers)
