"""Containers of this machine: from their ids to the names that people know, and back."""

import math
import time
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import NamedTuple

from exitsnoop.host import engines, pods
from exitsnoop.host.aside import Aside
from exitsnoop.host.engines import Called

_MOST = 4096  # containers that are remembered, also when they are gone
# A disk that is busy may answer late. So long is waited for it: at once, and of all the time.
_PATIENCE_S, _SAVED_S, _SHARE = 0.25, 0.5, 0.05
# What is not found may be written soon: it is looked for again, after twice the time each time.
_AGAIN_S, _LAST_AGAIN_S = 1.0, 64.0
_NAMED_BY_ID = ("lxc", "systemd-nspawn")
NOTHING = Called()


class _Found(NamedTuple):
    names: Called
    wait_s: float  # until it is looked for again
    again_at: float


_Which = tuple[str | None, str | None, str | None]


class Names:
    """What containers are called, each looked up when it is first asked for, and then remembered.

    The names of a container stay known when it is gone.

    clock: in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[_Which, _Found] = {}
        self._due = math.inf
        self._aside = Aside(_PATIENCE_S, _SAVED_S, _SHARE)

    def of(self, runtime: str | None, number: str | None, pod: str | None) -> Called:
        """Return the names of a container; each is None if it cannot be found.

        Args:
            runtime: the runtime of the container, as the path of its cgroup names it; None for
                none.
            number: the id of the container; None for none.
            pod: the UID of its pod; None for none.
        """
        if runtime in _NAMED_BY_ID:
            return Called(number)
        if number is None and pod is None:
            return NOTHING
        which = runtime, number, pod
        found = self._known.get(which)
        if found and found.again_at > self._clock():
            return found.names
        if not self._aside.is_late:
            self._aside.do(partial(_look_up, *which), partial(self._learn, which))
            found = self._known.get(which)
        if found:
            return found.names
        self._due = min(self._due, self._clock() + _AGAIN_S)  # the answer is late
        return NOTHING

    def is_due(self) -> bool:
        """Return whether it is time to look for names again that could not be found."""
        now = self._clock()
        if now < self._due:
            return False
        times = [one.again_at for one in [*self._known.values()] if one.again_at > now]
        self._due = min(times, default=math.inf)
        return True

    def _learn(self, which: _Which, names: Called) -> None:
        before = self._known.get(which)
        if before:
            names = _or(names, before.names)
        elif len(self._known) >= _MOST:
            del self._known[next(iter(self._known))]
        _, number, pod = which
        is_whole = (names.container or not number) and (names.pod or not pod)
        wait_s = 2 * before.wait_s if before else _AGAIN_S
        again_at = math.inf
        if not is_whole and wait_s <= _LAST_AGAIN_S:
            again_at = self._clock() + wait_s
            self._due = min(self._due, again_at)
        self._known[which] = _Found(names, wait_s, again_at)


def _look_up(runtime: str | None, number: str | None, pod: str | None) -> Called:
    found = NOTHING
    if pod and number:
        found = pods.of_container(number)
    if runtime and number and found.container is None and not (pod and runtime == "docker"):
        found = engines.called(runtime, number)  # docker has made-up names for those of pods
    if pod and found.pod is None:
        found = _or(found, pods.of_pod(pod))
    return found


def _or(one: Called, other: Called) -> Called:
    return Called(*(a if a is not None else b for a, b in zip(one, other, strict=True)))


NAMES = Names()
"""The names on this machine, as this process knows them."""


def ids(name: str) -> list[str]:
    """Return the ids of the containers that docker, podman or nerdctl call by this name.

    They are read from their state on disk: a container that was removed is not there any more.
    What this user may not read does not count.
    """
    return [number for one, number in engines.named() if one == name]


def is_there(start: str) -> bool:
    """Return whether a container or pod on this machine has a name that starts like this.

    What this user may not read does not count.
    """
    called = (name for name, _ in engines.named())
    machines = engines.machines()
    return any(name.startswith(start) for name in chain(called, pods.named(), machines))
