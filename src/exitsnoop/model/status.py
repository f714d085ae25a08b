"""The wait status: its parts, and the names of signals.

A wait status is what waitpid() stores: bits 15-8 the exit code, bit 7 "core dumped", bits 6-0 the
signal that ended the process, 0 if it exited.
"""

# Linux's own numbers: 1-31 as in include/uapi/asm-generic/signal.h, which x86, arm, riscv, ppc and
# s390 share (alpha, mips, parisc and sparc differ).
_NAMES = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP "
    "TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
).split()
# The real-time signals have the names that shells give them (`kill -l`), with glibc's numbers. The
# kernel's own SIGRTMIN is 32; glibc keeps 32 and 33 to itself, and they have no name.
_FIRST, _RTMIN, _MIDDLE, _RTMAX = 32, 34, 49, 64


def _real_time_name(number: int) -> str:
    if number < _RTMIN:
        return str(number)
    base, distance = ("RTMIN", number - _RTMIN) if number <= _MIDDLE else ("RTMAX", number - _RTMAX)
    return f"{base}{distance:+}" if distance else base


SIGNAL_NAMES: dict[int, str] = dict(enumerate(_NAMES, start=1))
SIGNAL_NAMES.update((number, _real_time_name(number)) for number in range(_FIRST, _RTMAX + 1))
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
    """Return the name of a signal as `kill -l` prints it: "KILL", "RTMIN+2", "RTMAX".

    It is the number for 32 and 33, which have no name, and "unknown" beyond 64.
    """
    return SIGNAL_NAMES.get(number, "unknown")


def full_signal_name(status: int) -> str | None:
    """Return the name with SIG of the signal that ended the process, None if it exited."""
    number = signal(status)
    return None if number is None else f"SIG{signal_name(number)}"


def signal_number(name: str) -> int | None:
    """Return the number of a signal given by name, None if no signal has that name.

    With or without SIG, in upper or lower case. Real-time signals may be counted from either end:
    RTMIN+16 is RTMAX-14.
    """
    name = name.upper().removeprefix("SIG")
    if name in SIGNALS:
        return SIGNALS[name]
    for base, sign, first in (("RTMIN", "+", _RTMIN), ("RTMAX", "-", _RTMAX)):
        start, _, distance = name.partition(sign)
        if start == base and distance.isascii() and distance.isdecimal() and len(distance) < 4:
            number = first + int(sign + distance)
            return number if _RTMIN <= number <= _RTMAX else None
    return None


def describe(status: int) -> str:
    """Return the text of the EXIT_CODE column.

    "0", "code 7", "signal 9 (KILL)", "signal 32" or "signal 11 (SEGV), core dumped".
    """
    number = signal(status)
    if number is None:
        return f"code {exit_code(status)}" if status else "0"
    name = signal_name(number)
    named = "" if name == str(number) else f" ({name})"
    dumped = ", core dumped" if core_dumped(status) else ""
    return f"signal {number}{named}{dumped}"
