"""From the registers and a copy of the stack to the frames of a thread."""

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

from exitsnoop.decode.sites import Site
from exitsnoop.symbols.eh_frame import (
    LINK_REGISTER,
    RETURN_ADDRESS,
    STACK_POINTER,
    Reader,
    Row,
    Rule,
)
from exitsnoop.symbols.elf import BadFile

MOST_FRAMES = 64
NAMES = {3: "bx", 6: "bp", 7: "sp", 12: "r12", 13: "r13", 14: "r14", 15: "r15", 16: "ip"}
_BP = 6
_64_BITS = (1 << 64) - 1
_WORD = Struct("<Q")
_MOST_STEPS = 1000

RowAt = Callable[[int], Row | None]
"""Returns how to leave the frame of the instruction at an address of the process."""


class Frame(NamedTuple):
    """A frame: where it is, or would go on.

    called: the address is that after a call, so the function may have ended before it.
    """

    address: int
    called: bool


def unwound(site: Site, row_at: RowAt) -> tuple[list[Frame], bool]:
    """Return the frames, the innermost first, and whether they reach the start of the thread.

    row_at: what the files have; it returns None for an address that none has a frame for.
    """
    if not site.registers:
        found, complete = _by_frame_pointers(site)
        return _with_link(found, site, row_at), complete
    frames = _Walk(site, row_at)
    complete = frames.walk()
    found = frames.frames
    if not complete and (more := _beyond(found, site)):
        found += more
    return found[:MOST_FRAMES], complete


def _by_frame_pointers(site: Site) -> tuple[list[Frame], bool]:
    """Return what the kernel found. Code without them leads it astray."""
    found: list[Frame] = []
    for address in site.frames:
        region = site.region(address)
        if found and not (region and region.has_code()):
            break
        found.append(Frame(address, bool(found)))
    return found, False


def _with_link(found: list[Frame], site: Site, row_at: RowAt) -> list[Frame]:
    """Return the frames, and after the first the one that only the link register tells.

    A function that calls no other may have no frame, and a call of an address without code has
    none. Whether a function has one at an instruction is in the file; without that, it may be
    that the register is an older one.
    """
    region = site.region(site.link)
    if not found or not region or not region.has_code() or found[1:2] == [Frame(site.link, True)]:
        return found
    first = site.region(found[0].address)
    if first and first.has_code():
        try:
            row = row_at(found[0].address)
        except BadFile:
            row = None
        if not row or row.rules.get(LINK_REGISTER, _SAME).kind != "same":
            return found
    return [found[0], Frame(site.link, called=True), *found[1:]][:MOST_FRAMES]


def _beyond(found: list[Frame], site: Site) -> list[Frame]:
    """Return what frame pointers lead to above the part of the stack that was copied."""
    by_pointers, _ = _by_frame_pointers(site)
    last = found[-1].address
    at = next((nth for nth, frame in enumerate(by_pointers) if frame.address == last), None)
    return [] if at is None else by_pointers[at + 1 :]


