"""The BPF objects of a process, and which there are in the kernel, whoever has or pinned them."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from needs import need
from traced import until

Object = tuple[str, int]
"""A kind as bpftool names it, and an id: it is never used again, so a new object is another."""

_ID = re.compile(r"^(prog|link|map)_id:\s*(\d+)", re.MULTILINE)


def held(pid: int) -> set[Object]:
    """Return the objects that a process has descriptors of."""
    found = set()
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        found |= {(kind, int(number)) for kind, number in _ID.findall(path.read_text())}
    return found


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
