"""Ten questions to a fleet, as SQL that ClickHouse and DuckDB take."""

from typing import NamedTuple


class Question(NamedTuple):
    """A question, and the query that answers it; {exits} and {coverage} are the tables."""

    question: str
    sql: str


QUESTIONS = (
    Question(
        "What are the top causes of each workload this week, and how many were there last week?",
        """\
SELECT namespace, workload, cause,
  count(*) FILTER (WHERE time >= now() - INTERVAL 7 DAY) AS this_week,
  count(*) FILTER (WHERE time < now() - INTERVAL 7 DAY) AS last_week
FROM {exits} WHERE failed AND time >= now() - INTERVAL 14 DAY
GROUP BY namespace, workload, cause
ORDER BY this_week DESC, last_week DESC, workload, cause LIMIT 20""",
    ),
    Question(
        "Which crashes were first seen in the last seven days, and on how many machines?",
        """\
SELECT exe, signal_name, cause_at_module AS module, cause_at_function AS function,
  min(time) AS first_seen, count(*) AS times, count(DISTINCT host_id) AS machines
FROM {exits} WHERE cause IN ('fault', 'abort')
GROUP BY exe, signal_name, module, function HAVING min(time) >= now() - INTERVAL 7 DAY
ORDER BY times DESC, first_seen LIMIT 20""",
    ),
    Question(
        "Who sends the KILLs, and to what?",
        """\
SELECT cause_sender_comm AS sender, cause_sender_uid AS sender_uid, namespace, workload,
  count(*) AS times, count(DISTINCT host_id) AS machines
FROM {exits} WHERE cause = 'killed' AND signal_name = 'SIGKILL'
  AND time >= now() - INTERVAL 7 DAY
GROUP BY sender, sender_uid, namespace, workload ORDER BY times DESC, sender, workload LIMIT 20""",
    ),
    Question(
        "What ran out of memory, and at which limit? NULL: the machine had no more.",
        """\
SELECT namespace, workload, cause_oom_limit AS memory_limit, count(*) AS times,
  count(DISTINCT host_id) AS machines, max(time) AS last_seen
FROM {exits} WHERE cause = 'oom' AND time >= now() - INTERVAL 7 DAY
GROUP BY namespace, workload, memory_limit ORDER BY times DESC, workload LIMIT 20""",
    ),
    Question(
        "Which machines have gaps in what was recorded in the last seven days, and why?",
        """\
SELECT host, kind, why, count(*) AS gaps, sum(date_diff('second', from_time, to_time)) AS seconds,
  sum(lost) AS exits_lost
FROM {coverage} WHERE kind <> 'recorded' AND to_time >= now() - INTERVAL 7 DAY
GROUP BY host, kind, why ORDER BY seconds DESC, host LIMIT 20""",
    ),
    Question(
        "Which machines have sent nothing for two hours?",
        """\
SELECT host, host_id, max(to_time) AS up_to FROM {coverage} WHERE kind = 'recorded'
GROUP BY host, host_id HAVING max(to_time) < now() - INTERVAL 2 HOUR
ORDER BY up_to LIMIT 20""",
    ),
    Question(
        "What fails again and again: five times or more within an hour on a machine?",
        """\
SELECT namespace, workload, host, exit, date_trunc('hour', time) AS from_hour, count(*) AS times,
  avg(age) AS mean_age
FROM {exits} WHERE failed AND workload <> '' AND time >= now() - INTERVAL 1 DAY
GROUP BY namespace, workload, host, exit, from_hour HAVING count(*) >= 5
ORDER BY times DESC, host, workload LIMIT 20""",
    ),
    Question(
        "Which workloads fail on the most machines within the same hour?",
        """\
SELECT namespace, workload, date_trunc('hour', time) AS from_hour,
  count(DISTINCT host_id) AS machines, count(*) AS times
FROM {exits} WHERE failed AND time >= now() - INTERVAL 7 DAY
GROUP BY namespace, workload, from_hour HAVING count(DISTINCT host_id) > 1
ORDER BY machines DESC, times DESC, from_hour DESC, workload LIMIT 20""",
    ),
    Question(
        "Which workloads fail now that did not fail in the week before, and since when?",
        """\
SELECT namespace, workload, min(time) AS since, count(*) AS times,
  count(DISTINCT host_id) AS machines
FROM {exits} WHERE failed AND time >= now() - INTERVAL 8 DAY
GROUP BY namespace, workload HAVING min(time) >= now() - INTERVAL 1 DAY
ORDER BY times DESC, since LIMIT 20""",
    ),
    Question(
        "Which machines fail more than the others: failures for a thousand exits?",
        """\
SELECT host, count(*) AS ended, count(*) FILTER (WHERE failed) AS failures,
  round(1000.0 * count(*) FILTER (WHERE failed) / count(*), 1) AS in_a_thousand
FROM {exits} WHERE time >= now() - INTERVAL 1 DAY
GROUP BY host ORDER BY in_a_thousand DESC, failures DESC, host LIMIT 20""",
    ),
)


def text(*, final: bool) -> str:
    """Return the queries, each below its question; final: duplicates collapse as they are read."""
    return "\n".join(f"-- {one.question}\n{filled(one, final=final)};\n" for one in QUESTIONS)


def filled(one: Question, *, final: bool) -> str:
    """Return the query of a question."""
    end = " FINAL" if final else ""
    return one.sql.format(exits=f"exits{end}", coverage=f"coverage{end}")
