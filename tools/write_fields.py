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
from typing import Any, get_args

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # the source as it is, not as it was last built

from exitsnoop.model.cause import HANDLED, KINDS, MappingKind  # noqa: E402
from exitsnoop.model.field import Field  # noqa: E402
from exitsnoop.model.fields import FIELDS, STORED  # noqa: E402
from exitsnoop.model.plain import KEYS  # noqa: E402

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


# Of the JSON schema, what is not a field of its own.
DEFINITIONS: dict[str, Any] = {
    "lost": {
        "type": "object",
        "properties": {
            "label": {"$ref": "#/$defs/label"},
            "lost": {"type": "integer", "minimum": 1},
            "time": {"$ref": "#/$defs/time"},
        },
        "required": ["lost", "time"],
        "additionalProperties": False,
        "description": "So many exits are missing here: they came too fast to be read.",
    },
    "label": {"type": "string", "description": "The text of --label."},
    "time": {
        "description": "RFC 3339, UTC, to the microsecond.",
        "type": "string",
        "format": "date-time",
        "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$",
    },
    "ancestor": {
        "type": "object",
        "properties": {"pid": {"type": "integer", "minimum": 0}, "comm": {"type": "string"}},
        "required": ["pid", "comm"],
        "additionalProperties": False,
    },
    "container": {
        "type": "object",
        "properties": {"runtime": {"type": "string"}, "id": {"type": "string"}},
        "required": ["runtime", "id"],
        "additionalProperties": False,
    },
    "cause": {
        "type": "object",
        "properties": {
            "kind": {"enum": list(KINDS)},
            "text": {"type": "string", "description": "One line for a person."},
            "sender": {"$ref": "#/$defs/sender"},
            "how": {"enum": ["kill", "tgkill", "sigqueue"]},
            "si_code": {"type": "string", "description": 'By name, such as "SEGV_MAPERR".'},
            "address": {"$ref": "#/$defs/address"},
            "syscall": {"type": "integer", "description": "Its number."},
            "limit": {
                "type": "integer",
                "minimum": 0,
                "description": "cpu_limit: seconds. file_limit: bytes.",
            },
            "tty": {"type": "string"},
            "oom": {"$ref": "#/$defs/oom"},
            "thread": {"$ref": "#/$defs/thread"},
            "access": {
                "enum": ["read", "write", "execute"],
                "description": "fault: what the thread tried at the address.",
            },
            "reraised": {
                "const": True,
                "description": "The process sent itself the signal again, after its handler had "
                "had it; the cause is that of the first one.",
            },
            "after": {"$ref": "#/$defs/after"},
            "at": {"$ref": "#/$defs/at"},
            "stack": {
                "type": "array",
                "items": {"$ref": "#/$defs/at"},
                "description": "Where it was called from, the innermost first.",
            },
            "stack_complete": {
                "type": "boolean",
                "description": "Whether the stack reaches the start of the thread.",
            },
            "mapping": {"$ref": "#/$defs/mapping"},
            "trap": {
                "type": "string",
                "description": "fault: what the CPU reported, where si_code has no word for it.",
            },
        },
        "required": ["kind", "text"],
        "additionalProperties": False,
        "description": "Keys that do not belong to the kind are left out.",
    },
    "address": {
        "type": "string",
        "pattern": "^0x(0|[1-9a-f][0-9a-f]{0,15})$",
        "description": "In hexadecimal; left out if the kernel gave none. In version 1 it was a "
        "number, which many readers round from 2^53 on.",
    },
    "at": {
        "type": "object",
        "properties": {
            "module": {
                "type": ["string", "null"],
                "description": "Path of the file, as the process saw it; null: none is mapped.",
            },
            "build_id": {"type": ["string", "null"], "pattern": "^[0-9a-f]+$"},
            "offset": {
                "type": ["integer", "null"],
                "minimum": 0,
                "description": "In the file, in bytes; of a caller, where it would have gone on.",
            },
            "function": {
                "type": ["string", "null"],
                "description": "As in the file, so it may be mangled; null: it has no symbol.",
            },
            "function_offset": {"type": ["integer", "null"], "minimum": 0},
        },
        "required": ["module", "build_id", "offset", "function", "function_offset"],
        "additionalProperties": False,
        "description": "A place in a program.",
    },
    "mapping": {
        "type": "object",
        "properties": {
            "kind": {"enum": list(get_args(MappingKind))},
            "path": {"type": ["string", "null"]},
            "offset": {
                "type": ["integer", "null"],
                "minimum": 0,
                "description": "Of the address in the file, in bytes.",
            },
        },
        "required": ["kind", "path", "offset"],
        "additionalProperties": False,
        "description": "What lies at the address of a fault.",
    },
    "sender": {
        "type": "object",
        "properties": {
            "pid": {"type": "integer", "minimum": 0},
            "ppid": {"type": "integer", "minimum": 0},
            "comm": {"type": "string"},
            "uid": {"type": "integer", "minimum": 0, "maximum": 4294967295},
            "args": {"type": "array", "items": {"type": "string"}},
            "args_truncated": {"type": "boolean"},
            "tid": {
                "type": "integer",
                "minimum": 0,
                "description": "Its thread; left out if that is the first one.",
            },
            "user": {"type": "string"},
            "exe": {"type": "string"},
            "cgroup": {"type": "string"},
            "unit": {"type": "string"},
            "container": {"$ref": "#/$defs/container"},
            "pod": {"type": "string"},
            "ancestors": {"type": "array", "items": {"$ref": "#/$defs/ancestor"}},
            "container_name": {"type": "string"},
            "pod_name": {"type": "string"},
            "namespace": {"type": "string"},
            "meant_for": {
                "enum": ["process", "thread", "process group", "cgroup", "every process"],
                "description": "killed: what it meant to end.",
            },
        },
        "required": ["pid", "ppid", "comm", "uid"],
        "additionalProperties": False,
        "dependentRequired": {"args": ["args_truncated"]},
        "description": "What is unknown is left out. From user on, as it was when it sent the "
        "signal.",
    },
    "thread": {
        "type": "object",
        "properties": {
            "tid": {"type": "integer", "minimum": 0},
            "comm": {"type": "string"},
        },
        "required": ["tid", "comm"],
        "additionalProperties": False,
        "description": "The thread that had a fault, called abort(), or took a signal that dumps "
        "core.",
    },
    "after": {
        "type": "object",
        "properties": {
            "signal": {"type": "integer", "minimum": 1, "maximum": 64},
            "signal_name": {"type": "string"},
            "seconds": {"type": "number", "minimum": 0},
            "kind": {"enum": list(KINDS)},
            "handled": {"enum": list(HANDLED)},
            "sender": {"$ref": "#/$defs/sender"},
            "address": {"$ref": "#/$defs/address"},
            "tty": {"type": "string"},
            "limit": {"type": "integer", "minimum": 0},
        },
        "required": ["signal", "signal_name", "seconds", "kind", "handled"],
        "additionalProperties": False,
        "description": "A signal that the process had before it ended in another way; seconds "
        "before its end. The evidence is that of a cause of this kind.",
    },
    "oom": {
        "type": "object",
        "properties": {
            "anon": {"type": "integer", "minimum": 0},
            "file": {"type": "integer", "minimum": 0},
            "shmem": {"type": "integer", "minimum": 0},
            "cgroup": {
                "type": ["string", "null"],
                "description": "null: the whole system was out of memory.",
            },
            "limit": {"type": ["integer", "null"], "minimum": 0},
            "trigger": {"$ref": "#/$defs/sender"},
            "usage": {"type": ["integer", "null"], "minimum": 0},
            **{
                f"cgroup_{part}": {"type": ["integer", "null"], "minimum": 0}
                for part in ("anon", "file", "shmem", "kernel", "sock")
            },
            "swap": {"type": ["integer", "null"], "minimum": 0},
        },
        "required": ["anon", "file", "shmem", "cgroup", "limit", "trigger"],
        "additionalProperties": False,
        "description": "Bytes.",
    },
}
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
