"""The last deaths of a period, in full, each with its why."""

from itertools import islice
from typing import NamedTuple

from exitsnoop.model.exit import Exit
from exitsnoop.reports import story, why
from exitsnoop.reports.overview.asking import Asking
from exitsnoop.reports.target import each
from exitsnoop.store.query import Query

MOST = 50


class Told(NamedTuple):
    """A death, and the answer of `exitsnoop why` about it.

    Attributes:
        exit: the death.
        text: the answer: lines of at most 80 columns, without history.
    """

    exit: Exit
    text: str


def latest(asking: Asking) -> list[Told]:
    """Return the last failures of the period, the newest first."""
    period = asking.period
    query = Query(
        since_ns=period.from_ns, until_ns=period.to_ns - 1, failed=True, newest_first=True
    )
    asking.say("reading the last deaths")
    deaths = [*islice(each(asking.recording, query), MOST)]
    found = []
    for nth, death in enumerate(deaths, start=1):
        asking.say(f"asking why: {nth} of {len(deaths)}")
        answer = why.alone(asking.recording, death, period.now_ns)
        text = "".join(story.texts(answer, [], None, is_missing=False))
        found.append(Told(death.exit, text))
    return found
