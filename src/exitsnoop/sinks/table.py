"""The table: by default with the original tool's columns and widths."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat

from exitsnoop.host import clock
from exitsnoop.model.batch import Exits
from exitsnoop.model.field import Field
from exitsnoop.model.fields import COLUMNS
from exitsnoop.model.status import describe, signal
from exitsnoop.model.words import human_bytes
from exitsnoop.sinks.colors import BOLD, painted
from exitsnoop.sinks.escape import escape, word
from exitsnoop.sinks.values import cached, joined_ancestors, joined_args, name_of, texts
from exitsnoop.sinks.width import Padding, padded, width_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from exitsnoop.model.cause import Cause
    from exitsnoop.model.exit import Exit
    from exitsnoop.sinks.fitted import Fitted
    from exitsnoop.sinks.values import Writer

_ORDINARY = {"exited", "unknown"}


class Table:
    """Rows for people, and for `sort`, `grep` and `awk`.

    What is unknown is "-", an empty text '' and an empty list []. The last column is not padded.

    Args:
        columns: their names, at least one.
        utc: show the time in UTC, not local time.
        label: a text that starts each row (after the time), None for none.
        ascii_only: escape what is not ASCII.
        color: show in color how processes ended that did not exit with 0: a cause has the color of
            its outcome, as in a report. A signal without a cause is bold.
        terminal_width: gives the width of the terminal, to which rows are fitted; None: they are
            written as they are.
    """

    def __init__(
        self,
        columns: Sequence[str],
        *,
        utc: bool = False,
        label: str | None = None,
        ascii_only: bool = False,
        color: bool = False,
        terminal_width: Callable[[], int] | None = None,
        between: tuple[int, int] | None = None,
    ) -> None:
        self._ascii_only = ascii_only
        self._color = color
        if color:
            from exitsnoop.sinks.palette import escape_of_kind  # most runs do without

            self._paints = escape_of_kind
        self._writers = _writers(utc=utc, ascii_only=ascii_only)
        # The name of the zone may come from a file that anybody can have written ($TZ).
        zone = escape(clock.zone_name(utc=utc, between=between), ascii_only=ascii_only)
        layout = [_zoned(COLUMNS[name], zone) for name in columns]
        layout[-1] = _titled(layout[-1], layout[-1].title, width=0)  # not padded
        self._cells = [texts(column, self._writer(column), "-") for column in layout]
        if label is not None:
            place = int(layout[0].kind == "time")
            text = self._writers["text"](label)
            layout.insert(place, Field("label", "str", "text", "LABEL", max(5, width_of(text)), ""))
            self._cells.insert(place, lambda exits: repeat(text, len(exits)))
        formats = [_format(column) for column in layout]
        self._titles = " ".join([padded(column.title, column.width) for column in layout])
        self._padding = Padding(formats)
        self._terminal_width = terminal_width
        self._fitted: Fitted | None = None
        if terminal_width:
            from exitsnoop.sinks import fitted  # only a terminal needs it

            self._fitted = fitted.Fitted(layout, formats, mark="+" if ascii_only else "…")

    def header(self) -> str:
        """Return the line that names the columns; on a narrow terminal there are several."""
        lines = [self._titles]
        if self._fitted and (width := self._width()):
            lines = self._fitted.titles(width) or lines
        return "".join(f"{painted(line, BOLD) if self._color else line}\n" for line in lines)

    def rows(self, exits: "Sequence[Exit]") -> str:
        """Return a line for each exit; on a narrow terminal some have more."""
        batch = Exits.of(exits)
        cells = list(zip(*[column(batch) for column in self._cells], strict=True))
        if self._fitted and (width := self._width()):
            return self._fitted.rows(cells, width)
        return self._padding.lines(cells)

    def _width(self) -> int:
        """Return the width of the terminal; 0 if there is none, or if it has no size."""
        return self._terminal_width() if self._terminal_width else 0

    def lost(self, count: int, wall_ns: int) -> str:  # noqa: ARG002
        """Return nothing: a table has only rows."""
        return ""

    def _writer(self, column: Field) -> "Writer | None":
        if column.kind == "cause":
            return partial(self._cause, column.width)
        if column.kind == "exit" and self._color:
            return partial(self._colored_exit, column.width)
        return self._writers.get(column.kind)

    def _colored_exit(self, width: int, status: int) -> str:
        if status == 0:
            return describe(status)
        return painted(describe(status), BOLD if signal(status) else self._paints("exited"), width)

    def _cause(self, width: int, cause: "Cause") -> str:
        text = escape(cause.text, ascii_only=self._ascii_only, spaces=False)
        if cause.kind in _ORDINARY or not self._color:
            return text
        return painted(text, self._paints(cause.kind), width)


def _titled(column: Field, title: str, width: int) -> Field:
    """Return the same column with another title and width."""
    other = Field(column.name, column.type, column.kind, title, width, column.meaning)
    vars(other).update(vars(column), title=title, width=width)
    return other


def _zoned(column: Field, zone: str) -> Field:
    """Return the column of the time with its time zone in the title, others as they are."""
    if column.kind != "time":
        return column
    title = f"{column.title}-{zone}"
    return _titled(column, title, max(column.width, width_of(title)))


def _format(column: Field) -> str:
    return f"%-{column.width}.2f" if column.kind == "age" else f"%-{column.width}s"


def _writers(*, utc: bool, ascii_only: bool) -> "dict[str, Writer]":
    plain = partial(word, ascii_only=ascii_only)
    part = cached(plain)

    @cached
    def alone(text: str | bytes) -> str:
        escaped = plain(text)
        return r"\055" if escaped == "-" else escaped  # "-" means unknown

    return {
        "seconds": "{:.3f}".format,
        "size": human_bytes,
        "flag": {False: "no", True: "yes"}.__getitem__,
        "text": alone,
        "name": lambda raw: alone(name_of(raw)),
        "bytes": bytes.hex,
        "exit": describe,
        "time": partial(clock.times_of_day, utc=utc),
        "args": lambda args: joined_args(args, part),
        "ancestors": lambda ancestors: joined_ancestors(ancestors, part),
        "container": lambda container: plain(f"{container.runtime}:{_short(container.id)}"),
    }


def _short(container_id: str) -> str:
    is_digest = len(container_id) == 64 and not container_id.strip("0123456789abcdef")
    return container_id[:12] if is_digest else container_id
