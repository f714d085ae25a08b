"""`exitsnoop check`: what this machine allows, and how to mend what it does not."""

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from exitsnoop.cli.output import Output
from exitsnoop.errors import NotPermitted, TraceError
from exitsnoop.host.processes import capabilities, in_first_namespace

if TYPE_CHECKING:
    import argparse

    from typing_extensions import Unpack

    from exitsnoop.cli.verbs import Given
    from exitsnoop.filters.keywords import FilterOptions

NAME = "check"
SUMMARY = "say what this machine allows, and how to mend what is missing"
RECORD = """\
The record of --json is one object:
    kernel, machine  release of the kernel, and the architecture
    status           the exit status, which is that of a trace: 0, 70 or 77
    findings         a list of objects, in the order of the lines:
        feature      its name, such as "trace"
        available    true or false
        meaning      what it is for
        remedy       how to get it; null if it is available, or nothing helps
"""

_CAP_SYS_PTRACE = 19


class Finding(NamedTuple):
    """One line: whether something is there, what that means, and how to mend it."""

    feature: str
    available: bool
    meaning: str
    remedy: str | None = None
    status: int = os.EX_OK  # of a trace that needs it


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    """Add its own options."""
    parser.epilog = RECORD
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")


def run(options: "Given") -> int:
    """Print what was found; return the exit status that tracing would have. Raises OSError."""
    output = Output()
    kernel = os.uname()
    findings: list[Finding] = []
    if not options.json:
        output.write(f"{'kernel':<12} {kernel.release} {kernel.machine}\n")
    for finding in _findings():
        findings.append(finding)
        if not options.json:
            output.write(_lines(finding))
    (status,) = [finding.status for finding in findings if finding.feature == "trace"]
    if options.json:
        record = {
            "kernel": kernel.release,
            "machine": kernel.machine,
            "status": status,
            "findings": [_record(finding) for finding in findings],
        }
        output.write(json.dumps(record) + "\n")
    return status


def _lines(finding: Finding) -> str:
    answer = "yes" if finding.available else "no"
    text = f"{finding.feature:<12} {answer:<4} {finding.meaning}\n"
    remedy = _remedy(finding)
    return text + f"{'':<17} {remedy}\n" if remedy else text


def _record(finding: Finding) -> dict[str, str | bool | None]:
    return {
        "feature": finding.feature,
        "available": finding.available,
        "meaning": finding.meaning,
        "remedy": _remedy(finding),
    }


def _remedy(finding: Finding) -> str | None:
    return None if finding.available else finding.remedy


def _findings() -> Iterator[Finding]:
    from exitsnoop.kernel.features import BTF

    yield Finding(
        "BTF",
        os.path.exists(BTF),
        "the kernel describes its types, so that one program fits all kernels",
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
        "the executables of processes that run already",
        "CAP_SYS_PTRACE is needed for the processes of other users; without it, theirs is unknown",
    )
    yield Finding(
        "host PIDs",
        in_first_namespace("pid"),
        "PIDs are those that this process sees",
        "PIDs shown are the host's, not those of this container (-o +nspid has both); "
        "-p, -P, --tree and -- COMMAND are unavailable here",
    )
    yield Finding(
        "cgroups",
        in_first_namespace("cgroup"),
        "-c: filters by the path of a cgroup",
        "the host's paths are hidden inside a cgroup namespace: run it on the host",
    )
    yield _complete()


def _complete() -> Finding:
    from exitsnoop.kernel.features import perf_events_are_allowed, tracepoints_are_preemptible

    if not tracepoints_are_preemptible():
        return Finding("complete", available=True, meaning="one program sees every exit")
    return Finding(
        "complete",
        perf_events_are_allowed(),
        "this kernel may preempt tracepoints: three more programs stand by, "
        "the last of which cannot be preempted",
        "it needs tracefs, mounted at /sys/kernel/tracing and readable, and perf_event_open(); "
        "another stands in for it, and exits that all miss are counted as lost",
    )


def _tried(feature: str, meaning: str, **options: "Unpack[FilterOptions]") -> Finding:
    from exitsnoop.tracing.tracer import Tracer  # --help does without

    status = os.EX_OK
    try:
        Tracer(**options).close()
    except NotPermitted as error:
        status, remedy = os.EX_NOPERM, str(error)
    except TraceError as error:
        status, remedy = os.EX_SOFTWARE, str(error)
    except ValueError as error:
        remedy = str(error)
    else:
        return Finding(feature, available=True, meaning=meaning)
    return Finding(feature, available=False, meaning=meaning, remedy=remedy, status=status)