class _Walk:
    def __init__(self, site: Site, row_at: RowAt) -> None:
        self._site = site
        self._row_at = row_at
        self._registers = {n: site.registers[name] for n, name in NAMES.items()}
        self.frames = [Frame(self._registers[RETURN_ADDRESS], called=False)]

    def walk(self) -> bool:
        """Go from frame to frame; return whether the last one is where the thread started."""
        while len(self.frames) < MOST_FRAMES:
            frame = self.frames[-1]
            stack = self._registers.get(STACK_POINTER, 0)
            try:
                row = self._row_of(frame)
                if row and row.is_first:
                    return True
                signal = self._leave(frame, row)
            except (BadFile, KeyError):
                return False
            address = self._registers.get(RETURN_ADDRESS)
            if address is None:
                return False
            if not address:
                return True
            region = self._site.region(address)
            backwards = not signal and self._registers[STACK_POINTER] <= stack
            if not region or not region.has_code() or backwards:
                return False
            self.frames.append(Frame(address, called=not signal))
        return False

    def _row_of(self, frame: Frame) -> Row | None:
        region = self._site.region(frame.address)
        if not region or not region.has_code():
            return None
        return self._row_at(frame.address - 1 if frame.called else frame.address)

    def _leave(self, frame: Frame, row: Row | None) -> bool:
        """Put the caller's registers into place; return whether a signal lies between."""
        if row:
            self._by_row(row)
            return row.signal
        region = self._site.region(frame.address)
        if len(self.frames) == 1 and not (region and region.has_code()):
            # It called an address without code: the address to return to is on top.
            stack = self._registers[STACK_POINTER]
            self._registers |= {RETURN_ADDRESS: self._word(stack), STACK_POINTER: stack + 8}
            return False
        pointer = self._registers[_BP]
        self._registers = {
            RETURN_ADDRESS: self._word(pointer + 8),
            _BP: self._word(pointer),
            STACK_POINTER: pointer + 16,
        }
        return False

    def _by_row(self, row: Row) -> None:
        if isinstance(row.cfa, bytes):
            cfa = self._computed(row.cfa, [])
        else:
            cfa = self._registers[row.cfa[0]] + row.cfa[1] & _64_BITS
        new = {**self._registers, STACK_POINTER: cfa}
        new.pop(RETURN_ADDRESS, None)
        memory = self._site.memory
        base, last = cfa - self._site.memory_at, len(memory) - _WORD.size
        for register, rule in row.rules.items():
            if rule.kind == "offset" and 0 <= base + rule.number <= last:  # most are
                (new[register],) = _WORD.unpack_from(memory, base + rule.number)
                continue
            try:
                value = self._value(rule, cfa)
            except (BadFile, KeyError):
                value = None
            if value is None:
                new.pop(register, None)
            elif rule.kind != "same":
                new[register] = value
        self._registers = new

    def _value(self, rule: Rule, cfa: int) -> int | None:
        if rule.kind == "offset":
            return self._word(cfa + rule.number)
        if rule.kind == "value":
            return cfa + rule.number & _64_BITS
        if rule.kind == "register":
            return self._registers[rule.number]
        if rule.kind == "expression":
            return self._word(self._computed(rule.expression, [cfa]))
        if rule.kind == "value_expression":
            return self._computed(rule.expression, [cfa])
        return 0 if rule.kind == "same" else None

    def _word(self, address: int) -> int:
        """Return a word of the stack; raises KeyError if it was not copied."""
        at = address - self._site.memory_at
        if not 0 <= at <= len(self._site.memory) - 8:
            raise KeyError(address)
        return int.from_bytes(self._site.memory[at : at + 8], "little")

    def _computed(self, expression: bytes, stack: list[int]) -> int:
        """Return what a DWARF expression gives, of those that unwinding tables have."""
        reader = Reader(expression)
        for _ in range(_MOST_STEPS):
            if reader.at >= len(expression):
                break
            code = reader.number(1)
            if 0x70 <= code <= 0x8F:  # breg
                stack.append(self._registers[code - 0x70] + reader.sleb() & _64_BITS)
            elif 0x30 <= code <= 0x4F:  # lit
                stack.append(code - 0x30)
            elif code in _CONSTANTS:
                size, signed = _CONSTANTS[code]
                stack.append(reader.number(size, signed=signed) & _64_BITS)
            elif code == 0x06 and stack:  # deref
                stack.append(self._word(stack.pop()))
            elif code == 0x23 and stack:  # plus_uconst
                stack.append(stack.pop() + reader.uleb() & _64_BITS)
            elif code in _OPERATIONS and len(stack) > 1:
                right, left = stack.pop(), stack.pop()
                stack.append(_OPERATIONS[code](left, right) & _64_BITS)
            else:
                raise BadFile("an operation that is not known")
        if not stack:
            raise BadFile("an expression that gives nothing")
        return stack[-1]


_SAME = Rule("same")
_CONSTANTS = {
    0x08: (1, False),
    0x09: (1, True),
    0x0A: (2, False),
    0x0B: (2, True),
    0x0C: (4, False),
    0x0D: (4, True),
    0x0E: (8, False),
}
_OPERATIONS: dict[int, Callable[[int, int], int]] = {
    0x1A: lambda left, right: left & right,
    0x1C: lambda left, right: left - right,
    0x22: lambda left, right: left + right,
    0x24: lambda left, right: left << min(right, 64),
    0x2A: lambda left, right: left >= right,
}
