"""Desk: what the person who looks has chosen, and what each key changes about it."""

from enum import Enum, auto

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.top.board import BY, Board, Group
from exitsnoop.top.deaths import Death

LENGTHS_NS = tuple(minutes * 60 * SECOND_NS for minutes in (1, 10, 60))
"""How long the time that is shown can be."""
SORTS = ("failed", "rate", "last", "life", "loop", "name")
"""What groups can be sorted by."""
_MOST_DEATHS = 100
_PAGE = 10
_LONGEST_FILTER = 60


class Do(Enum):
    """What a key asks for that the desk cannot do by itself."""

    NOTHING = auto()
    LOAD = auto()
    WHY = auto()
    QUIT = auto()


class Desk:
    """What is shown, and how.

    Args:
        by: one of BY.
        at_ns: where the time that is shown ends, nanoseconds since the epoch; None: now.

    Attributes:
        board: the deaths; None until they are read.
        length_ns: how long the time is, one of LENGTHS_NS.
        sort: one of SORTS.
        is_reversed: whether the order is the other way round.
        only_failed: whether only what failed is shown.
        filter: what names of groups have in them; "" for all.
        is_typing: whether the filter is being typed.
        view: "groups", "deaths" of a group, or "why" one died.
        group: the name of the group that is selected; "" for the first.
        place: which of the deaths is selected.
        first: the first line of the text that is shown.
        text: why one died, a line each.
        is_paused: whether the time was stopped by a key.
    """

    def __init__(self, by: str, at_ns: int | None = None) -> None:
        self.by = by
        self.at_ns = at_ns
        self.board: Board | None = None
        self.length_ns = LENGTHS_NS[1]
        self.sort = SORTS[0]
        self.is_reversed = self.only_failed = self.is_typing = self.is_paused = False
        self.filter = ""
        self.view = "groups"
        self.group = ""
        self.place = self.first = 0
        self.text: list[str] = []
        self._from = "groups"  # the view that "why" goes back to

    def groups(self) -> list[Group]:
        """Return the groups that are shown, in their order."""
        board = self.board
        if board is None:
            return []
        wanted = self.filter.lower()
        found = [
            group
            for group in board.groups.values()
            if (group.failed if self.only_failed else group.ended) and wanted in group.name.lower()
        ]
        found.sort(key=lambda group: group.name)
        found.sort(key=lambda group: self._rank(group, board), reverse=self.sort != "name")
        return found[::-1] if self.is_reversed else found

    def _rank(self, group: Group, board: Board) -> tuple[object, ...]:
        if self.sort == "failed":
            return group.failed, group.ended
        if self.sort == "rate":
            return group.ended, group.failed
        if self.sort == "last":
            last = group.last_failure(board.from_ns)
            return (last.wall_ns if last else 0,)
        if self.sort == "life":
            return (-group.median_ns(),)
        if self.sort == "loop":
            loop = group.loop(board.to_ns)
            return (loop.deaths if loop else 0, group.failed, group.ended)
        return (group.name,)

    def selected(self) -> Group | None:
        """Return the group that is selected; None if there is none."""
        groups = self.groups()
        by_name = {group.name: group for group in groups}
        if self.view != "groups" and self.board:  # it stays, whatever the filter
            return self.board.groups.get(self.group)
        return by_name.get(self.group) or (groups[0] if groups else None)

    def deaths(self) -> list[Death]:
        """Return the last deaths of the group that is selected, the newest first."""
        group, board = self.selected(), self.board
        if group is None or board is None:
            return []
        some = group.failures if self.only_failed else group.recent
        return [one for one in reversed(some) if one.wall_ns >= board.from_ns][:_MOST_DEATHS]

    def death(self) -> Death | None:
        """Return the death that `w` asks about; None if there is none.

        Of a group, it is the last failure, or the last death.
        """
        if self.view == "deaths":
            deaths = self.deaths()
            return deaths[min(self.place, len(deaths) - 1)] if deaths else None
        group = self.selected()
        if group is None or self.board is None:
            return None
        return group.last_failure(self.board.from_ns) or group.recent[-1]

    @property
    def is_live(self) -> bool:
        """Whether the time ends now, and goes on."""
        return self.at_ns is None

    def press(self, key: str, character: str | None, now_ns: int) -> Do:
        """Do what a key asks for; return what is left to do.

        Args:
            key: its name, such as "left" or "g".
            character: what it types, if it types anything.
            now_ns: the time now.
        """
        key = "enter" if key == "ctrl+j" else key  # a newline that was pasted
        if self.is_typing:
            return self._type(key, character)
        if key == "q":
            return Do.QUIT
        if key in ("escape", "backspace"):
            return self._back()
        if key == "w" and self.view != "why":
            return Do.WHY if self.death() else Do.NOTHING
        if key in ("p", "space"):
            return self._pause(now_ns)
        if self._move(key) or self.view == "why":
            return Do.NOTHING
        if self.view == "groups" and self._arrange(key):
            return Do.LOAD if key == "g" else Do.NOTHING
        if key == "f":
            self.only_failed = not self.only_failed
            self.place = 0
            return Do.NOTHING
        return self._travel(key, now_ns)

    def _type(self, key: str, character: str | None) -> Do:
        if key in ("enter", "escape"):
            self.is_typing = False
            self.filter = "" if key == "escape" else self.filter
        elif key == "backspace":
            self.filter = self.filter[:-1]
        elif character and character.isprintable() and len(self.filter) < _LONGEST_FILTER:
            self.filter += character
        return Do.NOTHING

    def _back(self) -> Do:
        if self.view == "groups":
            self.filter = ""
        self.view = self._from if self.view == "why" else "groups"
        self._from = "groups"
        self.first = 0
        return Do.NOTHING

    def _pause(self, now_ns: int) -> Do:
        """Stop the time, or go on with what dies now."""
        self.is_paused = self.is_live
        if self.is_paused:
            self.at_ns = self.board.to_ns if self.board else now_ns
            return Do.NOTHING
        self.at_ns = None
        return Do.LOAD

    def _move(self, key: str) -> bool:
        steps = {"up": -1, "down": 1, "pageup": -_PAGE, "pagedown": _PAGE, "k": -1, "j": 1}
        if key not in steps:
            return False
        if self.view == "why":
            self.first = max(0, min(self.first + steps[key], len(self.text) - 1))
        elif self.view == "deaths":
            self.place = max(0, min(self.place + steps[key], len(self.deaths()) - 1))
        else:
            names = [group.name for group in self.groups()]
            at = names.index(self.group) if self.group in names else 0
            if names:
                self.group = names[max(0, min(at + steps[key], len(names) - 1))]
        return True

    def _arrange(self, key: str) -> bool:
        """Change which groups there are, and their order."""
        if key == "g":
            self.by = BY[(BY.index(self.by) + 1) % len(BY)]
            self.group = ""
        elif key in ("s", "S"):
            step = 1 if key == "s" else -1
            self.sort = SORTS[(SORTS.index(self.sort) + step) % len(SORTS)]
            self.is_reversed = False
        elif key == "r":
            self.is_reversed = not self.is_reversed
        elif key in ("/", "slash"):
            self.is_typing = True
        elif key == "enter" and (group := self.selected()):
            self.group, self.view, self.place = group.name, "deaths", 0
        else:
            return False
        return True

    def _travel(self, key: str, now_ns: int) -> Do:
        """Go to another time, or show a longer or a shorter one."""
        if key in ("plus", "minus", "+", "-"):
            step = 1 if key in ("plus", "+") else -1
            at = LENGTHS_NS.index(self.length_ns) + step
            self.length_ns = LENGTHS_NS[max(0, min(at, len(LENGTHS_NS) - 1))]
        elif key in ("left", "right"):
            end_ns = self.board.to_ns if self.board else now_ns
            end_ns += self.length_ns // 2 * (1 if key == "right" else -1)
            self.at_ns = end_ns if end_ns < now_ns else None
            self.is_paused = False
        elif key == "end":
            self.at_ns, self.is_paused = None, False
        else:
            return Do.NOTHING
        return Do.LOAD

    def tell(self, text: list[str]) -> None:
        """Show why one died."""
        if self.view != "why":
            self._from = self.view
            group = self.selected()
            self.group = group.name if group else self.group
        self.view, self.text, self.first = "why", text, 0
