"""What exits share besides their records: the place, the image, the chain of ancestors.

Each is one object for many exits, so that what is made of it is made once. Two may be alike.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

_MOST = 1024  # so many of a kind are remembered
_LONG = 1024  # bytes
_SHORT = 64  # these are escaped in less time than it takes to see that they need not be
_PLAIN = bytes({0, *range(ord(" "), ord("~") + 1)} - {*b'"\\'})  # NUL, and what JSON has as it is


class Ancestor(NamedTuple):
    """A process above another at its exit.

    Attributes:
        pid: of the initial PID namespace.
        comm: its name.
    """

    pid: int
    comm: str


class Place:
    """Who ran a process, and where. What is unknown is None.

    Attributes:
        uid: number of the user.
        user: name of that user.
        cgroup: path of the cgroup.
        container_name: what people call the container.
        pod_name: name of the Kubernetes pod.
        namespace: Kubernetes namespace of the pod.
        hostname: host name that it saw.
    """

    __slots__ = ("cgroup", "container_name", "hostname", "namespace", "pod_name", "uid", "user")

    def __init__(
        self,
        uid: int | None,
        user: str | None,
        cgroup: str | None,
        container_name: str | None,
        pod_name: str | None,
        namespace: str | None,
        hostname: str | None,
    ) -> None:
        self.uid = uid
        self.user = user
        self.cgroup = cgroup
        self.container_name = container_name
        self.pod_name = pod_name
        self.namespace = namespace
        self.hostname = hostname


@lru_cache(maxsize=_MOST)
def place(
    uid: int | None,
    user: str | None,
    cgroup: str | None,
    container_name: str | None,
    pod_name: str | None,
    namespace: str | None,
    hostname: str | None,
) -> Place | None:
    """Return the place with these values; None if all of them are unknown."""
    values = (uid, user, cgroup, container_name, pod_name, namespace, hostname)
    return None if values == (None,) * len(values) else Place(*values)


class Chain:
    """A process, and the chain above it; NO_ANCESTORS is the end of each.

    Attributes:
        pid, comm: as of an Ancestor.
        above: the rest of the chain.
    """

    __slots__ = ("_ancestors", "above", "comm", "pid")

    def __init__(self, pid: int, comm: str, above: "Chain | None") -> None:
        self.pid = pid
        self.comm = comm
        self.above = above
        self._ancestors: tuple[Ancestor, ...] | None = None

    @property
    def ancestors(self) -> tuple[Ancestor, ...]:
        """The processes of the chain, the nearest first."""
        if self._ancestors is None:
            found = []
            link = self
            while link.above:
                found.append(Ancestor(link.pid, link.comm))
                link = link.above
            self._ancestors = tuple(found)
        return self._ancestors


NO_ANCESTORS = Chain(0, "", None)


@lru_cache(maxsize=_MOST)
def chain(pid: int, comm: str, above: Chain) -> Chain:
    """Return the chain of a process and those above it."""
    return Chain(pid, comm, above)


def chain_of(ancestors: tuple[Ancestor, ...] | None) -> Chain | None:
    """Return the chain of these processes, the nearest first; None if they are unknown."""
    if ancestors is None:
        return None
    made = NO_ANCESTORS
    for pid, comm in reversed(ancestors):
        made = chain(pid, comm, made)
    return made


class Image:
    """What an exec started: shared by all processes forked from it since.

    Attributes:
        exe: path of the executable, as /proc/PID/exe has it; None if it is not known.
        raw_args: the arguments, each ended by a NUL except perhaps the last; None if they are not
            known, or came otherwise.
        args_truncated: whether there were more than MAX_ARGS_BYTES of arguments; None if unknown.
    """

    __slots__ = ("__weakref__", "_args", "args_truncated", "exe", "raw_args")

    def __init__(self, exe: str | None, raw_args: bytes | None, all_args_bytes: int) -> None:
        self.exe = exe
        self.raw_args = raw_args
        self.args_truncated = None if raw_args is None else all_args_bytes > len(raw_args)
        self._args: tuple[str, ...] | None = None

    @property
    def args(self) -> tuple[str, ...] | None:
        """The arguments at the exec; None if they are not known."""
        if self._args is not None or self.raw_args is None:
            return self._args
        made = split_args(self.raw_args)
        if len(self.raw_args) <= _LONG:  # others would fill the memory
            self._args = made
        return made

    @property
    def args_size(self) -> int:
        """About how many bytes the arguments take; 0 if they are not known."""
        if self.raw_args is None:
            return sum(map(len, self._args or ()))
        return len(self.raw_args)

    def cut(self, most: int) -> None:
        """Keep only so many bytes of the arguments, and characters of the path: its end."""
        if self.raw_args is not None and len(self.raw_args) > most:
            self.raw_args, self.args_truncated = self.raw_args[:most], True
        if self.exe is not None and len(self.exe) > most:
            self.exe = f"/...{self.exe[self.exe.find('/', len(self.exe) - most) :]}"

    def args_as_json(self, quote: Callable[[str], str], comma: str) -> str:
        """Return the arguments, which must be known, as an array of JSON.

        Args:
            quote: returns a string of JSON: one of the functions of json.encoder.
            comma: separates two.
        """
        if self.raw_args:
            text = self.raw_args.removesuffix(b"\0").decode("utf-8", "replace")
            if len(text) > _SHORT and not self.raw_args.translate(None, _PLAIN):
                return '["' + text.replace("\0", f'"{comma}"') + '"]'
            if "\\" not in text:  # so that each of these is a NUL
                return f"[{quote(text)}]".replace("\\u0000", f'"{comma}"')
        return f"[{comma.join(map(quote, self.args or ()))}]"


def image(
    args: tuple[str, ...] | None, args_truncated: bool | None, exe: str | None
) -> Image | None:
    """Return an image with these values; None if all of them are unknown."""
    if args is None and exe is None:
        return None
    made = Image(exe, None, 0)
    made._args = args  # noqa: SLF001 - of this module
    made.args_truncated = args_truncated
    return made


def split_args(raw: bytes) -> tuple[str, ...]:
    """Return arguments that are each ended by a NUL, except perhaps the last."""
    if not raw:
        return ()
    return tuple(arg.decode("utf-8", "replace") for arg in raw.removesuffix(b"\0").split(b"\0"))


MAKERS: dict[str, Callable[..., Any]] = {"image": image, "place": place, "chain": chain_of}
"""What makes each shared object of the values of its fields, in the order of FIELDS."""
