"""The choice among the columns."""

from exitsnoop.model.fields import COLUMNS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def _in_place(places: dict[str, int]) -> tuple[str, ...]:
    """Return the names that have a place, in that order."""
    return tuple(sorted([name for name in places if places[name]], key=places.__getitem__))


DEFAULT = _in_place({name: column.table for name, column in COLUMNS.items()})
DEFAULT_JSON = _in_place({name: column.json for name, column in COLUMNS.items()})


def choose(lists: "Sequence[str]", default: "Sequence[str]") -> tuple[str, ...]:
    """Return the names of the columns that lists such as "pid,comm" and "+args,user" ask for.

    The choice begins with the default. A list replaces it; a list that starts with "+" adds to it.
    A column is chosen once, at its first place.

    Raises ValueError if one is not the name of a column.
    """
    if not lists:
        return tuple(default)
    chosen = list(default)
    for text in lists:
        names = text.removeprefix("+").split(",")
        for name in names:
            if name not in COLUMNS:
                raise ValueError(_unknown(name, text))
        chosen = chosen + names if text.startswith("+") else names
    return tuple(dict.fromkeys(chosen))


def _unknown(name: str, text: str) -> str:
    if not name:
        return f"{text!r} lacks the name of a column"
    from difflib import get_close_matches  # slow to import, and seldom asked for

    nearest = get_close_matches(name.lower(), COLUMNS, n=1)
    if nearest:
        return f"{name!r} is not a column; the nearest is {nearest[0]!r}"
    return f"{name!r} is not a column; they are {', '.join(COLUMNS)}"


def help_text() -> str:
    """Return a line for each column: its name and what it means."""
    width = max(map(len, COLUMNS))
    return "".join(f"{c.name:<{width}}  {c.meaning}\n" for c in COLUMNS.values())
