"""A recorder on a machine where nothing ends, in a guest."""

import pytest
from support.guests import told_in_guest

pytestmark = pytest.mark.timeout(1800)  # a kernel may have to be downloaded


def test_while_nothing_ends_it_does_not_run_and_writes_nothing() -> None:
    """No thread of it wakes up for half a minute, and no file of the recording changes."""
    told = told_in_guest("provoke_idle.py")
    assert told["rows"] >= 2
    assert told["after"] == told["before"]
    assert told["status"] == 0
