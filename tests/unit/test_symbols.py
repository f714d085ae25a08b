"""What ELF files say of their code, compared with binutils. Hostile ones do no harm."""

import os
import re
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import pytest

from exitsnoop.decode.sites import Region, Site
from exitsnoop.layout import REGION_HAS_FILE
from exitsnoop.model.cause import Thread
from exitsnoop.symbols.eh_frame import RETURN_ADDRESS, row_at
from exitsnoop.symbols.elf import BadFile, Elf, MemoryBytes
from exitsnoop.symbols.files import OpenFiles, Roots
from exitsnoop.symbols.resolver import Resolver

SOURCE = """
#include <stdlib.h>
static __attribute__((noinline)) int inner(int n) { return n ? inner(n - 1) + n : abs(n); }
int outer(int n) { char room[n + 1]; room[n] = 1; return inner(room[n] + n); }
int main(int count, char **words) { return outer(count) + words[0][0]; }
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("elf") / "program"
    words = ["cc", "-O1", "-x", "c", "-", "-o", str(built)]
    subprocess.run(words, input=SOURCE, text=True, check=True)
    return built


def elf_of(path: Path) -> Elf:
    return Elf(MemoryBytes(path.read_bytes()))


def symbols(path: Path) -> dict[str, tuple[int, int]]:
    """Address and size of the functions, as nm has them."""
    out = subprocess.check_output(["nm", "--print-size", path], text=True)
    lines = re.findall(r"^(\w+) (\w+) [tT] (\w+)$", out, re.M)
    return {name: (int(start, 16), int(size, 16)) for start, size, name in lines}


def test_functions_are_those_of_nm(program: Path) -> None:
    known = symbols(program)
    assert {"inner", "outer", "main", "_start"} <= known.keys()
    for name, (start, size) in known.items():
        for address in (start, start + size // 2, start + size - 1):
            symbol = elf_of(program).functions({address})[address]
            assert symbol == (name, start)


def test_between_functions_there_is_none(program: Path) -> None:
    low = min(start for start, _ in symbols(program).values())
    assert elf_of(program).functions({0, low - 1, 2**63, 2**64 - 1}) == {}


def test_the_symbols_that_a_stripped_file_exports(program: Path, tmp_path: Path) -> None:
    stripped = tmp_path / "stripped"
    subprocess.run(["strip", "-o", stripped, program], check=True)
    start, _ = symbols(program)["outer"]
    assert elf_of(stripped).functions({start}) == {}
    exporting = tmp_path / "exporting.so"
    words = ["cc", "-O1", "-shared", "-fPIC", "-s", "-x", "c", "-", "-o", str(exporting)]
    subprocess.run(words, input=SOURCE, text=True, check=True)
    out = subprocess.check_output(["nm", "-D", exporting], text=True)
    exported = re.search(r"^(\w+) T outer$", out, re.M)
    assert exported
    address = int(exported[1], 16)
    assert elf_of(exporting).functions({address + 1}) == {address + 1: ("outer", address)}


def test_compressed_symbols(program: Path, tmp_path: Path) -> None:
    """As Fedora adds them to what it strips."""
    lzma = pytest.importorskip("lzma")
    data, stripped = tmp_path / "data", tmp_path / "stripped"
    data.write_bytes(lzma.compress(program.read_bytes()))
    subprocess.run(["strip", "-o", stripped, program], check=True)
    add = ["objcopy", "--add-section", f".gnu_debugdata={data}", str(stripped)]
    subprocess.run(add, check=True)
    start, _ = symbols(program)["inner"]
    assert elf_of(stripped).functions({start}) == {start: ("inner", start)}


def test_the_build_id_is_that_of_readelf(program: Path) -> None:
    out = subprocess.check_output(["readelf", "-n", program], text=True)
    said = re.search(r"Build ID: (\w+)", out)
    build_id = elf_of(program).build_id()
    assert build_id
    assert said
    assert build_id.hex() == said[1]


def test_each_instruction_of_a_function_has_a_way_to_its_caller(program: Path) -> None:
    elf = elf_of(program)
    start, size = symbols(program)["outer"]
    rows = [row_at(elf, address) for address in range(start, start + size)]
    assert all(row and RETURN_ADDRESS in row.rules for row in rows)
    assert len({row.cfa for row in rows if row}) > 1
    start, _ = symbols(program)["_start"]
    row = row_at(elf, start)
    assert row
    assert row.rules[RETURN_ADDRESS].kind == "undefined"
    assert row_at(elf, 2**63) is None


def without_library(to: Path, *flags: str) -> Path:
    """Build a static program at a fixed address; the linker makes an index only if asked to."""
    words = ["cc", "-O1", "-static", "-no-pie", "-nostdlib", "-Wl,-e,main", *flags, "-x", "c", "-"]
    subprocess.run([*words, "-o", str(to)], input=SOURCE, text=True, check=True)
    return to


def test_frames_are_found_without_an_index(tmp_path: Path) -> None:
    """They are those that an index leads to."""
    plain = without_library(tmp_path / "plain")
    indexed = without_library(tmp_path / "indexed", "-Wl,--eh-frame-hdr")
    for path, expected in ((plain, False), (indexed, True)):
        headers = subprocess.check_output(["readelf", "-lW", path], text=True)
        assert ("GNU_EH_FRAME" in headers) is expected
    lengths = {size for _, size in symbols(plain).values()}
    assert len(lengths) == len(symbols(plain)) == 3
    shift = symbols(indexed)["main"][0] - symbols(plain)["main"][0]
    for name, (start, size) in symbols(plain).items():
        for address in range(start, start + size):
            row = row_at(elf_of(plain), address)
            assert row, name
            assert row == row_at(elf_of(indexed), address + shift)
    low = min(start for start, _ in symbols(plain).values())
    for address in (0, low - 1, 2**63):
        assert row_at(elf_of(plain), address) is None


def try_all(contents: bytes, addresses: set[int]) -> None:
    """Ask a file for everything; it may refuse."""
    try:
        elf = Elf(MemoryBytes(contents))
        elf.build_id()
        elf.functions(addresses)
    except BadFile:
        return
    for address in addresses:
        try:
            row_at(elf, address)
        except BadFile:
            pass


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("has_index", [True, False])
def test_fuzz_a_file_that_was_changed(
    program: Path, seed: int, has_index: bool, tmp_path: Path
) -> None:
    """No other exception than BadFile, and an end."""
    if not has_index:
        program = without_library(tmp_path / "program")
    random, whole = Random(seed), program.read_bytes()
    addresses = {start + 1 for start, _ in symbols(program).values()} | {0, 2**64 - 1}
    for _ in range(40):
        contents = bytearray(whole)
        for _ in range(random.choice((1, 4, 64, 1024))):
            near = random.choice((64, 1024, len(contents)))  # headers matter most
            at = random.randrange(near)
            contents[at] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
        del contents[random.choice((len(contents), random.randrange(len(contents)))) :]
        try_all(bytes(contents), addresses)


def test_what_is_no_regular_file_is_not_read(tmp_path: Path) -> None:
    """Opening a FIFO would wait for a writer."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    region = Region(0, 4096, 0, 1, 1, 0, 0, REGION_HAS_FILE, str(fifo))
    roots = Roots(os.getpid(), os.getppid())
    assert OpenFiles().module(region, b"1" * 20, roots, 2**62) is None


