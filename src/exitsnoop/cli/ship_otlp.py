"""`exitsnoop ship --otlp`: to whatever receives logs of OpenTelemetry."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exitsnoop.cli.extras import needed_by
from exitsnoop.cli.hiding import hidden
from exitsnoop.cli.lists import parse_text
from exitsnoop.cli.options import refuse
from exitsnoop.cli.parser import Store
from exitsnoop.store.redact import Kept

if TYPE_CHECKING:
    import argparse

    from exitsnoop.cli.verbs import Given
    from exitsnoop.model.batch import Exits
    from exitsnoop.ship.destination import Destination

_SELECTIONS = ("failed", "all")
_ITS_OWN = ("header", "ca", "cert", "key", "cluster", "args", "redact")


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    """Add its own options."""
    group = parser.add_argument_group("for OpenTelemetry")
    group.add_argument(
        "--otlp",
        nargs="?",
        const="",
        metavar="URL",
        default=None,
        help="deliver logs over HTTP to this receiver, such as https://collector:4318; /v1/logs is "
        "added (without URL: $OTEL_EXPORTER_OTLP_LOGS_ENDPOINT as it is, else "
        "$OTEL_EXPORTER_OTLP_ENDPOINT, else http://localhost:4318)",
    )
    group.add_argument(
        "--header",
        action="append",
        metavar="@FILE",
        default=[],
        help="send the headers in FILE, NAME: VALUE on each line, such as a token; only its owner "
        "should be able to read it",
    )
    for name, metavar, meaning in (
        ("--ca", "FILE", "trust these authorities, in PEM, instead of those of the system"),
        ("--cert", "FILE", "the certificate of this machine, in PEM"),
        ("--key", "FILE", "the key of --cert, if it is in a file of its own"),
    ):
        group.add_argument(name, metavar=metavar, default=None, help=meaning)
    group.add_argument(
        "--select",
        choices=_SELECTIONS,
        metavar="|".join(_SELECTIONS),
        default="failed",
        help="which exits: those that did not end with exit(0), or all (default: failed)",
    )
    group.add_argument(
        "--cluster",
        action=Store,
        type=parse_text,
        metavar="NAME",
        default=None,
        help="send this as k8s.cluster.name",
    )
    group.add_argument(
        "--args",
        action="store_true",
        default=False,
        help="send arguments, too, also those of senders: they may be secret",
    )
    group.add_argument(
        "--redact",
        metavar="REGEX",
        default=None,
        help="with --args: send *** for what matches this in the arguments, joined by spaces, or "
        "for its groups if it has any",
    )


def load(options: "Given") -> None:
    """Import the destination. Raises UsageError."""
    if options.otlp is not None:
        with needed_by("--otlp needs", "otlp"):
            import exitsnoop.ship.otlp.receiver  # noqa: F401


def destinations(options: "Given", _store: Path) -> "Sequence[Destination]":
    """Return the destination; none if no option names it. Raises UsageError."""
    if options.otlp is None:
        for name in _ITS_OWN:
            if getattr(options, name):
                refuse(f"--{name} is for --otlp")
        return ()
    from exitsnoop.ship.otlp.receiver import Receiver
    from exitsnoop.ship.otlp.settings import Wrong, settings

    try:
        found = settings(
            os.environ,
            url=options.otlp or None,
            header_files=_files(options.header),
            ca=options.ca,
            cert=options.cert,
            key=options.key,
            cluster=options.cluster,
        )
        return (Receiver(found, _shown(options), failed=options.select == "failed"),)
    except Wrong as wrong:
        refuse(str(wrong))


def _files(given: Sequence[str]) -> tuple[Path, ...]:
    for word in given:
        if not word.startswith("@"):
            refuse(
                "argument --header: all users can see a header among the arguments: write it to a "
                "file, and give @FILE"
            )
    return tuple(Path(word[1:]) for word in given)


def _shown(options: "Given") -> "Callable[[Exits], Exits]":
    """Return what leaves out of exits what is not sent of arguments."""
    if options.redact is not None and not options.args:
        refuse("--redact is for --args")
    try:
        kept = Kept(args=options.args, redact=options.redact)
    except ValueError as error:
        refuse(f"argument --redact: {error}")
    return lambda exits: hidden(exits, kept)
