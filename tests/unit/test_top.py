"""What `exitsnoop top` counts and draws, without a terminal: deaths in, lines out."""

from collections.abc import Sequence

import pytest

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.sinks.width import width_of
from exitsnoop.store.coverage import Gap
from exitsnoop.top.board import BINS, MOST_GROUPS, Board, group_of
from exitsnoop.top.deaths import Death
from exitsnoop.top.desk import LENGTHS_NS, SORTS, Desk, Do
from exitsnoop.top.draw import Source, draw

TEN_MINUTES_NS = LENGTHS_NS[1]
BIN_NS = TEN_MINUTES_NS // BINS
NOW_NS = BIN_NS * 71_000_000 + BIN_NS // 2
ID = "0f4ce0a4c9394d1e9b8e54ae37403a20" * 2
SOURCE = Source("web1", "recording in /var/lib/exitsnoop", "Reading the recording ...", "")


def death(ago_s: float, comm: str = "api", status: int = 256, **known: object) -> Death:
    """Return a death so long ago."""
    made = Death(
        wall_ns=NOW_NS - round(ago_s * SECOND_NS),
        lived_ns=SECOND_NS,
        pid=round(ago_s * 10) + 100,
        comm=comm,
        exe=f"/usr/bin/{comm}",
        unit=f"{comm}.service",
        container=None,
        cause="exited",
        status=status,
        args=1,
    )
    return made._replace(**known)  # type: ignore[arg-type]


def board(deaths: Sequence[Death], by: str = "unit", gaps: Sequence[Gap] = ()) -> Board:
    made = Board(by, TEN_MINUTES_NS, NOW_NS)
    made.add(sorted(deaths, key=lambda one: one.wall_ns))
    made.gaps = list(gaps)
    return made


def desk(deaths: Sequence[Death], **options: object) -> Desk:
    made = Desk("unit")
    made.board = board(deaths, **options)  # type: ignore[arg-type]
    return made


def text(of: Desk, width: int = 80, height: int = 24, source: Source = SOURCE) -> list[str]:
    """Return the lines, each as wide as the terminal at most, and none with a control character."""
    lines = ["".join(part.text for part in line) for line in draw(of, source, (width, height), {})]
    assert len(lines) == height
    for line in lines:
        assert width_of(line) <= width, line
        assert line.isprintable()
    return lines


def names(of: Desk) -> list[str]:
    return [group.name for group in of.groups()]


def press(of: Desk, *keys: str) -> Do:
    done = Do.NOTHING
    for key in keys:
        done = of.press(key, key if len(key) == 1 else None, NOW_NS)
    return done


def test_a_board_counts_each_group() -> None:
    of = board([death(1), death(2, status=0), death(3, "web", 9, cause="killed"), death(700)])
    api, web = of.groups["api.service"], of.groups["web.service"]
    assert (api.ended, api.failed, web.ended, web.failed) == (2, 1, 1, 1)
    assert (of.ended, of.failed) == (3, 2)
    assert of.minutes() == pytest.approx((NOW_NS - of.from_ns) / 60e9)
    assert web.last_failure(of.from_ns) == death(3, "web", 9, cause="killed")


def test_what_is_too_old_is_forgotten_bin_by_bin() -> None:
    of = board([death(500), death(1)])
    of.advance(NOW_NS + 120 * SECOND_NS)
    assert of.groups["api.service"].ended == 1
    of.advance(NOW_NS + 700 * SECOND_NS)
    assert (of.ended, of.failed) == (0, 0)
    assert of.groups["api.service"].last_failure(of.from_ns) is None
    of.advance(NOW_NS + 3 * 3600 * SECOND_NS)
    assert not of.groups


def test_a_board_that_goes_on_counts_as_one_that_is_read_at_once() -> None:
    deaths = [death(ago / 7, f"p{ago % 5}", 256 * (ago % 3)) for ago in range(6000, 0, -1)]
    going = Board("unit", TEN_MINUTES_NS, NOW_NS - 300 * SECOND_NS)
    for one in deaths:
        going.advance(one.wall_ns)
        going.add([one])
    going.advance(NOW_NS)
    at_once = board(deaths)
    for name, group in at_once.groups.items():
        other = going.groups[name]
        assert (other.ended, other.failed, other.bins) == (group.ended, group.failed, group.bins)
        assert other.median_ns() == group.median_ns()


