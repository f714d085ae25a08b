"""Arguments in a sentence can be copied to a shell."""

import os
import random
import subprocess

import pytest

from exitsnoop.sinks.shell import shell_word


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        ("--user=www-data", "--user=www-data"),
        ("", "''"),
        ("...", "'...'"),
        ("sleep 5; exit 3", "'sleep 5; exit 3'"),
        ("*.log", "'*.log'"),
        ("it's", '"it\'s"'),
        ("print('$x')", r"'print('\''$x'\'')'"),
        (r"a\nb", r"'a\nb'"),
        ("a\nb", r"$'a\nb'"),
        ("\x1b[31mit's", r"$'\033[31mit\'s'"),
        ("größe", "'größe'"),
        ("\udcff", r"$'\377'"),
        ("\u202e", r"$'\342\200\256'"),
    ],
)
def test_words(argument: str, shown: str) -> None:
    assert shell_word(argument) == shown


def test_bash_takes_them_back() -> None:
    chance = random.Random(1)
    characters = [*map(chr, range(1, 128)), "\udcff", "ö", "漢", "\u202e", *"'\"\\$`!"]
    arguments = ["".join(chance.choices(characters, k=chance.randrange(9))) for _ in range(2000)]
    script = " ".join(["printf '%s\\0'", *map(shell_word, arguments)])
    assert script.isprintable()
    result = subprocess.run(
        ["bash"], input=os.fsencode(script), env={"LC_ALL": "C.UTF-8"}, stdout=-1, check=True
    )
    assert result.stdout.split(b"\0")[:-1] == [os.fsencode(one) for one in arguments]