def whole(file: Path) -> Region:
    """Return a region that has mapped a file."""
    status = os.stat(file)
    major, minor = os.major(status.st_dev), os.minor(status.st_dev)
    of_file = (0, status.st_ino, status.st_size, major << 20 | minor, 0)
    return Region(0, 4096, *of_file, REGION_HAS_FILE, str(file))


def opened(file: Path) -> int:
    """Return how many descriptors this process has for a file."""
    links = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
    return sum([link.startswith(str(file)) for link in links])


def test_a_file_stays_open_until_it_is_let_go(program: Path, tmp_path: Path) -> None:
    """The next crash in it has it at once; then nothing keeps its disk from being unmounted."""
    copy = tmp_path / "copy"
    copy.write_bytes(program.read_bytes())
    region, roots, resolver = whole(copy), Roots(os.getpid(), os.getppid()), Resolver()
    module = resolver.files.module(region, None, roots, 2**62)
    assert module
    assert opened(copy) == 1
    assert resolver.files.module(region, None, roots, 2**62) is module
    resolver.let_go()
    assert not resolver.files
    assert opened(copy) == 0


def test_an_open_file_that_changes_is_looked_at_again(program: Path, tmp_path: Path) -> None:
    """What it says now may not be what the process ran; its build ID may say that it is."""
    copy = tmp_path / "copy"
    copy.write_bytes(program.read_bytes())
    region, roots, files = whole(copy), Roots(os.getpid(), os.getppid()), OpenFiles()
    build_id = elf_of(copy).build_id()
    assert files.module(region, None, roots, 2**62)
    before = files.module(region, build_id, roots, 2**62)
    with copy.open("ab") as file:
        file.write(b"more")
    assert files.module(region, None, roots, 2**62) is None
    after = files.module(region, build_id, roots, 2**62)
    assert before
    assert after
    assert before.key != after.key
    files.close()
    assert opened(copy) == 0


def crashed(thread: int) -> Site:
    """Return a site of which only the thread is known."""
    nothing: tuple[Any, ...] = (11, 1, 0, 0, (0, 0), 0, (), (), (), {}, 0, b"")
    return Site(Thread(thread, "name"), *nothing)


def test_each_of_many_crashes_gets_its_own_answer() -> None:
    """There are more than are looked up at once."""
    crashes = [(crashed(number), os.getpid(), os.getppid()) for number in range(300)]
    found = Resolver().resolved(crashes)
    assert [site.thread.tid for site in found] == list(range(300))
