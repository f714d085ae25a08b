"""The command line: every filter has its option, nonsense is refused in one line."""

import signal
from typing import Any, get_type_hints

import pytest

from exitsnoop import cli
from exitsnoop.cli import parse
from exitsnoop.cli.options import ONE_OF, OPTIONS, SWITCHES, Options, wanted
from exitsnoop.cli.parser import parser
from exitsnoop.cli.show import columns
from exitsnoop.cli.verbs import VERBS
from exitsnoop.filters.filters import EVERYTHING, EXCLUDABLE, Filters
from exitsnoop.model.cause import KINDS

# The words that set each field of Filters, and its value then.
GIVEN: dict[str, tuple[list[str], Any]] = {
    "pids": (["-p", "3,4", "--pid", "5"], (3, 4, 5)),
    "tree": (["--tree", "3", "--tree=4"], (3, 4)),
    "ppids": (["-P", "3", "--ppid=4,5"], (3, 4, 5)),
    "users": (["-u", "root,54321", "--user", "54322"], {0, 54321, 54322}),
    "names": (["-n", "make,cc*", "--name", "[l]d"], ("make", "cc*", "[l]d")),
    "containers": (["--container", "web,db"], ("web", "db")),
    "min_age": (["--min-age", "1.5"], 1.5),
    "max_age": (["--max-age", "1h30m"], 5400.0),
    "failed": (["-x"], True),
    "asked": (["--asked"], True),
    "signals": (["--signal", "KILL,15", "--signal", "INT"], {9, 15, 2}),
    "codes": (["--code", "1-3", "--code=255"], {1, 2, 3, 255}),
    "causes": (["--cause", "oom", "--cause", "fault,abort"], {"oom", "fault", "abort"}),
    "per_thread": (["--per-thread"], True),
    "why": (["-w"], True),
}


def asked(*words: str) -> Filters:
    return wanted(parse(list(words)))


def filters_of(options: dict[str, Any]) -> Filters:
    return Filters(**options)


def test_nothing_asked_for_is_everything() -> None:
    assert asked() == Filters()
    # The parser sets only what is given.
    assert vars(parse(["--color=auto"])) == vars(Options())


def test_switches_are_what_the_parser_makes_of_them() -> None:
    words: dict[str, str] = {}
    for action in parser()._actions:
        if action.const is True:
            words |= dict.fromkeys(action.option_strings, action.dest)
    assert words == SWITCHES
    for one in SWITCHES:
        for other in SWITCHES:
            if {one, other} == ONE_OF:
                continue
            parsed = parser().parse_args([one, other], Options())
            assert vars(parse([one, other])) == vars(parsed)


def test_formats_exclude_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    """The parser also refuses words that are only switches."""
    with pytest.raises(SystemExit):
        parse([*ONE_OF])
    assert "not allowed with" in capsys.readouterr().err


def test_every_filter_is_asked_for_here_or_elsewhere() -> None:
    """Cgroups need a machine, exclusion a list, and the fields come from the columns."""
    assert set(GIVEN) == set(EVERYTHING) - {"cgroups", "excluding", "fields"}
    dests = {action.dest for action in parser()._actions}
    assert set(EVERYTHING) - {"excluding", "fields"} <= dests


@pytest.mark.parametrize("name", GIVEN)
def test_a_filter(name: str) -> None:
    words, value = GIVEN[name]
    assert asked(*words) == filters_of({name: value})


def test_all_filters_at_once() -> None:
    words = [word for words, _ in GIVEN.values() for word in words]
    expected = {name: value for name, (_, value) in GIVEN.items()} | {"codes": {0, 1, 2, 3, 255}}
    assert asked(*words, "--code", "0") == filters_of(expected)


@pytest.mark.parametrize(
    "name", sorted(set(EXCLUDABLE) - {"cgroups", "signals", "codes", "causes"})
)
def test_a_list_turned_round(name: str) -> None:
    (option, values, *_), _ = GIVEN[name]
    filters, plain = asked(option, f"!{values}"), asked(option, values)
    assert vars(filters) == vars(plain) | {"excluding": frozenset({name})}
    assert filters == filters_of({name: getattr(plain, name), "excluding": [name]})
    assert asked(option, f"!{values}", option, f"!{values}").excluding == {name}


