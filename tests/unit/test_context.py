"""Records of context, execs and forks -> Context."""

import json
import os
import struct
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any

import pytest
from support.blocks import ANCESTOR_BYTES, note

from exitsnoop.decode import context
from exitsnoop.decode.images import IMAGE, Images, Running
from exitsnoop.decode.notes import path, text
from exitsnoop.layout import (
    CONTEXT_OWN_PEAK,
    CONTEXT_PARTIAL,
    EXEC_IMAGE,
    EXIT_CONTEXT,
    FORKED,
    GONE,
    IMAGE_ARGS_UNREAD,
)
from exitsnoop.model.batch import Exits
from exitsnoop.model.context import Ancestor, Image, split_args
from exitsnoop.model.fields import COLLECTED
from exitsnoop.tracing.join import Clues

PAGE = os.sysconf("SC_PAGESIZE")
ALL = frozenset({"identity", "ancestors", "cgroup", "resources", "args", "exe", "cwd"})
MS = 1_000_000


def record(
    *,
    times: tuple[int, int, int] = (0, 0, 0),
    reported: tuple[int, int] = (0, 0),
    peak: int = 0,
    flags: int = 0,
    names: bytes = b"",
    hostname: bytes = b"",
    ancestors: bytes = b"",
    more: bool = False,
    cwd: bytes = b"",
    exec_id: int = 0,
) -> bytes:
    head = note(
        EXIT_CONTEXT,
        start_boot_ns=7_000,
        tid=70,
        uid=0,
        nspid=3,
        user_ns=times[0],
        system_ns=times[1],
        run_ns=times[2],
        reported_user_ns=reported[0],
        reported_system_ns=reported[1],
        peak_pages=peak,
        read_bytes=11,
        write_bytes=12,
        minor_faults=13,
        major_faults=14,
        voluntary_switches=15,
        involuntary_switches=16,
        exec_id=exec_id,
        flags=flags,
        cgroup_bytes=len(names),
        hostname_bytes=len(hostname),
        ancestors_bytes=len(ancestors),
        ancestors_truncated=more,
        cwd_bytes=len(cwd),
        parent_comm=b"parent",
    )
    return head + names + hostname + ancestors + cwd


def completed(
    raw: bytes, groups: frozenset[str] = ALL, running: Running | None = None
) -> dict[str, Any]:
    """Return the fields that can be collected, the cause apart, of an exit."""
    head = context.head(raw)
    assert context.whose(head) == (70, 7_000)
    context.check([raw])
    columns = context.Contexts(groups).columns([raw], context.own([head]), [running])
    exits = Exits({"tid": [70], **columns})
    return {name: exits.column(name)[0] for name in COLLECTED if name != "cause"}


def execed(pid: int, start: int, raw_args: bytes, *, exe: bytes = b"", **more: int) -> bytes:
    head = note(
        EXEC_IMAGE,
        start_boot_ns=start,
        peak_pages=more.get("peak", 0),
        all_args_bytes=more.get("all_args", len(raw_args)),
        pid=pid,
        flags=more.get("flags", 0),
        exe_bytes=len(exe),
        args_bytes=len(raw_args),
        exec_id=more.get("exec_id", 0),
    )
    return head + exe + raw_args


def forked(pid: int, start: int, parent: int, parent_start: int, exec_id: int = 0) -> bytes:
    return note(
        FORKED,
        start_boot_ns=start,
        parent_start_boot_ns=parent_start,
        exec_id=exec_id,
        pid=pid,
        parent_pid=parent,
    )


def test_all_parts_of_a_record() -> None:
    ancestors = b"".join(struct.pack("=I16s", pid, b"a%d" % pid) for pid in (9, 8))
    assert len(ancestors) == 2 * ANCESTOR_BYTES
    found = completed(
        record(
            times=(30 * MS, 10 * MS, 80 * MS),
            peak=5,
            flags=CONTEXT_OWN_PEAK,
            names=b"leaf\0top.slice\0\0",
            hostname=b"host\0",
            ancestors=ancestors,
            more=True,
            cwd=b"in\0top\0\0",
        )
    )
    assert found == {
        "args": None,
        "args_truncated": None,
        "exe": None,
        "uid": 0,
        "user": "root",
        "nspid": 3,
        "hostname": "host",
        "parent_comm": "parent",
        "ancestors": (Ancestor(9, "a9"), Ancestor(8, "a8")),
        "ancestors_truncated": True,
        "cgroup": "/top.slice/leaf",
        "container": None,
        "container_name": None,
        "pod": None,
        "pod_name": None,
        "namespace": None,
        "unit": None,
        "user_unit": None,
        "cwd": "/top/in",
        "cpu_user": 0.06,
        "cpu_system": 0.02,
        "max_rss": 5 * PAGE,
        "read_bytes": 11,
        "write_bytes": 12,
        "minor_faults": 13,
        "major_faults": 14,
        "voluntary_switches": 15,
        "involuntary_switches": 16,
    }


