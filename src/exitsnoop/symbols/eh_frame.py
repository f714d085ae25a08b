"""How to get from a function's frame to that of its caller: .eh_frame.

The format is that of the Linux Standard Base (.eh_frame, .eh_frame_hdr) and of DWARF 4, section
6.4. A file that makes no sense raises BadFile.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from struct import Struct, error
from typing import NamedTuple

from exitsnoop.symbols.elf import EH_FRAME_HDR, BadFile, Elf

RETURN_ADDRESS, STACK_POINTER = 16, 7  # the numbers of DWARF for x86-64
LINK_REGISTER = 30  # its number for arm64
_MOST_ENTRY = 1 << 16  # bytes of a CIE or FDE
_MOST_STEPS = 10_000
_MOST_SAVED = 64  # states that remember_state keeps
_MOST_EXPRESSION = 64  # bytes; compilers need some 10
_MOST_WITHOUT_INDEX = 2 << 20  # bytes of entries; a static C program has some 60,000
_ENTRY_HEAD = Struct("<II")
_HDR = Struct("<BBBB")
_TABLE_ENTRY = Struct("<ii")
_ABSOLUTE, _RELATIVE_TO_DATA = 0x00, 0x30
_PC_RELATIVE = 0x10
_SIZES = {0x02: (2, False), 0x03: (4, False), 0x04: (8, False), 0x00: (8, False)} | {
    0x0A: (2, True),
    0x0B: (4, True),
    0x0C: (8, True),
}
_OMIT = 0xFF
_64_BITS = (1 << 64) - 1


class Reader:
    """Reads numbers from bytes in turn."""

    def __init__(self, raw: bytes, at: int = 0) -> None:
        self.raw = raw
        self.at = at

    def number(self, size: int, *, signed: bool = False) -> int:
        """Return a number of so many bytes."""
        end = self.at + size
        if end > len(self.raw):
            raise BadFile("cut short")
        value = int.from_bytes(self.raw[self.at : end], "little", signed=signed)
        self.at = end
        return value

    def uleb(self) -> int:
        """Return a number in LEB128 without a sign."""
        value = shift = 0
        while shift < 70:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
        raise BadFile("a number is too long")

    def sleb(self) -> int:
        """Return a number in LEB128 with a sign."""
        begun = self.at
        value = self.uleb()
        bits = 7 * (self.at - begun)
        return value - (1 << bits) if value >> bits - 1 else value

    def block(self) -> bytes:
        """Return bytes that come after their number."""
        size = self.uleb()
        if size > len(self.raw) - self.at:
            raise BadFile("cut short")
        self.at += size
        return self.raw[self.at - size : self.at]

    def pointer(self, encoding: int, address: int) -> int:
        """Return an address. address: that of raw[0], as the file has it."""
        base = address + self.at if encoding & 0x70 == _PC_RELATIVE else 0
        if encoding & 0xF0 not in (_ABSOLUTE, _PC_RELATIVE):
            raise BadFile("an address of a kind that is not known")
        if encoding & 0xF == 1:
            return self.uleb() + base
        if encoding & 0xF == 9:
            return self.sleb() + base
        if encoding & 0xF not in _SIZES:
            raise BadFile("an address of a kind that is not known")
        size, signed = _SIZES[encoding & 0xF]
        return self.number(size, signed=signed) + base & _64_BITS


class Rule(NamedTuple):
    """Where the caller's value of a register is.

    kind: "offset": in memory, so far from the CFA. "value": the CFA and so much. "register": in
    that register. "expression": in memory, where the expression says; "value_expression": what
    the expression gives. "same", "undefined": neither changed, nor known.
    """

    kind: str
    number: int = 0
    expression: bytes = b""


class Row(NamedTuple):
    """How to leave a frame at one instruction: the CFA, and the rule of each register.

    cfa: (register, offset), or an expression. signal: the frame is that of a signal, so that the
    caller's address is that of an instruction, not of the one after a call.
    """

    cfa: "tuple[int, int] | bytes"
    rules: dict[int, Rule]
    signal: bool

    @property
    def is_first(self) -> bool:
        """Whether no other function called this one: the thread began here."""
        rule = self.rules.get(RETURN_ADDRESS)
        return rule is not None and rule.kind == "undefined"


class _Cie(NamedTuple):
    code: int
    data: int
    encoding: int
    augmented: bool
    signal: bool
    initial: bytes
    return_address: int


def row_at(elf: Elf, address: int) -> Row | None:
    """Return how to leave the frame of the instruction at an address, as the file has it.

    None if the file has no frame for it.
    """
    try:
        at = _fde_near(elf, address)
        return None if at is None else _row(elf, at, address)
    except (error, IndexError, OverflowError) as problem:
        raise BadFile(str(problem)) from None


def _fde_near(elf: Elf, address: int) -> int | None:
    """Return the address of the last FDE that begins at or below an address."""
    index = next((one for one in elf.segments if one.kind == EH_FRAME_HDR), None)
    if index is None:
        starts, entries = _without_index(elf)
        nth = bisect_right(starts, address)
        return int(entries[nth - 1]) if nth else None
    raw = elf.read_at(index.address, 64)
    version, frame_encoding, count_encoding, encoding = _HDR.unpack_from(raw)
    if version != 1 or encoding != _RELATIVE_TO_DATA | 0xB or count_encoding == _OMIT:
        return None
    reader = Reader(raw, _HDR.size)
    reader.pointer(frame_encoding, index.address)
    low, high = 0, reader.pointer(count_encoding, index.address)
    table = index.address + reader.at
    if high * _TABLE_ENTRY.size > index.size:
        raise BadFile("an index that is longer than its segment")
    found = None
    while low < high:
        middle = (low + high) // 2
        entry = elf.read_at(table + middle * _TABLE_ENTRY.size, _TABLE_ENTRY.size)
        begins, frame = _TABLE_ENTRY.unpack(entry)
        if index.address + begins <= address:
            low, found = middle + 1, index.address + frame
        else:
            high = middle
    return found


@lru_cache(maxsize=1)
def _without_index(elf: Elf) -> tuple["array[int]", "array[int]"]:
    """Return where functions begin, in order, and the addresses of their FDEs.

    The GNU linker makes no index for a program that is static and not position-independent.
    """
    section = elf.unwinding_entries()
    if section is None or section.size > _MOST_WITHOUT_INDEX:
        return array("Q"), array("Q")
    raw = elf.read_at(section.address, section.size)
    encodings: dict[int, int] = {}
    found: list[tuple[int, int]] = []
    at = 0
    while at + _ENTRY_HEAD.size <= len(raw):
        length, back = _ENTRY_HEAD.unpack_from(raw, at)
        if length and back:
            cie = section.address + at + 4 - back
            if cie not in encodings:
                encodings[cie] = _cie(elf, cie).encoding
            begins = Reader(raw, at + _ENTRY_HEAD.size).pointer(encodings[cie], section.address)
            found.append((begins, section.address + at))
        at += 4 + length
    found.sort()
    return array("Q", [begins for begins, _ in found]), array("Q", [entry for _, entry in found])


def _entry(elf: Elf, address: int) -> tuple[Reader, int]:
    """Return the contents of a CIE or FDE after its length, and the address of its first byte."""
    length = int.from_bytes(elf.read_at(address, 4), "little")
    if not 4 <= length <= _MOST_ENTRY:
        raise BadFile("an entry without an end")
    raw = elf.read_at(address + 4, length)
    if len(raw) != length:
        raise BadFile("cut short")
    return Reader(raw), address + 4


def _row(elf: Elf, at: int, address: int) -> Row | None:
    reader, base = _entry(elf, at)
    cie = _cie(elf, base - reader.number(4))
    begins = reader.pointer(cie.encoding, base)
    size = reader.pointer(cie.encoding & 0xF, base)
    if not begins <= address < begins + size:
        return None
    if cie.augmented:
        reader.block()
    machine = _Machine(cie)
    machine.run(Reader(cie.initial), 0, _64_BITS)
    machine.initial = dict(machine.rules)
    machine.run(Reader(reader.raw, reader.at), begins, address)
    return Row(machine.cfa, machine.rules, cie.signal)


def _cie(elf: Elf, at: int) -> _Cie:
    reader, base = _entry(elf, at)
    if reader.number(4) != 0 or reader.number(1) not in (1, 3):
        raise BadFile("no CIE where there should be one")
    end = reader.raw.index(b"\0", reader.at) if b"\0" in reader.raw[reader.at :] else -1
    if end < 0:
        raise BadFile("cut short")
    augmentation = reader.raw[reader.at : end]
    reader.at = end + 1
    code, data = reader.uleb(), reader.sleb()
    return_address = reader.uleb()
    encoding, augmented = _ABSOLUTE, augmentation.startswith(b"z")
    if augmentation and not augmented:
        raise BadFile("an augmentation that is not known")
    rest = Reader(reader.block() if augmented else b"")
    for letter in augmentation[1:]:
        if letter == ord("R"):
            encoding = rest.number(1)
        elif letter == ord("P"):
            rest.pointer(rest.number(1) & 0xF, base)
        elif letter == ord("L"):
            rest.number(1)
        elif letter not in b"SB":
            raise BadFile("an augmentation that is not known")
    signal, initial = b"S" in augmentation, reader.raw[reader.at :]
    return _Cie(code, data, encoding, augmented, signal, initial, return_address)


class _Machine:
    """Runs the instructions of a CIE and an FDE."""

    def __init__(self, cie: _Cie) -> None:
        self.cie = cie
        self.cfa: tuple[int, int] | bytes = (STACK_POINTER, 8)
        self.rules: dict[int, Rule] = {}
        self.initial: dict[int, Rule] = {}
        self._saved: list[tuple[tuple[int, int] | bytes, dict[int, Rule]]] = []

    def run(self, reader: Reader, location: int, until: int) -> None:
        """Run the instructions for what is at or below `until`."""
        for _ in range(_MOST_STEPS):
            if reader.at >= len(reader.raw):
                return
            code = reader.number(1)
            if code >> 6 == 1 or code in _ADVANCES:
                step = reader.number(_ADVANCES[code]) if code in _ADVANCES else code & 0x3F
                location += step * self.cie.code
                if location > until:
                    return
            else:
                self._do(code, reader)
        raise BadFile("instructions without an end")

    def _do(self, code: int, reader: Reader) -> None:
        data = self.cie.data
        if code >> 6 == 2:
            self._rule(code & 0x3F, Rule("offset", reader.uleb() * data))
        elif code >> 6 == 3:
            self._restore(code & 0x3F)
        elif code in (0x0C, 0x12):  # def_cfa, def_cfa_sf
            register = reader.uleb()
            self.cfa = (register, reader.uleb() if code == 0x0C else reader.sleb() * data)
        elif code == 0x0D:  # def_cfa_register
            self.cfa = (reader.uleb(), self._offset())
        elif code in (0x0E, 0x13):  # def_cfa_offset, def_cfa_offset_sf
            offset = reader.uleb() if code == 0x0E else reader.sleb() * data
            self.cfa = (self._register(), offset)
        elif code == 0x0F:
            self.cfa = _expression(reader)
        elif code in _RULES:
            register = reader.uleb()
            self._rule(register, _RULES[code](reader, data))
        elif code == 0x06:
            self._restore(reader.uleb())
        elif code == 0x0A and len(self._saved) < _MOST_SAVED:
            self._saved.append((self.cfa, dict(self.rules)))
        elif code == 0x0B and self._saved:
            self.cfa, self.rules = self._saved.pop()
        elif code == 0x2E:  # GNU_args_size
            reader.uleb()
        elif code not in _WITHOUT_EFFECT:
            raise BadFile("an instruction that is not known")

    def _rule(self, register: int, rule: Rule) -> None:
        """Take a rule, unless it is for a vector register: no frame is found by those."""
        if register <= self.cie.return_address:
            self.rules[register] = rule

    def _restore(self, register: int) -> None:
        if register in self.initial:
            self.rules[register] = self.initial[register]
        else:
            self.rules.pop(register, None)

    def _register(self) -> int:
        return STACK_POINTER if isinstance(self.cfa, bytes) else self.cfa[0]

    def _offset(self) -> int:
        return 0 if isinstance(self.cfa, bytes) else self.cfa[1]


def _expression(reader: Reader) -> bytes:
    found = reader.block()
    if len(found) > _MOST_EXPRESSION:
        raise BadFile("a long expression")
    return found


_WITHOUT_EFFECT = {0x00, 0x2D}  # nop, AARCH64_negate_ra_state: about the signature of an address
_ADVANCES = {0x02: 1, 0x03: 2, 0x04: 4}
_RULES: dict[int, Callable[[Reader, int], Rule]] = {
    0x05: lambda reader, data: Rule("offset", reader.uleb() * data),
    0x07: lambda _reader, _data: Rule("undefined"),
    0x08: lambda _reader, _data: Rule("same"),
    0x09: lambda reader, _data: Rule("register", reader.uleb()),
    0x10: lambda reader, _data: Rule("expression", 0, _expression(reader)),
    0x11: lambda reader, data: Rule("offset", reader.sleb() * data),
    0x14: lambda reader, data: Rule("value", reader.uleb() * data),
    0x15: lambda reader, data: Rule("value", reader.sleb() * data),
    0x16: lambda reader, _data: Rule("value_expression", 0, _expression(reader)),
}
