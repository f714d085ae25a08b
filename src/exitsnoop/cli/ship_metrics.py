"""`exitsnoop ship --metrics`, `--metrics-file`: counters for Prometheus."""

from pathlib import Path
from typing import TYPE_CHECKING

from exitsnoop.cli.extras import needed_by
from exitsnoop.cli.options import refuse
from exitsnoop.cli.output import CannotWrite, complain
from exitsnoop.cli.parser import Store
from exitsnoop.store import holders
from exitsnoop.store.directory import Directory

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from exitsnoop.cli.verbs import Given
    from exitsnoop.ship.destination import Destination
    from exitsnoop.ship.gatherer import Standing


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    """Add its own options."""
    group = parser.add_argument_group("for Prometheus")
    group.add_argument(
        "--metrics",
        action=Store,
        type=_endpoint,
        metavar="ADDRESS:PORT",
        default=None,
        help="answer Prometheus there, such as 127.0.0.1:9787, or :9787 for any address",
    )
    group.add_argument(
        "--metrics-file",
        metavar="FILE",
        default=None,
        help="write the metrics to this file every 15 seconds, for the textfile collector of the "
        "node exporter: its name ends in .prom",
    )


def _endpoint(text: str) -> tuple[str, int]:
    address, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal() and int(port) < 1 << 16):
        raise ValueError(f"{text!r} is not ADDRESS:PORT, such as 127.0.0.1:9787 or [::1]:9787")
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    elif ":" in address:
        raise ValueError(f"{text!r}: put the address in brackets, as in [::1]:9787")
    try:
        address.encode("idna")
    except UnicodeError:
        raise ValueError(f"{text!r}: there can be no host of this name") from None
    return address or "0.0.0.0", int(port)  # noqa: S104 - whoever leaves it out wants all


def load(options: "Given") -> None:
    """Import the destination. Raises UsageError."""
    if options.metrics is not None or options.metrics_file is not None:
        with needed_by("--metrics and --metrics-file need", "prometheus"):
            import exitsnoop.ship.prometheus  # noqa: F401


def destinations(options: "Given", store: Path) -> "Sequence[Destination]":
    """Return the destination; none if no option names it. Raises UsageError, CannotWrite."""
    if options.metrics is None and options.metrics_file is None:
        return ()
    from exitsnoop.ship.prometheus import Metrics

    path = None
    if options.metrics_file is not None:
        path = Path(options.metrics_file).absolute()
        if not options.metrics_file or not path.name:
            refuse("--metrics-file: name a file")
    try:
        made = Metrics(options.metrics, path, lambda: _standing(store), complain)
    except OSError as error:
        raise CannotWrite(error) from None
    if made.port:
        complain(f"answers Prometheus at port {made.port}")
    return (made,)


def _standing(store: Path) -> "Standing":
    from exitsnoop import __version__
    from exitsnoop.ship.gatherer import Standing

    directory = Directory(store)
    try:
        size = directory.bytes()
    except OSError:  # somebody removed it
        size = 0
    return Standing(__version__, size, holders.of_lock(directory.lock_file) is not None)
