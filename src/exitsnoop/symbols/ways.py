"""The ways through stacks that were taken before: most crashes of a program come by few of them."""

from collections.abc import Callable
from struct import Struct

from exitsnoop.decode.sites import Region, Site
from exitsnoop.model.cause import At
from exitsnoop.symbols.eh_frame import RETURN_ADDRESS, STACK_POINTER, Row
from exitsnoop.symbols.files import Module
from exitsnoop.symbols.unwind import NAMES, Frame

_MOST = 512  # steps of all ways, each of less than a KB
_LONG = 512  # characters of a path
_WORD = Struct("<Q")
_64_BITS = (1 << 64) - 1
_BASES = NAMES.keys() - {RETURN_ADDRESS}

Place = tuple[tuple[object, str | None], int]
"""What identifies a file and its path, and an offset: of an instruction, or of one after a call."""
ModuleOf = Callable[[Region], Module | None]
"""Returns the file of a mapping, if it is the one that the process had."""


def is_long(path: str | None) -> bool:
    """Return whether a path is not worth being remembered: others choose it."""
    return path is not None and len(path) > _LONG


class _Step:
    """How to leave a frame, and where that led to; or that the thread began there.

    Attributes:
        register, offset: the CFA is so far from what the register has.
        returns_to: so far from the CFA is the address to return to.
        saved: registers of the caller, and how far from the CFA each is.
        above: the frames that came next.
        found: the stack, if this is its last frame.
    """

    __slots__ = ("above", "found", "offset", "register", "returns_to", "saved")

    def __init__(self) -> None:
        self.above: dict[Place, _Step] = {}
        self.found: tuple[At, ...] | None = None
        self.register = self.offset = self.returns_to = 0
        self.saved: tuple[tuple[int, int], ...] = ()

    def leave_by(self, row: Row, cfa: tuple[int, int]) -> None:
        """Take a rule that _is_plain()."""
        self.register, self.offset = cfa
        self.returns_to = row.rules[RETURN_ADDRESS].number
        self.saved = tuple(
            [(one, rule.number) for one, rule in row.rules.items() if one != RETURN_ADDRESS]
        )


class Ways:
    """The ways that are remembered, by the files that they lead through."""

    def __init__(self) -> None:
        self._first: dict[Place, _Step] = {}
        self._count = 0

    def again(self, site: Site, module_of: ModuleOf) -> tuple[At, ...] | None:
        """Return the stack of a site whose whole way is known; None if it is not."""
        registers, memory, memory_at = site.registers, site.memory, site.memory_at
        last = len(memory) - _WORD.size
        if not registers or site.instruction != registers["ip"]:
            return None
        address, stack = site.instruction, registers["sp"]
        steps = self._first
        saved: dict[int, int] = {}  # where in `memory` registers of callers are
        called = False
        low = high = bias = 0
        file: tuple[object, str | None] = None, None
        while True:
            if not low < address < high:  # most often, it is where the one before was
                region = _region(site, address, called=called)
                module = region and module_of(region)
                if not region or not module:
                    return None
                low, high, bias = region.start, region.end, region.start - region.offset
                file = module.key, region.path
            step = steps.get((file, address - bias))
            if step is None:
                return None
            if step.found:
                return step.found
            if step.register == STACK_POINTER:
                cfa = stack
            elif (at := saved.get(step.register)) is None:
                cfa = registers[NAMES[step.register]]
            elif 0 <= at <= last:
                (cfa,) = _WORD.unpack_from(memory, at)
            else:
                return None
            cfa = cfa + step.offset & _64_BITS
            base = cfa - memory_at
            at = base + step.returns_to
            if cfa <= stack or not 0 <= at <= last:
                return None
            (address,) = _WORD.unpack_from(memory, at)
            for register, distance in step.saved:
                saved[register] = base + distance
            steps, stack, called = step.above, cfa, True

    def learn(
        self,
        site: Site,
        frames: list[Frame],
        rows: list[Row | None],
        stack: tuple[At, ...],
        module_of: ModuleOf,
    ) -> None:
        """Remember the way of a stack that reaches the start of its thread, if it is a plain one.

        rows: those of the frames, in order.
        """
        if not rows or len(rows) != len(frames) or site.instruction != site.registers.get("ip"):
            return
        *left, last = rows
        found = [_place(site, one.address, module_of, called=one.called) for one in frames]
        places = [place for place in found if place and not is_long(place[0][1])]
        plain = [row for row in left if row and _is_plain(row)]
        if len(places) != len(frames) or len(plain) != len(left) or not (last and last.is_first):
            return
        if self._count > _MOST:
            self._first.clear()
            self._count = 0
        steps = self._first
        step = None
        for place, row in zip(places, [*plain, None], strict=True):
            if place not in steps:
                steps[place] = _Step()
                self._count += 1
            step = steps[place]
            if row and not isinstance(row.cfa, bytes):
                step.leave_by(row, row.cfa)
            steps = step.above
        if step:
            step.found = stack


def _is_plain(row: Row) -> bool:
    return (
        not row.signal
        and not isinstance(row.cfa, bytes)
        and row.cfa[0] in _BASES
        and RETURN_ADDRESS in row.rules
        and STACK_POINTER not in row.rules
        and all(rule.kind == "offset" for rule in row.rules.values())
    )


def _place(site: Site, address: int, module_of: ModuleOf, *, called: bool) -> Place | None:
    """Return where an address is; None if that is not in the code of a file."""
    region = _region(site, address, called=called)
    module = region and module_of(region)
    return ((module.key, region.path), region.in_file(address)) if region and module else None


def _region(site: Site, address: int, *, called: bool) -> Region | None:
    """Return the code that an address is in; called: and the instruction before it."""
    region = site.region(address)
    if region is None or not region.has_code() or (called and address == region.start):
        return None
    return region
