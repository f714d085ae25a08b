"""What an ELF file has to say of its code: build ID, segments, symbols.

Whoever owned the process may have written the file, so nothing in it is trusted: what is read is
bounded, and what makes no sense raises BadFile. It is read, not mapped: it may be cut short
meanwhile.
"""

import os
from array import array
from struct import Struct
from typing import NamedTuple, Protocol

_HEADER = Struct("<16xHHIQQQIHHHHHH")
_IDENT = b"\x7fELF\x02\x01\x01"  # 64 bits, little-endian
_PROGRAM_HEADER = Struct("<IIQQQQQQ")
_SECTION_HEADER = Struct("<IIQQQQIIQQ")
_NOTE = Struct("<III")
_LOAD, _NOTES, EH_FRAME_HDR = 1, 4, 0x6474E550
_PROGBITS, _SYMTAB, _DYNSYM, _UNWIND = 1, 2, 11, 0x70000001
_BUILD_ID = 3
_FUNCTIONS = {2, 10}  # STT_FUNC, STT_GNU_IFUNC
_SYMBOL_BYTES = 24
_MOST_SEGMENTS = 256
_MOST_SECTIONS = 4096
_MOST_NOTES = 64 << 10
_MOST_BUILD_ID = 64  # linkers make 20 bytes at most
_MOST_SYMBOLS = 96 << 20  # bytes of a table of symbols
_MOST_NAME = 1024
_MOST_DEBUG_DATA = 64 << 20
_NEAR = 16  # symbols are looked for in blocks of 64 KiB


class BadFile(Exception):
    """The file is no ELF file of the kind that is understood, or it contradicts itself."""


class Bytes(Protocol):
    """What an ELF file is read from."""

    def read(self, offset: int, size: int) -> bytes:
        """Return so many bytes; raises BadFile if there are fewer."""


