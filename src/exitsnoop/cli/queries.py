"""What `exitsnoop sql` says about the view: its columns, and queries to begin with."""

from typing import NamedTuple

from exitsnoop.model.fields import FIELDS
from exitsnoop.store.schema import VIEW
from exitsnoop.store.view import HOURS

_OWN = {
    "id": "ascends in the order of the recording",
    "boot_id": "the boot, as in /proc/sys/kernel/random/boot_id",
    "failed": "1 unless it ended with exit(0)",
    "cause": "the kind of its cause: docs/causes.md",
    "args": f"{FIELDS['args'].meaning}; JSON",
    "ancestors": f"{FIELDS['ancestors'].meaning}; JSON",
    "container": "ID of its container",
    "container_runtime": "runtime of its container",
}
_OF_CAUSE = "cause_"


class Example(NamedTuple):
    """A query, and the question that it answers."""

    question: str
    sql: str


EXAMPLES = (
    Example(
        "What failed most? With --since 1h: in the last hour.",
        """\
SELECT comm, unit, exit, count(*) AS times, max(time) AS last FROM exits
WHERE failed = 1 GROUP BY comm, unit, exit ORDER BY times DESC LIMIT 10""",
    ),
    Example(
        "Why did processes of this unit end, the last ones first?",
        """\
SELECT time, comm, pid, exit, cause_text FROM exits
WHERE unit = 'nginx.service' ORDER BY id DESC LIMIT 10""",
    ),
    Example(
        "How did each unit end, by cause?",
        """\
SELECT unit, cause, count(*) AS times FROM exits
WHERE unit IS NOT NULL AND failed = 1 GROUP BY unit, cause ORDER BY times DESC""",
    ),
    Example(
        "What ran out of memory, and what was its limit?",
        """\
SELECT time, comm, pid, unit, cause_oom_anon >> 20 AS used_mib, cause_oom_limit >> 20 AS limit_mib,
  cause_oom_cgroup FROM exits WHERE failed = 1 AND cause = 'oom' ORDER BY id DESC""",
    ),
    Example(
        "Which process killed which, and how often?",
        """\
SELECT cause_sender_comm AS killer, cause_sender_uid AS uid, comm, signal_name, count(*) AS times
FROM exits WHERE failed = 1 AND cause = 'killed' GROUP BY 1, 2, 3, 4 ORDER BY times DESC""",
    ),
    Example(
        "Which programs crashed, and where?",
        """\
SELECT exe, signal_name, cause_at_module AS module, cause_at_function AS function,
  count(*) AS times, max(time) AS last
FROM exits WHERE failed = 1 AND cause IN ('fault', 'abort')
GROUP BY 1, 2, 3, 4 ORDER BY times DESC""",
    ),
    Example(
        "What fails again and again: five times or more within ten minutes?",
        """\
SELECT comm, unit, substr(time, 1, 15) || '0' AS from_minute, count(*) AS times FROM exits
WHERE failed = 1 GROUP BY 1, 2, 3 HAVING times >= 5 ORDER BY from_minute DESC""",
    ),
    Example(
        "How many processes ended in each minute, and how many of them failed?",
        """\
SELECT substr(time, 1, 16) AS minute, count(*) AS ended, sum(failed) AS failed FROM exits
GROUP BY minute ORDER BY minute""",
    ),
    Example(
        "What used the most CPU time, and the most memory?",
        """\
SELECT comm, count(*) AS times, round(sum(cpu_user + cpu_system), 2) AS cpu_s,
  max(max_rss) >> 20 AS peak_mib FROM exits GROUP BY comm ORDER BY cpu_s DESC LIMIT 10""",
    ),
    Example(
        "Which short-lived processes does each parent start most?",
        """\
SELECT parent_comm, comm, count(*) AS times, round(avg(age), 3) AS age_s FROM exits
WHERE age < 1 GROUP BY parent_comm, comm ORDER BY times DESC LIMIT 10""",
    ),
)


def schema() -> str:
    """Return the columns of the view, a line each, and how to get the queries."""
    columns = [column for column in VIEW if not column.startswith(_OF_CAUSE)]
    width = max(map(len, columns))
    lines = [f"  {column:<{width}}  {_meaning(column)}" for column in columns]
    parts = ", ".join(column for column in VIEW if column.startswith(_OF_CAUSE))
    return (
        "The view exits has a row for each exit; what is unknown is NULL. Its columns:\n"
        + "\n".join(lines)
        + f"\n\nThe evidence of the cause:\n{_wrapped(parts)}\n"
        "\nThe view hours counts exits by the hour for up to a year, also dropped ones:\n"
        f"{_wrapped(', '.join(HOURS))}\n"
        "\n`exitsnoop sql --examples` prints ten queries. --since and --until limit the\n"
        "view to a time, which is much faster than a condition on the column `time`.\n"
    )


def examples() -> str:
    """Return the queries as SQL, each below its question."""
    return "\n".join(f"-- {question}\n{sql};\n" for question, sql in EXAMPLES)


def _meaning(column: str) -> str:
    return _OWN.get(column) or FIELDS[column].meaning


def _wrapped(text: str) -> str:
    from textwrap import fill

    return fill(text, 80, initial_indent="  ", subsequent_indent="  ")
