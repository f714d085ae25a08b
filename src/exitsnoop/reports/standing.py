"""How a recording stands: for `exitsnoop record --status`."""

from typing import Any

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.derived import timestamps
from exitsnoop.model.words import human_bytes
from exitsnoop.reports import gaps as reports
from exitsnoop.reports.paragraphs import WIDTH, wrapped
from exitsnoop.reports.when import local, local_and_ago
from exitsnoop.sinks.escape import escape
from exitsnoop.store.coverage import Filtered, Gap
from exitsnoop.store.recording import Recording, Status

_TITLE = 13
_DAY_NS = 86_400 * SECOND_NS


class Standing:
    """How a recording stands, and what is missing from the last 24 hours.

    Args:
        recording: the recording.
        now_ns: the time now, nanoseconds since the epoch.

    Attributes:
        status: see Recording.status().
        gaps: what was not recorded in the last 24 hours.
        filtered: when only exits that pass filters were recorded in them.
        boots: how many boots it has exits of.
        complete_ns: from when on all exits are kept; None if none were dropped.
        counted_ns: from when on all exits are in the counts by the hour; None if all are.

    Raises StoreError.
    """

    def __init__(self, recording: Recording, now_ns: int) -> None:
        coverage = recording.coverage()
        self.status: Status = recording.status(coverage)
        self.gaps: list[Gap] = coverage.gaps(now_ns - _DAY_NS, now_ns)
        self.filtered: list[Filtered] = coverage.filtered(now_ns - _DAY_NS, now_ns)
        self.boots = len(recording.boots())
        self.complete_ns = recording.complete_since()
        self.counted_ns = recording.counted_since()
        self._without_log = reports.without_log(recording)
        self._now_ns = now_ns

    @property
    def is_recording(self) -> bool:
        """Whether a recorder is at work."""
        return self.status.recorder is not None

    def lines(self, place: str, *, ascii_only: bool = False) -> list[str]:
        """Return it for a person, in lines for 80 columns.

        Args:
            place: the directory.
            ascii_only: escape what is not ASCII, for a reader that does not take UTF-8.
        """
        status = self.status
        rows = [("recording", self._whether()), ("in", escape(place, spaces=False))]
        if status.committed_ns is not None:
            rows.append(("on disk", f"up to {local_and_ago(status.committed_ns, self._now_ns)}"))
        rows.append(("exits", self._exits()))
        if self.counted_ns is not None:
            rows.append(
                ("counted", f"all since {local(self.counted_ns, self._now_ns)}, by the hour")
            )
        rows.append(("size", f"{human_bytes(status.bytes)}{self._bound()}"))
        rows.append(("boots", str(self.boots)))
        rows += [("damaged", escape(path.name, spaces=False)) for path in status.damaged]
        for reader in status.readers:
            name = escape(reader.name) if reader.name else "a process"
            pid = f"[{reader.pid}]" if reader.pid else ""
            rows.append(("reader", f"{name}{pid} is in a transaction on {reader.file.name}"))
        missing = reports.filtered(self.filtered, self._now_ns)
        missing += reports.described(self.gaps, self._now_ns) + self._without_log
        rows += [("last 24 h", line) for line in missing or ["everything was recorded"]]
        return _aligned(rows, ascii_only=ascii_only)

    def record(self, place: str) -> dict[str, Any]:
        """Return it for a program; times are RFC 3339 in UTC, sizes are bytes."""
        status = self.status
        return {
            "store": place,
            "recording": self.is_recording,
            "pid": status.recorder or None,
            "stuck": status.stuck,
            "since": _utc(status.recorded[-1].from_ns) if status.recorded else None,
            "on_disk": _utc(status.committed_ns),
            "oldest": _utc(status.oldest_ns),
            "complete_since": _utc(self.complete_ns or status.oldest_ns),
            "counted_since": _utc(self.counted_ns),
            "exits": status.exits,
            "bytes": status.bytes,
            "max_bytes": status.max_bytes,
            "boots": self.boots,
            "damaged": [str(path) for path in status.damaged],
            "readers": [
                {"pid": one.pid or None, "comm": one.name or None, "file": one.file.name}
                for one in status.readers
            ],
            "filtered": [
                {"from": _utc(one.from_ns), "to": _utc(one.to_ns), "filters": one.filters}
                for one in self.filtered
            ],
            "gaps": [
                {
                    "from": _utc(gap.from_ns),
                    "to": _utc(gap.to_ns),
                    "why": gap.why,
                    "lost": gap.lost,
                }
                for gap in self.gaps
            ],
        }

    def _whether(self) -> str:
        recorded = self.status.recorded
        if self.is_recording:
            pid = f", PID {self.status.recorder}" if self.status.recorder else ""
            since = (
                f" since {local_and_ago(recorded[-1].from_ns, self._now_ns)}" if recorded else ""
            )
            but = f"; but {reports.reason(self.status.stuck)}" if self.status.stuck else ""
            return f"yes{since}{pid}{but}"
        if not recorded:
            return "no"
        why = reports.reason(recorded[-1].ended or "killed")
        return f"no, since {local_and_ago(recorded[-1].to_ns, self._now_ns)} ({why})"

    def _exits(self) -> str:
        count = f"{self.status.exits:,}"
        if self.status.oldest_ns is None:
            return count
        since = f"{count} since {local(self.status.oldest_ns, self._now_ns)}"
        if self.complete_ns is None:
            return since
        return f"{count}; all since {local(self.complete_ns, self._now_ns)}, failures also before"

    def _bound(self) -> str:
        most = self.status.max_bytes  # 0 where nothing of it is left
        return f" of at most {human_bytes(most)}" if most else ""


def _aligned(rows: list[tuple[str, str]], *, ascii_only: bool) -> list[str]:
    """Return a line for each row; a title is written once."""
    lines = []
    before = ""
    for title, text in rows:
        label = title if title != before else ""
        for line in wrapped(text, WIDTH - _TITLE, ascii_only=ascii_only, break_long_words=False):
            lines.append(f"{label:<{_TITLE}}{line}")
            label = ""
        before = title
    return lines


def _utc(wall_ns: int | None) -> str | None:
    return None if wall_ns is None else timestamps([wall_ns])[0]