class FileBytes:
    """The bytes of a file that is open."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self, offset: int, size: int) -> bytes:
        """Return so many bytes; raises BadFile if there are fewer."""
        try:
            found = os.pread(self._fd, size, offset)
        except (OSError, OverflowError, ValueError) as problem:
            raise BadFile(str(problem)) from None
        if len(found) != size:
            raise BadFile("cut short")
        return found


class MemoryBytes:
    """The same of a file in memory."""

    def __init__(self, contents: bytes) -> None:
        self._contents = contents

    def read(self, offset: int, size: int) -> bytes:
        """Return so many bytes; raises BadFile if there are fewer."""
        if not 0 <= offset <= offset + size <= len(self._contents):
            raise BadFile("cut short")
        return self._contents[offset : offset + size]


class Segment(NamedTuple):
    """A part of the file that is loaded."""

    kind: int
    offset: int
    address: int
    size: int


class Section(NamedTuple):
    """A section of the file."""

    name: int
    kind: int
    address: int
    offset: int
    size: int
    link: int


class Symbol(NamedTuple):
    """A function: its name, and the address that it begins at, as the file has it."""

    name: str
    address: int


class Elf:
    """An ELF file of 64 bits.

    Raises BadFile, as its methods do.

    Attributes:
        segments: those that are loaded, and the one with the index of frames.
    """

    def __init__(self, contents: Bytes) -> None:
        self._bytes = contents
        header = contents.read(0, _HEADER.size)
        if not header.startswith(_IDENT):
            raise BadFile("not an ELF file of 64 bits")
        fields = _HEADER.unpack(header)
        _, _, _, _, segments_at, self._sections_at, _, _, size, count, section_size, *rest = fields
        self._section_count, self._names_index = rest
        if size != _PROGRAM_HEADER.size or count > _MOST_SEGMENTS:
            raise BadFile("program headers of another size")
        if section_size != _SECTION_HEADER.size or self._section_count > _MOST_SECTIONS:
            self._section_count = 0  # it may have been stripped of them
        self._notes: list[Segment] = []
        self.segments: list[Segment] = []
        for kind, _, offset, address, _, in_file, _, _ in _PROGRAM_HEADER.iter_unpack(
            contents.read(segments_at, count * size)
        ):
            to = self._notes if kind == _NOTES else self.segments
            if kind in (_LOAD, _NOTES, EH_FRAME_HDR):
                to.append(Segment(kind, offset, address, in_file))

    def address_of(self, offset: int) -> int | None:
        """Return the address, as the file has it, of what is at an offset."""
        for segment in self.segments:
            if segment.kind == _LOAD and 0 <= offset - segment.offset < segment.size:
                return offset - segment.offset + segment.address
        return None

    def read_at(self, address: int, size: int) -> bytes:
        """Return what is loaded at an address, as much of it as there is, at most `size`."""
        for segment in self.segments:
            at = address - segment.address
            if segment.kind == _LOAD and 0 <= at < segment.size:
                return self._bytes.read(segment.offset + at, min(size, segment.size - at))
        raise BadFile("nothing is loaded there")

    def build_id(self) -> bytes | None:
        """Return the build ID; None if there is none."""
        for notes in self._notes:
            if notes.size > _MOST_NOTES:
                continue
            raw, at = self._bytes.read(notes.offset, notes.size), 0
            while at + _NOTE.size <= len(raw):
                name_size, size, kind = _NOTE.unpack_from(raw, at)
                name_at = at + _NOTE.size
                at = name_at + (name_size + 3 & ~3)
                if kind == _BUILD_ID and raw[name_at : name_at + name_size] == b"GNU\0":
                    return raw[at : at + size] or None if size <= _MOST_BUILD_ID else None
                at += size + 3 & ~3
        return None

    def functions(self, addresses: set[int], *, in_debug_data: bool = True) -> dict[int, Symbol]:
        """Return the function that each address is in, of those that are known."""
        found: dict[int, Symbol] = {}
        sections = self._sections()
        for section in sections:
            if section.kind in (_SYMTAB, _DYNSYM) and section.link < len(sections):
                left = addresses - found.keys()
                found |= self._in_table(section, sections, left)
        left = addresses - found.keys()
        if left and in_debug_data and (more := self._debug_data(sections)):
            found |= more.functions(left, in_debug_data=False)  # there may be such data in it, too
        return found

    def unwinding_entries(self) -> Section | None:
        """Return the section of the entries for unwinding; None if there is none."""
        section = self._named(b".eh_frame\0", self._sections())
        return section if section and section.kind in (_PROGBITS, _UNWIND) else None

    def _named(self, name: bytes, sections: list[Section]) -> Section | None:
        """Return the section with a name, which ends with a zero byte."""
        if self._names_index >= len(sections):
            return None
        names = sections[self._names_index]
        for section in sections:
            fits = section.name + len(name) <= names.size
            if fits and self._bytes.read(names.offset + section.name, len(name)) == name:
                return section
        return None

    def _sections(self) -> list[Section]:
        try:
            raw = self._bytes.read(self._sections_at, self._section_count * _SECTION_HEADER.size)
        except BadFile:
            return []
        return [
            Section(name, kind, address, offset, size, link)
            for name, kind, _, address, offset, size, link, _, _, _ in _SECTION_HEADER.iter_unpack(
                raw
            )
        ]

    def _in_table(
        self, table: Section, sections: list[Section], wanted: set[int]
    ) -> dict[int, Symbol]:
        names = sections[table.link]
        if not wanted or table.size > _MOST_SYMBOLS:
            return {}
        raw = self._bytes.read(table.offset, table.size // _SYMBOL_BYTES * _SYMBOL_BYTES)
        words = array("Q")
        words.frombytes(raw)
        starts, sizes = words[1::3], words[2::3]
        found = {}
        for address, nth in _nearest(words[0::3], starts, sizes, wanted).items():
            name_at = int(words[3 * nth]) & 0xFFFFFFFF
            of = int(words[3 * nth]) >> 48
            ends = of < len(sections) and address - sections[of].address >= sections[of].size
            if name_at < names.size and not (ends and not sizes[nth]):
                size = min(_MOST_NAME, names.size - name_at)
                name = self._bytes.read(names.offset + name_at, size).partition(b"\0")[0]
                found[address] = Symbol(name.decode("utf-8", "replace"), starts[nth])
        return {address: symbol for address, symbol in found.items() if symbol.name}

    def _debug_data(self, sections: list[Section]) -> "Elf | None":
        """Return the symbols that Fedora adds to a stripped file: an ELF file, compressed."""
        section = self._named(b".gnu_debugdata\0", sections)
        if section is None or section.size > _MOST_DEBUG_DATA:
            return None
        return _decompressed(self._bytes.read(section.offset, section.size))


def _decompressed(raw: bytes) -> Elf | None:
    try:
        from lzma import FORMAT_XZ, LZMADecompressor, LZMAError
    except ImportError:  # Python may have been built without
        return None
    try:
        contents = LZMADecompressor(FORMAT_XZ, memlimit=256 << 20).decompress(raw, _MOST_DEBUG_DATA)
    except LZMAError:
        return None
    return Elf(MemoryBytes(contents))


def _nearest(
    infos: "array[int]", starts: "array[int]", sizes: "array[int]", wanted: set[int]
) -> dict[int, int]:
    """Return which function each address is in, by its number in the table."""
    found = {}
    near = {block - less for block in {one >> _NEAR for one in wanted} for less in (0, 1)}
    some = [nth for nth, start in enumerate(starts) if start >> _NEAR in near]
    for address in wanted:
        best = _best(infos, starts, sizes, some, address)
        if best is None:  # a function that is longer than that
            ends = zip(starts, sizes, strict=True)
            far = [n for n, (start, size) in enumerate(ends) if start <= address < start + size]
            best = _best(infos, starts, sizes, far, address)
        if best is not None:
            found[address] = best
    return found


def _best(
    infos: "array[int]", starts: "array[int]", sizes: "array[int]", some: list[int], address: int
) -> int | None:
    """Return which of some functions an address is in.

    One without a size, as in assembler, ends where the next one begins. Of several names for one
    function, the first global one is taken.
    """
    below = [
        nth
        for nth in some
        if starts[nth] <= address and infos[nth] >> 32 & 0xF in _FUNCTIONS and infos[nth] >> 48
    ]
    if not below:
        return None
    start = max(starts[nth] for nth in below)
    holding = [nth for nth in below if address < starts[nth] + sizes[nth]]
    if not holding:
        holding = [nth for nth in below if starts[nth] == start and not sizes[nth]]
    if not holding:
        return None
    innermost = max(starts[nth] for nth in holding)
    same = [nth for nth in holding if starts[nth] == innermost]
    return min(same, key=lambda nth: (infos[nth] >> 36 & 0xF != 1, nth))
