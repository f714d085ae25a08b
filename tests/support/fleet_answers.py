"""The questions of `exitsnoop schema --queries`, answered again: from recordings, by SQLite."""

import datetime
import re
import sqlite3
import time
from typing import Any

from support.fleet import HOSTS

_MOMENT = (
    "strftime('%Y-%m-%d %H:%M:%S', {0} / 1000000000, 'unixepoch') "
    "|| printf('.%06d', {0} / 1000 % 1000000)"
)
FIRST, LAST = (_MOMENT.format(f"{which}(wall_ns)") for which in ("min", "max"))
ANSWERS: tuple[str | None, ...] = (
    """SELECT namespace, workload, cause, sum(s >= :now - 7 * 86400), sum(s < :now - 7 * 86400)
    FROM exits WHERE failed AND s >= :now - 14 * 86400 GROUP BY 1, 2, 3""",
    f"""SELECT exe, signal_name, cause_at_module, cause_at_function, {FIRST}, count(*),
    count(DISTINCT host) FROM exits WHERE cause IN ('fault', 'abort') GROUP BY 1, 2, 3, 4
    HAVING min(s) >= :now - 7 * 86400""",
    """SELECT cause_sender_comm, cause_sender_uid, namespace, workload, count(*),
    count(DISTINCT host) FROM exits WHERE cause = 'killed' AND signal_name = 'SIGKILL'
    AND s >= :now - 7 * 86400 GROUP BY 1, 2, 3, 4""",
    f"""SELECT namespace, workload, cause_oom_limit, count(*), count(DISTINCT host), {LAST}
    FROM exits WHERE cause = 'oom' AND s >= :now - 7 * 86400 GROUP BY 1, 2, 3""",
    None,
    f"""SELECT host, host, {LAST} FROM exits GROUP BY 1 HAVING max(s) < :now - 2 * 3600""",
    """SELECT namespace, workload, host, exit, hour, count(*), avg(age) FROM exits
    WHERE failed AND workload <> '' AND s >= :now - 86400 GROUP BY 1, 2, 3, 4, 5
    HAVING count(*) >= 5""",
    """SELECT namespace, workload, hour, count(DISTINCT host) AS machines, count(*) AS times
    FROM exits WHERE failed AND s >= :now - 7 * 86400 GROUP BY 1, 2, 3
    HAVING count(DISTINCT host) > 1
    ORDER BY machines DESC, times DESC, hour DESC, workload LIMIT 20""",
    f"""SELECT namespace, workload, {FIRST}, count(*), count(DISTINCT host) FROM exits
    WHERE failed AND s >= :now - 8 * 86400 GROUP BY 1, 2 HAVING min(s) >= :now - 86400""",
    """SELECT host, count(*), sum(failed), round(1000.0 * sum(failed) / count(*), 1) FROM exits
    WHERE s >= :now - 86400 GROUP BY 1""",
)
GAPS = {("lost", "overflow"), ("nothing", "stopped")}
"""Kind and reason of the gaps of each machine, as support.fleet made them."""


def plain(rows: list[Any]) -> list[tuple[Any, ...]]:
    """Rows of any engine, so that equal ones are equal: times as text, unknown texts as None."""
    return [tuple(_plain(cell) for cell in row) for row in rows]


def _plain(cell: Any) -> Any:
    if isinstance(cell, datetime.datetime):
        cell = cell.astimezone(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(cell, str):
        return re.sub(r"\.000000$", "", cell) or None
    return round(float(cell), 6) if isinstance(cell, float) else cell


def check(nth: int, rows: list[Any], database: sqlite3.Connection) -> None:
    """Compare what an engine answers to a question with what SQLite says of the recordings."""
    found = plain(rows)
    assert found, "nothing was found"
    statement = ANSWERS[nth]
    if statement is None:
        check_gaps(found)
        return
    truth = plain(database.execute(statement, {"now": time.time()}).fetchall())
    if nth == 5:  # the id is not in a recording's view
        found = [(host, host, up_to) for host, _, up_to in found]
    assert sorted(found, key=str) == sorted(truth, key=str)
    assert len(found) < 20 or found == truth, "the order is another one"


def check_gaps(found: list[tuple[Any, ...]]) -> None:
    """Compare the gaps with those that were made; that up to now is one more of each machine."""
    assert {row[:3] for row in found} == {(host, *gap) for host in HOSTS for gap in GAPS}
    for host, kind, _, gaps, seconds, lost in found:
        if kind == "lost":
            assert (gaps, lost) == (1, 5)
            continue
        since_s = (180 if host == HOSTS[2] else 10) * 60
        assert gaps == 2
        assert lost is None
        assert 0 <= seconds - 20 * 60 - since_s < 120
