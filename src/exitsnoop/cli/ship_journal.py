"""`exitsnoop ship --journal`: failures in systemd's journal, under the unit that they belong to."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from exitsnoop.cli.options import refuse
from exitsnoop.cli.output import complain
from exitsnoop.ship.journald import SOCKET

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from exitsnoop.cli.verbs import Given
    from exitsnoop.ship.destination import Destination


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    """Add its own option."""
    group = parser.add_argument_group("for systemd")
    group.add_argument(
        "--journal",
        action="store_true",
        default=False,
        help="write failures to the journal, so that `systemctl status UNIT` and `journalctl -u "
        "UNIT` show why; run it as root, which gives up all capabilities",
    )


def load(options: "Given") -> None:
    """Import the destination."""
    if options.journal:
        import exitsnoop.ship.journal  # noqa: F401


def destinations(options: "Given", _store: Path) -> "Sequence[Destination]":
    """Return the destination; none if the option is not there. Raises UsageError, KernelRefused."""
    if not options.journal:
        return ()
    from exitsnoop.ship.journal import Journal

    try:
        made = Journal()
    except OSError as error:
        refuse(f"--journal: journald does not take entries at {SOCKET} ({error.strerror})")
    if os.geteuid() == 0:
        from exitsnoop.kernel import privileges

        privileges.drop()
    else:
        complain(
            "--journal: without root, `systemctl status` and `journalctl -u` do not show what is "
            "written: journald believes only root what unit an entry is about"
        )
    return (made,)
