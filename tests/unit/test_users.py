"""Users' names and numbers."""

import os
import pwd

import pytest

from exitsnoop.host import users


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


def test_the_system_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def getpwuid(number: int) -> None:
        asked.append(number)
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", getpwuid)
    users.name.cache_clear()
    assert [users.name(4242), users.name(4242)] == [None, None]
    assert asked == [4242]
    users.name.cache_clear()
