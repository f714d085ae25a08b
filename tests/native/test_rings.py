"""The C that reads the rings, under AddressSanitizer, on rings that rings.c writes."""

import re
import subprocess
from pathlib import Path

import pytest
from support.blocks import sizes
from support.programs import sanitized

from exitsnoop.layout import MAX_ARGS_BYTES, PATH_BYTES, STRUCTS

SOURCE = Path(__file__).with_name("rings.c")
ROUNDS = 40_000
EXIT, SMALLEST, LARGEST = (
    sum(sizes(STRUCTS[name]).values()) for name in ("exit_event", "note_head", "exec_image")
)
LARGEST += PATH_BYTES + MAX_ARGS_BYTES
RING = 8192  # of rings.c
DISCARDED = 0x40000000  # BPF_RINGBUF_DISCARD_BIT


@pytest.fixture(scope="module")
def rings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sanitized(SOURCE, tmp_path_factory.mktemp("native"), ["reader.c"])


@pytest.mark.parametrize("seed", range(5))
def test_whatever_order_records_are_written_in(rings: Path, seed: int) -> None:
    """All come out once, whole, in order of time, and no access is out of bounds."""
    result = subprocess.run(
        [rings, str(seed), str(ROUNDS)], capture_output=True, text=True, timeout=300, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    told = re.fullmatch(r"(\d+) exits, (\d+) notes, (\d+) lost\n", result.stdout)
    assert told
    exits, notes, lost = map(int, told.groups())
    assert min(exits, notes) > ROUNDS / 10
    assert lost


@pytest.mark.parametrize(
    ("header", "note"),
    [
        *[(size, False) for size in (0, 8, EXIT - 1, EXIT + 1, EXIT + 8, 4096, 0x3FFFFFFF)],
        *[(size, True) for size in (0, 8, SMALLEST - 1, RING, LARGEST + 1, 0x3FFFFFFF)],
        (DISCARDED | EXIT, False),
        (DISCARDED | EXIT, True),
    ],
)
def test_a_malformed_record_is_refused(rings: Path, header: int, note: bool) -> None:
    """At whatever place in the ring, and whatever follows; nothing is read beyond it."""
    words = [str(rings), "broken", hex(header), *(["note"] if note else [])]
    result = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert (result.returncode, result.stderr, result.stdout) == (0, "", "4096 refused\n")


def test_no_memory_for_a_while(rings: Path) -> None:
    subprocess.run([rings, "starved"], check=True, timeout=300)


def test_what_should_not_wait(rings: Path) -> None:
    """An exit by a signal, evidence, a new cgroup; neither plain exits nor what runs where."""
    subprocess.run([rings, "looked"], check=True, timeout=300)
