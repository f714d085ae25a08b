"""Which workloads are in a crash loop now."""

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any

from exitsnoop.reports.loops import Ended, looping, runs
from exitsnoop.ship.workloads import Workload

_REMEMBERED = 16  # deaths of a group: enough to see a loop
_MOST_GROUPS = 2000

Group = tuple[Workload, str, int]
"""Of one workload: the name of the program, and a checksum of its arguments."""


class Looping:
    """Remembers the last deaths of each group, and tells which of them come again and again.

    Args:
        state: what state() returned before. Raises TypeError, ValueError if it is damaged.
    """

    def __init__(self, state: Iterable[Any] = ()) -> None:
        self._deaths: OrderedDict[Group, deque[Ended]] = OrderedDict()
        for namespace, name, comm, args, deaths in state:
            for death in deaths:
                self.add((Workload(namespace, name), comm, args), Ended(*death))

    def state(self) -> list[Any]:
        """Return what is needed to go on, as JSON can write it."""
        return [[*whose, *of, list(deaths)] for (whose, *of), deaths in self._deaths.items()]

    def add(self, group: Group, death: Ended) -> None:
        """Take a death; those of a group come in the order of time."""
        deaths = self._deaths.setdefault(group, deque(maxlen=_REMEMBERED))
        deaths.append(death)
        self._deaths.move_to_end(group)
        if len(self._deaths) > _MOST_GROUPS:
            self._deaths.popitem(last=False)

    def now(self, wall_ns: int) -> set[Workload]:
        """Return the workloads that loop: a death now would belong to the loop.

        Groups whose loop is over are forgotten.
        """
        found = set()
        for group, deaths in list(self._deaths.items()):
            *_, run = runs([*deaths, Ended(wall_ns, 0, "", 0)])
            if len(run) == 1:
                del self._deaths[group]
            elif looping(run[:-1]):
                found.add(group[0])
        return found
