"""What a line of JSON has that is not a field of its own: parts of docs/exit.schema.json."""

from typing import Any, get_args

from exitsnoop.model.cause import HANDLED, KINDS, MappingKind

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
                "description": "The process sent itself the signal again, after it had "
                "handled it; the cause is that of the first one.",
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
            "timer": {"$ref": "#/$defs/timer"},
            "path": {
                "type": "string",
                "description": "file_limit: the file that reached the limit.",
            },
            "meant_for": {
                "const": "process group",
                "description": "self: what it sent the signal to, if not to itself alone.",
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
            "earlier": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
                "description": "Names of other signals that asked it to end before this one, the "
                "oldest first.",
            },
            "text": {
                "type": "string",
                "description": "What the text of the cause says of it; left out if that leaves it "
                "out, too.",
            },
            "syscall": {"type": "integer"},
            "thread": {"$ref": "#/$defs/thread"},
            "access": {"enum": ["read", "write", "execute"]},
            "at": {"$ref": "#/$defs/at"},
            "timer": {"$ref": "#/$defs/timer"},
            "path": {"type": "string"},
        },
        "required": ["signal", "signal_name", "seconds", "kind", "handled"],
        "additionalProperties": False,
        "description": "A signal that the process had before it ended in another way; seconds "
        "before its end. The evidence is that of a cause of this kind.",
    },
    "timer": {
        "type": "object",
        "properties": {
            "clock": {
                "type": "string",
                "description": "Of setitimer() and alarm() the timer's name, such as ITIMER_REAL; "
                "of timer_create() the clock's, such as CLOCK_MONOTONIC.",
            },
            "interval": {
                "type": ["number", "null"],
                "minimum": 0,
                "description": "The seconds after which it goes off again; 0 if once; null if that "
                "is unknown.",
            },
        },
        "required": ["clock", "interval"],
        "additionalProperties": False,
        "description": "A timer of the process's own.",
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
