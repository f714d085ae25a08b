"""BPF objects: of a process, of the kernel; what this process has loaded and attached."""

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.machine import need
from support.waiting import until

Object = tuple[str, int]
"""A kind as bpftool names it, and an id: it is never used again, so a new object is another."""
_RINGBUF = 27  # BPF_MAP_TYPE_RINGBUF
_ID = re.compile(r"^(prog|link|map)_id:\s*(\d+)", re.MULTILINE)


def _descriptors(pid: int) -> Iterator[str]:
    """Iterate over what the kernel reports about each descriptor of a process."""
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        # That of the listing itself, if the process is this one, is gone by then.
        with contextlib.suppress(FileNotFoundError):
            yield path.read_text()


def held(pid: int) -> set[Object]:
    """Return the objects that a process has descriptors of."""
    return {(kind, int(number)) for text in _descriptors(pid) for kind, number in _ID.findall(text)}


def ring_of(pid: int) -> int:
    """Return the id of the ring buffer that a process has."""
    rings = [text for text in _descriptors(pid) if f"map_type:\t{_RINGBUF}\n" in text]
    ((_, number),) = {found for text in rings for found in _ID.findall(text)}
    return int(number)


def there_are() -> set[Object]:
    """Return all objects of the kernel, as it enumerates them now."""
    found = set()
    for kind in ("prog", "link", "map"):
        # It stops at an object that another process is only about to make.
        entries: list[dict[str, Any]] = [{}]
        while not all("id" in entry for entry in entries):
            entries = bpftool(kind, "show")
        found |= {(kind, entry["id"]) for entry in entries}
    return found


def assert_gone(objects: set[Object]) -> None:
    """Wait until none of them is there: the kernel frees them a little after their last user."""
    until(lambda: not objects & there_are())


def bpftool(*words: str) -> Any:
    command = shutil.which("bpftool", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    need(bool(command), "what is loaded is told by bpftool")
    # It fails if an object vanishes while it lists them: the others are there.
    shown = subprocess.run(
        [str(command), "--json", *words], stdout=subprocess.PIPE, text=True, check=False
    )
    return json.loads(shown.stdout)


def _attached() -> list[dict[str, Any]]:
    """What bpftool reports about the attached programs, each with a link."""
    texts = [text for text in _descriptors(os.getpid()) if "link_type:" in text]
    ids = [number for text in texts for kind, number in _ID.findall(text) if kind == "prog"]
    return [bpftool("prog", "show", "id", number) for number in ids]


def attached_programs() -> list[str]:
    """Return the names of the programs that are attached."""
    return [program["name"] for program in _attached()]


def misses() -> dict[str, int]:
    """Return how often each program that is attached could not run, by name (0 before 5.12)."""
    return {program["name"]: program.get("recursion_misses", 0) for program in _attached()}


def variables() -> dict[str, int]:
    """Return the variables of the one object that is loaded, which start as 0."""
    ids = [number for kind, number in held(os.getpid()) if kind == "map"]
    maps = [bpftool("map", "show", "id", str(number)) for number in ids]
    (number,) = {found["id"] for found in maps if found["name"].endswith(".bss")}
    (entry,) = bpftool("map", "dump", "id", str(number))
    (section,) = entry["formatted"]["value"].values()
    return {name: value for variable in section for name, value in variable.items()}
