"""Notes that the extension takes leave what Python makes of them, whatever is in them."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.blocks import note

from exitsnoop import layout
from exitsnoop.decode.images import Images
from exitsnoop.decode.notes import kind_bytes, path, refuse, take
from exitsnoop.kernel import extension, notes_taker
from exitsnoop.model.context import Image

PROCESSES = st.sampled_from([(1, 1), (2, 2), (2, 3), ((1 << 32) - 1, (1 << 64) - 1)])
EXECS = st.sampled_from([0, 1, (1 << 64) - 1])


@st.composite
def forks(draw: st.DrawFn) -> bytes:
    (pid, started), (parent, parent_started) = draw(PROCESSES), draw(PROCESSES)
    return note(
        layout.FORKED,
        pid=pid,
        parent_pid=parent,
        start_boot_ns=started,
        parent_start_boot_ns=parent_started,
        exec_id=draw(EXECS),
    )


@st.composite
def execs(draw: st.DrawFn) -> bytes:
    exe = draw(st.sampled_from([b"", b"true\0bin\0\0", b"/\0old\0\0", b"\xff\0" * 300, b"cut"]))
    args = draw(st.sampled_from([b"", b"true\0", b"a\0b\xff", b"x" * 500, b"y" * 2000]))
    pid, started = draw(PROCESSES)
    head = note(
        layout.EXEC_IMAGE,
        pid=pid,
        start_boot_ns=started,
        peak_pages=draw(st.sampled_from([0, (1 << 64) - 1])),
        all_args_bytes=draw(st.sampled_from([0, 5, 1 << 40])),
        flags=draw(st.sampled_from([0, layout.IMAGE_ARGS_UNREAD])),
        exec_id=draw(EXECS),
        exe_bytes=len(exe),
        args_bytes=len(args),
    )
    return head + exe + args


OTHERS = [
    note(layout.EXIT_CONTEXT),
    note(layout.GONE, pid=1, start_boot_ns=1),
    note(layout.LEFT, pid=1),
]
REFUSED = [
    [],
    [bytes(8) + kind_bytes(77) + bytes(40)],
    [b""],
    [b"short"],
    [note(layout.FORKED)[:-1]],
    [note(layout.EXEC_IMAGE)[:-1]],
    [note(layout.EXEC_IMAGE, exe_bytes=(1 << 32) - 1, args_bytes=1)],
    [note(layout.EXEC_IMAGE, args_bytes=1) + b"ab"],
]
NOTES = st.builds(
    list.__add__,
    st.lists(st.one_of(forks(), forks(), execs(), st.sampled_from(OTHERS)), max_size=20),
    st.sampled_from(REFUSED),
)


def state(taker: Any, notes: list[bytes], *, per_thread: bool) -> Any:
    """Return all that is kept after some notes, and whether they were refused."""
    images = Images(per_thread=per_thread)
    takes = {
        kind_bytes(layout.EXEC_IMAGE): images.exec,
        kind_bytes(layout.FORKED): images.fork,
        kind_bytes(layout.GONE): images.gone,
        kind_bytes(layout.LEFT): images.left,
    }
    contexts: list[bytes] = []
    refused = False
    try:
        taker(notes, takes, refuse, contexts, images.quick)
    except struct.error:
        refused = True
    numbers: dict[int, int] = {}  # which of them have the same image
    known = {
        process: (
            image and numbers.setdefault(id(image), len(numbers)),
            image and (image.exe, image.raw_args, image.args_truncated),
            *others,
        )
        for process, (image, *others) in images._running.items()
    }
    return known, list(known), contexts, refused


@given(NOTES, st.booleans())
def test_as_in_python(notes: list[bytes], per_thread: bool) -> None:
    quick = notes_taker()
    assert quick
    assert state(quick, notes, per_thread=per_thread) == state(take, notes, per_thread=per_thread)


def test_execs_and_forks_are_not_given_to_anybody() -> None:
    """Else the extension would save no time."""
    images = Images()
    notes = [
        note(layout.EXEC_IMAGE, pid=1, start_boot_ns=1, exec_id=1),
        note(
            layout.FORKED, pid=2, start_boot_ns=2, parent_pid=1, parent_start_boot_ns=1, exec_id=1
        ),
    ]
    extension().take_notes(notes, {}, refuse, [], images.quick)
    assert images.get(1, 1)
    assert images.get(2, 2)


def test_what_it_calls_may_raise_anything() -> None:
    def fail(_: object, *_more: object) -> None:
        raise KeyError

    given_on = note(layout.LEFT)
    ran = note(layout.EXEC_IMAGE, pid=1, start_boot_ns=1)
    take_notes = extension().take_notes
    for takes, images in (
        ({kind_bytes(layout.LEFT): fail}, ({}, Image, path, 99)),
        ({}, ({}, fail, path, 99)),
        ({}, ({}, Image, fail, 99)),
    ):
        with pytest.raises(KeyError):
            take_notes([ran, given_on], takes, fail, [], images)
    for wrong in ([None], ["text"]):
        with pytest.raises(TypeError):
            take_notes(wrong, {}, fail, [], (None, fail, fail, 0))
    with pytest.raises(TypeError):
        take_notes([], {}, fail, [], (7, fail, fail, 0))
