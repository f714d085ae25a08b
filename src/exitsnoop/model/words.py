"""Words for numbers: exit codes, si_codes, system calls, sizes."""

import os
from functools import lru_cache

from exitsnoop.model.status import SIGNALS, signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from exitsnoop.model.cause import Sender

SHELLS = frozenset("ash bash busybox csh dash fish ksh ksh93 mksh rbash sh tcsh yash zsh".split())
"""Names of the programs whose exit codes mean what shell_meaning() says."""

# include/uapi/asm-generic/siginfo.h: codes that any signal can have, then those of one signal, from
# 1 on.
_SI_CODES = {
    0: "SI_USER",
    0x80: "SI_KERNEL",
    -1: "SI_QUEUE",
    -2: "SI_TIMER",
    -3: "SI_MESGQ",
    -4: "SI_ASYNCIO",
    -5: "SI_SIGIO",
    -6: "SI_TKILL",
}
_SI_CODES_OF = {
    "ILL": "ILLOPC ILLOPN ILLADR ILLTRP PRVOPC PRVREG COPROC BADSTK",
    "FPE": "INTDIV INTOVF FLTDIV FLTOVF FLTUND FLTRES FLTINV FLTSUB",
    "SEGV": "MAPERR ACCERR BNDERR PKUERR ACCADI ADIDERR ADIPERR MTEAERR MTESERR CPERR",
    "BUS": "ADRALN ADRERR OBJERR MCEERR_AR MCEERR_AO",
    "TRAP": "BRKPT TRACE BRANCH HWBKPT UNK PERF",
    "SYS": "SECCOMP USER_DISPATCH",
    "IO": "IN OUT MSG ERR PRI HUP",
}
_NAMES = {
    (SIGNALS[signal], number): f"{'POLL' if signal == 'IO' else signal}_{name}"
    for signal, names in _SI_CODES_OF.items()
    for number, name in enumerate(names.split(), start=1)
}


def si_code_name(signal: int, code: int) -> str:
    """Return the name of a signal's si_code, such as "SEGV_MAPERR"; the number if it has no name.

    A signal without codes of its own can have those of SIGIO: F_SETSIG sends it for a descriptor.
    """
    if (signal, code) in _NAMES:
        return _NAMES[signal, code]
    if code in _SI_CODES:
        return _SI_CODES[code]
    return _NAMES.get((SIGNALS["IO"], code), str(code)) if signal not in _WITH_CODES else str(code)


_WITH_CODES = {signal for signal, _ in _NAMES}

# What a machine calls itself in the siginfo of a system call (include/uapi/linux/audit.h).
_AUDIT_ARCH = {
    "x86_64": 0xC000003E,
    "aarch64": 0xC00000B7,
    "riscv64": 0xC00000F3,
    "ppc64le": 0xC0000015,
    "s390x": 0x80000016,
}


@lru_cache(maxsize=256)  # one a kill
def syscall_name(number: int, arch: int) -> str | None:
    """Return the name of a system call; None if it is of another machine, or newer than our table.

    arch: AUDIT_ARCH_..., as in siginfo.
    """
    if arch != _AUDIT_ARCH.get(os.uname().machine):
        return None
    from exitsnoop.model.syscalls import NAMES  # some hundred; seldom asked for

    return NAMES.get(number)


def shell_meaning(code: int) -> str | None:
    """Return what an exit code of a shell means; None if it is just a code.

    128+n is what a shell exits with after a signal ended its command; no signal ended the shell. A
    script that is there, but names an interpreter (#!) that is not, is 127 or, in some shells, 126:
    exec fails with the same error as without the script. `bash -c` and `ksh -c` exit with 127 also
    where a variable is not set (-u, "${name?}").
    """
    if code == 126:
        return "as for a command that cannot run"
    if code == 127:
        return "as for a command not found"
    if 128 < code <= 128 + 64:
        return f"128+{code - 128}, as after SIG{signal_name(code - 128)} of a command"
    return None


def which(handled: str) -> str:
    """Return what a process did with a signal: ", which it ignored"; "" if it handled it."""
    if handled == "handled":
        return ""
    return _NOT_TAKEN.get(handled, f", which it {handled}")


_NOT_TAKEN = {
    "waiting": ", which it had not taken yet",
    "stopped": ", which came while it was stopped",
    "stopping": ", which had stopped it",
    "init without handler": ", which an init without a handler ignores",
}


def came_first(names: "Sequence[str]") -> str:
    """Return which signals came before another: " (SIGHUP and SIGINT came first)", or ""."""
    if not names:
        return ""
    *others, last = names
    return f" ({', '.join(others)}{' and ' if others else ''}{last} came first)"


@lru_cache(maxsize=1024)
def quoted(name: str) -> str:
    """Return a process's name for a sentence: in quotes if it could be taken for more."""
    if name and not set(name) - _PLAIN_IN_NAMES:
        return name
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


_PLAIN_IN_NAMES = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/@%+=,~#-"
)


def from_container(sender: "Sender") -> str:
    """Return " from container web-1", " from container web of pod shop/web-5d"; "" if in none."""
    found = []
    if sender.container:
        id_ = sender.container.id
        short = id_[:12] if len(id_) == _ID_DIGITS else id_
        found.append(f"container {quoted(sender.container_name or short)}")
    if sender.pod:
        names = filter(None, (sender.namespace, sender.pod_name or sender.pod))
        found.append(f"pod {'/'.join(map(quoted, names))}")
    return f" from {' of '.join(found)}" if found else ""


_ID_DIGITS = 64  # lxc and systemd-nspawn have names instead


def human_bytes(count: int) -> str:
    """Return "62.1M" and the like, in powers of 1024."""
    size = float(count)
    for unit in "BKMGTPE":
        if size < 1024 or unit == "E":
            break
        size /= 1024
    return f"{count}B" if unit == "B" else f"{size:.1f}{unit}"
