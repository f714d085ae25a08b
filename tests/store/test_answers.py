"""What `exitsnoop why` answers from recordings that were made up."""

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource
from support.flight import Answers
from support.recorded import (
    BOOT,
    OFFSET_NS,
    ROOM,
    SECOND_NS,
    START_NS,
    death,
    json_lines,
    read,
    record_deaths,
    without_rights,
)

from exitsnoop.cli import main
from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import Cause, Oom, Sender
from exitsnoop.model.context import Ancestor
from exitsnoop.store.writer import Writer
from exitsnoop.testing import make_exit

DOCS = Path(__file__).parents[2] / "docs"
HOUR_S = 3600
ID = "4f3a" * 16
DOCKER = f"/system.slice/docker-{ID}.scope"


def taken(answers: Answers, *words: object) -> tuple[str, int]:
    """What X was taken for, and the PID of the death."""
    told = answers.record(*words)
    return told["target"]["kind"], told["exit"]["pid"]


def test_the_last_failure_is_told(answers: Answers) -> None:
    record_deaths(answers.store, [death(1, 1, exit_code=1), death(2, 2, signal=9), death(3, 3)])
    assert taken(answers) == ("last", 2)
    assert "sh[2] was ended by SIGKILL; why was not recorded." in answers.ask()


def test_the_kinds_of_thing_that_x_can_be(answers: Answers) -> None:
    nginx = "/system.slice/nginx.service"
    template = "/system.slice/system-db.slice/db@main.service"
    record_deaths(
        answers.store,
        [
            death(1, 1, comm="nginx", exe="/usr/sbin/nginx", cgroup=nginx, exit_code=1),
            death(2, 2, comm="check", exe="/bin/check", cgroup=nginx, exit_code=2),
            death(3, 3, comm="app", exe="/opt/app", cgroup=DOCKER, hostname="web-1", exit_code=3),
            death(4, 4, comm="postgres", exe="/bin/postgres", cgroup=template, signal=6),
            death(5, 5, comm="a-long-name-whi", exe="/opt/a-long-name-which-is-cut", exit_code=1),
        ],
    )
    assert taken(answers, "nginx") == ("name", 1)
    assert taken(answers, "nginx.service") == ("unit", 2)
    assert taken(answers, "nginx", "--as", "unit") == ("unit", 2)
    assert taken(answers, "db") == ("unit", 4)
    assert taken(answers, "db@main") == ("unit", 4)
    assert taken(answers, "/usr/sbin/nginx") == ("exe", 1)
    assert taken(answers, "/usr/sbin/*") == ("exe", 1)
    assert taken(answers, "ngin?") == ("name", 1)
    assert taken(answers, "[cn]*") == ("name", 2)
    assert taken(answers, ID) == taken(answers, ID[:12]) == ("container", 3)
    assert taken(answers, "web-1") == ("container", 3)
    assert taken(answers, "3") == ("pid", 3)
    assert taken(answers, "a-long-name-which-is-cut") == ("name", 5)
    told = " ".join(answers.ask("nginx").split())
    assert (
        "This is about processes named nginx; it could also be the unit nginx (--as unit)." in told
    )
    assert "could also be" not in answers.ask("check")


def test_a_container_is_named_once(answers: Answers) -> None:
    """By default, its host name is the beginning of its id, and its cgroup has the id, too."""
    podman = f"/libpod_parent/libpod-{ID}"
    deaths = [
        death(1, 1, cgroup=podman, hostname=ID[:12], exit_code=1),
        death(2, 2, cgroup=podman, hostname="web-1", exit_code=1),
    ]
    record_deaths(answers.store, deaths)
    assert f" in the podman container {ID[:12]}\n" in answers.ask(1)
    assert f" in the podman container {ID[:12]} (web-1)\n" in answers.ask(2)


def test_the_name_of_a_container_cannot_act(answers: Answers) -> None:
    """Whoever owns a cgroup chooses the name of a container of lxc, and of the cgroup itself."""
    name = "\x1b[2Jx"
    oom = Oom(1, 2, 3, f"/lxc/{name}", 4, Sender(5, 1, "hog", 0))
    killed = Cause("oom", "out of memory", oom=oom)
    deaths = [death(1, pid, cgroup=f"/lxc/{name}", signal=9, cause=killed) for pid in (1, 2, 3)]
    record_deaths(answers.store, deaths)
    text = answers.ask(1)
    assert r"in the lxc container \033[2Jx" in text
    assert "\x1b" not in text


