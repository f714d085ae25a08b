"""`exitsnoop check`: what this machine allows, and how to mend what it does not."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from exitsnoop.cli.output import Output
from exitsnoop.errors import KernelRefused, NotPermitted, TraceError
from exitsnoop.host.processes import capabilities, in_first_namespace
from exitsnoop.kernel.features import BTF, tracepoints_are_preemptible
from exitsnoop.tracing.tracer import Tracer

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from exitsnoop.filters.filters import FilterOptions

_CAP_SYS_PTRACE = 19


class Finding(NamedTuple):
    """One line: whether something is there, what that means, and how to mend it."""

    feature: str
    there: bool
    meaning: str
    mend: str = ""


def run(output: Output) -> int:
    """Print what was found; return 0 if tracing works, else what tracing would. Raises OSError."""
    status = os.EX_OK
    kernel = os.uname()
    output.write(f"{'kernel':<12} {kernel.release} {kernel.machine}\n")
    for finding in _findings():
        answer = "yes" if finding.there else "no"
        output.write(f"{finding.feature:<12} {answer:<4} {finding.meaning}\n")
        if not finding.there and finding.mend:
            output.write(f"{'':<17} {finding.mend}\n")
    try:
        Tracer().close()
    except NotPermitted:
        status = os.EX_NOPERM
    except KernelRefused:
        status = os.EX_SOFTWARE
    return status


def _findings() -> Iterator[Finding]:
    yield Finding(
        "BTF",
        os.path.exists(BTF),
        "the kernel describes its types, so that one program fits all",
        "a kernel built with CONFIG_DEBUG_INFO_BTF=y is needed",
    )
    yield _tried("trace", "every process that ends, with its status")
    yield _tried("cause", "-w: who or what ended it", why=True)
    yield _tried(
        "context",
        "-o: user, cgroup, container, ancestors, resources",
        fields=["uid", "ancestors", "cgroup", "max_rss"],
    )
    yield _tried("args", "-a: arguments and executable", fields=["args", "exe"])
    yield _tried("tree", "--tree, -- COMMAND: descendants", tree=[os.getpid()])
    yield Finding(
        "exe",
        bool(capabilities() >> _CAP_SYS_PTRACE & 1),
        "the executable also of what runs already",
        "CAP_SYS_PTRACE is needed to see that of other users' processes; else it is unknown",
    )
    yield Finding(
        "host PIDs",
        in_first_namespace("pid"),
        "PIDs are those that this process sees",
        "PIDs shown are the host's, not those of this container (-o +nspid has both); "
        "-p, -P, --tree and -- COMMAND are not to be had",
    )
    yield Finding(
        "cgroups",
        in_first_namespace("cgroup"),
        "-c: cgroups can be looked for by path",
        "from inside a cgroup namespace the host's paths are not to be seen: run it on the host",
    )
    yield Finding(
        "complete",
        True,
        "this kernel may preempt tracepoints: three more programs stand by"
        if tracepoints_are_preemptible()
        else "one program sees every exit",
    )


def _tried(feature: str, meaning: str, **options: "Unpack[FilterOptions]") -> Finding:
    try:
        Tracer(**options).close()
    except (TraceError, ValueError) as error:
        return Finding(feature, there=False, meaning=meaning, mend=str(error))
    return Finding(feature, there=True, meaning=meaning)
