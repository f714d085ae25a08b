"""Site -> Site with a stack of functions. Bounded: in time, and in what it reads.

The files may be on a file system that does not answer. So another thread reads them, and is left
alone if it takes too long.
"""

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from exitsnoop.decode.sites import Region, Site, resolved
from exitsnoop.host.aside import Aside
from exitsnoop.model.cause import At
from exitsnoop.symbols.eh_frame import Row, row_at
from exitsnoop.symbols.elf import BadFile, Symbol
from exitsnoop.symbols.files import Module, OpenFiles, Roots
from exitsnoop.symbols.unwind import Frame, unwound
from exitsnoop.symbols.ways import Ways, is_long

_PATIENCE_S = 1.0
_SHARE = 0.2  # of the time, in the long run
_MOST_SAVED_S = 4.0
_MOST_REMEMBERED = 2048
_MOST_PLACES = 512
_MOST_MODULES = 32  # of one site
_MOST_OPEN = 16  # from one site to the next


_AT_ONCE = 128
"""So many crashes are given to the other thread at once: waiting for it costs more than most."""

Crash = tuple[Site, int, int]
"""Where a process crashed, its PID and that of its parent; it may have ended."""

_aside = Aside(_PATIENCE_S, _MOST_SAVED_S, _SHARE)


class Resolver:
    """Resolves sites of crashes, and remembers what the files have said.

    The files stay open from one site to the next, until let_go().

    Attributes:
        files: those that are open; the other thread's.
        places: the frames that were found: by file and path, offset, and whether it is a caller's.
        ways: the stacks that were unwound.
    """

    def __init__(self) -> None:
        self.files = OpenFiles()
        self._rows: dict[tuple[object, int], Row | None] = {}
        self._symbols: dict[tuple[object, int], Symbol | None] = {}
        self.places: dict[tuple[object, str | None, int, bool], At] = {}
        self.ways = Ways()

    def resolved(self, crashes: Sequence[Crash]) -> list[Site]:
        """Return the sites with their stacks, as much of them as can be had in time."""
        answers: dict[int, Site] = {}
        for at in range(0, len(crashes), _AT_ONCE):
            if not _aside.is_late and _aside.patience_s() >= _PATIENCE_S:
                some = [*enumerate(crashes[at : at + _AT_ONCE], start=at)]
                _aside.do(partial(self._resolve, some, answers), lambda _: None)
        return [
            answers.get(nth) or _Job(self, site, None).resolved()
            for nth, (site, _, _) in enumerate(crashes)
        ]

    def _resolve(self, crashes: Iterable[tuple[int, Crash]], answers: dict[int, Site]) -> None:
        """Add the answers one by one: whoever waits no longer has some of them."""
        for nth, (site, pid, ppid) in crashes:
            with suppress(Exception):  # there is an answer without files
                answers[nth] = _Job(self, site, Roots(pid, ppid)).resolved()

    def let_go(self) -> None:
        """Close the files: whoever wants to unmount what they are on must not wait for a crash."""
        if self.files and not _aside.is_late:
            _aside.do(self.files.close, lambda _: None)

    def row(self, module: Module, offset: int) -> Row | None:
        """Return how to leave a frame at an offset in the file, from memory if possible."""
        key = (module.key, offset)
        if key not in self._rows:
            _bound(self._rows)
            address = module.elf.address_of(offset)
            self._rows[key] = None if address is None else row_at(module.elf, address)
        return self._rows[key]

    def symbols(self, module: Module, addresses: set[int]) -> dict[int, Symbol | None]:
        """Return the functions that addresses are in, from memory if possible."""
        _bound(self._symbols)
        new = {one for one in addresses if (module.key, one) not in self._symbols}
        if new:
            try:
                known = module.elf.functions(new)
            except BadFile:
                known = {}
            self._symbols |= {(module.key, one): known.get(one) for one in new}
        return {one: self._symbols.get((module.key, one)) for one in addresses}


