"""What `exitsnoop why` makes of an X that is not quite the name of a process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.flight import Answers
from support.recorded import death, pids, record_deaths


def taken(answers: Answers, *words: object) -> tuple[str, int]:
    """What X was taken for, and the PID of the death."""
    told = answers.record(*words)
    return told["target"]["kind"], told["exit"]["pid"]


@pytest.mark.parametrize("path", ["/opt/backup.sh", "./backup.sh", "../opt/backup.sh"])
def test_a_script_is_found_by_its_path(answers: Answers, path: str) -> None:
    args = ("/bin/sh", path)
    script = death(1, 7, comm="backup.sh", exe="/usr/bin/dash", args=args, exit_code=3)
    record_deaths(answers.store, [script, death(2, 8, comm="dash", exe="/usr/bin/dash")])
    assert taken(answers, path) == ("name", 7)
    words = " ".join(answers.ask(path).split())
    assert f"No executable {path} is recorded; a script is known by its name" in words
    assert "this is about processes named backup.sh." in words
    told = answers.record(path, "--as", "exe", status=1)
    assert told["target"] == {"kind": "exe", "text": path}


def test_an_executable_comes_before_a_name(answers: Answers) -> None:
    others = [death(2, 8, comm="web", exe="/opt/new/web", exit_code=1)]
    record_deaths(answers.store, [death(1, 7, comm="web", exe="/opt/web", exit_code=1), *others])
    assert taken(answers, "/opt/web") == ("exe", 7)
    assert taken(answers, "./web") == ("exe", 8)
    assert "could also be" not in answers.ask("/opt/web")


@pytest.mark.parametrize(
    ("cgroup", "asked"),
    [
        ("/web_one", "web_one"),  # as runc makes it
        ("/web_one/below", "web_one"),
        ("/user.slice/user-0.slice/web_one", "web_one"),
        ("/system.slice/runc-web_one.scope", "web_one"),  # runc --systemd-cgroup
        ("/user.slice/user-7.slice/user@7.service/app.slice/api.service", "api.service"),
        ("/a/b", "/a/b"),
        ("/a/b/c", "/a/b/"),
        ("/a/b", "/sys/fs/cgroup/a/b"),
        ("/a/b", "/sys/fs/cgroup/unified/a/b"),
        ("/a/[b]*", "/a/[b]*"),
    ],
)
def test_a_cgroup_is_found_by_its_path_and_by_a_name_in_it(
    answers: Answers, cgroup: str, asked: str
) -> None:
    here = death(1, 7, comm="api", cgroup=cgroup, exit_code=3)
    others = ("/web_one2", "/my.web_one", "/a/bc", "/x/a/b", "/api.service2")
    beside = [death(2 + at, 8 + at, cgroup=one, exit_code=1) for at, one in enumerate(others)]
    record_deaths(answers.store, [here, *beside, death(9, 20, comm="api", cgroup=cgroup)])
    assert taken(answers, asked) == ("cgroup", 7)
    assert answers.record(asked)["target"]["text"] == asked
    assert "no death of" not in answers.ask(asked)


@pytest.mark.parametrize("cgroup", ["/web_one", "/x/runc-web_one.scope", "/crun-web_one.scope"])
def test_a_container_of_which_only_the_cgroup_says_so(answers: Answers, cgroup: str) -> None:
    here = death(1, 7, comm="api", cgroup=cgroup, exit_code=3)
    record_deaths(answers.store, [here, death(2, 8, cgroup="/web_two", exit_code=1)])
    assert taken(answers, "web_one", "--as", "container") == ("container", 7)
    assert "the container web_three" in answers.ask("web_three", "--as", "container", status=1)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["/a/b"], "an executable, script or cgroup /a/b"),
        (["/sys/fs/cgroup/a"], "an executable, script or cgroup /sys/fs/cgroup/a"),
        (["/a/b", "--as", "cgroup"], "the cgroup /a/b"),
        (["web"], "a process, unit or container named web"),
        (["web", "--as", "name"], "processes named web"),
    ],
)
def test_what_was_looked_for_and_not_found(answers: Answers, asked: list[str], words: str) -> None:
    record_deaths(answers.store, [death(1, 7, comm="api", cgroup="/c", exit_code=3)])
    assert f"no death of {words} since" in " ".join(answers.ask(*asked, status=1).split())


def test_a_cgroup_comes_last(answers: Answers) -> None:
    deaths = [death(1, 7, comm="web", exit_code=1), death(2, 8, cgroup="/web", exit_code=1)]
    record_deaths(answers.store, deaths)
    assert taken(answers, "web") == ("name", 7)
    assert taken(answers, "web", "--as", "cgroup") == ("cgroup", 8)
    words = " ".join(answers.ask("web").split())
    assert "it could also be the cgroup web (--as cgroup)." in words


def test_names_like_it_are_told(answers: Answers) -> None:
    names = ("webapp.sh", "nginx-web", "api", "Web\nx", "db")
    deaths = [death(1 + nth, 10 + nth, comm=name) for nth, name in enumerate(names)]
    record_deaths(answers.store, deaths)
    words = " ".join(answers.ask("web", status=1).split())
    (found,) = [part for part in words.split(".  ") if "processes named" in part][:1]
    for name in ("webapp.sh", "nginx-web", r"Web\nx"):
        assert name in found
    assert "It has processes named webapp.sh." in answers.ask("/opt/webapp.sh.old", status=1)
    for nothing in ("web*x", "77", "zzz", "b"):
        assert "It has" not in answers.ask(nothing, status=1)


@pytest.mark.parametrize("name", ["fa\udcffse", "fa\udcff*", "/bin/fa\udcffse", "\xe9" * 9])
def test_a_name_that_is_not_whole_utf8(answers: Answers, name: str) -> None:
    """Names are bytes, and the kernel cuts them after the 15th, also within a character."""
    odd = death(1, 7, raw_comm=b"fa\xffse".ljust(16, b"\0"), exe="/bin/fa\ufffdse", exit_code=3)
    cut = death(2, 8, raw_comm=("\xe9" * 9).encode()[:15] + b"\0", exit_code=3)
    record_deaths(answers.store, [odd, cut, death(3, 9, comm="fa", exit_code=3)])
    assert taken(answers, name)[1] == (8 if name[0] == "\xe9" else 7)


def test_what_is_escaped_fits_into_80_columns(store: Path) -> None:
    """Where the locale is C, characters beyond ASCII are escaped, and so longer."""
    name = b"fa\xffse".ljust(16, b"\0")
    record_deaths(store, [death(1, 7, raw_comm=name, exe="/bin/fa\ufffdse", exit_code=3)])
    told = subprocess.run(
        [sys.executable, "-m", "exitsnoop", "why", "--store", store, "7"],
        env={**os.environ, "LC_ALL": "C"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    assert r"fa\ufffdse[7] exited with code 3" in told
    assert max(map(len, told.splitlines())) <= 80, told


def test_text_that_is_not_utf8_can_be_asked_for(store: Path) -> None:
    record_deaths(store, [death(1, 7, user="a\ufffdb", exe="/bin/a\ufffd")])
    for query in ({"users": ["a\udcffb"]}, {"exes": ["/bin/a\udcff"]}, {"exes": ["*/a\udcff*"]}):
        assert pids(store, **query) == [7]
    for query in ({"users": ["a\udcff"]}, {"containers": ["\udcff"]}, {"units": ["a\udcff*"]}):
        assert pids(store, **query) == []


def test_a_question_that_found_nothing_is_not_the_last_failure(answers: Answers) -> None:
    asked = [death(at, at, comm="exitsnoop", exit_code=1 if at % 2 else 3) for at in range(10, 16)]
    record_deaths(answers.store, [death(1, 7, exit_code=1), *asked])
    assert taken(answers) == ("last", 7)
    assert taken(answers, "exitsnoop") == ("name", 15)


def test_a_failure_of_exitsnoop_itself_is_one(answers: Answers) -> None:
    crashed = death(5, 9, comm="exitsnoop", signal=11)
    record_deaths(answers.store, [death(1, 7, exit_code=1), crashed])
    assert taken(answers) == ("last", 9)


def test_where_nothing_else_failed_a_question_is_told(answers: Answers) -> None:
    asked = [death(at, at, comm="exitsnoop", exit_code=1) for at in range(10, 60)]
    record_deaths(answers.store, asked)
    assert taken(answers) == ("last", 59)
