"""A tracer that is closed leaves nothing behind: no memory, no descriptor, nothing of BPF."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.bpf import Object, assert_gone
from support.machine import SLOW

# Opens and closes a tracer, each time with an exit: to get warm, then so many rounds. Prints what
# the process has before and after these, then what a few more had in the kernel. glibc counts
# memory to the byte; Python's objects are taken from there, too.
OPENS_AND_CLOSES = """\
import ctypes, gc, json, os, re, sys
import exitsnoop

class Info(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
ids = set()

def note_ids():
    for fd in os.listdir("/proc/self/fdinfo"):
        try:
            with open(f"/proc/self/fdinfo/{fd}") as file:
                text = file.read()
        except OSError:
            continue
        for kind, number in re.findall(r"^(prog|map|link)_id:\\s+(\\d+)$", text, re.M):
            ids.add((kind, int(number)))

def open_and_close(times, look=lambda: None):
    for _ in range(times):
        try:
            with exitsnoop.Tracer(**options) as tracer:
                os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
                while not tracer.read():  # the first exit imports what decodes it
                    pass
                look()
        except exitsnoop.KernelRefused:
            pass

def say():
    gc.collect()
    info = libc.mallinfo2()
    with open("/proc/self/maps") as maps:
        mappings = len(maps.readlines())
    has = {"descriptors": len(os.listdir("/proc/self/fd")), "mappings": mappings}
    print(json.dumps([info.uordblks + info.hblkhd, has]))

rounds, options = int(sys.argv[1]), json.loads(sys.argv[2])
if options:
    options["ppids"] = [os.getpid()]
open_and_close(rounds // 10 + 1)
say()
open_and_close(rounds)
say()
open_and_close(3, note_ids)
print(json.dumps(sorted(ids)))
"""
FULL = {"why": True, "fields": ["args", "exe", "cgroup", "max_rss"], "tree": [1]}
# What glibc keeps for later counts as used: some 100 KiB, most of them in the first 1,000 rounds. A
# session has more than that each time.
NOISE_BYTES = 256 * 1024


def open_and_close(prefix: list[str], rounds: int, options: dict[str, Any]) -> set[Object]:
    """Do so in a process of its own, which has not more at the end; return what the kernel had."""
    if SLOW:
        rounds //= 20
    words = [sys.executable, "-c", OPENS_AND_CLOSES, str(rounds), json.dumps(options)]
    output = subprocess.run(
        [*prefix, *words],
        env={**os.environ, "PYTHONMALLOC": "malloc"},
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    (bytes_before, before), (bytes_after, after), ids = map(json.loads, output.splitlines())
    assert after == before
    assert bytes_after - bytes_before < NOISE_BYTES
    return {(kind, number) for kind, number in ids}


@pytest.mark.parametrize(("rounds", "options"), [(1000, {}), (30, FULL)], ids=["plain", "full"])
def test_nothing_is_left(rounds: int, options: dict[str, Any]) -> None:
    objects = open_and_close([], rounds, options)
    assert {kind for kind, _ in objects} == {"prog", "map", "link"}
    assert_gone(objects)


def test_nothing_is_left_of_what_was_refused(refuse: Path) -> None:
    open_and_close([str(refuse), "load", str(errno.EINVAL)], 1000, FULL)
