"""Patterns for names, against the interpreter's own."""

import fnmatch
import random
import sqlite3
import struct

import pytest

from exitsnoop.filters.globs import compile_globs, compile_parts, for_sqlite, matches


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("bash", ["bash"], ["", "bas", "bashx", "xbash", "Bash"]),
        ("*", ["", "a", "\xff" * 15], []),
        ("**", ["", "a"], []),
        ("?", ["a", "*", "\xff"], ["", "ab"]),
        ("???", ["abc"], ["ab", "abcd"]),
        ("kworker/*", ["kworker/0:1", "kworker/"], ["kworker", "xkworker/"]),
        ("*sh", ["sh", "bash", "shsh", "shxsh"], ["s", "shx", ""]),
        ("a*b*c", ["abc", "axxbyyc", "abcbc"], ["ab", "acb", "abcx"]),
        ("*?*", ["a", "abc"], [""]),
        ("?*?", ["ab", "abc"], ["", "a"]),
        ("a**b", ["ab", "axb"], ["a"]),
        ("*a*", ["a", "bab"], ["", "b"]),
        ("[abc]", ["a", "b", "c"], ["", "d", "ab"]),
        ("[a-c]x", ["ax", "cx"], ["dx", "-x", "a"]),
        ("[!a-c]", ["d", "-", "\xff", "!"], ["a", "c", ""]),
        ("[^a-c]", ["d", "^"], ["a", "c"]),
        ("[a^]", ["a", "^"], ["b"]),
        ("[a!]", ["a", "!"], ["b"]),
        ("[]]", ["]"], ["[", ""]),
        ("[]a]", ["]", "a"], ["]a"]),
        ("[!]]", ["a"], ["]"]),
        ("[-a]", ["-", "a"], ["b"]),
        ("[a-]", ["-", "a"], ["b"]),
        ("[a-c-e]", ["a", "b", "-", "e"], ["d"]),
        ("[+--]", ["+", ",", "-"], ["*", "."]),
        ("[a-cx-z0]", ["b", "y", "0"], ["d", "w", "1"]),
        (r"[\]]", ["]"], ["\\", "a"]),
        (r"[a\-z]", ["a", "-", "z"], ["b", "\\"]),
        (r"[\a-\c]", ["a", "b"], ["\\", "-"]),
        ("[[]", ["["], ["a"]),
        ("[*?]", ["*", "?"], ["a"]),
        (r"\*", ["*"], ["a", r"\*", ""]),
        (r"\?\[\\", ["?[\\"], ["a[\\"]),
        (r"\a", ["a"], [r"\a"]),
        ("]", ["]"], ["a"]),
        ("a-b!c^", ["a-b!c^"], ["a"]),
        ("(sd-pam)", ["(sd-pam)"], ["sd-pam"]),
        ("\\\n[\\\n]", ["\n\n"], ["\n", "\\\n"]),
        ("a\nb*", ["a\nb", "a\nb\n"], ["ab"]),
        ("a" * 15, ["a" * 15], ["a" * 14]),
        ("*?" * 15 + "*", ["a" * 15], ["a" * 14]),
        ("[!a]" * 15, ["b" * 15], ["b" * 14 + "a"]),
    ],
)
def test_patterns(pattern: str, yes: list[str], no: list[str]) -> None:
    compiled = compile_globs([pattern])
    for name in yes:
        assert matches(compiled, name.encode("latin-1")), name
    for name in no:
        assert not matches(compiled, name.encode("latin-1")), name