def test_a_pid_that_was_used_again(answers: Answers) -> None:
    record_deaths(
        answers.store,
        [death(1, 7, comm="old", exit_code=1), death(99, 7, comm="new", exit_code=2), death(100)],
    )
    told = answers.record(7)
    assert (told["exit"]["comm"], told["exit"]["exit_code"]) == ("new", 2)
    assert [(one["kind"], one["comm"]) for one in told["also"]] == [("pid", "old")]
    assert "Another process had the same PID before: old, " in answers.ask(7)
    assert [one["comm"] for one in answers.record(7, "--all")["all"]] == ["new", "old"]
    assert answers.ask(7, "--all").count("  old[7], after 1 s: code 1\n") == 1


def test_the_last_failure_counts_unless_all_went_well_for_a_day(answers: Answers) -> None:
    well = [death(at, 1000 + at) for at in range(60, 600, 60)]
    record_deaths(answers.store, [death(0, 1, exit_code=1), *well])
    assert taken(answers, "sh") == ("name", 1)
    assert "Since then sh[1540] ended well, at " in answers.ask("sh")
    recorder = Writer(answers.store, limits=ROOM, boot=BOOT, since_ns=START_NS + 601 * SECOND_NS)
    recorder.add(Exits.of([death(25 * HOUR_S, 9)]))
    recorder.close()
    assert taken(answers, "sh") == ("name", 9)


