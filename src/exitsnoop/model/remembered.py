"""What was made lately is remembered."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    _K = TypeVar("_K")
    _V = TypeVar("_V")
    _Dict = dict[_K, _V]
else:  # a start does without `typing`
    _Dict = dict

_MOST = 1024


class Remembered(_Dict["_K", "_V"]):
    """What was made lately, by what it is made of. It forgets all when that becomes too much."""

    def __init__(self, make: "Callable[[_K], _V]") -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: "_K") -> "_V":
        made = self._make(key)
        if len(self) >= _MOST:
            self.clear()
        self[key] = made
        return made
