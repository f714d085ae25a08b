"""`exitsnoop ship`: deliver the recording elsewhere, as it grows."""

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from exitsnoop.cli import ship_journal, ship_metrics, ship_otlp
from exitsnoop.cli.lists import parse_duration
from exitsnoop.cli.options import refuse
from exitsnoop.cli.output import NO_THREAD, CannotWrite, complain
from exitsnoop.cli.parser import Store
from exitsnoop.cli.recording import USUAL
from exitsnoop.cli.stop import stop_on_signals
from exitsnoop.errors import TraceError
from exitsnoop.recorder.notify import Service
from exitsnoop.ship.shipper import Shipper, latest
from exitsnoop.ship.state import InUse, State
from exitsnoop.ship.stop import Stop
from exitsnoop.store.errors import StoreError
from exitsnoop.store.recording import Recording

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import Protocol

    from exitsnoop.cli.verbs import Given
    from exitsnoop.ship.destination import Destination

    class Way(Protocol):
        """What the module of a way to deliver has."""

        def add_arguments(self, parser: argparse.ArgumentParser) -> None:
            """Add its own options."""

        def load(self, options: Given) -> None:
            """Import all that the destinations need, also later on. Raises UsageError."""

        def destinations(self, options: Given, store: Path) -> Sequence[Destination]:
            """Return the destinations that the options name; none if they name none of its kind.

            Privileges may be given up here. Raises UsageError.
            """


NAME = "ship"
SUMMARY = "deliver the recording to where the data of a fleet lives"
NOTES = """\
It goes on until Ctrl-C or SIGTERM. It needs no privilege: who may read the recording
(the group adm) may run it. Each destination has a cursor of its own in the directory
--state, so that after a restart, an outage or kill -9 it goes on where it was: each exit
is delivered at least once. Only what is older than --max-lag is given up while a
destination does not take it; that is counted, said, and reported to the destination.

examples:
    exitsnoop ship --otlp https://collector:4318 --header @/etc/exitsnoop/token
    exitsnoop ship --otlp --select all --cluster blue   # to $OTEL_EXPORTER_OTLP_ENDPOINT
    exitsnoop ship --metrics 127.0.0.1:9787 --journal

exit status:
     0  it was ended, or with --once all is delivered
     2  usage error, or a library is missing: standard error says what to install
     3  there is no recording
    70  it may start no thread
    74  records were rejected, given up, or dropped from the recording before their turn;
        or the directory --state cannot be written to
    77  this user may not read the recording
"""
WAYS: "tuple[Way, ...]" = (ship_journal, ship_otlp, ship_metrics)
"""The ways to deliver: each is a module of this folder."""
STATE = "/var/lib/exitsnoop-ship"
_MAX_LAG = "24h"
_END_S = 1.0


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    """Add its own options, and those of the destinations."""
    parser.epilog = NOTES
    parser.add_argument(
        "--store",
        metavar="DIR",
        default=None,
        help=f"the directory of the recording (default: $EXITSNOOP_STORE, else {USUAL})",
    )
    parser.add_argument(
        "--state",
        metavar="DIR",
        default=None,
        help="the directory for the cursors (default: under systemd $STATE_DIRECTORY, "
        f"else {STATE})",
    )
    parser.add_argument(
        "--max-lag",
        action=Store,
        type=parse_duration,
        metavar="TIME",
        default=parse_duration(_MAX_LAG),
        help="give up an exit that could not be delivered for so long after it ended, such as 6h "
        f"or 3d; the first time, begin with exits of that long ago (default: {_MAX_LAG})",
    )
    parser.add_argument(
        "--once",
        action="store_true",
        default=False,
        help="end when all is delivered that is recorded",
    )
    for way in WAYS:
        way.add_arguments(parser)


def run(options: "Given") -> int:
    """Deliver until it is ended; return the exit status.

    Raises UsageError, StoreError, CannotWrite, TraceError if it may start no thread.
    """
    try:
        return _deliver(options)
    except RuntimeError as error:
        if "start new thread" not in str(error):
            raise
        raise TraceError(NO_THREAD) from None


def _deliver(options: "Given") -> int:
    store = Path(options.store or os.environ.get("EXITSNOOP_STORE") or USUAL).absolute()
    for way in WAYS:
        way.load(options)
    destinations = [one for way in WAYS for one in way.destinations(options, store)]
    if not destinations:
        refuse("name a destination: --otlp, --metrics, --metrics-file, --journal")
    Recording(store)
    stop = Stop()
    stop_on_signals(stop)
    shippers = [
        Shipper(
            store,
            _state(options, destination),
            destination,
            stop,
            max_lag_s=options.max_lag,
            say=complain,
            once=options.once,
        )
        for destination in destinations
    ]
    tallies = {one.kind: shipper.tally for one, shipper in zip(destinations, shippers, strict=True)}
    for destination in destinations:
        destination.tallies = tallies
    _run_all(shippers, stop)
    for shipper in shippers:
        complain(f"{shipper.name}: {shipper.tally.line()}")
    return os.EX_OK if all(shipper.tally.is_whole for shipper in shippers) else os.EX_IOERR


def _state(options: "Given", destination: "Destination") -> State:
    directory = options.state or os.environ.get("STATE_DIRECTORY", "").partition(":")[0] or STATE
    try:
        return State(Path(directory).absolute(), destination.kind, destination.where)
    except InUse:
        refuse(
            f"another exitsnoop ship delivers to {destination.where}, with the cursor in "
            f"{directory}: end it, or give this one another directory (--state)"
        )
    except OSError as error:
        complain("the directory for the cursors must be writable: name one that is (--state)")
        raise CannotWrite(error) from None


def _run_all(shippers: "Sequence[Shipper]", stop: Stop) -> None:
    """Run each in a thread of its own, until all have ended. Raises what ended one of them."""
    service = Service(lambda: latest(shippers))
    problems: list[BaseException] = []
    left = set(shippers)

    def run_one(shipper: Shipper) -> None:
        try:
            shipper.run()
        except BaseException as error:
            problems.append(error)
        left.discard(shipper)
        if problems or not left:
            stop.stop()

    # One that waits for an answer is left alone at the end: what it sent comes again next time.
    threads = [threading.Thread(target=run_one, args=(one,), daemon=True) for one in shippers]
    for thread in threads:
        thread.start()
    service.ready()
    while not stop.wait(1.0):
        service.tick()
    service.stopping()
    end = time.monotonic() + _END_S
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    for problem in problems:
        if isinstance(problem, OSError) and not isinstance(problem, StoreError):
            raise CannotWrite(problem)
        raise problem
