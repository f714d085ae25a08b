"""What is measured: exitsnoop in its forms, and those whose place it takes."""

import os
import re
import shutil
import sys
from typing import NamedTuple

from exitsnoop.model.fields import COLUMNS

EXITSNOOP = os.path.join(os.path.dirname(sys.executable), "exitsnoop")
PROGRAM = (
    'tracepoint:sched:sched_process_exit { printf("%s %d %d\\n", comm, pid, '
    "((struct task_struct *)curtask)->exit_code); }"
)
EVERYTHING = ",".join(COLUMNS)


class Tool(NamedTuple):
    """A command that writes a row for every exit.

    Attributes:
        name: in the tables; "pipe" in it says where its rows go, else it is a file.
        argv: the command.
        per_thread: the option to report threads; None if there is none.
        package: of Debian, that it comes from.
        is_row: what is in a row of an exit of the storm (exits.c), and in no other.
        pid: where a row has the PID.
        records: whether it records, to a directory of its own; the rows are read afterwards.
    """

    name: str
    argv: list[str]
    per_thread: list[str] | None = None
    package: str = ""
    is_row: re.Pattern[bytes] = re.compile(rb"^storm ")
    pid: re.Pattern[bytes] = re.compile(rb"^\S+ +(\d+)")
    records: bool = False

    @property
    def is_there(self) -> bool:
        """Whether the command is installed."""
        return shutil.which(self.argv[0], path=_PATH) is not None

    @property
    def command(self) -> list[str]:
        """The command by its full path: Debian keeps some of them where not every user looks."""
        return [shutil.which(self.argv[0], path=_PATH) or self.argv[0], *self.argv[1:]]


_PATH = f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin"

C_TOOL = "libbpf-tools exitsnoop"
TABLE = "exitsnoop"
JSON = "exitsnoop --json"
ALL = "exitsnoop --json -w, every field"
RECORD = "exitsnoop record"

_JSON_ROW = (re.compile(rb'"comm": "storm"'), re.compile(rb'"pid": (\d+)'))

TOOLS = [
    Tool(C_TOOL, ["/usr/sbin/exitsnoop"], ["-T"], "libbpf-tools"),
    Tool(TABLE, [EXITSNOOP], ["--per-thread"]),
    Tool(f"{TABLE}, to a pipe", [EXITSNOOP], ["--per-thread"]),
    Tool(JSON, [EXITSNOOP, "--json"], ["--per-thread"], "", *_JSON_ROW),
    Tool(f"{JSON}, to a pipe", [EXITSNOOP, "--json"], ["--per-thread"], "", *_JSON_ROW),
    Tool(ALL, [EXITSNOOP, "--json", "-w", "-o", EVERYTHING], ["--per-thread"], "", *_JSON_ROW),
    Tool(RECORD, [EXITSNOOP, "record"], None, "", *_JSON_ROW, records=True),
    Tool("bpftrace", ["bpftrace", "-e", PROGRAM], [], "bpftrace"),
    Tool(
        "forkstat -e exit",
        ["forkstat", "-l", "-e", "exit"],
        [],
        "forkstat",
        re.compile(rb" exit .*(storm|exits (processes|threads))"),
        re.compile(rb" exit +(\d+)"),
    ),
    Tool(  # of what did not exec it tells nothing
        "extrace -t",
        ["extrace", "-t"],
        None,
        "extrace",
        re.compile(rb"(exits|storm) exited"),
        re.compile(rb"^ *(\d+)"),
    ),
]
