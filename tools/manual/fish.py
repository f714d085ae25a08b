"""The completion for fish."""

from collections.abc import Iterable, Iterator

from tools.manual.commands import Command, Option, Value

# What fish has a function for; it adds a description to each.
FUNCTIONS = {
    "pids": "(__fish_complete_pids)",
    "users": "(__fish_complete_users)",
    "directories": "(__fish_complete_directories)",
}

HEAD = """\
# fish completion for exitsnoop. Made by tools/manual from the options themselves.

# Whether the words are those of this verb; '' is exitsnoop itself.
function __exitsnoop_is
    set -l verb (__exitsnoop_verb)
    test "$verb" = "$argv[1]"
end

function __exitsnoop_verb
    set -l words (commandline -opc)
    if contains -- -- $words; and not contains -- "$words[2]" QUIET
        echo COMMAND
    else if contains -- "$words[2]" VERBS
        echo $words[2]
    else
        echo
    end
end

function __exitsnoop_is_first
    test (count (commandline -opc)) -eq 1
end

# Offers the words for the last part of a list; marks may come before the list.
function __exitsnoop_list
    set -l given (commandline -ct | string replace -r '^--[^=]*=' '')
    set -l before (string match -r '.*,' -- $given)
    if test -z "$before" -a -n "$argv[1]"
        set before (string match -r '^[+!]' -- $given)
    end
    for word in $argv[2..-1]
        echo "$before"(string replace -r '\\t.*' '' -- $word)
    end
end

# Offers what the command after -- would be offered.
function __exitsnoop_command
    set -l words (commandline -opc)
    set -l at (contains -i -- -- $words)
    set words $words (commandline -ct)
    set words $words[(math $at + 1)..-1]
    complete -C "$words"
end

complete -c exitsnoop -f
complete -c exitsnoop -n '__exitsnoop_is COMMAND' -x -a '(__exitsnoop_command)'
"""


def completion(every: Iterable[Command]) -> str:
    """Return the script."""
    main, *verbs = every
    quiet = " ".join(one.verb for one in verbs if not one.runs)
    lines = [
        HEAD.replace("VERBS", " ".join(one.verb for one in verbs)).replace("QUIET", quiet),
    ]
    lines += [
        f"complete -c exitsnoop -n __exitsnoop_is_first -a {one.verb} -d {_quoted(one.summary)}\n"
        for one in verbs
    ]
    for command in (main, *verbs):
        condition = (
            f"complete -c exitsnoop -n {_quoted(f'__exitsnoop_is {command.verb or repr(str())}')}"
        )
        lines += [f"{condition} {words}\n" for words in _completions(command)]
    return "".join(lines)


def _completions(command: Command) -> Iterator[str]:
    for option in command.options:
        yield " ".join([*_flags(option), f"-d {_quoted(option.short_meaning)}"])
    for value, _ in command.arguments[:1]:
        if value.offered:
            yield _offer(value)


def _flags(option: Option) -> Iterator[str]:
    for flag in option.flags:
        yield f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"
    if option.value and option.value.is_needed:
        yield _offer(option.value)


def _offer(value: Value) -> str:
    if value.offered == "files":
        return "-r -F"
    if not value.offered:
        return "-x"
    words = FUNCTIONS[value.offered] if isinstance(value.offered, str) else _words(value.offered)
    if value.is_list:
        words = f'(__exitsnoop_list "{value.marks}" {words})'
    return f"-x -a {_quoted(words)}"


def _words(offered: Iterable[str]) -> str:
    return " ".join(offered)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
