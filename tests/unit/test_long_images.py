"""What living processes run: however long its texts are, all of them take little room."""

import tracemalloc

from support.blocks import note

from exitsnoop.decode.images import IMAGE, Images
from exitsnoop.decode.long_images import LONG, MOST_BYTES
from exitsnoop.layout import EXEC_IMAGE, GONE, MAX_ARGS_BYTES
from exitsnoop.model.context import Image

MANY = 4000


def long(pid: int) -> bytes:
    """The longest arguments, other ones for each process."""
    return f"{pid:09}".encode().ljust(MAX_ARGS_BYTES - 1, b"\x01") + b"\0"


def execed(pid: int, raw_args: bytes, exe: bytes = b"") -> bytes:
    head = note(
        EXEC_IMAGE,
        start_boot_ns=pid,
        peak_pages=0,
        all_args_bytes=len(raw_args),
        pid=pid,
        flags=0,
        exe_bytes=len(exe),
        args_bytes=len(raw_args),
        exec_id=0,
    )
    return head + exe + raw_args


def image_of(images: Images, pid: int) -> Image:
    running = images.get(pid, pid)
    assert running
    image = running[IMAGE]
    assert image
    return image


def test_the_oldest_are_cut_and_say_so() -> None:
    images = Images()
    tracemalloc.start()
    try:
        for pid in range(MANY):
            images.exec(execed(pid, long(pid)))
            assert image_of(images, pid).args  # as for a row
        assert tracemalloc.get_traced_memory()[0] < MOST_BYTES + MANY * 2 * LONG
    finally:
        tracemalloc.stop()
    whole = MOST_BYTES // MAX_ARGS_BYTES
    for pid in range(MANY):
        image = image_of(images, pid)
        is_whole = pid >= MANY - whole
        assert image.args_truncated == (not is_whole)
        assert image.raw_args == long(pid)[: None if is_whole else LONG]


def test_the_oldest_paths_are_cut_and_say_so() -> None:
    """A path of bytes that are not UTF-8 takes twice as much room as it has bytes."""
    images = Images()
    tracemalloc.start()
    try:
        for pid in range(MANY):
            names = [b"%09d" % pid, *[b"\xff" * 250] * 15, b"top"]
            images.exec(execed(pid, b"x\0", b"\0".join([*names, b"", b""])))
        assert tracemalloc.get_traced_memory()[0] < MOST_BYTES + MANY * 3 * LONG
    finally:
        tracemalloc.stop()
    oldest, newest = image_of(images, 0).exe, image_of(images, MANY - 1).exe
    assert oldest
    assert newest
    assert newest.startswith("/top/")
    assert oldest == "/..." + newest.replace(f"{MANY - 1:09}", "000000000")[4 - len(oldest) :]
    assert LONG - 256 <= len(oldest) <= LONG + len("/...")


def test_who_has_ended_takes_no_room() -> None:
    images = Images()
    for pid in range(MANY):
        images.exec(execed(pid, long(pid)))
        if pid:
            images.gone(note(GONE, start_boot_ns=pid, pid=pid))
    assert image_of(images, 0).raw_args == long(0)


def test_short_arguments_stay_whole() -> None:
    images = Images()
    for pid in range(2 * MOST_BYTES // LONG):
        images.exec(execed(pid, b"x" * (LONG - 1) + b"\0"))
    assert not image_of(images, 0).args_truncated
