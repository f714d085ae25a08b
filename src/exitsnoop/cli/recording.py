"""Which recording the verbs read or write: --store, the environment, or the usual place."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from exitsnoop.cli.progress import Progress
    from exitsnoop.cli.verbs import Given
    from exitsnoop.store.recording import Recording

USUAL = "/var/lib/exitsnoop"


def add_store(parser: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    """Add --store."""
    parser.add_argument(
        "--store",
        metavar="DIR",
        default=None,
        help="the directory of the recording (default: $EXITSNOOP_STORE, else under systemd "
        f"$STATE_DIRECTORY, else {USUAL})",
    )


def place(options: "Given") -> Path:
    """Return the directory."""
    of_unit = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(options.store or os.environ.get("EXITSNOOP_STORE") or of_unit or USUAL)


def absolute(options: "Given") -> Path:
    """Return the directory by its whole path. Raises StoreError."""
    found = place(options)
    try:
        return found.absolute()
    except FileNotFoundError as error:
        from exitsnoop.store.errors import StoreError

        raise StoreError(
            f"cannot find {found}: the working directory is gone; give the whole path (--store)"
        ) from error


def opened(options: "Given", progress: "Progress | None" = None) -> "Recording":
    """Return the recording, to read it. Raises NoStore, NotReadable.

    progress: goes on while something is read.
    """
    from exitsnoop.store.recording import Recording  # a recorder starts without it

    return Recording(place(options), progress.tick if progress else None)
