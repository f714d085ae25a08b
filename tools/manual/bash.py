"""The completion for bash. It works with and without the package bash-completion."""

import shlex
from collections.abc import Iterable, Iterator, Sequence

from tools.manual.commands import Command, Value

# How bash makes what a shell can offer.
ACTIONS = {"users": "-u", "directories": "-d", "files": "-f"}

HEAD = """\
# bash completion for exitsnoop. Made by tools/manual from the options themselves.

# Offers the words, for the last part of a list; marks may come before the list.
_exitsnoop_list() {
	local marks=$1 part=${cur##*,} before=
	shift
	if [[ $cur == *,* ]]; then
		before=${cur%,*},
	elif [[ $marks && $part == [+!]* ]]; then
		before=${part:0:1} part=${part:1}
	fi
	COMPREPLY=($(compgen -P "$before" "$@" -- "$part"))
	compopt -o nospace
}

_exitsnoop_pids() {
	local directory
	for directory in /proc/[0-9]*; do
		printf '%s ' "${directory#/proc/}"
	done
}

_exitsnoop() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb= i
	COMPREPLY=()
	# An equals sign is a word of its own.
	if [[ $cur == = ]]; then
		cur=
	elif [[ $prev == = ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
"""
TAIL = """\
	esac
}

complete -F _exitsnoop exitsnoop
"""
# RUNNING: the verbs that run a COMMAND.
COMMAND = """\
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [[ $verb == @(RUNNING) && ${COMP_WORDS[i]} == -- ]]; then
			if declare -F _command_offset >/dev/null; then
				_command_offset $((i + 1))
			else
				compopt -o default
				((COMP_CWORD > i + 1)) || COMPREPLY=($(compgen -c -- "$cur"))
			fi
			return
		fi
	done
"""


def completion(every: Sequence[Command]) -> str:
    """Return the script."""
    _, *verbs = every
    names = "|".join(one.verb for one in verbs)
    lines = [
        "\tcase ${COMP_WORDS[1]} in",
        f"\t{names}) ((COMP_CWORD == 1)) || verb=${{COMP_WORDS[1]}} ;;",
        "\tesac",
    ]
    own = [line for one in every for line in _own(one, verbs)]
    running = COMMAND.replace("RUNNING", "|".join(one.verb for one in every if one.runs))
    return (
        f"{HEAD}{_lines(lines)}{running}\tcase $verb:$prev in\n{_lines(_values(every))}\tesac\n"
        f"\tcase $verb in\n{_lines(own)}{TAIL}"
    )


def _values(every: Iterable[Command]) -> Iterator[str]:
    """Iterate over what to do after each option that takes a value; alike ones are together."""
    patterns: dict[str, list[str]] = {}
    for command in every:
        for option in command.options:
            if option.value and option.value.is_needed:
                found = patterns.setdefault(_offer(option.value), [])
                found += [f"{command.verb}:{flag}" for flag in option.flags]
    for offer, found in patterns.items():
        yield from (f"\t{' | '.join(found)})", f"\t\t{offer}", "\t\treturn", "\t\t;;")


def _own(command: Command, verbs: Iterable[Command]) -> Iterator[str]:
    """Iterate over what to do for any other word: options, verbs, arguments."""
    flags = " ".join(flag for option in command.options for flag in option.flags)
    yield from (f"\t{command.verb or repr('')})", "\t\tif [[ $cur == -* ]]; then")
    yield f"\t\t\tCOMPREPLY=($(compgen -W '{flags}' -- \"$cur\"))"
    if not command.verb:
        names = " ".join(one.verb for one in verbs)
        yield "\t\telif ((COMP_CWORD == 1)); then"
        yield f"\t\t\tCOMPREPLY=($(compgen -W '{names}' -- \"$cur\"))"
    for value, _ in command.arguments[:1]:
        yield from ("\t\telse", f"\t\t\t{_offer(value)}")
    yield from ("\t\tfi", "\t\t;;")


def _offer(value: Value) -> str:
    if value.offered == "pids":
        action = '-W "$(_exitsnoop_pids)"'
    elif isinstance(value.offered, str):
        action = ACTIONS.get(value.offered, "")
    else:
        action = f"-W {shlex.quote(' '.join(value.offered))}"
    if not action:
        return ":"
    if value.is_list:
        return f"_exitsnoop_list {shlex.quote(value.marks)} {action}"
    # The names of files are quoted, and a directory can be gone into.
    names = "compopt -o filenames; " if value.offered in ("files", "directories") else ""
    return f'{names}COMPREPLY=($(compgen {action} -- "$cur"))'


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
