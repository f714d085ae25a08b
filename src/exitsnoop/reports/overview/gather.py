"""Overview: all that a report shows of a period, as plain values."""

from typing import NamedTuple

from exitsnoop.reports import gaps
from exitsnoop.reports.overview import before, evidence, failures, latest, lives
from exitsnoop.reports.overview.asking import Asking, Tick
from exitsnoop.reports.overview.before import Before, News
from exitsnoop.reports.overview.evidence import Crash, Full, Kills
from exitsnoop.reports.overview.failures import Looping, Tally
from exitsnoop.reports.overview.latest import Told
from exitsnoop.reports.overview.lives import Lived, Used
from exitsnoop.reports.overview.period import Period
from exitsnoop.reports.overview.whose import OTHERS
from exitsnoop.store.boots import Boot
from exitsnoop.store.coverage import Gap
from exitsnoop.store.recording import Recording


class Overview(NamedTuple):
    """What a report shows. Each list has what is most, or latest, first.

    Attributes:
        period: the period.
        boots: the boots in it; the last of the recording if there are none.
        exits: how many ended in each bin, however they ended.
        tallies: the failures, counted.
        loops: crash loops.
        lived: how long processes lived.
        used: what short-lived processes used.
        kills: which process killed which.
        full: which limits of memory were hit.
        crashes: signatures of crashes.
        ways: each way to fail, compared with before.
        latest: the last failures.
        before: what was there before.
        gaps: what was not recorded.
        missing: the same in words, with what was dropped or damaged.
        complete_ns: from when on every exit is there; before that, only what was counted.
    """

    period: Period
    boots: list[Boot]
    exits: list[int]
    tallies: list[Tally]
    loops: list[Looping]
    lived: Lived
    used: list[Used]
    kills: list[Kills]
    full: list[Full]
    crashes: list[Crash]
    ways: list[News]
    latest: list[Told]
    before: Before
    gaps: list[Gap]
    missing: list[str]
    complete_ns: int

    @property
    def failed(self) -> int:
        """How many failed."""
        return sum(one.times for one in self.tallies)

    def is_new(self, one: News) -> bool:
        """Return whether a way to fail was not seen before, in a time that was recorded."""
        is_since = one.first_ns >= self.period.from_ns
        return self.before.is_known and is_since and one.whose != OTHERS


def gather(recording: Recording, period: Period, tick: Tick) -> Overview:
    """Return the overview of a period.

    Args:
        recording: the recording.
        period: the period.
        tick: is called again and again, with what is being done.

    Raises StoreError, sqlite3.Error.
    """
    asking = Asking(recording, period, tick)
    tallies = failures.tallies(asking)
    known = before.before(asking)
    lived, used = lives.lives(asking)
    coverage = recording.coverage()
    found = coverage.gaps(period.from_ns, period.to_ns)
    some = coverage.filtered(period.from_ns, period.to_ns)
    return Overview(
        period=period,
        boots=_boots(recording, period),
        exits=failures.exits_by_bin(asking),
        tallies=tallies,
        loops=failures.loops(asking, tallies),
        lived=lived,
        used=used,
        kills=evidence.kills(asking),
        full=evidence.full(asking),
        crashes=evidence.crashes(asking),
        ways=before.compared(tallies, known),
        latest=latest.latest(asking),
        before=known,
        gaps=found,
        missing=gaps.missing(recording, found, some, period.from_ns, period.now_ns),
        complete_ns=asking.complete_ns,
    )


def _boots(recording: Recording, period: Period) -> list[Boot]:
    boots = recording.boots()
    within = [boot for boot in boots if period.from_ns <= boot.began_ns < period.to_ns]
    earlier = [boot for boot in boots if boot.began_ns < period.from_ns]
    return [*earlier[-1:], *within] or boots[-1:]