def _bound(kept: dict[Any, Any], most: int = _MOST_REMEMBERED) -> None:
    if len(kept) > most:
        kept.clear()


class _Job:
    """One site. roots: where its files may be; None to read none."""

    def __init__(self, resolver: Resolver, site: Site, roots: Roots | None) -> None:
        self._resolver = resolver
        self._site = site
        self._roots = roots
        self._modules: dict[int, Module | None] = {}  # by the identity of the region
        self._rows: list[Row | None] = []
        self._build_ids = {
            _file(region): build_id
            for address, build_id in zip(site.frames, site.build_ids, strict=False)
            if build_id and (region := site.region(address)) and region.has_file()
        }

    def resolved(self) -> Site:
        if self._roots and len(self._resolver.files) > _MOST_OPEN:
            self._resolver.files.close()
        site = self._site
        ways = self._resolver.ways
        if self._roots and (stack := ways.again(site, self._module)):
            return resolved(site, stack, stack[0], complete=True)
        frames, complete = unwound(site, self._row_at)
        at = Frame(site.instruction, called=False)
        places = self._places({at, *frames})
        if frames and places[frames[0]].module is None:
            region = site.region(frames[0].address)
            if not region or not region.has_code():
                del frames[0]  # a call of an address without code
        stack = tuple([places[frame] for frame in frames])
        if complete:
            ways.learn(site, frames, self._rows, stack, self._module)
        return resolved(site, stack, places[at] if places[at].module else None, complete=complete)

    def _module(self, region: Region | None) -> Module | None:
        if self._roots is None or region is None or not region.has_file():
            return None
        if id(region) not in self._modules and len(self._modules) < _MOST_MODULES:
            since_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - self._site.boot_ns
            self._modules[id(region)] = self._resolver.files.module(
                region, self._build_ids.get(_file(region)), self._roots, time.time_ns() - since_ns
            )
        return self._modules.get(id(region))

    def _row_at(self, address: int) -> Row | None:
        region = self._site.region(address)
        module = self._module(region)
        if module is None or region is None:
            return None
        row = self._resolver.row(module, region.in_file(address))
        self._rows.append(row)
        return row

    def _places(self, frames: set[Frame]) -> dict[Frame, At]:
        """Return the place of each frame, each file being asked once."""
        by_module: dict[Module, dict[Frame, int]] = {}
        places = {}
        known = self._resolver.places
        new = {}
        for frame in frames:
            region = self._site.region(frame.address)
            if region is None or not region.has_file() or not region.has_code():
                places[frame] = At(None)
                continue
            offset = region.in_file(frame.address)
            module = self._module(region)
            if module and not is_long(region.path):
                key = (module.key, region.path, offset, frame.called)
                if place := known.get(key):
                    places[frame] = place
                    continue
                new[frame] = key
            build_id = self._build_ids.get(_file(region))
            own = module.build_id if module else build_id.hex() if build_id else None
            places[frame] = At(region.path, own, offset)
            if module and (address := module.elf.address_of(offset - frame.called)) is not None:
                by_module.setdefault(module, {})[frame] = address
        for module, addresses in by_module.items():
            symbols = self._resolver.symbols(module, set(addresses.values()))
            lost = {frame for frame, one in addresses.items() if frame.called and not symbols[one]}
            # A signal's handler returns to the very start of a function, which called nothing.
            starts = self._resolver.symbols(module, {addresses[frame] + 1 for frame in lost})
            for frame, address in addresses.items():
                if symbol := symbols[address] or (frame in lost and starts[address + 1]):
                    distance = address - symbol.address + frame.called
                    places[frame] = places[frame]._replace(
                        function=symbol.name, function_offset=distance
                    )
        _bound(known, _MOST_PLACES)
        known |= {key: places[frame] for frame, key in new.items()}
        return places


def _file(region: Region) -> tuple[int, int, str | None]:
    return region.device, region.inode, region.path
