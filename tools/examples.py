"""Replays the examples of README.md and of documents in a real terminal. Needs root.

    python tools/examples.py [PAGE...]          rewrite them with what the terminal shows now
    python tools/examples.py --check [PAGE...]  compare instead: status 1 and a diff if they differ

The Python is that of an environment with the package in it.

An example is a block of code after a comment that says how to replay it:

    <!-- terminal 100 -->
        The terminal has 100 columns.
    <!-- terminal 100, ^C in sleep 1.80, exitsnoop -->
        The first ^C is pressed once `sleep 1.80` runs in the foreground, the second in `exitsnoop`.
    <!-- terminal 100, meanwhile sh docs/demo.sh -->
        That command runs while exitsnoop traces, limited to the children of that command.

Lines of the block that begin with its prompt are typed into bash, and the rest is what came back.
PIDs, times, ages and amounts differ from run to run: a check compares their places and, of PIDs,
which are the same. What lies around the terminal on this machine is left out: the processes between
init and its bash, its cgroup, its folder. So is what this kernel or this machine cannot tell.
"""

import argparse
import contextlib
import difflib
import fcntl
import os
import platform
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from exitsnoop.kernel.features import exit_has_memory

ROOT = Path(__file__).parents[1]
PAGES = (
    ROOT / "README.md",
    ROOT / "docs" / "examples.md",
    ROOT / "docs" / "why.md",
    ROOT / "docs" / "recorder.md",
)
EXAMPLE = re.compile(r"(<!-- terminal (\d+)(?:, (.*?))? -->\n```\w+\n)(.*?)(?=^```$)", re.M | re.S)
# bash puts this before each prompt. Nothing that exitsnoop writes has it: names are escaped.
MARK = "\036"
RCFILE = r"""
unset PROMPT_COMMAND
ulimit -Sc 0
PS1='\[{mark}\]{prompt} '
sudo() {{ "$@"; }}  # we are root already
{extra}
"""
SLOW = os.environ.get("SLOW_MACHINE") == "true"  # such as an emulated one
PATIENCE = 1200 if SLOW else 120  # seconds


