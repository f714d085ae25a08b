"""Exit: what is known of one exit."""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from exitsnoop.model import plain
from exitsnoop.model.attributes import Attributes
from exitsnoop.model.fields import COLLECTED, STORED
from exitsnoop.model.status import describe

_COMPARED = slice(0, -1)  # without the last, `wanted`


class Exit(Attributes):
    """One process that ended, or one thread when tracing per thread.

    It does not change. Two are equal if all that is known of them is (except `wanted`). PIDs are
    those of the initial PID namespace. What is unknown, or was not requested (Tracer's `fields`),
    is None.
    """

    __slots__ = ()

    @classmethod
    def _make(cls, values: tuple[Any, ...]) -> "Exit":
        """Return an exit with these values of STORED, which are not checked."""
        made = _new(cls)
        _set_values(made, values)
        return made

    def to_dict(self) -> dict[str, Any]:
        """Return all that is known of it, as JSON can have it: keys as in `exitsnoop --json`."""
        return {name: plain.value(name, getattr(self, name)) for name in plain.KEYS}

    def to_json(self) -> str:
        """Return the line of `exitsnoop --json` with all its keys, without the newline."""
        members = [f'"{name}": {plain.text(name, getattr(self, name))}' for name in plain.KEYS]
        return f"{{{', '.join(members)}}}"

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> "Exit":
        """Return the exit that to_dict(), or a line of `exitsnoop --json`, is about.

        `Exit.from_dict(exit.to_dict()) == exit`, also after a way through JSON. Unknown keys are
        ignored, so that a recording of a newer version, or with a label, can be read. What is
        missing is None. `container`, `pod`, `unit` and `user_unit` are made of `cgroup` again.

        These keys are needed: boot_ns, pid, ppid; status, or exit_code, signal and core_dumped;
        raw_comm or comm; start_boot_ns or age; wall_ns or time. `comm`, `age` and `time` are not
        exact: invalid UTF-8 and nanoseconds are lost.

        Raises:
            ValueError: one of these is missing, or a value has the wrong type.
        """
        return cls(**plain.stored(known))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Exit):
            return NotImplemented
        return self._values[_COMPARED] == other._values[_COMPARED]

    def __hash__(self) -> int:
        return hash(self._values[_COMPARED])

    def __reduce__(self) -> tuple[Any, ...]:
        return Exit._make, (self._values,)

    def __repr__(self) -> str:
        collected = "".join(
            [
                f", {name}={value!r}"
                for name, value in zip(STORED, self._values, strict=True)
                if name in COLLECTED and value is not None
            ]
        )
        return (
            f"Exit(pid={self.pid}, tid={self.tid}, ppid={self.ppid}, comm={self.comm!r}, "
            f"age={self.age}, status={self.status:#x} <{describe(self.status)}>{collected})"
        )


_new = object.__new__
_set_values: Any = vars(Attributes)["_values"].__set__
values_of: Callable[[Exit], tuple[Any, ...]] = attrgetter("_values")
"""The values of STORED."""
