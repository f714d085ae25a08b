"""What the command line asks for. Where words only switch something on, argparse is spared."""

from exitsnoop.filters.filters import EVERYTHING, Filters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NoReturn

# The words that take nothing with them, as parser.py has them, and the options they switch on.
SWITCHES = {
    "-x": "failed",
    "--failed": "failed",
    "--per-thread": "per_thread",
    "--linger": "linger",
    "-w": "why",
    "--why": "why",
    "-a": "args",
    "--args": "args",
    "-t": "timestamp",
    "--timestamp": "timestamp",
    "--utc": "utc",
    "--json": "json",
    "--csv": "csv",
}
ONE_OF = {"--json", "--csv"}
TURNED_HERE = {"signals", "codes", "causes"}  # by a !: Filters knows only what is wanted of these


class Options:
    """The options, as parser.py has them; as it is made, what they are if there are none.

    Those with the name of a filter are that filter; parser.py tells of the others.
    """

    pids: list[int]
    tree: list[int]
    why: bool
    causes: list[str]
    excluding: set[str]
    linger: bool
    args: bool
    columns: list[str]
    timestamp: bool
    utc: bool
    label: str | None
    color: str
    output: str | None
    json: bool
    csv: bool

    def __init__(self) -> None:
        vars(self).update(EVERYTHING)
        for name, value in EVERYTHING.items():
            if isinstance(value, (tuple, frozenset)):
                setattr(self, name, [])  # more is added to it
        self.excluding = set()
        self.columns = []
        self.color = "auto"
        self.label = self.output = None
        self.args = self.timestamp = self.utc = self.linger = self.json = self.csv = False


def parse(words: list[str]) -> Options:
    """Return what the words ask for. Raises SystemExit: after --help, and after a wrong word."""
    options = Options()
    given = set(words)
    if given <= SWITCHES.keys() and not given >= ONE_OF:
        for word in words:
            setattr(options, SWITCHES[word], True)
        return options
    from exitsnoop.cli.parser import parser

    return parser().parse_args(words, options)


def wanted(options: Options, **more: "Any") -> Filters:
    """Return what the options, and more, ask for. Raises SystemExit if nothing could ever be it."""
    chosen = {name: getattr(options, name) for name in EVERYTHING}
    for name in options.excluding & TURNED_HERE:
        chosen[name] = [value for value in _all(name) if value not in chosen[name]]
        if not chosen[name]:
            refuse(f"of the {name} none is left to trace")
    chosen["excluding"] = options.excluding - TURNED_HERE
    try:
        return Filters.checked(**chosen | more)
    except ValueError as error:
        refuse(str(error))


def _all(name: str) -> "Iterable[int | str]":
    from exitsnoop.model.cause import KINDS
    from exitsnoop.model.status import SIGNAL_NAMES

    every: dict[str, Iterable[int | str]]
    every = {"signals": SIGNAL_NAMES, "codes": range(256), "causes": KINDS}
    return every[name]


def refuse(message: str) -> "NoReturn":
    """Tell how to use it, and what is wrong. Raises SystemExit."""
    from exitsnoop.cli.parser import parser

    parser().error(message)
