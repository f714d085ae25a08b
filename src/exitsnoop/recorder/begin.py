"""How a recording begins, before and after the recorder gives up its privileges."""

import os
from pathlib import Path

from exitsnoop.recorder.relief import Relief
from exitsnoop.store.directory import Directory, adm
from exitsnoop.store.errors import StoreError
from exitsnoop.store.limits import Limits
from exitsnoop.store.redact import Kept
from exitsnoop.store.writer import Writer


def make(path: Path) -> None:
    """Make the directory, and join the group that may read it. Raises StoreError.

    Call it with privileges: a process without them can give its files only to its own groups.
    """
    Directory(path).make()
    group = adm() if os.geteuid() == 0 else None
    if group is not None:
        try:
            os.setgroups([*os.getgroups(), group])
        except PermissionError:
            pass  # systemd has set the groups, or the files stay root's alone


def begin(
    path: Path,
    limits: Limits,
    kept: Kept,
    since_ns: int,
    filters: str | None,
    relief: Relief,
) -> Writer:
    """Return a writer to the directory. See Writer for the arguments and the errors.

    Call it without privileges: what cannot be written to later is refused now.
    """
    try:
        with relief:
            return Writer(
                path,
                limits=limits,
                kept=kept,
                since_ns=since_ns,
                meanwhile=relief,
                filters=filters,
            )
    except StoreError as error:
        if os.geteuid() == 0 and isinstance(error.__cause__, PermissionError):
            raise StoreError(
                f"{error}: exitsnoop gives up all capabilities before it records, so the directory "
                "must belong to root, in a place that root may enter without them"
            ) from error
        raise
