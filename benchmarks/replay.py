"""What it costs to decode and to write what the BPF programs sent: CPU an exit, by load.

    python benchmarks/replay.py record FILE [COUNT]    as root: run the loads, keep what was sent
    python benchmarks/replay.py FILE [ROUNDS]          decode it all again and again

A stream has more that differs than any cache keeps, so that a round finds none of the round before.
The least of the rounds counts: what else the machine does only adds to it. The program that ran
stays beside FILE: where it crashed is looked up in it again, as it is live.
"""

import gc
import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from streams import FIELDS, LOADS, Drained, Stream, record

from exitsnoop.decode.exits import EVENT
from exitsnoop.kernel import lines, session
from exitsnoop.model.batch import Exits
from exitsnoop.model.fields import COLUMNS
from exitsnoop.sinks.json_lines import JsonLines
from exitsnoop.store.limits import Limits
from exitsnoop.store.writer import Writer
from exitsnoop.tracing.tracer import Tracer

HERE = Path(__file__).parent
COUNT = 8000
Costs = dict[str, dict[str, float]]


class Replay:
    """A stream, and what is done with each batch of its exits.

    Args:
        parts: the stream.
        directory: for what is written.
    """

    def __init__(self, parts: list[Drained], directory: str) -> None:
        session.stand_in = lambda **_plan: Stream(parts)
        self._tracer = Tracer(why=True, fields=FIELDS)
        self._tracer.stop()
        self._prepare(directory)

    def _prepare(self, directory: str) -> None:
        """Get ready, which is not measured."""

    def run(self) -> float:
        """Do it; return the seconds of CPU that it took."""
        before = time.process_time()
        for batch in self._tracer.batches():
            self._take(batch)
        self._end()
        return time.process_time() - before

    def _take(self, batch: Exits) -> None:
        pass

    def _end(self) -> None:
        pass


class AsJson(Replay):
    """Every field is put into JSON."""

    def _prepare(self, _directory: str) -> None:
        self._sink = JsonLines(list(COLUMNS), lines=lines)

    def _take(self, batch: Exits) -> None:
        self._sink.rows(batch).encode()


class Stored(Replay):
    """Every field is recorded."""

    def _prepare(self, directory: str) -> None:
        self._writer = Writer(f"{directory}/store", limits=Limits(1 << 30, 0, 1e9))

    def _take(self, batch: Exits) -> None:
        self._writer.add(batch)

    def _end(self) -> None:
        self._writer.commit()

    def close(self) -> None:
        """Close the recording."""
        self._writer.close()


DOES: dict[str, type[Replay]] = {"decoded": Replay, "JSON": AsJson, "stored": Stored}


def cost(parts: list[Drained], does: type[Replay]) -> float:
    """Return us of CPU an exit, of one replay.

    It has a process of its own: the patience of one with slow files is bounded in the long run, and
    replays that follow each other would use it up.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            for _, notes, _ in parts:
                for _ in notes:  # copies the pages that they are on, which is not measured
                    pass
            os.write(writing, str(_cost(parts, does)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as said:
        us = float(said.read())
    os.waitpid(child, 0)
    return us


def _cost(parts: list[Drained], does: type[Replay]) -> float:
    exits = sum(len(block) for block, _, _ in parts) / EVENT.size
    with tempfile.TemporaryDirectory() as directory:
        replay = does(parts, directory)
        gc.collect()
        gc.freeze()  # as the command does, and as the next
        gc.set_threshold(50_000)
        return replay.run() / exits * 1e6


def bytes_on_disk(parts: list[Drained]) -> float:
    """Return how many bytes an exit of a stream takes on disk."""
    exits = sum(len(block) for block, _, _ in parts) / EVENT.size
    with tempfile.TemporaryDirectory() as directory:
        replay = Stored(parts, directory)
        replay.run()
        replay.close()
        return sum(path.stat().st_size for path in Path(directory).glob("store/exits-*")) / exits


def costs(streams: dict[str, list[Drained]], rounds: int) -> Costs:
    """Return the least cost of each load, by what is done with it."""
    found: Costs = {load: {} for load in streams}
    for _ in range(rounds):
        for load, parts in streams.items():
            for name, does in DOES.items():
                least = found[load].get(name, float("inf"))
                found[load][name] = min(least, cost(parts, does))
    return found


def record_all(program: Path, count: int) -> dict[str, list[Drained]]:
    """Make the program and run all loads; return what the BPF programs sent."""
    subprocess.run(
        ["cc", "-O2", "-static", "-pthread", "-o", program, HERE / "exits.c"], check=True
    )
    return {load: record(load, str(program), count) for load in LOADS}


def main() -> None:
    """Do what the arguments say."""
    words = sys.argv[1:]
    if words[0] == "record":
        count = int(words[2]) if len(words) > 2 else COUNT
        file = Path(words[1]).absolute()
        file.write_bytes(pickle.dumps(record_all(file.with_name(f"{file.name}-exits"), count)))
        return
    streams = pickle.loads(Path(words[0]).read_bytes())
    rounds = int(words[1]) if len(words) > 1 else 5
    for load, found in costs(streams, rounds).items():
        print(load.ljust(8), *(f"{name} {us:6.2f}" for name, us in found.items()))


if __name__ == "__main__":
    main()
