"""What is not shown of arguments, which may be secret: --no-args and --redact."""

from typing import TYPE_CHECKING

from exitsnoop.model.batch import Exits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exitsnoop.model.cause import Cause, Sender
    from exitsnoop.model.exit import Exit
    from exitsnoop.sinks import Sink
    from exitsnoop.store.redact import Kept


class Hiding:
    """A format that is given only what may be shown of arguments, those of senders included."""

    def __init__(self, form: "Sink", kept: "Kept") -> None:
        self.header, self.lost = form.header, form.lost
        self._rows = form.rows
        self._kept = kept

    def rows(self, exits: "Sequence[Exit]") -> str:
        """Return the rows of these exits."""
        return self._rows(hidden(Exits.of(exits), self._kept))


def hidden(exits: Exits, kept: "Kept") -> Exits:
    """Return exits with only what may be shown of arguments, those of senders included."""
    causes = {id(cause): cause for cause in exits.column("cause")}
    shown = {key: cause and _cause(cause, kept) for key, cause in causes.items()}
    cut = exits.column("args_truncated") if kept.args else [None] * len(exits)
    return exits.replace(
        args=[_args(words, kept) for words in exits.column("args")],
        args_truncated=cut,
        cause=[shown[id(cause)] for cause in exits.column("cause")],
    )


def _args(words: "tuple[str, ...] | None", kept: "Kept") -> "tuple[str, ...] | None":
    left = kept.of(words)
    return None if left is None else tuple(left)


def _cause(cause: "Cause", kept: "Kept") -> "Cause":
    oom, after = cause.oom, cause.after
    return cause._replace(
        sender=cause.sender and _sender(cause.sender, kept),
        oom=oom and oom._replace(trigger=_sender(oom.trigger, kept)),
        after=after and after._replace(sender=after.sender and _sender(after.sender, kept)),
    )


def _sender(sender: "Sender", kept: "Kept") -> "Sender":
    args = _args(sender.args, kept)
    return sender._replace(args=args, args_truncated=args is not None and sender.args_truncated)
