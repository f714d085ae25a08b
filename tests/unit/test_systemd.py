"""What is said of systemd: which signals it sends when, and its codes for what it cannot start.

The rest is in the guest of `make test-reboot`, where it is real.
"""

import pytest

from exitsnoop import Exit
from exitsnoop.model.cause import After, Cause, Sender
from exitsnoop.model.context import Ancestor
from exitsnoop.reports.systemd import reason, start
from exitsnoop.testing import make_exit

WEB = "/system.slice/web.service"
SYSTEMD = Sender(1, 0, "systemd", 0)
ASKED = After(15, "SIGTERM", 1.0, "killed", "ignored", SYSTEMD)
JOURNAL = "Its journal says more: journalctl -u web.service"
SYSTEMCTL = make_exit(
    comm="systemctl",
    pid=50,
    user="ann\n",
    args=("systemctl", "stop", "we b"),
    ancestors=(Ancestor(40, "bash"), Ancestor(1, "systemd")),
)


def ended(signal: int, sender: Sender = SYSTEMD, after: After | None = None) -> Exit:
    cause = Cause("killed", "killed", sender=sender, after=after)
    return make_exit(signal=signal, cgroup=WEB, cause=cause)


@pytest.mark.parametrize(
    ("signal", "after", "part"),
    [
        (6, None, "SIGABRT to a service that missed its watchdog (WatchdogSec=)"),
        (9, ASKED, "SIGKILL to what has not ended within TimeoutStopSec="),
        (9, None, "when its main process has ended"),
        (15, None, "RuntimeMaxSec= or TimeoutStartSec= is over"),
    ],
)
def test_why_systemd_sends_a_signal(signal: int, after: After | None, part: str) -> None:
    said, journal = reason(ended(signal, after=after), None)
    assert part in said
    assert journal == JOURNAL


def test_a_service_that_handled_the_signal_of_systemd() -> None:
    handled = ASKED._replace(handled="handled")
    cause = Cause("exited", "exit code 143", after=handled)
    of = make_exit(exit_code=143, cgroup=WEB, cause=cause)
    assert "to stop or restart a unit" in reason(of, None)[0]


def test_who_asked_for_it() -> None:
    assert reason(ended(15), SYSTEMCTL) == [
        r"systemctl[50], user ann\n, asked for it: systemctl stop 'we b'",
        "systemd[1] -> bash[40] -> systemctl[50]",
        JOURNAL,
    ]


def test_another_sender_is_not_explained() -> None:
    assert reason(ended(9, Sender(1, 0, "tini", 0)), None) == []
    assert reason(ended(9, Sender(7, 1, "systemd", 0)), None) == []
    assert reason(make_exit(exit_code=1, cgroup=WEB), None) == []


def test_what_systemd_could_not_start() -> None:
    own = "/usr/lib/systemd/systemd"
    assert start(make_exit(exit_code=203, comm="(web)", exe=own)) == (
        "systemd could not start the program: 203 is its code EXEC, the program could not be "
        "executed: it is missing, or not executable."
    )
    assert "217 is its code USER" in (start(make_exit(exit_code=217, comm="(web)", exe=own)) or "")
    newer = make_exit(exit_code=226, comm="(web)", exe=f"{own}-executor")
    assert "226 is its code NAMESPACE" in (start(newer) or "")
    assert start(make_exit(exit_code=1, comm="(web)", exe=own)) is None
    assert start(make_exit(exit_code=203, comm="web", exe="/usr/bin/web")) is None
