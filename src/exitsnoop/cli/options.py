"""The options of the command line besides the filters, and what a run was given of all."""

from exitsnoop.filters.filters import EVERYTHING, Filters
from exitsnoop.filters.table import FILTERS, SHOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

WRITTEN = "where to write, and how"
RUN = "what to run"


class UsageError(Exception):
    """The words make no sense; the message says why."""


class Option:
    """An option that is not a filter.

    Attributes:
        name: the attribute of Options.
        flags, metavar, group: how --help shows it. A switch has no metavar.
        meaning: one line for --help and the docs.
        default: the attribute without the option.
        choices: the allowed values, if these can be listed.
    """

    def __init__(
        self,
        name: str,
        flags: tuple[str, ...],
        group: str,
        meaning: str,
        *,
        metavar: str = "",
        default: "Any" = False,
        choices: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.flags = flags
        self.group = group
        self.meaning = meaning
        self.metavar = metavar
        self.default = default
        self.choices = choices


OPTIONS = (
    Option(
        "linger",
        ("--linger",),
        RUN,
        "with COMMAND: go on until everything that it started has ended, too",
    ),
    Option(
        "ready_fd",
        ("--ready-fd",),
        RUN,
        "write a newline to this descriptor once tracing is on, and close it: from then on no exit "
        "is missed, and COMMAND starts after it",
        metavar="N",
        default=None,
    ),
    Option(
        "as_root",
        ("--as-root",),
        RUN,
        "with COMMAND, under sudo: run it as root, not as the user who called sudo",
    ),
    Option("args", ("-a", "--args"), SHOWN, "show the arguments (like -o +args, but last)"),
    Option(
        "columns",
        ("-o", "--columns"),
        SHOWN,
        "show these columns, or (with +) show these, too; 'help' lists all",
        metavar="[+]LIST",
        default=(),
    ),
    Option(
        "no_args", ("--no-args",), SHOWN, "show no arguments, also of senders: they may be secret"
    ),
    Option(
        "redact",
        ("--redact",),
        SHOWN,
        "show *** for what matches this in the arguments, joined by spaces, or for its groups if "
        "it has any",
        metavar="REGEX",
        default=None,
    ),
    Option(
        "timestamp",
        ("-t", "--timestamp"),
        SHOWN,
        "include timestamp (local time default): the time of the exit",
    ),
    Option("utc", ("--utc",), SHOWN, "include timestamp in UTC (-t implied)"),
    Option(
        "label",
        ("--label",),
        SHOWN,
        "label each line ('exit' if no LABEL), so that sort can merge the output of several tools",
        metavar="LABEL",
        default=None,
    ),
    Option(
        "color",
        ("--color",),
        SHOWN,
        "color the exits that did not end well; auto: on a terminal, unless NO_COLOR is set",
        metavar="auto|always|never",
        default="auto",
        choices=("auto", "always", "never"),
    ),
    Option(
        "output",
        ("--output",),
        WRITTEN,
        "write to this file, which is overwritten, instead of standard output",
        metavar="FILE",
        default=None,
    ),
    Option("json", ("--json",), WRITTEN, "JSON lines: docs/exit.schema.json describes the record"),
    Option("csv", ("--csv",), WRITTEN, "CSV (RFC 4180) with a header"),
    Option(
        "formulas",
        ("--formulas",),
        WRITTEN,
        "with --csv: do not escape the = + - or @ that text begins with: spreadsheets take such "
        "text for a formula",
    ),
)
# The words that take no value, and what they switch on.
SWITCHES = {
    flag: row.name for row in (*FILTERS, *OPTIONS) if row.default is False for flag in row.flags
}
ONE_OF = {"--json", "--csv"}


class Options:
    """The options of one run; a new one has the defaults.

    The attributes are the names of OPTIONS, and those of FILTERS with values not checked yet.
    """

    pids: list[int]
    tree: list[int]
    why: bool
    causes: list[str]
    excluding: set[str]
    linger: bool
    as_root: bool
    ready_fd: str | None
    args: bool
    columns: list[str]
    no_args: bool
    redact: str | None
    timestamp: bool
    utc: bool
    label: str | None
    color: str
    output: str | None
    json: bool
    csv: bool
    formulas: bool

    def __init__(self) -> None:
        vars(self).update({row.name: row.default for row in OPTIONS})
        vars(self).update({row.name: [] if row.is_list else row.default for row in FILTERS})
        self.columns = []  # more is added to it, as to the lists of filters
        self.excluding = set()


def wanted(options: Options, kind: type[Filters] = Filters, **more: "Any") -> Filters:
    """Return the filters of the options, and more. Raises UsageError if they are not valid.

    kind: Filters, or RecordedFilters.
    """
    given = {**{name: getattr(options, name) for name in EVERYTHING}, **more}
    checked = {}
    for row in FILTERS:
        try:
            checked[row.name] = kind.check(row, given[row.name])
        except ValueError as error:
            refuse(f"argument {'/'.join(row.flags)}: {error}")
    try:
        return kind.of_checked(checked)
    except ValueError as error:
        refuse(str(error))


def refuse(message: str) -> "NoReturn":
    """Raise UsageError."""
    raise UsageError(message)
