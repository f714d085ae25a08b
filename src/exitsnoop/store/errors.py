"""The errors that writing or reading a recording can raise.

StoreError
 ├── StoreBusy      another recorder writes to the directory
 ├── StoreTooNew    a newer exitsnoop wrote it
 ├── NoStore        there is no recording
 ├── NotRecorded    the recording has nothing of the requested boot
 └── NotReadable    this user may not read it

A message says what happened and what to do.
"""


class StoreError(Exception):
    """A recording cannot be written or read."""


class StoreBusy(StoreError):
    """Another recorder writes to this directory."""


class StoreTooNew(StoreError):
    """A newer version of exitsnoop wrote this recording."""


class NoStore(StoreError):
    """There is no recording in this directory."""


class NotRecorded(StoreError):
    """The recording has nothing of the requested boot."""


class NotReadable(StoreError, PermissionError):
    """This user may not read the recording."""
