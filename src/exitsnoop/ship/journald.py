"""journald's own protocol: an entry of the journal is a datagram on its socket.

Source: https://systemd.io/JOURNAL_NATIVE_PROTOCOL
"""

import array
import errno
import fcntl
import os
import select
import socket
import struct
from collections.abc import Mapping

SOCKET = "/run/systemd/journal/socket"
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def entry(fields: Mapping[str, str]) -> bytes:
    """Return an entry as journald reads it. A text may have any character, line breaks included."""
    lines = []
    for name, text in fields.items():
        value = text.encode("utf-8", "surrogateescape")
        if b"\n" in value:
            lines.append(b"%s\n%s%s\n" % (name.encode(), struct.pack("<Q", len(value)), value))
        else:
            lines.append(b"%s=%s\n" % (name.encode(), value))
    return b"".join(lines)


class Journald:
    """The daemon, at its socket.

    Args:
        path: of the socket.
        patience_s: how long send() waits for a daemon that does not read.

    Raises OSError if there is no such socket.
    """

    def __init__(self, path: str = SOCKET, patience_s: float = 1.0) -> None:
        self._path = path
        self._patience_s = patience_s
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise

    def send(self, content: bytes) -> None:
        """Hand over an entry. Raises OSError if the daemon is gone or does not take it in time."""
        try:
            self._send(content)
        except OSError as error:
            if error.errno not in (errno.ECONNREFUSED, errno.ENOTCONN):
                raise
            self._socket.connect(self._path)  # it was started again
            self._send(content)

    def _send(self, content: bytes) -> None:
        while True:
            try:
                self._socket.send(content)
            except BlockingIOError:
                if not select.select([], [self._socket], [], self._patience_s)[1]:
                    raise
            except OSError as error:
                if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
                    raise
                self._send_as_file(content)
                return
            else:
                return

    def _send_as_file(self, content: bytes) -> None:
        """Hand over what is too long for a datagram: in a file that nobody can change any more."""
        file = os.memfd_create("exitsnoop", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with open(file, "wb", closefd=False) as writing:
                writing.write(content)
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file]))
            self._socket.sendmsg([], [rights])
        finally:
            os.close(file)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
