"""Eras: stretches of a boot in which nobody stepped the wall clock.

Exits are stamped by the boot clock, which nobody sets; the wall clock is stored as an offset to it.
When the wall clock is stepped, as by NTP after a boot, the times of this boot are corrected: the
total of all steps is stored with the boot, and with each era the total at its start. To a time of
the era, the difference of both is added. It does no harm to store the total twice.
"""

import sqlite3

from exitsnoop.store.boots import Boot

# A clock that is slewed moves by 500 ppm at most; reading both clocks may be interrupted.
_STEP_NS = 100_000_000
_SLEW = 0.001
_MOST_NS = 1 << 62  # what is more does not fit in a file, when another time is added


class Eras:
    """The eras of a boot, as the recorder sees them.

    Attributes:
        boot: the boot.
        current: the number of the current era; 0 before the first call of see().
        stepped_ns: total of the steps in this boot.
        known: the eras of this run: (offset, total of the steps), both at the start of the era.
    """

    def __init__(self, boot: Boot) -> None:
        self.boot = boot
        self.current = 0
        self.stepped_ns = 0
        self.known: dict[int, tuple[int, int]] = {}
        self._last: tuple[int, int] | None = None
        self._used: set[int] = set()

    def load(self, connection: sqlite3.Connection) -> None:
        """Go on where a recorder stopped that wrote this file, maybe in another boot.

        Raises sqlite3.Error; ValueError, TypeError if a time is damaged.
        """
        self._used = {era for (era,) in connection.execute("SELECT id FROM eras")}
        for (stepped_ns,) in connection.execute(
            "SELECT stepped_ns FROM boots WHERE boot_id = ?", (self.boot.boot_id,)
        ):
            # Each commit writes the coverage, with the offset of the time.
            last = connection.execute(
                "SELECT c.to_ns, c.offset_ns FROM coverage c JOIN eras r ON r.id = c.era "
                "WHERE r.boot_id = ? ORDER BY c.segment DESC, c.id DESC LIMIT 1",
                (self.boot.boot_id,),
            ).fetchone()
            stepped_ns, *last = (_time(ns) for ns in (stepped_ns, *(last or ())))
            self.stepped_ns = stepped_ns
            self._last = (last[0], last[1]) if last else None

    def see(self, boot_ns: int, offset_ns: int) -> bool:
        """Compare the offset at a time with the last one; return whether the clock was stepped.

        A new era begins then, and at the first call.
        """
        stepped = False
        if self._last is not None:
            before_ns, last_ns = self._last
            change = offset_ns - last_ns
            stepped = abs(change) > _STEP_NS + _SLEW * max(0, boot_ns - before_ns)
            if stepped:
                self.stepped_ns += change
        self._last = (boot_ns, offset_ns)
        if stepped or not self.current:
            self.current = max((boot_ns + offset_ns) // 1_000_000_000, 1)
            while self.current in self._used:
                self.current += 1
            self._used.add(self.current)
            self.known[self.current] = (offset_ns, self.stepped_ns)
        return stepped

    @property
    def offset_ns(self) -> int:
        """The offset that was last seen."""
        return self._last[1] if self._last else 0

    def write(self, connection: sqlite3.Connection) -> None:
        """Write the boot and its eras; harmless if they are there."""
        connection.execute(
            "INSERT OR REPLACE INTO boots (boot_id, kernel, hostname, machine_id, began_ns, "
            "stepped_ns) VALUES (?, ?, ?, ?, ?, ?)",
            (*self.boot, self.stepped_ns),
        )
        connection.executemany(
            "INSERT OR REPLACE INTO eras (id, boot_id, offset_ns, stepped_ns) VALUES (?, ?, ?, ?)",
            [(era, self.boot.boot_id, *at_start) for era, at_start in self.known.items()],
        )

    def correct(self, connection: sqlite3.Connection) -> None:
        """Correct the times of this boot in a file that is not written to any more."""
        connection.execute(
            "UPDATE boots SET stepped_ns = ? WHERE boot_id = ? AND stepped_ns <> ?",
            (self.stepped_ns, self.boot.boot_id, self.stepped_ns),
        )


def _time(ns: int) -> int:
    """Return a time of a file. Raises ValueError, TypeError."""
    if not -_MOST_NS < ns < _MOST_NS:
        raise ValueError(f"the time {ns} is out of range")
    return int(ns)
