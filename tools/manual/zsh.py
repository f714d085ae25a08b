"""The completion for zsh."""

from collections.abc import Iterable, Iterator

from tools.manual.commands import Command, Option, Value

# What zsh has a function for.
ACTIONS = {
    "pids": "_pids",
    "users": "_users",
    "directories": "_files -/",
    "files": "_files",
    "": " ",
}

HEAD = """\
#compdef exitsnoop
# zsh completion for exitsnoop. Made by tools/manual from the options themselves.

# Offers matches of a function for the last part of a list; marks may come before the list.
_exitsnoop_list() {
	local marks=$1
	shift
	[[ -z $marks ]] || compset -P '[+!]'
	compset -P '*,'
	compset -S ',*'
	"$@"
}

_exitsnoop_words() {
	local -a words=("$@")
	compadd -q -S ',' -a words
}
"""


def completion(every: Iterable[Command]) -> str:
    """Return the script."""
    main, *verbs = every
    names = " ".join(f"'{_plain(one.verb)}:{_plain(one.summary)}'" for one in verbs)
    running = "|".join(one.verb for one in verbs if one.runs)
    return "\n".join(
        [
            HEAD,
            *(line for one in (main, *verbs) for line in _function(one)),
            "_exitsnoop_verbs() {",
            f"\tlocal -a verbs=({names})",
            "\t_describe -t verbs verb verbs",
            "}",
            "",
            "_exitsnoop() {",
            "\tlocal curcontext=$curcontext state line",
            "\tinteger at=${words[(i)--]}",
            "\tlocal is_verb=${+functions[_exitsnoop-$words[2]]}",
            f"\tif ((at < CURRENT)) && [[ $is_verb = 0 || $words[2] = ({running}) ]]; then",
            "\t\tshift at words",
            "\t\t((CURRENT -= at))",
            "\t\t_normal",
            "\telif ((CURRENT > 2 && is_verb)); then",
            "\t\tlocal verb=$words[2]",
            "\t\tshift words",
            "\t\t((CURRENT--))",
            '\t\t"_exitsnoop-$verb"',
            "\telif ((CURRENT == 2)) && [[ $words[2] != -* ]]; then",
            "\t\t_exitsnoop_verbs",
            "\telse",
            "\t\t_exitsnoop-",
            "\tfi",
            "}",
            "",
            '_exitsnoop "$@"',
            "",
        ]
    )


def _function(command: Command) -> Iterator[str]:
    yield f"_exitsnoop-{command.verb}() {{"
    yield "\t_arguments -s -S \\"
    specs = [_spec(option) for option in command.options]
    specs += [
        f"'{'' if value.is_needed else ':'}:{_plain(value.metavar)}:{_action(value)}'"
        for value, _ in command.arguments
    ]
    yield " \\\n".join(f"\t\t{spec}" for spec in specs)
    yield from ("}", "")


def _spec(option: Option) -> str:
    """Return what _arguments takes: '(-o --output)'{-o,--output}'[where]:FILE:_files'."""
    more = f"[{_plain(option.short_meaning)}]"
    takes = ""
    if option.value:
        colons = ":" if option.value.is_needed else "::"
        takes = f"{colons}{_plain(option.value.metavar)}:{_action(option.value)}"
    can_repeat = option.value is not None and option.value.is_list
    before = "'*'" if can_repeat else f"'({' '.join(option.flags)})'"
    # A long option may have its value after an equals sign, a short one in the same word.
    flags = [_flag(flag, takes=bool(takes)) for flag in option.flags]
    named = f"{{{','.join(flags)}}}" if len(flags) > 1 else flags[0]
    return f"{before}{named}'{more}{takes}'"


def _flag(flag: str, *, takes: bool) -> str:
    if not takes:
        return flag
    return f"{flag}=" if flag.startswith("--") else f"{flag}+"


def _action(value: Value) -> str:
    if isinstance(value.offered, str):
        action = ACTIONS[value.offered]
        if value.is_list and value.offered in ("pids", "users"):
            return f' _exitsnoop_list "{value.marks}" {action} -q -S ,'
        return action
    words = " ".join(value.offered)
    if not value.is_list:
        return f"({words})"
    return f' _exitsnoop_list "{value.marks}" _exitsnoop_words {words}'


def _plain(text: str) -> str:
    """Return a text without what _arguments would take for its own."""
    for letter in "\\[]:":
        text = text.replace(letter, f"\\{letter}")
    return text.replace("'", "'\\''")
