"""The BPF objects of a process, and which there are in the kernel, whoever has or pinned them."""

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from support.needs import need
from support.traced import until

Object = tuple[str, int]
"""A kind as bpftool names it, and an id: it is never used again, so a new object is another."""

_RINGBUF = 27  # BPF_MAP_TYPE_RINGBUF
_ID = re.compile(r"^(prog|link|map)_id:\s*(\d+)", re.MULTILINE)


def _descriptors(pid: int) -> Iterator[str]:
    """Iterate over what the kernel tells of each descriptor of a process."""
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
    bpftool = shutil.which("bpftool", path=os.environ["PATH"] + ":/usr/sbin")
    need(bool(bpftool), "what is attached is told by bpftool")
    found = set()
    for kind in ("prog", "link", "map"):
        listed = subprocess.run(
            [str(bpftool), "-j", kind, "show"], stdout=subprocess.PIPE, text=True, check=False
        )
        found |= {(kind, entry["id"]) for entry in json.loads(listed.stdout)}
    return found


def assert_gone(objects: set[Object]) -> None:
    """Wait until none of them is there: the kernel frees them a little after their last user."""
    until(lambda: not objects & there_are())
