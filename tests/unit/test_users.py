"""Users' names and numbers."""

import os
import pwd
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TypeVar

import pytest
from support.machine import within
from support.waiting import until

from exitsnoop.host import users

T = TypeVar("T")


def test_every_user_of_this_machine() -> None:
    for entry in pwd.getpwall():
        assert users.uid(entry.pw_name) == pwd.getpwnam(entry.pw_name).pw_uid
        assert users.name(entry.pw_uid) == pwd.getpwuid(entry.pw_uid).pw_name


def test_root() -> None:
    assert users.name(0) == "root"
    assert users.uid("root") == 0


def test_a_number_needs_no_user() -> None:
    for number in (0, os.getuid(), 3_999_999_999, 2**32 - 2):
        assert users.uid(str(number)) == number


def test_who_has_no_name() -> None:
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    free = next(number for number in range(3_999_999_999, 0, -1) if number not in taken)
    assert users.name(free) is None
    assert users.name(2**32 - 1) is None


@pytest.mark.parametrize(
    "text",
    ["no-such-user", "", "-1", "+1", " 1", "1_0", "0x1", "٣", "1.0", str(2**32 - 1), str(2**64)],
)
def test_no_user(text: str) -> None:
    with pytest.raises(ValueError, match="no user ") as error:
        users.uid(text)
    assert str(error.value) == f"no user {text}"


def test_a_name_of_digits_goes_before_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = pwd.getpwuid(0)
    monkeypatch.setattr(pwd, "getpwnam", lambda name: {"42": entry}[name])
    assert users.uid("42") == 0
    assert users.uid("43") == 43


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator["Service"]:
    """A name service that answers when it is let."""
    made = Service()
    monkeypatch.setattr(pwd, "getpwuid", made.getpwuid)
    monkeypatch.setattr(users, "_names", users._Names())
    yield made
    made.answers.set()


class Service:
    """Knows every user but 4242."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.answers = threading.Event()

    def getpwuid(self, number: int) -> SimpleNamespace:
        self.asked.append(number)
        self.answers.wait()
        if number == 4242:
            raise KeyError
        return SimpleNamespace(pw_name=f"user{number}")


def test_the_system_is_asked_once(service: Service) -> None:
    service.answers.set()
    assert [users.name(4242), users.name(4242)] == [None, None]
    assert [users.name(4243), users.name(4243)] == ["user4243"] * 2
    assert service.asked == [4242, 4243]
    assert users.numbers_given() == 0


def test_a_service_that_does_not_answer_costs_a_moment_once(service: Service) -> None:
    began = time.monotonic()
    assert [users.name(uid) for uid in range(5000)] == [str(uid) for uid in range(5000)]
    assert [users.name(uid) for uid in range(5000)] == [str(uid) for uid in range(5000)]
    assert users.PATIENCE_S <= time.monotonic() - began < users.PATIENCE_S + within(5)
    assert users.numbers_given() == 10_000
    assert service.asked == [0]
    service.answers.set()
    until(lambda: users.name(0) == "user0")


def test_a_slow_service_is_waited_for_a_share_of_the_time(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers each question just when nobody waits for it any more."""
    patience: list[float] = []

    class Condition(threading.Condition):
        def wait_for(self, predicate: Callable[[], T], timeout: float | None = None) -> T:
            patience.append(timeout or 0)
            return super().wait_for(predicate, timeout)

    monkeypatch.setattr(users, "PATIENCE_S", 0.2)
    monkeypatch.setattr("threading.Condition", Condition)
    first = time.monotonic()
    monkeypatch.setattr(users, "_names", users._Names())
    for uid in range(10):
        assert users.name(uid) == str(uid)
        service.answers.set()
        until(lambda: users.name(uid) == f"user{uid}")  # noqa: B023
        service.answers.clear()
    assert len(patience) == 10
    earned = users.PATIENCE_SHARE * (time.monotonic() - first)
    assert sum(one for one in patience if one > 0) <= 0.2 + earned


def test_a_child_asks_for_itself(service: Service) -> None:
    """The thread that asks is not there, nor the lock that it may hold."""
    service.answers.set()
    assert users.name(1) == "user1"
    child = os.fork()
    if not child:
        code = 1
        try:
            signal.alarm(20)
            code = 0 if users.name(2) == "user2" else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0) == (child, 0)