def test_statuses(answers: Answers) -> None:
    record_deaths(answers.store, [death(5, 1, exit_code=1)])
    began_ns = START_NS + OFFSET_NS
    before = f"@{began_ns // SECOND_NS - 10}"
    told = answers.record(2, status=1)
    assert (told["exit"], told["killer"], told["cascade"], told["around"]) == (None, None, [], [])
    assert told["target"] == {"kind": "pid", "text": "2"}
    assert "The recording has no death of the PID 2 since " in answers.ask(2, status=1)
    assert answers.record(1, "--until", before, status=3)["exit"] is None
    assert "Nothing was recorded then" in answers.ask(1, "--until", before, status=3)
    assert taken(answers, 1, "--since", before) == ("pid", 1)
    answers.record(1, "--since", f"@{began_ns // SECOND_NS + 6}", status=3)
    answers.record(1, "--boot", "0")
    assert main(["why", "--store", f"{answers.store}-not-there"]) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x", "--since", "never"], "argument --since: 'never' is not a time"),
        (["x", "--since", "2h", "--until", "3h"], "argument --since: it is after --until"),
        (["x", "--boot", "7"], "argument --boot: '7' is not a boot: "),
        (["x", "--around", "soon"], "'soon' is not a duration"),
        (["/x", "--as", "pid"], "'/x' cannot be a pid"),
        (["[" * 5000], "X is too long: no name or path has more than 4,096 characters"),
        (["1", "2"], "unrecognized arguments: 2"),
    ],
)
def test_words_that_make_no_sense(
    answers: Answers, capfd: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    record_deaths(answers.store, [death(5, 1)])
    with pytest.raises(SystemExit) as stopped:
        main(["why", "--store", str(answers.store), *words])
    assert stopped.value.code == 2
    assert message in capfd.readouterr().err


def test_boots(answers: Answers) -> None:
    second = BOOT._replace(boot_id="5ec04d", began_ns=BOOT.began_ns + 100 * HOUR_S * SECOND_NS)
    record_deaths(answers.store, [death(1, 7, exit_code=1)])
    record_deaths(answers.store, [death(1, 7, exit_code=2, boot=second)], second)
    assert answers.record(7)["exit"]["exit_code"] == 2
    assert answers.record(7, "--boot", "0")["exit"]["exit_code"] == 2
    assert answers.record(7, "--boot", "-1")["exit"]["exit_code"] == 1
    assert answers.record(7, "--boot", "5ec0")["exit"]["exit_code"] == 2
    gaps = answers.record(7, "--boot", "-1")["gaps"]
    assert gaps[0]["why"] == "stopped, then reboot"
    assert "(the recorder was stopped, then reboot)" in " ".join(answers.ask(7).split())


def test_the_exit_is_the_line_of_live_json(answers: Answers) -> None:
    record_deaths(answers.store, [death(1, 7, comm='"\x1b[2J', exit_code=1, args=("a b", "\n"))])
    told = answers.record(7)
    (line,) = json_lines(read(answers.store))
    assert told["exit"] == json.loads(line)
    assert "\x1b" not in answers.ask(7)


def test_json_is_as_its_schema_says(answers: Answers) -> None:
    live = Resource.from_contents(json.loads((DOCS / "exit.schema.json").read_text()))
    validator = jsonschema.Draft202012Validator(
        json.loads((DOCS / "why.schema.json").read_text()),
        registry=Registry().with_resource("exit.schema.json", live),
    )
    sender = Sender(50, 40, "pkill", 0, ("pkill", "x"))
    cause = Cause("killed", "killed by pkill[50] uid 0 (SIGKILL)", sender, "kill", "SI_USER")
    above = (Ancestor(40, "backup.sh"), Ancestor(30, "cron"))
    looping = [death(at, 200 + at, comm="loop", exit_code=1) for at in range(5, 50, 9)]
    record_deaths(
        answers.store,
        [
            *[death(1, pid, signal=9, cause=cause, age=300) for pid in (7, 8)],
            death(1, 50, ppid=40, comm="pkill", ancestors=above, ancestors_truncated=False),
            death(2, 9, comm="other", exit_code=1),
            *looping,
        ],
    )
    for words in ((7,), ("loop",), ("loop", "--all"), ()):
        validator.validate(answers.record(*words))
    validator.validate(answers.record("nobody", status=1))
    told = answers.record(7)
    assert (told["killer"]["pid"], told["killer"]["args"]) == (50, ["pkill", "x"])
    assert [one["comm"] for one in told["killer"]["ancestors"]] == ["backup.sh", "cron"]
    assert [one["pid"] for one in told["cascade"]] == [7, 8]
    assert [one["pid"] for one in told["around"]] == [9, 205]
    assert answers.record("loop")["history"]["loops"][0]["deaths"] == len(looping)


def test_who_sent_the_signal_though_its_pid_was_used_again(answers: Answers) -> None:
    def by(sender: Sender) -> Cause:
        return Cause("killed", "killed", sender, "kill")

    above: dict[str, Any] = {"ancestors": (Ancestor(40, "cron"),), "ancestors_truncated": False}
    of_bash = (Ancestor(60, "bash"), Ancestor(3, "sshd"))
    reused = [death(100 * nth, 50, age=10, comm=f"other{nth}") for nth in range(1, 20)]
    init = by(Sender(1, 0, "systemd", 0))
    lives = by(Sender(60, 61, "bash", 0))
    record_deaths(
        answers.store,
        [
            death(5, 50, age=2, comm="pkill", **above),
            death(6, 7, signal=9, cause=by(Sender(50, 40, "pkill", 0))),
            *reused,
            death(50, 8, signal=15, cause=init, comm="daemon", ppid=2),
            death(60, 9, signal=9, cause=lives, comm="job", ppid=62),
            death(61, 99, comm="ls", ppid=60, ancestors=of_bash),
        ],
    )
    killer = answers.record(7)["killer"]
    assert (killer["exit"]["comm"], killer["ancestors"]) == ("pkill", [{"pid": 40, "comm": "cron"}])
    text = answers.ask(8)
    assert "was killed by systemd[1] with SIGTERM." in text
    assert "of which nothing is recorded" not in text
    killer = answers.record(9)["killer"]
    assert (killer["exit"], killer["ancestors"]) == (None, [{"pid": 3, "comm": "sshd"}])


def test_a_systemctl_that_was_refused_is_not_blamed(answers: Answers) -> None:
    asked: dict[str, Any] = {"comm": "systemctl", "args": ("systemctl", "stop", "web"), "age": 1}
    sent = Cause("killed", "killed", Sender(1, 0, "systemd", 0), "kill")
    web: dict[str, Any] = {"signal": 15, "cause": sent, "cgroup": "/system.slice/web.service"}
    ann: dict[str, Any] = asked | {"uid": 1000, "user": "ann"}
    record_deaths(
        answers.store,
        [
            death(10.2, 50, uid=0, user="root", exit_code=1, **asked),
            death(10.1, 51, exit_code=4, **ann),
            death(10, 7, comm="web", **web),
            death(500.1, 60, exit_code=4, **ann),
            death(500, 8, comm="web", **web),
        ],
    )
    assert "systemctl[50], user root, asked for it: systemctl stop web" in answers.ask(7)
    assert "systemd does that to stop or restart a unit" in answers.ask(8)


def test_what_near_means_can_be_said(answers: Answers) -> None:
    record_deaths(
        answers.store, [death(at, 10 + at, exit_code=at, comm=f"job{at}") for at in (1, 4, 9, 60)]
    )
    for around, expected in (("5s", [11, 19]), ("1s", []), ("1m", [11, 19, 70])):
        told = answers.record(14, "--around", around)
        assert sorted(one["pid"] for one in told["around"]) == expected


def test_a_long_loop_is_told_from_its_start(answers: Answers) -> None:
    """More deaths than are read at once: the counts by the hour tell since when."""
    lasted = death(0, 5, exit_code=1, age=3 * 86_400)
    looping = [
        death(100 + 5 * nth, 10 + nth, exit_code=1, age=0.1, exe="/bin/web") for nth in range(4000)
    ]
    record_deaths(answers.store, [lasted, *looping])
    (loop,) = answers.record("sh")["history"]["loops"]
    assert loop["deaths"] == pytest.approx(4000, abs=5)
    assert loop["every_s"] == pytest.approx(5, abs=0.1)
    first = json.loads(json_lines(read(answers.store, pids=[10]))[0])
    assert loop["from"] == first["time"]


def test_a_loop_that_is_as_fast_as_can_be(answers: Answers) -> None:
    looping = [death(1 + nth / 1e6, 10 + nth, exit_code=1, age=1e-7) for nth in range(1500)]
    record_deaths(answers.store, looping)
    (loop,) = answers.record("sh")["history"]["loops"]
    assert loop["every_s"] == 0
    assert loop["deaths"] >= 1000


def test_the_run_before_a_loop_that_lasted(answers: Answers) -> None:
    lasted = death(0, 5, age=3 * 86_400)
    record_deaths(
        answers.store, [lasted, *[death(at, at, exit_code=1) for at in range(10, 60, 10)]]
    )
    text = " ".join(answers.ask("sh").split())
    assert "A crash loop: 5 deaths since " in text
    assert "one every 10 s, most: code 1." in text
    assert "The last run before it that lasted was sh[5]: 3 d, until " in text


def test_counts_of_seven_days(answers: Answers) -> None:
    deaths = [
        death(hour * HOUR_S, hour + 2, exit_code=int(hour % 40 == 0), exe="/bin/job")
        for hour in range(30 * 24)
    ]
    record_deaths(answers.store, deaths)
    history = answers.record("sh")["history"]
    assert history["count"] == pytest.approx(7 * 24, abs=2)
    assert history["by_cause"] == {"not recorded": history["count"]}
    assert history["first_seen"] == json.loads(deaths[0].to_json())["time"]


@pytest.mark.usefixtures("as_root")
def test_without_rights_but_that_to_read(store: Path) -> None:
    record_deaths(store, [death(1, 7, exit_code=1)])
    group = os.stat(store).st_gid
    words = ["why", "7", "--store", str(store)]
    without_rights(lambda: _assert_status(main(words), 0), groups=[group])
    without_rights(lambda: _assert_status(main(words), 77))


def _assert_status(status: int, expected: int) -> None:
    assert status == expected


def test_what_runs_now_is_told_if_it_is_this_boot(answers: Answers) -> None:
    from exitsnoop.store.boots import boot_clock_ns, this_boot

    me = os.getpid()
    boot = this_boot()
    now_ns = boot_clock_ns()
    exit_ = make_exit(pid=me, boot_ns=now_ns, wall_ns=now_ns + boot.began_ns, exit_code=1)
    recorder = Writer(answers.store, limits=ROOM, boot=boot, since_ns=now_ns - SECOND_NS)
    recorder.add(Exits.of([exit_]))
    recorder.close()
    assert f"PID {me} is another process now: python" in answers.ask(me)
    other = os.getppid()
    told = answers.record(other, status=1)
    assert [one["pid"] for one in told["living"]] == [other]
    assert f"PID {other} still runs: " in answers.ask(other, status=1)


def test_an_answer_from_elsewhere_says_nothing_of_what_runs_here(answers: Answers) -> None:
    record_deaths(answers.store, [death(1, os.getpid(), exit_code=1)])
    assert answers.record(os.getpid())["living"] == []
