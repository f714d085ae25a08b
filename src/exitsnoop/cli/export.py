"""`exitsnoop export`: a copy of the recording, to carry away."""

import errno
import os
import sqlite3
from typing import TYPE_CHECKING

from exitsnoop.cli.options import refuse
from exitsnoop.cli.output import CannotWrite, complain
from exitsnoop.cli.recording import add_store, opened
from exitsnoop.reports.gaps import damaged

if TYPE_CHECKING:
    import argparse

    from exitsnoop.cli.verbs import Given

NAME = "export"
SUMMARY = "copy the recording, also while it records"
NOTES = """\
The copy answers on any machine, whatever records there: names of users and units are
in it, of containers the ids and host names.

examples:
    exitsnoop export ./friday
    exitsnoop why nginx --store ./friday

exit status:
     0  the copy is there
     2  usage error, or the directory exists
     3  there is no recording
    74  the copy could not be written, or a file of the recording is damaged: the
        copy lacks it
    77  this user may not read the recording
"""


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    """Add its own options."""
    parser.epilog = NOTES
    parser.add_argument("to", metavar="DIRECTORY", help="where the copy goes; it is made")
    add_store(parser)


def run(options: "Given") -> int:
    """Write the copy; return the exit status. Raises UsageError, StoreError, CannotWrite."""
    recording = opened(options)
    try:
        recording.copy(options.to)
    except FileExistsError:
        refuse(f"{options.to} exists: name a directory that is to be made")
    except OSError as error:
        raise CannotWrite(error) from None
    except sqlite3.Error as error:
        raise CannotWrite(OSError(errno.EIO, f"{error}; it is not whole", options.to)) from None
    for line in damaged(recording.unreadable):
        complain(line)
    return os.EX_IOERR if recording.unreadable else os.EX_OK