@pytest.mark.parametrize(
    ("words", "name", "values"),
    [
        (["--signal", "!KILL,TERM"], "signals", set(range(1, 65)) - {9, 15}),
        (["--signal", "!KILL", "--signal", "!TERM"], "signals", set(range(1, 65)) - {9, 15}),
        (["--code", "!0"], "codes", set(range(1, 256))),
        (["--code", "!0", "--code", "!2-255"], "codes", {1}),
        (["--cause", "!exited,killed"], "causes", set(KINDS) - {"exited", "killed"}),
    ],
)
def test_a_list_of_all_others(words: list[str], name: str, values: set[Any]) -> None:
    assert getattr(asked(*words), name) == values
    assert asked(*words).excluding == set()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-u", "nosuchuser"], "no user nosuchuser"),
        (["-u", ""], "argument -u/--user: '' has an empty part"),
        (["-u", "!"], "argument -u/--user: '' has an empty part"),
        (["-u", "root,,nobody"], "'root,,nobody' has an empty part: two commas in a row"),
        (["-c", "/nosuch"], "there is no cgroup '/nosuch'"),
        (["-n", "sixteen-letters."], "'sixteen-letters.' is too long: a name has at most 15 bytes"),
        (["-n", "[a"], "'[a' is not a pattern"),
        (["-p", "!5"], "argument -p/--pid: '!5' is not a PID"),
        (["--tree", "!5"], "argument --tree: '!5' is not a PID"),
        (["-P", "x"], "argument -P/--ppid: 'x' is not a PID"),
        (["--min-age", "2s", "--max-age", "1s"], "no process can have the age asked for"),
        (["--min-age", "soon"], "argument --min-age: 'soon' is not a duration"),
        (["--max-age", "-1s"], "argument --max-age: expected one argument"),
        (["--signal", "KLL"], "argument --signal: 'KLL' is not a signal"),
        (["--code", "!0-255"], "no codes are left to trace"),
        (["--cause", "!" + ",".join(KINDS)], "no causes are left to trace"),
        (["--cause", "bad luck"], "argument --cause: 'bad luck' is not a kind of cause"),
        (["-x", "--code", "0"], "no process can end in all of the ways asked for at once"),
        (["--cause", "oom", "--code", "1"], "no process can end in all of the ways"),
        (["-u", "root", "-u", "!nobody"], "argument -u/--user: give either what to trace, or"),
        (["-n", "!a", "-n", "b"], "argument -n/--name: give either what to trace, or"),
        (["--code", "!0", "--code", "1"], "argument --code: give either what to trace, or"),
        (["-o", "pid,contaner"], "'contaner' is not a column; the nearest is 'container'"),
        (["-o", ""], "argument -o/--columns: '' lacks the name of a column"),
        (["--color", "blue"], "argument --color: invalid choice: 'blue'"),
        (["--json", "--csv"], "argument --csv: not allowed with argument --json"),
        (["--linger"], "--linger is for COMMAND"),
        (["--"], "there is no COMMAND after --"),
        (["-p", "1", "--", "true"], "leave out COMMAND"),
        (["--signal", "65"], "argument --signal: 65 is not a signal: a signal is 1 to 64"),
        (["-p", "0"], "argument -p/--pid: 0 is not a PID: a PID is 1 to 4194304"),
        (
            ["sleep", "1"],
            f"'sleep' is not a verb ({', '.join(VERBS)}); a command goes after --: exitsnoop -- ",
        ),
        (["sleep", "a b"], "exitsnoop -- sleep 'a b'"),
        (["-x", "make", "-j8"], "a command goes after --: exitsnoop -x -- make -j8"),
        (["make", "-o", "x"], "a command goes after --: exitsnoop -- make -o x"),
        (["chekc"], "'chekc' is not a verb; did you mean check? a command goes after --: "),
        (["-x", "check"], "'check' must be the first word: exitsnoop check"),
        (["--jsn"], "unrecognized option: --jsn; did you mean --json?"),
        (["-q"], "unrecognized option: -q"),
    ],
)
def test_nonsense_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    """Status 2, and below the usage one line that says what is wrong."""
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    shown = capsys.readouterr()
    assert (ended.value.code, shown.out) == (2, "")
    *usage, line = shown.err.splitlines()
    assert line.startswith("exitsnoop: error: ")
    assert message in line
    assert usage[0].startswith("usage: exitsnoop [options] ")
    assert not [line for line in usage if "error" in line]


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        ([], "comm pid ppid tid age exit"),
        (["-t"], "time comm pid ppid tid age exit"),
        (["--utc", "-o", "pid"], "time pid"),
        (["-t", "-o", "pid,time"], "pid time"),
        (["-w", "-a", "-o", "pid"], "pid cause args"),
        (["-a", "-w", "-o", "pid"], "pid cause args"),
        (["-a", "-o", "args,pid"], "args pid"),
        (["--cause", "oom", "-o", "pid"], "pid"),
        (["--cause", "oom", "-o", "pid", "-w"], "pid cause"),
        (["-o", "pid", "-o", "+user"], "pid user"),
    ],
)
def test_columns(words: list[str], chosen: str) -> None:
    assert columns(parse(words)) == tuple(chosen.split())


@pytest.mark.parametrize("words", [["--version"], ["-o", "help"], ["--help"]])
def test_what_was_asked_for_goes_to_standard_output(
    capfd: pytest.CaptureFixture[str], words: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    shown = capfd.readouterr()
    assert not ended.value.code
    assert shown.out
    assert shown.err == ""


@pytest.mark.parametrize(
    ("words", "status"), [([], 0), (["-x", "--", "make"], 128 + signal.SIGINT)]
)
def test_interrupted_before_tracing_is_on(
    monkeypatch: pytest.MonkeyPatch, words: list[str], status: int
) -> None:
    """Whoever goes on if COMMAND succeeded must not take it for that."""

    def interrupted(_: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", interrupted)
    assert cli.main(words) == status


def test_options_are_told_by_their_rows() -> None:
    names = {row.name for row in OPTIONS} | set(EVERYTHING)
    assert set(vars(Options())) == names
    assert set(get_type_hints(Options)) <= names
