"""Write docs/commands.md, or say whether it is stale: `reference.py [--check]`.

It is made of what the command line is made of, so that each word of it is said once.
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from exitsnoop.cli import parser as words
from exitsnoop.cli.statuses import STATUSES, WITH_COMMAND
from exitsnoop.cli.verbs import VERBS, verb_parser
from exitsnoop.filters.table import FILTERS

DOCUMENT = Path(__file__).parents[1] / "docs" / "commands.md"


def document() -> str:
    """Return docs/commands.md."""
    main = words.parser()
    synopsis = words.usage() % {"prog": "exitsnoop"}
    parts = [
        "# Commands and options",
        "This page is made by tools/reference.py from the command line's own tables. "
        "`exitsnoop --help` says the same.",
        "## Synopsis",
        _code("\n".join(line.strip() for line in synopsis.splitlines())),
        *words.NOTES,
        "An option is written in full; only the original's seven may be shortened, as argparse "
        f"would: {_listed(words.ORIGINAL)}.",
        *_groups(main),
        "## Filters in the library",
        "The keywords of `exitsnoop.Filters`, `exitsnoop.Tracer` and `exitsnoop.trace`. TIME is in "
        "seconds. `excluding` may name those that can be excluded, as a `!` does before the list "
        "of an option.",
        _table(
            ("keyword", "options", "excluding", "meaning"),
            (
                (
                    f"`{row.name}`",
                    _listed(row.flags),
                    "yes" if row.excludable else "",
                    row.meaning,
                )
                for row in FILTERS
            ),
        ),
        "## Verbs",
        "A verb is the first word. A program with the name of a verb can be run all the same, "
        "after `--`.",
        *(part for name in VERBS for part in _verb(name)),
        "## Exit statuses",
        _table(("status", "meaning"), STATUSES),
        WITH_COMMAND,
    ]
    return "\n\n".join(parts) + "\n"


def _groups(made: argparse.ArgumentParser) -> Iterable[str]:
    for group in made._action_groups:  # noqa: SLF001 - argparse has no other way
        if group._group_actions:  # noqa: SLF001
            title = group.title or ""
            yield f"## {title[0].upper()}{title[1:]}"
            yield _options(group._group_actions)  # noqa: SLF001


def _verb(name: str) -> Iterable[str]:
    made = verb_parser(name)
    yield f"### exitsnoop {name}"
    yield f"{made.description}"
    yield _options(made._actions)  # noqa: SLF001
    if made.epilog:
        yield _code(made.epilog.rstrip())


def _options(actions: Iterable[argparse.Action]) -> str:
    rows = (
        (f"`{_invocation(action)}`", (action.help or "").replace("%%", "%")) for action in actions
    )
    return _table(("option", "meaning"), rows)


def _invocation(action: argparse.Action) -> str:
    flags = ", ".join(action.option_strings)
    value = f"{action.metavar or '|'.join(map(str, action.choices or ()))}"
    return f"{flags} [{value}]".strip() if action.nargs == "?" else f"{flags} {value}".strip()


def _table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [titles, ("---",) * len(titles), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )


def _listed(flags: Iterable[str]) -> str:
    return ", ".join(f"`{flag}`" for flag in flags)


def _code(text: str) -> str:
    return f"```\n{text}\n```"


def main() -> int:
    """Do what the words ask for; return the exit status."""
    if sys.argv[1:] == ["--check"]:
        return int(not DOCUMENT.exists() or DOCUMENT.read_text() != document())
    DOCUMENT.write_text(document())
    return 0


if __name__ == "__main__":
    sys.exit(main())
