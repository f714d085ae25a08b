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
        batch = Exits.of(exits)
        causes = {id(cause): cause for cause in batch.column("cause")}
        shown = {key: cause and self._cause(cause) for key, cause in causes.items()}
        args = [self._args(words) for words in batch.column("args")]
        cut = batch.column("args_truncated") if self._kept.args else [None] * len(batch)
        return self._rows(
            batch.replace(
                args=args,
                args_truncated=cut,
                cause=[shown[id(cause)] for cause in batch.column("cause")],
            )
        )

    def _args(self, words: "tuple[str, ...] | None") -> "tuple[str, ...] | None":
        left = self._kept.of(words)
        return None if left is None else tuple(left)

    def _cause(self, cause: "Cause") -> "Cause":
        oom, after = cause.oom, cause.after
        return cause._replace(
            sender=cause.sender and self._sender(cause.sender),
            oom=oom and oom._replace(trigger=self._sender(oom.trigger)),
            after=after and after._replace(sender=after.sender and self._sender(after.sender)),
        )

    def _sender(self, sender: "Sender") -> "Sender":
        args = self._args(sender.args)
        return sender._replace(args=args, args_truncated=args is not None and sender.args_truncated)
