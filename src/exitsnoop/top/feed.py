"""Feed: what a recording has for a desk: boards, the words of deaths, and why one died."""

import time
from collections.abc import Iterable

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.reports import gaps, story, why
from exitsnoop.reports.target import Target
from exitsnoop.reports.verdicts import brief
from exitsnoop.reports.when import local
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording
from exitsnoop.top.board import Board
from exitsnoop.top.deaths import Death, after, during

_LOOK_NS = 5 * SECOND_NS  # how often it is asked what is missing: each file must be opened
_MOST_HOWS = 1000


class Feed:
    """Reads a recording.

    Args:
        recording: the recording.

    Attributes:
        hows: how deaths that were shown came about, in a few words.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.hows: dict[Death, str] = {}
        self._newest_id = 0
        self._changes: object = None
        self._missing_at = 0
        self._recorder: int | None = None
        self._from_ns = 0  # from when on the board has all deaths

    def load(self, by: str, length_ns: int, at_ns: int | None) -> tuple[Board, int]:
        """Return a board that ends at a time (None: now), and the id of the newest exit then.

        Raises StoreError.
        """
        now_ns = time.time_ns()
        board = Board(by, length_ns, now_ns if at_ns is None else at_ns)
        read = during(self.recording, board.from_ns, board.to_ns)
        board.remember(read.before)
        board.add(read.deaths)
        self._note_missing(board, now_ns, read.from_ns)
        return board, read.newest_id

    def take(self, board: Board, newest_id: int) -> Board:
        """Go on from a board that load() returned: update() adds what is recorded after it."""
        self._newest_id, self._changes = newest_id, None
        return board

    def update(self, board: Board) -> None:
        """Bring a board up to now. Raises StoreError."""
        now_ns = time.time_ns()
        found, recorder = self.recording.changes(), self.recording.recorder()
        if found != self._changes:
            newest = self.recording.newest_id()
            if newest == self._newest_id:  # a change within a tick of the clock would not show
                self._changes = found
            elif newest > self._newest_id:
                board.advance(now_ns)
                board.add(after(self.recording, self._newest_id, newest))
                self._newest_id = newest
        board.advance(now_ns)
        if recorder != self._recorder or now_ns - self._missing_at > _LOOK_NS:
            self._recorder, self._missing_at = recorder, now_ns
            self._note_missing(board, now_ns, self._from_ns)

    def _note_missing(self, board: Board, now_ns: int, from_ns: int) -> None:
        board.gaps = self.recording.gaps(board.from_ns, board.to_ns)
        board.notes = gaps.damaged(self.recording.unreadable)
        self._from_ns = from_ns
        if from_ns > board.from_ns:
            since = local(from_ns, now_ns)
            board.notes.append(f"counted since {since}: before it there are too many deaths")
        complete_ns = self.recording.complete_since()
        if complete_ns is not None and complete_ns > board.from_ns:
            board.notes.append(f"before {local(complete_ns, now_ns)} only failures are left")

    def alarm(self) -> str:
        """Return in words that nobody looks now; "" if a recorder does."""
        if self.recording.recorder() is not None:
            return ""
        stretches = self.recording.recorded()
        now_ns = time.time_ns()
        since = f" since {local(stretches[-1].to_ns, now_ns)}" if stretches else ""
        return f"NOBODY LOOKS NOW: no recorder runs{since}; this is the past"

    def last_ns(self) -> int | None:
        """Return when the recording ends, nanoseconds since the epoch; None if somebody records."""
        stretches = self.recording.recorded()
        return stretches[-1].to_ns if stretches and self.recording.recorder() is None else None

    def tell(self, deaths: Iterable[Death]) -> bool:
        """Find the words for deaths that have none in `hows`; return whether there were any.

        Raises StoreError.
        """
        asked = {(one.pid, one.wall_ns): one for one in deaths if one not in self.hows}
        if not asked:
            return False
        if len(self.hows) > _MOST_HOWS:
            self.hows.clear()
        times = [wall_ns for _, wall_ns in asked]
        pids = sorted({pid for pid, _ in asked})
        query = Query(pids=pids, since_ns=min(times), until_ns=max(times))
        for batch in self.recording.select(query).batches():
            for exit_ in batch:
                death = asked.get((exit_.pid, exit_.wall_ns))
                if death is not None and exit_.last_thread:
                    self.hows[death] = brief(exit_)
        return True

    def why(self, death: Death) -> list[str]:
        """Return why a process died, as `exitsnoop why` says it, a line each. Raises StoreError."""
        now_ns = time.time_ns()
        at = Query(
            pids=[death.pid],
            since_ns=death.wall_ns - SECOND_NS,
            until_ns=death.wall_ns,
            newest_first=True,
        )
        about = (death.wall_ns - SECOND_NS, death.wall_ns)
        answer = why.answer(self.recording, [Target("pid", str(death.pid), at)], about, now_ns)
        missing = gaps.missing(
            self.recording, answer.gaps, answer.filtered, answer.about[0], now_ns
        )
        parts = story.texts(answer, missing, None, is_missing=False)
        return "".join(parts).splitlines()
