"""Records exits, numbered one after the other, until it is ended; says which are on disk.

    recorder.py DIRECTORY [--first N] [--count N] [--batch N] [--synchronous OFF] [--max-bytes N]

Writes a line with a number when the exits up to it have been committed. The shim notes that, too,
where it is preloaded. Each batch takes a third of a second by the clock of the writer.
"""

import argparse
import ctypes
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.recorded import ROOM, START_NS, Clock, exits, writer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int)
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--synchronous", default="FULL")
    parser.add_argument("--max-bytes", type=int, default=ROOM.max_bytes)
    options = parser.parse_args()
    clock = Clock()
    limits = ROOM._replace(max_bytes=options.max_bytes)
    since_ns = START_NS + options.first * 1000
    recorder = writer(options.directory, clock=clock, limits=limits, since_ns=since_ns)
    if options.synchronous != "FULL":
        active = recorder._files._active
        assert active
        active.connection.execute(f"PRAGMA synchronous={options.synchronous}")
    first = options.first
    while options.count is None or first < options.first + options.count:
        recorder.add(exits(range(first, first + options.batch)))
        first += options.batch
        clock.now += 1 / 3
        recorder.tick()
        if recorder.due is None:
            say(first - 1)
    recorder.commit()
    say(first - 1)
    recorder.close()


def say(number: int) -> None:
    if "SHIM_LOG" in os.environ:
        ctypes.CDLL(None).shim_ack(ctypes.c_long(number))
    os.write(1, b"%d\n" % number)


main()