def test_the_median_is_that_of_the_time() -> None:
    lives = [1, 5, 2]
    of = board([death(nth + 1, lived_ns=life) for nth, life in enumerate(lives)])
    assert of.groups["api.service"].median_ns() == 2
    of.add([death(0, lived_ns=9)])
    assert of.groups["api.service"].median_ns() == round((2 + 5) / 2)


def test_three_short_lives_in_a_row_are_a_loop_while_it_goes_on() -> None:
    deaths = [death(30 * nth + 5) for nth in range(4)]
    of = board(deaths)
    loop = of.groups["api.service"].loop(NOW_NS)
    assert loop
    assert (loop.deaths, loop.every_s, loop.cause) == (4, 30, "exited")
    assert not of.groups["api.service"].loop(NOW_NS + 100 * SECOND_NS)
    others = [one._replace(args=nth) for nth, one in enumerate(deaths)]
    assert not board(others).groups["api.service"].loop(NOW_NS)


def test_a_loop_may_have_begun_before_the_time() -> None:
    of = Board("unit", TEN_MINUTES_NS, NOW_NS)
    of.remember([death(1200), death(800)])
    of.add([death(400), death(10)])
    loop = of.groups["api.service"].loop(NOW_NS)
    assert loop
    assert loop.deaths == 4
    assert of.groups["api.service"].failed == 2


def test_groups_have_names_that_no_process_can_forge() -> None:
    docker = death(1, unit=f"docker-{ID}.scope", container=ID)
    assert group_of(docker, "unit") == f"docker-{ID[:12]}.scope"
    assert group_of(docker, "container") == ID[:12]
    assert group_of(death(1, unit=None), "unit") == "(no unit)"
    assert group_of(death(1, container="(no container)"), "container") == r"(no\ container)"
    assert group_of(death(1, exe=None, comm="a\x1b[2Jb"), "executable") == r"a\033[2Jb"


def test_more_groups_than_are_counted_are_counted_together() -> None:
    of = board([death(1, f"p{nth}") for nth in range(MOST_GROUPS + 7)])
    assert len(of.groups) == MOST_GROUPS + 1
    assert of.groups["(others)"].ended == 7
    assert of.ended == MOST_GROUPS + 7


def test_the_rate_leaves_out_what_nobody_saw() -> None:
    of = board([death(1)], gaps=[Gap(0, NOW_NS - 60 * SECOND_NS, "not recording", None)])
    assert of.minutes() == 1
    assert of.unseen() == [True] * (BINS - 3) + [False] * 3
    of.gaps = [Gap(of.from_ns, NOW_NS, "stopped", None)]
    assert of.is_unseen


def test_rows_say_what_a_group_came_to() -> None:
    deaths = [death(30 * nth + 5, cause="oom", status=9) for nth in range(4)]
    lines = text(desk([*deaths, *(death(nth, "web", 0) for nth in range(20))]))
    assert lines[0].startswith("exitsnoop top  web1  recording in /var/lib/exitsnoop")
    assert lines[1] == "In 10 min: 24 ended, 2.5 a minute; 4 failed (16.7 %)"
    assert lines[2] == "All of it was recorded; 0 lost"
    assert lines[3].split() == [
        *("UNIT", "LOOP", "/MIN", "FAILED▾LAST", "FAILURE", "10", "MIN", "MED.LIFE")
    ]
    assert lines[4].split()[:7] == ["api.service", "LOOP", "0.4", "4", "out", "of", "memory"]
    assert lines[5].split()[:4] == ["web.service", "2.0", "0", "-"]
    assert lines[5].split()[-2:] == ["1", "s"]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 10), (20, 5), (200, 50), (1, 1)])
