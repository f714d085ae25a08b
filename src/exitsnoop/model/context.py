"""Context: what was collected of an exit besides the plain record."""

from functools import cached_property
from typing import NamedTuple

from exitsnoop.host import users
from exitsnoop.model import cgroup
from exitsnoop.model.cgroup import Container


class Ancestor(NamedTuple):
    """A process above another at its exit.

    Attributes:
        pid: of the initial PID namespace.
        comm: its name.
    """

    pid: int
    comm: str


class Image:
    """What an exec started: shared by all processes forked from it since.

    Attributes:
        exe: path of the executable, as /proc/PID/exe has it; None if it is not known.
        args_truncated: whether there were more than MAX_ARGS_BYTES of arguments; None if unknown.
    """

    def __init__(self, exe: str | None, raw_args: bytes | None, all_args_bytes: int) -> None:
        self.exe = exe
        self._raw_args = raw_args
        self.args_truncated = None if raw_args is None else all_args_bytes > len(raw_args)

    @cached_property
    def args(self) -> tuple[str, ...] | None:
        """The arguments at the exec; None if they are not known."""
        return None if self._raw_args is None else split_args(self._raw_args)


class Context(NamedTuple):
    """What was collected of an exit besides the plain record; Exit tells what each part is."""

    image: Image | None = None
    uid: int | None = None
    nspid: int | None = None
    hostname: str | None = None
    parent_comm: str | None = None
    ancestors: tuple[Ancestor, ...] | None = None
    ancestors_truncated: bool | None = None
    cgroup: str | None = None
    cpu_user: float | None = None
    cpu_system: float | None = None
    max_rss: int | None = None
    read_bytes: int | None = None
    write_bytes: int | None = None
    minor_faults: int | None = None
    major_faults: int | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None

    @property
    def user(self) -> str | None:
        """The name of the user; None if it has none."""
        return None if self.uid is None else users.name(self.uid)

    @property
    def exe(self) -> str | None:
        """Path of the executable."""
        return self.image.exe if self.image else None

    @property
    def args(self) -> tuple[str, ...] | None:
        """The arguments at the exec."""
        return self.image.args if self.image else None

    @property
    def args_truncated(self) -> bool | None:
        """Whether there were more arguments."""
        return self.image.args_truncated if self.image else None

    @property
    def container(self) -> Container | None:
        """The innermost container that the cgroup's path names."""
        return None if self.cgroup is None else cgroup.container(self.cgroup)

    @property
    def pod(self) -> str | None:
        """The uid of the Kubernetes pod that it names."""
        return None if self.cgroup is None else cgroup.pod(self.cgroup)

    @property
    def unit(self) -> str | None:
        """The systemd unit that it names."""
        return None if self.cgroup is None else cgroup.unit(self.cgroup)

    @property
    def user_unit(self) -> str | None:
        """The unit of the user's own systemd that it names."""
        return None if self.cgroup is None else cgroup.user_unit(self.cgroup)


NOTHING = Context()


def split_args(raw: bytes) -> tuple[str, ...]:
    """Return arguments of which each is ended by a NUL, the last perhaps not."""
    if not raw:
        return ()
    return tuple(arg.decode("utf-8", "replace") for arg in raw.removesuffix(b"\0").split(b"\0"))
