"""The wait status: its parts, and the names of signals.

A wait status is what waitpid() stores: bits 15-8 the exit code, bit 7 "core dumped", bits 6-0 the
signal that ended the process, 0 if it exited.
"""

# Linux's own numbers: 1-31 as in include/uapi/asm-generic/signal.h, which x86, arm, riscv, ppc and
# s390 share (alpha, mips, parisc and sparc differ). SIGRTMIN is 32 to the kernel; C libraries that
# keep the first ones to themselves call a later one SIGRTMIN.
_NAMES = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP "
    "TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
).split()
_RTMIN = 32
_LAST = 64

SIGNAL_NAMES: dict[int, str] = dict(enumerate(_NAMES, start=1))
SIGNAL_NAMES[_RTMIN] = "RTMIN"
SIGNAL_NAMES.update((number, f"RTMIN+{number - _RTMIN}") for number in range(_RTMIN + 1, _LAST + 1))
SIGNALS: dict[str, int] = {name: number for number, name in SIGNAL_NAMES.items()}


def exit_code(status: int) -> int | None:
    """Return the exit code, 0-255, or None if a signal ended the process."""
    return None if signal(status) else status >> 8 & 0xFF


def signal(status: int) -> int | None:
    """Return the number of the signal that ended the process, 1-64, or None if it exited."""
    return status & 0x7F or None


def core_dumped(status: int) -> bool:
    """Return whether a core was written."""
    return bool(status & 0x80)


def signal_name(number: int) -> str:
    """Return the kernel's name of a signal without SIG: "KILL", "RTMIN+2"."""
    return SIGNAL_NAMES.get(number, "unknown")


def describe(status: int) -> str:
    """Return the text of the EXIT_CODE column.

    "0", "code 7", "signal 9 (KILL)" or "signal 11 (SEGV), core dumped".
    """
    number = signal(status)
    if number is None:
        return f"code {exit_code(status)}" if status else "0"
    dumped = ", core dumped" if core_dumped(status) else ""
    return f"signal {number} ({signal_name(number)}){dumped}"
