"""What systemd hears from the recorder: sd_notify(3), without its library."""

import os
import socket
import time
from collections.abc import Callable, Mapping

STATUS_S = 1.0
"""The status is sent this often at most."""
_SECOND_US = 1_000_000


class Service:
    """The service manager that waits for word; without one nothing is sent.

    Args:
        status: returns a line for people; it is sent when it has changed, and with each sign of
            life that the manager wants.
        environment: names the manager (NOTIFY_SOCKET), and how often it wants a sign of life
            (WATCHDOG_USEC, WATCHDOG_PID).
        clock: the clock of `due`, in seconds.

    Attributes:
        due: when to call tick(), by the clock; None if it need not be called.
    """

    def __init__(
        self,
        status: Callable[[], str],
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.due: float | None = None
        self._status = status
        self._clock = clock
        self._said = ""
        self._said_at = float("-inf")
        self._every_s = _watchdog_s(environment) / 2
        self._address = environment.get("NOTIFY_SOCKET", "")

    @property
    def is_there(self) -> bool:
        """Whether there is a manager."""
        return bool(self._address)

    def ready(self) -> None:
        """Say that everything has begun."""
        self._send("READY=1", flags=0)  # without it the manager would end us
        if self.is_there and self._every_s:
            self.due = self._clock() + self._every_s

    def tick(self) -> None:
        """Give a sign of life if it is time; send the status if it has changed."""
        if not self.is_there:
            return
        now = self._clock()
        if self.due is not None and now >= self.due:
            self.due = now + self._every_s
            self._send("WATCHDOG=1")
        elif now - self._said_at >= STATUS_S and self._status() != self._said:
            self._send()

    def stopping(self) -> None:
        """Say that the end has begun."""
        self.due = None
        self._send("STOPPING=1")

    def _send(self, *words: str, flags: int = socket.MSG_DONTWAIT) -> None:
        """Send words and the status. If the manager does not listen, go on all the same."""
        if not self.is_there:
            return
        self._said, self._said_at = self._status(), self._clock()
        text = "\n".join([*words, f"STATUS={self._said}"])
        address = self._address
        if address.startswith("@"):  # an abstract one
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to_manager:
                to_manager.sendto(text.encode(), flags, address)
        except OSError:
            pass


def _watchdog_s(environment: Mapping[str, str]) -> float:
    """Return within which time the manager wants a sign of life; 0 if it wants none."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    try:
        return int(environment.get("WATCHDOG_USEC", "0")) / _SECOND_US
    except ValueError:
        return 0.0
