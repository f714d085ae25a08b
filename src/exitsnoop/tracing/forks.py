"""Forks: what is open in a process stays its own; a child lets go of its copy."""

import os
from weakref import WeakKeyDictionary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_calls: "WeakKeyDictionary[Any, Callable[[Any], None]]" = WeakKeyDictionary()


def call_in_child(function: "Callable[[Any], None]", owner: object) -> None:
    """Have a function called with its owner in each child that os.fork() makes.

    Only the thread that forked lives on in the child: a lock that another one held stays locked.
    """
    _calls[owner] = function


def _in_child() -> None:
    for owner, function in list(_calls.items()):
        function(owner)


os.register_at_fork(after_in_child=_in_child)
