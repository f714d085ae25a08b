"""What the recorder says: once when something begins, once when it ends."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from exitsnoop.recorder.notices import LOSSES_S, Notices, standing
from exitsnoop.store.writer import Writer


class Stage:
    """A writer's attributes, a clock, and what was said."""

    def __init__(self) -> None:
        self.writer: Any = SimpleNamespace(
            lost=0, undecided=0, trouble=None, damaged=[], due=None, watermark_ns=0
        )
        self.now = 0.0
        self._said: list[str] = []
        self.notices = Notices(
            cast("Writer", self.writer), "/store", self._said.append, lambda: self.now
        )

    def said(self) -> list[str]:
        """Look; return what is new."""
        self.notices.look()
        new, self._said[:] = list(self._said), []
        return new

    def summed_up(self, unwritten: int) -> list[str]:
        self.notices.sum_up(unwritten)
        return self._said


def test_nothing_is_said_of_what_goes_well() -> None:
    stage = Stage()
    assert stage.said() == []
    assert stage.summed_up(0) == []


def test_trouble_is_reported_when_it_begins_and_when_it_ends() -> None:
    stage = Stage()
    stage.writer.trouble = "disk full"
    (begun,) = stage.said()
    assert begun.startswith("cannot write to /store: disk full; it goes on trying.")
    assert "16,384 exits" in begun
    stage.writer.trouble = "disk I/O error"
    stage.writer.lost = 5
    assert stage.said() == []
    stage.writer.trouble = None
    assert stage.said() == ["writes to /store again; 5 exits were lost meanwhile"]
    stage.now = 1000
    assert stage.said() == []
    stage.writer.trouble = "disk full"
    assert len(stage.said()) == 1
    stage.writer.trouble = None
    assert stage.said() == ["writes to /store again; nothing was lost meanwhile"]


def test_losses_are_reported_at_once_and_then_once_in_a_while() -> None:
    stage = Stage()
    stage.writer.lost = 1
    assert stage.said() == ["1 exit was lost: they came too fast to be read"]
    for lost in range(2, 10):
        stage.now += LOSSES_S / 10
        stage.writer.lost = lost
        assert stage.said() == []
    stage.now += LOSSES_S
    assert stage.said() == ["8 exits were lost: they came too fast to be read"]
    stage.now += LOSSES_S
    assert stage.said() == []
    assert stage.summed_up(0) == ["9 exits were lost in all; the recording says when"]


def test_what_a_filter_could_not_decide_about_has_its_reason() -> None:
    stage = Stage()
    stage.writer.lost, stage.writer.undecided = 3, 1
    assert stage.said() == [
        "2 exits were lost: they came too fast to be read",
        "1 exit was lost: the path of their cgroup was not read in full, so a filter could not "
        "decide",
    ]


def test_what_could_not_be_written_at_the_end() -> None:
    stage = Stage()
    stage.writer.trouble = "disk full"
    stage.said()
    stage.writer.lost = 3
    assert stage.summed_up(3) == [
        "3 exits were not written to /store: disk full",
        "3 exits were lost in all; the recording says when",
    ]


def test_a_damaged_file_is_reported_once() -> None:
    stage = Stage()
    stage.writer.damaged = [Path("/store/exits-1.db.0.damaged")]
    assert stage.said() == [
        "a file was damaged; it is kept as /store/exits-1.db.0.damaged, and recording goes on "
        "without it"
    ]
    assert stage.said() == []


def test_the_standing_is_a_line() -> None:
    stage = Stage()
    writer = cast("Writer", stage.writer)
    assert standing(writer).startswith("all exits up to 20")
    stage.writer.lost = 2
    assert standing(writer).endswith(" are on disk; 2 exits were lost")
    stage.writer.trouble = "disk full"
    assert standing(writer) == "cannot write: disk full; 2 exits were lost"
