"""The choice among the columns. What most runs show is known without all that is told of each."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT = ("comm", "pid", "ppid", "tid", "age", "exit")
DEFAULT_JSON = (
    "time",
    "boot_ns",
    "pid",
    "tid",
    "ppid",
    "comm",
    "age",
    "exit_code",
    "signal",
    "signal_name",
    "core_dumped",
)


def choose(lists: "Sequence[str]", default: "Sequence[str]") -> tuple[str, ...]:
    """Return the names of the columns that lists such as "pid,comm" and "+args,user" ask for.

    A list takes the place of what was chosen before it, at first the default; one that starts with
    "+" adds to it. A column is chosen once, at its first place.

    Raises ValueError if one is not the name of a column.
    """
    if not lists:
        return tuple(default)
    from exitsnoop.sinks.columns import COLUMNS

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

    from exitsnoop.sinks.columns import COLUMNS

    nearest = get_close_matches(name.lower(), COLUMNS, n=1)
    if nearest:
        return f"{name!r} is not a column; the nearest is {nearest[0]!r}"
    return f"{name!r} is not a column; they are {', '.join(COLUMNS)}"


def help_text() -> str:
    """Return a line for each column: its name and what it means."""
    from exitsnoop.sinks.columns import COLUMNS

    width = max(map(len, COLUMNS))
    return "".join(f"{c.name:<{width}}  {c.meaning}\n" for c in COLUMNS.values())
