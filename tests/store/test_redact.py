"""Arguments that hold secrets are not written, or not all of them."""

from pathlib import Path

import pytest
from support.recorded import exits, read, record

from exitsnoop.model.cause import Cause, Oom, Sender
from exitsnoop.model.exit import Exit
from exitsnoop.store.redact import Kept

SECRET = "hunter2"
ARGS = ("psql", "--password", SECRET, f"--key={SECRET}x", "", "db")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (SECRET, ("psql", "--password", "***", "--key=***x", "", "db")),
        (r"--password[= ](\S+)", ("psql", "--password", "***", f"--key={SECRET}x", "", "db")),
        (r"--password \S+ ", ("psql", "***", "***", f"--key={SECRET}x", "", "db")),
        (r"(?:--password |--key=)(\S+)", ("psql", "--password", "***", "--key=***", "", "db")),
        (r".*", ("***", "***", "***", "***", "", "***")),
        (r"x*", ("psql", "--password", SECRET, f"--key={SECRET}***", "", "db")),
        (r"(a)?psql", ARGS),
        ("nothing", ARGS),
    ],
)
def test_what_a_pattern_matches_is_replaced(pattern: str, expected: tuple[str, ...]) -> None:
    assert tuple(Kept(redact=pattern).of(ARGS) or ()) == expected


def test_a_pattern_that_is_none() -> None:
    with pytest.raises(ValueError, match="not a regular expression"):
        Kept(redact="(")


def args_of(exit_: Exit) -> list[tuple[str, ...] | None]:
    """The arguments of those that the cause names."""
    assert exit_.cause
    assert exit_.cause.sender
    assert exit_.cause.oom
    return [exit_.cause.sender.args, exit_.cause.oom.trigger.args]


def test_it_holds_wherever_arguments_are_written(store: Path) -> None:
    sender = Sender(1, 0, "x", 0, ("x", SECRET))
    cause = Cause("oom", "out of memory", sender, oom=Oom(1, 2, 3, None, None, sender))
    batch = exits(range(3), args=ARGS, cause=cause, status=9)
    record(store / "all", batch)
    record(store / "redacted", batch, kept=Kept(redact=SECRET))
    record(store / "none", batch, kept=Kept(args=False))

    def content(name: str) -> bytes:
        return b"".join(path.read_bytes() for path in (store / name).glob("exits-*"))

    assert SECRET.encode() in content("all")
    assert SECRET.encode() not in content("redacted")
    for word in (b"psql", SECRET.encode()):
        assert word not in content("none")
    (found, *_) = read(store / "redacted")
    assert found.args == ("psql", "--password", "***", "--key=***x", "", "db")
    assert args_of(found) == [("x", "***")] * 2
    (found, *_) = read(store / "none")
    assert (found.args, found.args_truncated) == (None, None)
    assert args_of(found) == [None, None]
    assert found.comm == "job0"
