"""Field: what describes one field of an exit. fields.py has them all."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Field:
    """A field of an exit.

    Attributes:
        name: its name everywhere.
        type: of the attribute, as Python writes it.
        kind: what its values are; each format has a way to write each kind.
        title: what a table calls it; "" if it is not a column.
        width: of its cells in a table, where another column follows.
        meaning: one line for a person, with the unit.
        details: further sentences, in Markdown, each starting with a capital.
        group: what must be collected to have it; "" if it is always there.
        of: the fields that it is made of; none if it comes from the kernel.
        by: the function that makes it, as "module.function" of this folder.
        many_by: the same for whole columns, if that is quicker.
        source: the object that has it and that exits share (see model/context.py): image, place
            or chain; "" for a value of its own.
        shown: the field whose values the formats take to write it; mostly its own.
        more: for a list, the field that says whether it goes on.
        default: what Exit() takes for it if it is not given, as Python writes it; "" for nothing.
        table: its place among the columns of a table by default, from 1 on; 0 if not there.
        json: the same for JSON and its keys.
        schema: what the JSON schema says besides what follows from the type.
        few: whether it has few values, on many machines, too: a database can number them.
    """

    def __init__(
        self,
        name: str,
        type: str,  # noqa: A002 - of a field
        kind: str,
        title: str,
        width: int,
        meaning: str,
        *,
        details: str = "",
        group: str = "",
        of: tuple[str, ...] = (),
        by: str = "",
        many_by: str = "",
        source: str = "",
        shown: str = "",
        more: str = "",
        default: str = "",
        table: int = 0,
        json: int = 0,
        schema: "dict[str, Any] | None" = None,
        few: bool = False,
    ) -> None:
        self.name = name
        self.type = type
        self.kind = kind
        self.title = title
        self.width = width
        self.meaning = meaning
        self.details = details
        self.group = group
        self.of = of
        self.by = by
        self.many_by = many_by
        self.source = source
        self.shown = shown or name
        self.more = more
        self.default = default or ("None" if group else "")
        self.table = table
        self.json = json
        self.schema = schema or {}
        self.few = few