@pytest.mark.parametrize("view", ["groups", "deaths", "why"])
def test_every_size_is_filled_and_not_left(width: int, height: int, view: str) -> None:
    of = desk([death(nth, f"[bold]漢字{nth}\x1b[31m\u202e" * 3) for nth in range(40)])
    of.group = names(of)[0]
    of.view, of.text = view, ["a line", "漢" * 90]
    text(of, width, height)


def test_nobody_looked_never_looks_like_nothing_died() -> None:
    unseen = desk([], gaps=[Gap(0, NOW_NS, "killed", None)])
    lines = text(unseen)
    assert "nobody looked at all (the recorder was killed)" in lines[2]
    assert any("what died then is not known" in line for line in lines)
    assert not any("Nothing ended" in line for line in lines)
    seen = text(desk([]))
    assert any("Nothing ended in this time." in line for line in seen)
    assert any("Reading the recording" in line for line in text(Desk("unit")))


def test_losses_gaps_and_a_recorder_that_is_gone_are_in_the_head() -> None:
    gaps = [
        Gap(NOW_NS - 300 * SECOND_NS, NOW_NS - 200 * SECOND_NS, "reboot", None),
        Gap(NOW_NS - 9, NOW_NS - 5, "overflow", 14),
    ]
    of = desk([death(1)], gaps=gaps)
    lines = text(of, 120)
    assert lines[2].startswith("14 exits LOST; nobody looked ")
    assert lines[2].endswith("(reboot)")
    assert "░" in lines[4]
    gone = SOURCE._replace(alarm="NOBODY LOOKS NOW: no recorder runs")
    assert text(of, source=gone)[2] == "NOBODY LOOKS NOW: no recorder runs"


def test_keys_sort_filter_and_choose_groups() -> None:
    deaths = [death(5, "api"), death(6, "web"), death(7, "web"), death(1, "cron", 0)]
    of = desk([*deaths, *(death(nth, "db", 0) for nth in range(5))])
    assert names(of) == ["web.service", "api.service", "db.service", "cron.service"]
    press(of, "s")
    assert names(of)[0] == "db.service"
    press(of, *["s"] * (SORTS.index("name") - 1))
    assert names(of) == ["api.service", "cron.service", "db.service", "web.service"]
    press(of, "r")
    assert names(of)[0] == "web.service"
    press(of, "s", "f")
    assert names(of) == ["web.service", "api.service"]
    press(of, "/", "A", "p", "I")
    assert of.is_typing
    assert names(of) == ["api.service"]
    press(of, "enter", "q")
    assert not of.is_typing
    press(of, "escape")
    assert names(of) == ["web.service", "api.service"]
    assert press(of, "g") is Do.LOAD
    assert of.by == "container"


def test_the_selection_stays_with_the_group() -> None:
    of = desk([death(5, "api"), death(6, "web"), death(7, "web")])
    press(of, "down")
    assert of.group == "api.service"
    assert of.board
    of.board.add([death(0, "api", pid=nth) for nth in range(9)])
    assert names(of)[0] == "api.service"
    assert press(of, "w") is Do.WHY
    press(of, "enter")
    shown = of.death()
    assert shown
    assert (of.view, shown.comm, shown.wall_ns) == ("deaths", "api", NOW_NS)
    press(of, *["down"] * 99)
    assert of.death() == death(5, "api")
    of.tell(["it died"])
    press(of, "escape")
    assert of.view == "deaths"
    press(of, "escape")
    assert of.view == "groups"


def test_arrows_go_into_the_past_and_back() -> None:
    of = desk([death(1)])
    assert press(of, "left") is Do.LOAD
    assert of.at_ns == NOW_NS - TEN_MINUTES_NS // 2
    of.board = board([])
    of.board.to_ns = of.at_ns
    assert "PAST" in text(of)[0]
    press(of, "right")
    assert of.is_live
    press(of, "p")
    assert "PAUSED at" in text(of)[0]
    assert press(of, "p") is Do.LOAD
    assert of.is_live
    assert press(of, "+") is Do.LOAD
    assert of.length_ns == LENGTHS_NS[2]
    press(of, "-", "-", "-")
    assert of.length_ns == LENGTHS_NS[0]
