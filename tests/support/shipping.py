"""Delivers recordings that were made up, in this process."""

import time
from pathlib import Path
from typing import Any

from exitsnoop.model.batch import Exits
from exitsnoop.ship.destination import Destination
from exitsnoop.ship.shipper import Shipper
from exitsnoop.ship.state import State
from exitsnoop.ship.stop import Stop
from support.recorded import SECOND_NS, START_NS, exits

DAY_S = 86400.0
AGO_NS = 2 * round(DAY_S) * SECOND_NS
OFFSET_NS = time.time_ns() - START_NS - AGO_NS
"""Puts the exits of recorded.exits() two days ago."""


def made(numbers: range, **columns: Any) -> Exits:
    """Return exits that ended just now."""
    boot_ns = [START_NS + AGO_NS + number * 1000 for number in numbers]
    return exits(numbers, OFFSET_NS, **{"boot_ns": boot_ns, "start_boot_ns": boot_ns, **columns})


def ship(
    store: Path,
    destination: Destination,
    *,
    max_lag_s: float = DAY_S,
    stop: Stop | None = None,
    once: bool = True,
) -> tuple[Shipper, list[str]]:
    """Deliver all that is there; return the shipper, and what it said."""
    said: list[str] = []
    state = State(store.parent / "state", destination.kind, destination.where)
    try:
        shipper = Shipper(
            store,
            state,
            destination,
            stop or Stop(),
            max_lag_s=max_lag_s,
            say=said.append,
            once=once,
        )
        shipper.run()
    finally:
        state.close()
    return shipper, said