@pytest.mark.parametrize("group", ["identity", "ancestors", "cgroup", "cwd", "resources"])
def test_only_what_was_collected_is_known(group: str) -> None:
    found = completed(record(names=b"\0", cwd=b"\0", flags=CONTEXT_OWN_PEAK), frozenset({group}))
    known = {name for name, value in found.items() if value is not None}
    assert (
        known
        == {
            "identity": {"uid", "user", "nspid", "parent_comm"},
            "ancestors": {"ancestors", "ancestors_truncated"},
            "cgroup": {"cgroup"},
            "cwd": {"cwd"},
            "resources": {
                *("cpu_user", "cpu_system", "max_rss", "read_bytes", "write_bytes"),
                *("minor_faults", "major_faults", "voluntary_switches", "involuntary_switches"),
            },
        }[group]
    )


def test_a_part_of_the_threads_is_not_the_process() -> None:
    found = completed(record(times=(1, 1, 1), flags=CONTEXT_PARTIAL), frozenset({"resources"}))
    assert set(found.values()) == {None}


@pytest.mark.parametrize(
    ("user", "system", "run", "told", "expected"),
    [
        (0, 0, 3, (0, 0), (0.003, 0.0)),
        (0, 4, 3, (0, 0), (0.0, 0.003)),
        (4, 0, 3, (0, 0), (0.003, 0.0)),
        (4, 4, 6, (0, 0), (0.003, 0.003)),
        (12, 4, 16, (0, 0), (0.012, 0.004)),
        (0, 0, 0, (0, 0), (0.0, 0.0)),
        (0, 12, 16, (5, 0), (0.005, 0.011)),  # before the first tick all is user's
        (12, 0, 16, (0, 5), (0.011, 0.005)),
        (4, 4, 6, (1, 4), (0.002, 0.004)),
        (4, 4, 6, (4, 3), (0.004, 0.003)),
    ],
)
def test_times_are_divided_as_they_were_sampled(
    user: int, system: int, run: int, told: tuple[int, int], expected: tuple[float, float]
) -> None:
    raw = record(times=(user * MS, system * MS, run * MS), reported=(told[0] * MS, told[1] * MS))
    found = completed(raw, frozenset({"resources"}))
    assert (found["cpu_user"], found["cpu_system"]) == expected


def test_the_peak_of_an_earlier_image_is_not_ours() -> None:
    """Where the mm is gone by the exit, the peak is that of all images."""
    known = Images()

    def peak(pages: int) -> int | None:
        found = completed(record(peak=pages), frozenset({"resources"}), known.get(70, 7_000))
        assert found["max_rss"] is None or isinstance(found["max_rss"], int)
        return found["max_rss"]

    assert peak(50) is None  # not known what ran
    known.fork(forked(70, 7_000, 1, 1))
    assert peak(50) == 50 * PAGE
    known.exec(execed(70, 7_000, b"", peak=50))
    assert peak(50) is None
    assert peak(51) == 51 * PAGE


def image_of(known: Images, pid: int, start_boot_ns: int) -> Image | None:
    """Return the image of a process of which something is known."""
    running = known.get(pid, start_boot_ns)
    assert running
    return running[IMAGE]


def test_images_pass_from_parent_to_child() -> None:
    known = Images()
    known.exec(execed(5, 1, b"sh\0-c\0", exe=b"dash\0bin\0\0"))
    known.fork(forked(6, 2, 5, 1))
    known.gone(note(GONE, start_boot_ns=1, pid=5))
    known.fork(forked(7, 3, 6, 2))
    image = image_of(known, 7, 3)
    assert image
    assert (image.args, image.exe) == (("sh", "-c"), "/bin/dash")
    assert known.get(5, 1) is None
    assert known.get(7, 4) is None, "another that has the PID"


