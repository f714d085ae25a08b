"""Processes that ignore SIGPIPE or SIGXFSZ: those that fail as a write does, and others."""

import re
import time
from pathlib import Path
from signal import SIGABRT, SIGKILL, SIGPIPE, SIGTERM, SIGXFSZ

import pytest
from support.causes import assert_only, cause_of
from support.stage import Stage
from support.truth import recorded
from support.waiting import until

from exitsnoop.causes.handled import FAILED_WRITE_S

FAILED = 99  # the code with which deaths.c fails


@pytest.mark.parametrize("where", [[], ["in_thread"]])
@pytest.mark.parametrize("what", ["pipe", "socket"])
def test_a_write_that_nobody_reads(stage: Stage, what: str, where: list[str]) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.ask("ignore", int(SIGPIPE))
        victim.die(*where, "break_pipe", what)
        assert victim.wait() == FAILED
    cause = cause_of(exits, victim)
    assert_only(cause, "exited", "after")
    after = cause.after
    assert after
    assert (after.signal_name, after.kind, after.handled) == ("SIGPIPE", "pipe", "ignored")
    assert (after.sender, after.address, after.limit) == (None, None, None)
    what = re.escape("it wrote to a closed pipe (SIGPIPE, which it ignored)")
    assert re.fullmatch(rf"exit 99, \S+ (us|ms|s) after {what}", cause.text)


def test_a_file_that_is_too_large(stage: Stage, tmp_path: Path) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.ask("ignore", int(SIGXFSZ))
        victim.die("outgrow_file_limit", 4096, tmp_path, "pwrite")
        assert victim.wait() == FAILED
    cause = cause_of(exits, victim)
    assert cause.after
    assert (cause.after.kind, cause.after.limit) == ("file_limit", 4096)
    assert cause.text.endswith(" after a file size limit of 4.0K (SIGXFSZ), which it ignored")


def test_abort(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        victim.ask("ignore", int(SIGPIPE))
        assert victim.ask("try_to_write") == "EPIPE"
        victim.die("abort")
        assert victim.wait() == -SIGABRT
    cause = cause_of(exits, victim)
    assert cause.kind == "abort"
    assert cause.after
    assert cause.after.kind == "pipe"


def test_what_did_not_fail_has_no_reason_to(stage: Stage) -> None:
    with recorded(why=True) as exits:
        succeeds, killed = stage.puppet(), stage.puppet()
        for victim in (succeeds, killed):
            victim.ask("ignore", int(SIGPIPE))
            assert victim.ask("try_to_write") == "EPIPE"
        succeeds.die("exit", 0)
        stage.puppet().kill(killed, SIGKILL)
        assert (succeeds.wait(), killed.wait()) == (0, -SIGKILL)
    assert cause_of(exits, succeeds).text == "exit 0"
    assert [cause_of(exits, one).after for one in (succeeds, killed)] == [None, None]


def test_what_outlives_a_write_does_not_end_by_the_next(stage: Stage) -> None:
    """As servers do, all day."""
    with recorded(why=True) as exits:
        server, other = stage.puppet(), stage.puppet()
        for puppet in (server, other):
            puppet.ask("ignore", int(SIGPIPE))
        assert server.ask("try_to_write") == "EPIPE"
        begun = time.clock_gettime(time.CLOCK_BOOTTIME)
        until(lambda: time.clock_gettime(time.CLOCK_BOOTTIME) - begun > FAILED_WRITE_S)
        for puppet in (server, other):
            assert puppet.ask("try_to_write") == "EPIPE"
            puppet.die("exit", 3)
            puppet.wait()
    cause = cause_of(exits, server)
    assert (cause.text, cause.after) == ("exit 3", None)
    assert cause_of(exits, other).after


def test_a_request_before_says_more(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim, sender = stage.puppet(), stage.puppet()
        victim.ask("ignore", int(SIGPIPE))
        victim.ask("handle", int(SIGTERM))
        sender.kill(victim, SIGTERM)
        victim.die("break_pipe", "pipe")
        assert victim.wait() == FAILED
    after = cause_of(exits, victim).after
    assert after
    assert (after.kind, after.sender and after.sender.pid) == ("killed", sender.pid)


@pytest.mark.parametrize("what", ["handle", "block", "nothing"])
def test_what_was_not_ignored(stage: Stage, what: str) -> None:
    """What was blocked still waits when the process fails."""
    with recorded(why=True) as exits:
        victim = stage.puppet()
        if what != "nothing":
            victim.ask(what, int(SIGPIPE))
        victim.die("break_pipe", "pipe")
        assert victim.wait() == (-SIGPIPE if what == "nothing" else FAILED)
    after = cause_of(exits, victim).after
    assert (after and after.handled) == ("handled" if what == "handle" else None)