class Terminal:
    """A bash in a terminal of its own."""

    def __init__(self, folder: Path, prompt: str, columns: int, path: str, extra: str) -> None:
        rcfile = folder / ".bashrc"
        rcfile.write_text(RCFILE.format(mark=MARK, prompt=prompt, extra=extra))
        places = {"PATH": path, "HOME": str(folder), "TMPDIR": str(folder)}
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("=4H", 24, columns, 0, 0))
        self._bash = subprocess.Popen(
            ["setsid", "--ctty", "bash", "--noediting", "--noprofile", "--rcfile", rcfile, "-i"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env={**places, "LC_ALL": "C.UTF-8", "TERM": "dumb", "NO_COLOR": "1"},
        )
        os.close(theirs)
        self.pid = self._bash.pid
        self._bytes = b""

    @property
    def text(self) -> str:
        """What it shows."""
        return self._bytes.decode().replace("\r\n", "\n")

    def type(self, keys: str) -> None:
        """Press these keys."""
        os.write(self._ours, keys.encode())

    def wait(self, until: Callable[[str], bool]) -> None:
        """Read until that is true of the text."""
        end = time.monotonic() + PATIENCE
        while not until(self.text):
            patience = end - time.monotonic()
            if patience < 0 or not select.select([self._ours], [], [], patience)[0]:
                sys.exit(f"nothing came after {self.text[-1000:]!r}")
            self._bytes += os.read(self._ours, 65536)

    def wait_for_prompts(self, count: int) -> None:
        """Wait until there are so many, counted from the first."""
        self.wait(lambda text: text.count(MARK) >= count)

    def wait_for_foreground(self, command: str) -> None:
        """Wait until a process of the group in the foreground runs this, as words of its own."""
        end = time.monotonic() + PATIENCE
        while not any(has(line, command.split()) for line in lines_of(os.tcgetpgrp(self._ours))):
            if time.monotonic() > end:
                sys.exit(f"{command!r} does not run: {self.text[-1000:]!r}")
            time.sleep(0.01)  # the kernel has no event for it

    def close(self) -> None:
        """End all that runs in it, and wait for that: a recorder writes until it has ended."""
        os.close(self._ours)  # bash gets SIGHUP, and sends it on to its jobs
        self._bash.wait()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(ProcessLookupError):
                if os.getsid(int(folder.name)) == self.pid:
                    wait_for_end(int(folder.name))


def wait_for_end(pid: int) -> None:
    """Wait for a process that need not be a child. Raises ProcessLookupError if there is none."""
    descriptor = os.pidfd_open(pid)
    try:
        ended, _, _ = select.select([descriptor], [], [], PATIENCE)
    finally:
        os.close(descriptor)
    if not ended:
        sys.exit(f"process {pid} does not end though its terminal is gone")


def lines_of(group: int) -> Iterator[list[str]]:
    """The words that each process of a group was started with; of paths the last part."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            if os.getpgid(int(folder.name)) == group:
                words = (folder / "cmdline").read_text().split("\0")
                yield [os.path.basename(word) for word in words]


def has(line: list[str], words: list[str]) -> bool:
    """Whether these words follow one another in a command line."""
    return any(line[at : at + len(words)] == words for at in range(len(line)))


def replay(block: str, columns: int, how: str, path: str) -> str:
    """Return what the terminal shows when the lines of a block are typed."""
    prompt = block[0]
    typed = [line for line in block.splitlines() if line[:2] == f"{prompt} " or line == "^C"]
    kind, _, rest = how.partition(" ")
    with tempfile.TemporaryDirectory(prefix="exitsnoop-examples-") as name:
        folder = Path(name)
        shutil.copytree(ROOT / "docs", folder / "docs")
        meanwhile = waiting(rest, folder) if kind == "meanwhile" else None
        limited = 'exitsnoop() { command exitsnoop "$@" -P %d; }'
        extra = limited % meanwhile.pid if meanwhile else ""
        terminal = Terminal(folder, prompt, columns, path, extra)
        try:
            terminal.wait_for_prompts(1)
            if meanwhile:
                terminal.type(typed[0][2:] + "\n")
                terminal.wait(lambda text: text.count("\n") >= 2)  # what was typed; the header
                meanwhile.communicate(b"\n")
                terminal.wait_for_prompts(2)
            else:
                type_lines(terminal, typed, rest.removeprefix("in ").split(", "), folder)
            text = terminal.text
        finally:
            terminal.close()
            if meanwhile:
                meanwhile.kill()
                meanwhile.wait()
    text = text.replace(f"^C{MARK}", f"^C\n{MARK}")  # what ends with 0 leaves that to the shell
    text = without_this_machine(text, terminal.pid, folder)
    return text.replace(MARK, "").removesuffix(f"{prompt} ")


def without_this_machine(text: str, bash: int, folder: Path) -> str:
    """Return the text as if the terminal's bash had been started by init, in a cgroup /demo."""
    text = re.sub(rf"\S+\[1\] ->.*?(?=bash\[{bash}\])", "init[1] -> ", text, flags=re.S)
    for path in own_cgroups():
        text = text.replace(path, "/demo")
    return text.replace(str(folder), "/tmp/demo")


def own_cgroups() -> list[str]:
    """The cgroups of this process, without those at the root."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    return [path for line in lines if (path := line.split(":", 2)[2]) != "/"]


def type_lines(terminal: Terminal, lines: list[str], commands: list[str], folder: Path) -> None:
    """Type the lines, each once the one before is done; ^C once the next of commands runs."""
    prompts = 1
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line == "^C":
            terminal.wait_for_foreground(commands.pop(0))
            time.sleep(0.2)  # nothing waits for it; ages would all be 0.00
            terminal.type("\x03")
        else:
            terminal.type(line[2:] + "\n")
        if following != "^C":
            prompts += 1
            terminal.wait_for_prompts(prompts)
            wait_for_header(line, folder)


def waiting(command: str, folder: Path) -> "subprocess.Popen[bytes]":
    """Return the process that runs a command once it gets a line."""
    return subprocess.Popen(
        ["sh", "-c", 'read line; exec "$@"', "sh", *command.split()],
        cwd=folder,
        stdin=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder)},
    )


def wait_for_header(command: str, folder: Path) -> None:
    """Wait until a job in the background, if that is what it is, has begun to write its file."""
    background = re.search(r"> (\w+) &$", command)
    end = time.monotonic() + PATIENCE
    while background and not has_text(folder / background[1]):
        if time.monotonic() > end:
            sys.exit(f"nothing is written by {command!r}")
        time.sleep(0.01)


def has_text(path: Path) -> bool:
    """Whether the file exists and is not empty."""
    return path.exists() and path.stat().st_size > 0


def normalised(text: str) -> list[str]:
    """Return the lines with the same words for what differs from run to run."""
    pids: dict[str, str] = {}

    def pid(match: "re.Match[str]") -> str:
        return match[1] + pids.setdefault(match[2], f"PID{len(pids) + 1}")

    text = without_what_is_unknown_here(text)
    # An option of --help, as a line: versions of argparse differ in where they break it.
    text = re.sub(r"\n {20,}", " ", text)
    text = re.sub(r"(-\w) (\S+), (--[\w-]+) \2", r"\1, \3 \2", text)
    text = re.sub(r"(slowest|biggest): [^;\n]+", r"\1: NAME", text)
    text = re.sub(r"\d\d:\d\d:\d\d(\.\d+)?", "TIME", text)
    if "--store demo" in text:  # its lines break elsewhere if a number has more digits
        text = re.sub(r"\d+(\.\d+)? (ms|s|min)\b", "SPAN", text)
        text = re.sub(r"just now|SPAN ago", "AGO", text)
        text = re.sub(r"(PID|--tree|^\[1\])\s+\d+", r"\1 NUMBER", text, flags=re.M)
        text = re.sub(r"(\S+\[\d+\]\s+->\s+)+", "ANCESTORS -> ", text)
        text = re.sub(r"(?<=in the cgroup)\s+\S+|/tmp/\S+", " PATH", text)
        text = "\n".join(text.split())
    text = re.sub(r"\+0x[0-9a-f]+", "+OFFSET", text)  # each build of a library has its own
    text = re.sub(r"(?<=-)(x86_64|aarch64)(?=-linux-gnu\.so)", "MACHINE", text)
    text = re.sub(r"(?<![\w.])\d+\.\d+(?: m?s(?!\w)|(?![\w.]))", "AGE", text)
    text = re.sub(r"(?<![\w.])\d+(\.\d)?[BKMG](?!\w)", "SIZE", text)
    # What the shell says of a job; a sender; a record of JSON.
    text = re.sub(r"^(\[1\] )(\d+)$", pid, text, flags=re.M)
    text = re.sub(r'(\w\[|pid": ?)(\d+)(?=[],}])', pid, text)
    lines, columns = [], []
    for line in text.splitlines():
        words = line.split()
        if "PCOMM" in words:
            columns = words
        elif words and words[0] != "exitsnoop:":
            for at, (name, word) in enumerate(zip(columns, words)):  # noqa: B905 - of any length
                if name in ("PID", "PPID", "TID") and word.isdecimal():
                    words[at] = pids.setdefault(word, f"PID{len(pids) + 1}")
        lines.append(" ".join(words))
    return lines


def without_what_is_unknown_here(text: str) -> str:
    """Return the text without what the terminal of another machine may show in addition."""
    if not own_cgroups():
        text = re.sub(r", in the cgroup\s+\S+", "", text)
    if platform.machine() != "x86_64":
        text = re.sub(r"(?<=segfault )(reading|writing|executing)", "at", text)
        text = re.sub(r"\n +(file size limit[^,\n]*), reached by \S+", r" \1", text)
    if not exit_has_memory():  # then many a peak is unknown
        text = re.sub(r"; biggest: [^;\n]+", "", text)
        text = re.sub(r",\s+at\s+most\s+\S+\s+of\s+memory", "", text)
        if "MAX_RSS" in text:
            text = re.sub(r"(?<= )(\d+(\.\d)?[BKMG]|-)(?=\s)", "PEAK", text)
    if SLOW:  # fewer deaths are near in time, and the files of a crash may be read too late
        text = re.sub(r"^Near .*?^(?=\S)", "", text, flags=re.M | re.S)
        text = re.sub(r", called from \S+", "", text)
    return text


def main() -> int:
    """Replay all examples at once; return the exit status."""
    parser = argparse.ArgumentParser(description="Replay the examples of the documents.")
    parser.add_argument("--check", action="store_true", help="compare, and change nothing")
    parser.add_argument("pages", nargs="*", default=PAGES, type=Path)
    parser.add_argument("--command", default=ROOT / ".venv/bin/exitsnoop", type=Path)
    options = parser.parse_args()
    # The terminal of a login has these, even if a script started us without them.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    path = f"{options.command.parent}:/usr/sbin:/usr/bin:/sbin:/bin"
    differ = False
    with ThreadPoolExecutor(max_workers=16) as pool:
        for page in options.pages:
            text = page.read_text()
            examples = list(EXAMPLE.finditer(text))
            shown = pool.map(lambda one: replay(one[4], int(one[2]), one[3] or "", path), examples)
            for example, new in reversed(list(zip(examples, shown, strict=True))):
                diff = list(
                    difflib.unified_diff(normalised(example[4]), normalised(new), lineterm="")
                )
                differ |= bool(diff)
                if diff and options.check:
                    print(f"{page.name}: {example[4].splitlines()[0]}", *diff, new, sep="\n")
                text = text[: example.start(4)] + new + text[example.end(4) :]
            if not options.check:
                page.write_text(text)
    return int(options.check and differ)


if __name__ == "__main__":
    sys.exit(main())
