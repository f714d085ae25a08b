"""The summary in the terminal: the same figures, in 80 columns."""

import re
from pathlib import Path

import pytest
from pages.conftest import END_NS, Week

from exitsnoop import cli
from exitsnoop.pages import heat
from exitsnoop.pages.digest import Digest
from exitsnoop.pages.parts import WORDS
from exitsnoop.reports.overview.headline import findings
from exitsnoop.sinks.width import width_of

END = f"@{END_NS // 1_000_000_000}"


@pytest.fixture(scope="module")
def text(week: Week) -> str:
    return Digest(week.of, color=False, utf8=True).text()


def test_it_fits(text: str) -> None:
    assert max(map(width_of, text.splitlines())) <= 80
    assert not re.search("[\x00-\x09\x0b-\x1f]", text)
    assert text.endswith("\n")


def test_it_says_the_same(week: Week, text: str) -> None:
    words = " ".join(text.split())
    for finding in findings(week.of):
        assert finding.text in words
    assert f"{sum(week.of.exits):,} ended, {week.of.failed} failed (" in words
    for name, bins in heat.counts(week.of).items():
        assert re.search(rf"^  {WORDS[name]} +{bins.total():,} ", text, re.M), name
    assert "api.service: 14 deaths since" in words
    assert "14: /system.slice/api.service, limit 2.0G;" in words
    assert "18: pkill -> mailworker (SIGKILL)" in words
    assert "46: /usr/bin/worker SIGSEGV in parse_header of worker, seen" in words


def test_a_recording_that_ended_before(week: Week) -> None:
    """What went on then is not said to go on now."""
    later = week.period._replace(to_ns=week.period.to_ns + 60 * 1_000_000_000)
    of = week.of._replace(period=later, gaps=week.recording.gaps(later.from_ns, later.to_ns))
    words = " ".join(Digest(of, color=False, utf8=True).text().split())
    assert "api.service had been in a crash loop since" in words
    assert "it went on when the recording ended; one every 32 s" in words
    assert "it goes on" not in words


def test_the_bars(week: Week, text: str) -> None:
    """The highest bin has the highest bar; where nobody looked there is another sign."""
    (line,) = re.findall(r"^  ended in all +[\d,]+ (.*)$", text, re.M)
    step = -(-week.period.bins // 48)
    values = [sum(week.of.exits[at : at + step]) for at in range(0, week.period.bins, step)]
    assert len(line.rstrip()) <= len(values)
    assert line[values.index(max(values))] == "█"
    assert "░" in text.split("Crash loops")[0].split("\n", 3)[-1]
    seen = heat.unseen(week.of)
    for nth, sign in enumerate(line):
        if sign == "░":
            part = seen[nth * step : (nth + 1) * step]
            assert not values[nth]
            assert sum(part) > len(part) / 2


def test_numbers_are_aligned(text: str) -> None:
    """All rows of bars have their numbers, and their bars, in the same columns."""
    rows = re.findall(r"^  (?:[a-z][a-z, ]+?) +([\d,]+) ", text, re.M)
    found = [re.match(r"  .{20} +[\d,]+ ", line) for line in text.splitlines()]
    ends = {match.end() for match in found if match and match.end() < 40}
    assert len(rows) >= 8
    assert ends == {32}


def test_colors_change_nothing_else(week: Week, text: str) -> None:
    painted = Digest(week.of, color=True, utf8=True).text()
    assert painted != text
    assert re.sub("\x1b\\[[0-9;]*m", "", painted) == text
    assert "\x1b[38;5;133m" in painted


def test_ascii(week: Week) -> None:
    text = Digest(week.of, color=False, utf8=False).text()
    assert text.isascii()
    assert re.search(r"^  ended in all +[\d,]+ [ .:=+*%#/-]+$", text, re.M)


def test_hostile_names(hostile: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", "--store", str(hostile), "--until", END]) == 0
    text = capfd.readouterr().out
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)
    assert max(map(width_of, text.splitlines())) <= 80
    assert r"\033[2J" in text
