"""How often tests repeat what is left to chance, and how long things may take: by the machine."""

import os

# Set where the machine is so slow that its time means nothing, such as an emulated one.
SLOW = os.environ.get("SLOW_MACHINE") == "true"


def some(count: int) -> int:
    """Return how often, or how many at a time, to do what shows the same each time."""
    return max(1, count // 10) if SLOW else count


def times(usual: int) -> int:
    """Return how often to do what is left to chance: TIMES of the environment, or as usual."""
    return int(os.environ.get("TIMES") or some(usual))


def steps(count: int) -> range:
    """Return so many steps, or some of them that are as far apart from first to last."""
    return range(0, count, 5 if SLOW else 1)


def long(milliseconds: int) -> int:
    """Return how long to do what is counted in ticks, which come late on a slow machine."""
    return milliseconds * 4 if SLOW else milliseconds


def within(seconds: float) -> float:
    """Return how long something takes that takes these seconds, at most, on a usual machine."""
    return seconds * 40 if SLOW else seconds


def limit(seconds: float) -> float:
    """Return the time limit of a test that has this one on a usual machine."""
    return seconds * 10 if SLOW else seconds