def test_a_thread_is_of_who_had_the_pid_when_it_was_created() -> None:
    """Even if the next process with the PID is known before the thread is reported."""
    known = Images(per_thread=True)

    def of_threads(*created: int) -> list[Any]:
        count = len(created)
        found = known.take([7] * count, [8] * count, created, [False] * count)
        images = [one and one[IMAGE] for one in found]
        return [image and image.args for image in images]

    def gone(start: int) -> None:
        known.gone(note(GONE, start_boot_ns=start, pid=7))

    assert of_threads(100) == [None]
    for start, name in ((10, b"one\0"), (30, b"two\0"), (20, b"between\0"), (30, b"again\0")):
        known.exec(execed(7, start, name))
    one, between, again = ("one",), ("between",), ("again",)
    assert of_threads(9, 10, 15, 20, 29, 30, 99) == [
        *(None, one, one, between, between, again, again)
    ]
    gone(20)
    gone(20)
    assert of_threads(9, 29, 30) == [None, one, again]
    gone(10)
    gone(30)
    assert of_threads(99) == [None]


def test_what_ran_is_known_a_little_longer_per_thread() -> None:
    known = Images(per_thread=True)
    known.exec(execed(5, 1, b"sh\0"))
    assert known.take([5], [5], [1], [True])[0]
    assert known.get(5, 1)
    pids = range(10_000, 20_000)
    known.take(pids, pids, [2] * len(pids), [True] * len(pids))
    assert known.get(5, 1) is None


def test_what_ran_is_forgotten_at_once_per_process() -> None:
    known = Images()
    known.exec(execed(5, 1, b"sh\0"))
    assert known.take([5], [5], [1], [True])[0]
    assert known.get(5, 1) is None


def test_an_exec_that_was_not_told_leaves_nothing_known() -> None:
    """The buffer was full; the exit that came later says how many execs there were."""
    known = Images()
    known.exec(execed(70, 7_000, b"a\0", exec_id=5))
    running = known.get(70, 7_000)
    assert running
    assert completed(record(exec_id=5), running=running)["args"] == ("a",)
    assert completed(record(exec_id=6), running=running)["args"] is None
    known.fork(forked(71, 8_000, 70, 7_000, exec_id=6))
    assert image_of(known, 71, 8_000) is None
    known.fork(forked(71, 8_000, 70, 7_000, exec_id=5))
    assert image_of(known, 71, 8_000) is running[IMAGE]


def test_who_is_gone_is_forgotten() -> None:
    known = Images()
    known.exec(execed(5, 1, b"a\0"))
    known.gone(note(GONE, start_boot_ns=1, pid=5))
    assert known.get(5, 1) is None


def test_those_of_whose_end_nobody_told_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "listdir", lambda _: ["1", "self"])
    clues = Clues(frozenset({"args"}))
    for pid in range(1, 100_000):
        clues.add([execed(pid, 1, b"")])
    known = clues._images
    assert len(known._running) < 20_000
    assert known.get(1, 1), "it is alive"
    assert known.get(99_999, 1), "its exit may be yet to be read"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", ()),
        (b"a\0", ("a",)),
        (b"a\0\0b\0", ("a", "", "b")),
        (b"\0", ("",)),
        (b"a\0cut", ("a", "cut")),
        (b"\xff\n\0", ("\ufffd\n",)),
    ],
)
def test_args(raw: bytes, expected: tuple[str, ...]) -> None:
    assert split_args(raw) == expected


@pytest.mark.parametrize("before", [b"", b"x" * 99 + b"\0"], ids=["short", "long"])
def test_args_are_written_as_any_json(before: bytes) -> None:
    for number in range(256):
        raw = before + bytes([number]) + b"\0y\0"
        image, words = Image("/x", raw, len(raw)), split_args(raw)
        ascii_only = image.args_as_json(encode_basestring_ascii, ", ")
        assert ascii_only == json.dumps(words)
        plain = image.args_as_json(encode_basestring, ",")
        assert plain == json.dumps(words, ensure_ascii=False, separators=(",", ":"))


def test_args_that_are_not_known_or_not_all() -> None:
    known = Images()
    known.exec(execed(1, 1, b"", flags=IMAGE_ARGS_UNREAD, exe=b"x\0\0"))
    known.exec(execed(2, 1, b"abc", all_args=4, exe=b"/\0x\0\0"))
    unread, cut = (image_of(known, pid, 1) for pid in (1, 2))
    assert unread
    assert (unread.args, unread.args_truncated, unread.exe) == (None, None, "/x")
    assert cut
    assert (cut.args, cut.args_truncated, cut.exe) == (("abc",), True, "/x (deleted)")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (b"", None),
        (b"\0", "/"),
        (b"a\0\0", "/a"),
        (b"b\0a\0\0", "/a/b"),
        (b"b\0a\0", "/.../a/b"),
        (b"\xff\0\0", "/\ufffd"),
    ],
)
def test_paths(names: bytes, expected: str | None) -> None:
    assert path(names) == expected


def test_text_ends_before_a_nul() -> None:
    assert text(b"a\xffb\0c") == "a\ufffdb"
