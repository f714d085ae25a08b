"""A frame that only arm64's link register tells: made-up crashes in real form."""

import pytest

from exitsnoop.decode.sites import Region, Site
from exitsnoop.layout import REGION_EXECUTABLE
from exitsnoop.model.cause import Thread
from exitsnoop.symbols.eh_frame import LINK_REGISTER, Row, Rule
from exitsnoop.symbols.elf import BadFile
from exitsnoop.symbols.unwind import Frame, unwound

CODE = Region(0x1000, 0x9000, 0, 1, 1, 0, 0, REGION_EXECUTABLE, "/program")
DATA = Region(0xA000, 0xB000, 0, 1, 1, 0, 0, 0, "/program")
STACK_POINTER = 31
NO_FRAME = Row((STACK_POINTER, 0), {}, signal=False)
RESTORED = Row((STACK_POINTER, 0), {LINK_REGISTER: Rule("same")}, signal=False)
FRAME = Row((STACK_POINTER, 32), {LINK_REGISTER: Rule("offset", -24)}, signal=False)
LEAF, CALLER, OUTER, NOWHERE = 0x1010, 0x2020, 0x3030, 0x20000


def crashed(link: int, *frames: int) -> Site:
    nothing = (0, (0, 0), 0)
    return Site(
        Thread(1, "name"), 11, 1, 0, *nothing, (CODE, DATA), frames, (), {}, 0, b"", link=link
    )


def stack(site: Site, row: Row | None) -> list[Frame]:
    found, complete = unwound(site, lambda address: row if address == site.frames[0] else None)
    assert not complete
    return found


@pytest.mark.parametrize("row", [NO_FRAME, RESTORED])
def test_who_called_a_function_without_a_frame(row: Row) -> None:
    wanted = [Frame(LEAF, False), Frame(CALLER, True), Frame(OUTER, True)]
    assert stack(crashed(CALLER, LEAF, OUTER), row) == wanted


def test_who_called_an_address_without_code() -> None:
    wanted = [Frame(NOWHERE, False), Frame(CALLER, True), Frame(OUTER, True)]
    assert stack(crashed(CALLER, NOWHERE, OUTER), None) == wanted


@pytest.mark.parametrize(
    ("link", "row"),
    [
        (CALLER, FRAME),  # it has called another since
        (CALLER, None),  # there are no tables
        (OUTER, NO_FRAME),  # the frame pointers have it
        (DATA.start, NO_FRAME),
        (NOWHERE, NO_FRAME),
        (0, NO_FRAME),  # another machine
    ],
)
def test_the_register_adds_nothing(link: int, row: Row | None) -> None:
    assert stack(crashed(link, LEAF, OUTER), row) == [Frame(LEAF, False), Frame(OUTER, True)]


def test_a_file_that_makes_no_sense() -> None:
    def row_at(_address: int) -> Row:
        raise BadFile("cut short")

    found, _ = unwound(crashed(CALLER, LEAF, OUTER), row_at)
    assert found == [Frame(LEAF, False), Frame(OUTER, True)]
