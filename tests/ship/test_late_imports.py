"""`ship --journal` gives up privileges: what it needs later may be unreadable then.

That is so where root runs it from the home of another user. So it is all imported before.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from support.certificates import signed
from support.journald import journald
from support.otlp import answer, receiving
from support.prometheus import OPEN_METRICS, get, responds
from support.recorded import record
from support.services import free_port
from support.shipping import made
from support.waiting import until

from exitsnoop.ship.journal import MOST_OF_UNIT

SCRIPT = """
import sys
from exitsnoop.kernel import privileges

late = []
real = privileges.drop

def drop():
    real()
    sys.addaudithook(lambda event, given: late.append(given[0]) if event == "import" else None)

privileges.drop = drop
from exitsnoop.cli import main
status = main(sys.argv[1:])
print(status, sorted(set(late)))
"""


@pytest.mark.usefixtures("as_root")
def test_nothing_is_imported_once_privileges_are_gone(store: Path, tmp_path: Path) -> None:
    """All destinations; a receiver that refuses at first, and more than the journal takes."""
    record(store, made(range(1, 2 * MOST_OF_UNIT), status=256, parent_comm="init"))
    cert, key = signed(tmp_path, "ours")
    port = free_port()
    busy = answer(429, b'{"message": "busy"}', Retry_After="Fri, 27 Nov 2026 10:00:00 GMT")
    with journald() as daemon, receiving(busy) as receiver:
        receiver.encrypted(cert, key)
        words = [*daemon.inside, sys.executable, "-c", SCRIPT, "ship", "--store", str(store)]
        words += ["--state", str(tmp_path / "state"), "--max-lag", "7d", "--journal"]
        words += ["--otlp", receiver.url, "--ca", str(cert), "--metrics", f"127.0.0.1:{port}"]
        words += ["--metrics-file", str(tmp_path / "x.prom")]
        ship = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            until(lambda: responds(f"http://127.0.0.1:{port}/metrics"))
            assert get(f"http://127.0.0.1:{port}/metrics", OPEN_METRICS)
            until(lambda: len(list((tmp_path / "state").glob("*.json"))) == 3)
            record(store, made(range(2 * MOST_OF_UNIT, 4 * MOST_OF_UNIT), status=256, comm="x"))
            until(lambda: len(receiver.records) == 4 * MOST_OF_UNIT - 1)
            until(lambda: len(daemon.entries("SYSLOG_IDENTIFIER=exitsnoop")) >= MOST_OF_UNIT)
            ship.terminate()
            found, said = ship.communicate(timeout=60)
            assert found == "0 []\n", said
        finally:
            ship.kill()
            ship.communicate()
