"""The kinds of cause, and the signals that they come with. causes.py judges."""

from exitsnoop.status import SIGNALS

KINDS = (
    "exited",
    "killed",
    "self",
    "abort",
    "fault",
    "oom",
    "seccomp",
    "pipe",
    "timer",
    "cpu_limit",
    "file_limit",
    "terminal",
    "hangup",
    "parent_death",
    "namespace",
    "tracer",
    "kernel",
    "unknown",
)

HUP, INT, QUIT, ABRT, KILL, PIPE, XCPU, XFSZ, SYS = (
    SIGNALS[name] for name in "HUP INT QUIT ABRT KILL PIPE XCPU XFSZ SYS".split()
)
ILL, TRAP, BUS, FPE, SEGV = FAULTS = tuple(
    SIGNALS[name] for name in "ILL TRAP BUS FPE SEGV".split()
)
ALRM, VTALRM, PROF = TIMERS = tuple(SIGNALS[name] for name in "ALRM VTALRM PROF".split())

# Kinds that come with some signals only: the kernel side sends no others where these are asked for.
SIGNALS_OF_KIND: dict[str, set[int]] = {
    "exited": set(),
    "abort": {ABRT},
    "fault": set(FAULTS),
    "oom": {KILL},
    "seccomp": {SYS},
    "pipe": {PIPE},
    "cpu_limit": {XCPU, KILL},
    "file_limit": {XFSZ},
    "terminal": {INT, QUIT},
    "hangup": {HUP},
    "namespace": {KILL},
    "tracer": {KILL},
}
