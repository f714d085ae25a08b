"""Arguments as a person types them to a shell."""

import re

from exitsnoop.sinks.escape import escape, message

_BARE = re.compile(r"[\w%+,./:=@-]+", re.ASCII)
_SPECIAL = re.compile(r'["$`\\!]')  # between double quotes


def shell_word(text: str) -> str:
    """Return an argument as bash takes it back, safe for a terminal.

    It is bare, in '...', in "..." if it has single quotes, or in $'...' if it has what must be
    escaped. "..." is quoted: where it is bare, more was left out.
    """
    if _BARE.fullmatch(text) and text != "...":
        return text
    if message(text) != text:
        return "$'" + escape(text, spaces=False).replace("'", r"\'") + "'"
    if "'" in text and not _SPECIAL.search(text):
        return f'"{text}"'
    return "'" + text.replace("'", r"'\''") + "'"