def test_text_is_taken_as_its_bytes() -> None:
    assert matches(compile_globs(["größe"]), "größe".encode())
    assert matches(compile_globs(["gr??e*"]), "gröe".encode())
    assert not matches(compile_globs(["gr?e"]), "gröe".encode())
    assert matches(compile_globs(["gr*"]), "grö".encode()[:-1])
    assert matches(compile_globs(["\udcff"]), b"\xff")  # as the arguments of a command have it
    assert matches(compile_globs(["[!a][!a]"]), "ö".encode())


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "not a pattern"),
        ("a\0", "not a pattern"),
        ("a" * 16, "at most 15 bytes"),
        ("ö" * 8, "at most 15 bytes"),
        ("*" + "?" * 16, "at most 15 bytes"),
        ("[ab]" * 16, "at most 15 bytes"),
        ("[", r"a \[ without"),
        ("a[bc", r"a \[ without"),
        ("[]", r"a \[ without"),
        ("[!]", r"a \[ without"),
        ("[^]", r"a \[ without"),
        (r"[a\]", r"a \[ without"),
        ("a\\", "backslash at the end"),
        ("[ö]", "only contain ASCII"),
        ("[a-\udcff]", "only contain ASCII"),
        ("[z-a]", "range z-a is empty"),
        ("[[:digit:]]", "classes are not supported"),
    ],
)
def test_no_patterns(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compile_globs([pattern])


def words_of(
    compiled: bytes,
) -> tuple[list[int], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Return accepts of each byte in the first word; stars, starts, ends of all four."""
    words = struct.unpack("=1036Q", compiled)
    return list(words[:1024:4]), words[1024:1028], words[1028:1032], words[1032:]


def test_the_machine_as_the_kernel_reads_it() -> None:
    accepts, stars, starts, ends = words_of(compile_globs(["a*[!b]?"]))
    everything = 0b1000
    for byte, accepted in enumerate(accepts):
        expected = everything | (0b0100 if byte != ord("b") else 0) | (byte == ord("a"))
        assert accepted == (expected if byte else 0)
    assert (stars, starts, ends) == ((0b0010, 0, 0, 0), (1, 0, 0, 0), (0b10000, 0, 0, 0))
    assert words_of(compile_globs(["***"]))[1:] == ((1, 0, 0, 0), (1, 0, 0, 0), (2, 0, 0, 0))


def test_several_patterns_share_the_words() -> None:
    compiled = compile_globs(["ab", "c*", "d" * 15, "*e" * 15, "f*g", "?????"] + ["h" * 15] * 6)
    for name in (b"ab", b"c", b"cx", b"d" * 15, b"e" * 15, b"fg", b"fxg", b"12345", b"h" * 15):
        assert matches(compiled, name)
    for name in (b"a", b"abc", b"b", b"d" * 14, b"e" * 14, b"g", b"1234", b"h" * 14, b"dx"):
        assert not matches(compiled, name)
    assert not matches(compile_globs([]), b"")


def test_too_many_patterns_are_refused() -> None:
    compile_globs(["a" * 15] * 16)
    with pytest.raises(ValueError, match="too many"):
        compile_globs(["a" * 15] * 17)


def test_parts() -> None:
    compiled = compile_parts(["my-web", "0123"])
    for text in (b"my-web", rb"x/my\x2dweb.1", b"a\0docker-0123456"):
        assert matches(compiled, text)
    for text in (b"my", b"web-my", b"012 3", b""):
        assert not matches(compiled, text)
    with pytest.raises(ValueError, match="empty"):
        compile_parts([""])


def test_the_longest_fits_and_no_two_stars_are_neighbours() -> None:
    _, stars, _, ends = words_of(compile_globs(["**?" * 15 + "**"]))
    assert ends[0] == 1 << 31
    assert not stars[0] & stars[0] << 1


def random_pattern(chance: random.Random) -> str:
    """Only what the interpreter reads in the same way: no [^, no backslash, no range of nothing."""

    def element() -> str:
        kind = chance.random()
        if kind < 0.3:
            return "*"
        if kind < 0.45:
            return "?"
        if kind < 0.7:
            return chance.choice("abc!-^]")
        members = chance.choices("a b c a! a^ * [ ? a-b a-c b-c !-b".split(), k=2)
        first = chance.choice(["", "]", "-"]) or ("a" if members[0].startswith("!") else "")
        return chance.choice(["[", "[!"]) + first + "".join(members) + chance.choice(["]", "-]"])

    return "".join(element() for _ in range(chance.randint(1, 7)))


def test_like_fnmatch() -> None:
    chance = random.Random(1)
    matched = 0
    patterns = [random_pattern(chance) for _ in range(6000)]
    for pattern in patterns:
        compiled = compile_globs([pattern])
        for _ in range(15):
            name = "".join(chance.choices("abc!-^]*[\xff", k=chance.randint(0, 7)))
            expected = fnmatch.fnmatchcase(name, pattern)
            assert matches(compiled, name.encode("latin-1")) == expected, (pattern, name)
            matched += expected
    assert 0.1 < matched / (len(patterns) * 15) < 0.9


@pytest.mark.parametrize(
    ("pattern", "wider"),
    [
        ("bash", "bash"),
        ("?a[b-c]*d", "*a*d"),
        (r"\*\a[[]x", "[*]a*x"),
        ("gr??e", "gr*e"),
        ("größe", "größe"),
        ("\udcffx*", "*"),
        ("a]-^", "a]-^"),
    ],
)
def test_what_sqlite_is_asked(pattern: str, wider: str) -> None:
    assert for_sqlite(pattern) == wider


def test_sqlite_takes_every_name_that_a_pattern_takes() -> None:
    """Its GLOB compares characters of a text in which invalid UTF-8 is U+FFFD."""
    chance = random.Random(1)
    parts = [
        "a",
        "b",
        "?",
        "*",
        "[ab]",
        "[!a]",
        "[^-b]",
        "\\*",
        "\\[",
        "]",
        "ö",
        "\udcc3",
        "\udcb6",
    ]
    letters = [b"a", b"b", b"*", b"[", b"]", b"\xc3", b"\xb6", "ö".encode(), "\ufffd".encode()]
    sqlite = sqlite3.connect(":memory:")
    taken = 0
    for _ in range(6000):
        pattern = "".join(chance.choices(parts, k=chance.randint(1, 5)))
        name = b"".join(chance.choices(letters, k=chance.randint(0, 5)))
        if matches(compile_globs([pattern]), name):
            taken += 1
            text = name.decode("utf-8", "replace")
            (found,) = sqlite.execute("SELECT ? GLOB ?", (text, for_sqlite(pattern))).fetchone()
            assert found, (pattern, name)
    sqlite.close()
    assert taken > 200
