"""What a destination is: it takes batches of records, and says what it did with each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from exitsnoop.model.batch import Exits
from exitsnoop.ship.tally import Tally
from exitsnoop.store.boots import Boot
from exitsnoop.store.following import Missing


@dataclass(frozen=True)
class Batch:
    """Records to deliver.

    Attributes:
        exits: at most 500, in the order in which they were recorded; besides the fields of an exit
            they have the columns `id` and `boot_id`.
        missing: what is missing in the recording, or was given up.
        boots: the boots of the recording by their id, which name the machine.
    """

    exits: Exits
    missing: Sequence[Missing]
    boots: Mapping[str, Boot]

    def __len__(self) -> int:
        return len(self.exits) + len(self.missing)


class Answer(NamedTuple):
    """What became of a batch.

    Attributes:
        rejected: how many records of it are not taken, for good; the others are, unless `again_s`.
        again_s: the batch is to be delivered again, after so many seconds; 0 if the destination
            names no time. None: it is done with.
        said: why, for people: what the destination said. "" if there is nothing to say.
    """

    rejected: int = 0
    again_s: float | None = None
    said: str = ""


class Destination(Protocol):
    """Where records go. It is used by one thread.

    Attributes:
        kind: a word: "otlp".
        where: its address, for people; with `kind` it names the cursor.
        failed: whether it wants only exits that did not end with exit(0).
        from_now: whether the first delivery begins with what is recorded from then on.
        kept: what is kept with the cursor, as JSON; given back before the first batch. None if
            there is nothing. It belongs to the batches that were delivered, so if there is
            something, the cursor may be written later than each batch.
        tallies: of all destinations, by their kind; set before the first batch.
    """

    kind: str
    where: str
    failed: bool
    from_now: bool = False
    kept: Any = None
    tallies: Mapping[str, Tally] = MappingProxyType({})

    def idle(self) -> None:
        """Everything is delivered that is recorded. It is called about once a second then."""
        return

    def deliver(self, batch: Batch) -> Answer:
        """Deliver a batch; return when it is known what became of it. Problems are answers, too."""

    def close(self) -> None:
        """Give up what it holds, such as a connection."""
