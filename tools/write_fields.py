"""Write what follows from FIELDS: the attributes of Exit, the JSON schema, the tables of the docs.

python tools/write_fields.py [--check]: with --check nothing is written; the status is 1 if a file
is not as it would be written, and standard error names it.
"""

import json
import re
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# The source as it is, not as it was last built; and what lies beside this file.
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from exitsnoop.model.field import Field  # noqa: E402
from exitsnoop.model.fields import FIELDS, STORED  # noqa: E402
from exitsnoop.model.plain import KEYS  # noqa: E402
from tools.schema_parts import DEFINITIONS  # noqa: E402

PYTHON_HEAD = '''\
"""Attributes: what an Exit has, by name. `make fields` writes this file from fields.py."""

from datetime import datetime

from exitsnoop.model import cgroup, derived, status
from exitsnoop.model.cause import Cause
from exitsnoop.model.cgroup import Container
from exitsnoop.model.context import Ancestor


class Attributes:
    """What is known of an exit. What is unknown, or was not collected, is None."""

    __slots__ = ("_values",)
'''
PYTHON_WIDTH = 100


def python() -> str:
    """Return model/attributes.py."""
    required = [name for name in STORED if not FIELDS[name].default]
    optional = [name for name in STORED if FIELDS[name].default]
    parameters = [
        *(f"{name}: {FIELDS[name].type}" for name in required),
        *(f"{name}: {FIELDS[name].type} = {FIELDS[name].default}" for name in optional),
    ]
    lines = [PYTHON_HEAD, "    def __init__(", "        self,", "        *,"]
    lines += [f"        {parameter}," for parameter in parameters]
    lines += ["    ) -> None:", "        self._values = ("]
    lines += [f"            {name}," for name in STORED]
    lines += ["        )"]
    for field in FIELDS.values():
        lines += [*_property(field)]
    return "\n".join([*lines, ""])


def _property(field: Field) -> Iterable[str]:
    yield ""
    yield "    @property"
    yield f"    def {field.name}(self) -> {field.type}:"
    summary = f"{field.meaning[0].upper()}{field.meaning[1:]}."
    details = re.sub(r"\[([^]]*)\]\([^)]*\)", r"docs/\1", field.details).replace("`", "")
    whole = f'        """{" ".join([summary, *details.split()])}"""'
    if len(whole) <= PYTHON_WIDTH:
        yield whole
    else:
        yield f'        """{summary}'
        yield ""
        yield from textwrap.wrap(
            details, PYTHON_WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8
        )
        yield '        """'
    if not field.of:
        place = STORED.index(field.name)
        yield f"        return self._values[{place}]"
    elif field.group:
        (source,) = field.of
        yield f"        return None if self.{source} is None else {field.by}(self.{source})"
    else:
        yield f"        return {field.by}({', '.join(f'self.{source}' for source in field.of)})"


JSON_TYPES: dict[str, dict[str, Any]] = {
    "int": {"type": "integer", "minimum": 0},
    "float": {"type": "number", "minimum": 0},
    "str": {"type": "string"},
    "bytes": {"type": "string"},
    "bool": {"type": "boolean"},
    "datetime": {"$ref": "#/$defs/time"},
    "Cause": {"$ref": "#/$defs/cause"},
    "Container": {"$ref": "#/$defs/container"},
    "tuple[str, ...]": {"type": "array", "items": {"type": "string"}},
    "tuple[Ancestor, ...]": {"type": "array", "items": {"$ref": "#/$defs/ancestor"}},
}


def schema() -> str:
    """Return docs/exit.schema.json."""
    properties = {"label": {"$ref": "#/$defs/label"}, **{key: _key(FIELDS[key]) for key in KEYS}}
    written = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of exitsnoop's JSON output",
        "description": "-o chooses the keys. null means unknown or not collected.",
        "x-schema-version": 2,
        "oneOf": [{"$ref": "#/$defs/exit"}, {"$ref": "#/$defs/lost"}],
        "$defs": {
            "exit": {
                "description": "A process that ended, or a thread.",
                "type": "object",
                "properties": properties,
                "minProperties": 1,
                "additionalProperties": False,
            },
            **DEFINITIONS,
        },
    }
    return json.dumps(written, indent=2) + "\n"


def _key(field: Field) -> dict[str, Any]:
    type_, _, optional = field.type.partition(" | ")
    found = {**JSON_TYPES[type_], **field.schema}
    if optional:
        if "type" in found:
            found["type"] = [found["type"], "null"]
        else:
            found = {"anyOf": [found, {"type": "null"}]}
    return {**found, "description": f"{field.meaning[0].upper()}{field.meaning[1:]}."}


def reference(*, collected: bool) -> str:
    """Return a table of docs/fields.md: of the fields that must be collected, or of the others."""
    rows = [
        f"| `{field.name}` | {_sentences(field)} |"
        for field in FIELDS.values()
        if field.name in KEYS and bool(field.group) == collected
    ]
    return "\n".join(["| field | meaning |", "|---|---|", *rows])


def _sentences(field: Field) -> str:
    return f"{field.meaning}. {field.details}" if field.details else field.meaning


def attributes() -> str:
    """Return the table of docs/library.md."""
    rows = [f"| `{f.name}` | `{f.type}` | {f.meaning} |" for f in FIELDS.values()]
    rows = [row.replace(" | None`", "`, `None`") for row in rows]
    return "\n".join(["| attribute | type | meaning |", "|---|---|---|", *rows])


def between_marks(path: Path, **tables: str) -> str:
    """Return a document with the tables between its marks <!-- NAME --> and <!-- end -->."""
    text = path.read_text()
    for name, table in tables.items():
        mark = f"<!-- {name}: `make fields` writes this -->"
        before, found, rest = text.partition(mark)
        after = rest.partition("<!-- end -->")
        if not (found and after[1]):
            sys.exit(f"{path} lacks the marks {mark} and <!-- end -->")
        text = f"{before}{mark}\n{table}\n{after[1]}{after[2]}"
    return text


def main() -> None:
    """Write the files, or with --check compare them."""
    fields, library = ROOT / "docs" / "fields.md", ROOT / "docs" / "library.md"
    files = {
        ROOT / "src" / "exitsnoop" / "model" / "attributes.py": python(),
        ROOT / "docs" / "exit.schema.json": schema(),
        fields: between_marks(
            fields, always=reference(collected=False), collected=reference(collected=True)
        ),
        library: between_marks(library, attributes=attributes()),
    }
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        if stale:
            sys.exit("run `make fields`: " + ", ".join(str(p.relative_to(ROOT)) for p in stale))
        return
    for path in stale:
        path.write_text(files[path])


main()
