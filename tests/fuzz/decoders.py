"""Bytes of the ring through all decoders, guided by what they reach: atheris (libFuzzer).

    python tests/fuzz/decoders.py [DIRECTORY...] [-max_total_time=SECONDS] [other of libFuzzer's]

Of an input the first byte says how many exits it begins with; the rest are notes, each after its
size. blocks.feed() says what must hold. Ends with 0 if it held for all inputs; else it keeps what
broke it in a file.
"""

import os
import struct
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))
with atheris.instrument_imports(include=["exitsnoop"]):
    from support.blocks import EXIT, LAYOUTS, PARTS, feed, note, pack, sizes

EXIT_BYTES = sum(sizes(EXIT).values())
SIZE_BYTES = 2
CONTENT = {
    "cgroup_bytes": b"ab\0\0\0",
    "hostname_bytes": b"h\0",
    "ancestors_bytes": struct.pack("=I16s", 1, b"init"),
    "cwd_bytes": b"/\0in\0\0",
    "exe_bytes": b"sh\0\0",
    "args_bytes": b"a\0\0",
    "stack_bytes": bytes(16),
}


def parted(data: bytes) -> tuple[bytes, list[bytes]]:
    """Return exits and notes."""
    exits = 1 + (data[0] & 7) * EXIT_BYTES if data else 0
    notes, at = [], exits
    while at < len(data):
        end = at + SIZE_BYTES + int.from_bytes(data[at : at + SIZE_BYTES], "little")
        notes.append(data[at + SIZE_BYTES : end])
        at = end
    return data[1:exits], notes


def try_one(data: bytes) -> None:
    """Feed one input."""
    feed(*parted(data))


def write_seeds(directory: Path) -> None:
    """Write an input for each kind of record, and one with all of them."""
    ended = {"pid": 7, "tid": 7, "start_boot_ns": 9, "boot_ns": 99, "last_thread": 1, "status": 9}
    exits = b"\1" + pack(EXIT, **ended, raw_comm=b"name")
    notes = []
    for kind, layout in LAYOUTS.items():
        parts = {length: CONTENT[length] for length in PARTS.get(kind, ())}
        known = {"pid": 7, "tid": 7, "start_boot_ns": 9, "flags": 1}
        known |= {length: len(part) for length, part in parts.items()}
        record = note(kind, **{name: n for name, n in known.items() if name in layout})
        record += b"".join(parts.values())
        notes.append(len(record).to_bytes(SIZE_BYTES, "little") + record)
        (directory / f"kind{kind}").write_bytes(exits + notes[-1])
    (directory / "all").write_bytes(exits + b"".join(notes))


def main() -> None:
    """Run libFuzzer, from the seeds on."""
    with tempfile.TemporaryDirectory() as seeds:
        write_seeds(Path(seeds))
        for seed in Path(seeds).iterdir():
            assert feed(*parted(seed.read_bytes())), seed
        atheris.Setup([*sys.argv, "-timeout=10", "-rss_limit_mb=1024", seeds], try_one)
        atheris.Fuzz()


if __name__ == "__main__":
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    main()
