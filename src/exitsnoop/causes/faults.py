"""The sentence for a fault: what the thread did, where, and whether it ran out of stack."""

from exitsnoop.causes import places, traps
from exitsnoop.causes.case import SI_KERNEL, Case
from exitsnoop.model.cause import BUS, FPE, ILL, SEGV, Cause, Mapped
from exitsnoop.model.words import si_code_name

SEGV_ACCERR = 2
_WORDS = {
    SEGV: "segfault",
    BUS: "bus error",
    FPE: "arithmetic fault",
    ILL: "illegal instruction",
}
_MIB = 1 << 20
_MEANING = {
    # x86 raises the same exception if the result of a division is too large.
    "FPE_INTDIV": "division by zero or overflow",
    "FPE_INTOVF": "integer overflow",
    "FPE_FLTDIV": "floating-point division by zero",
    "FPE_FLTOVF": "floating-point overflow",
    "FPE_FLTUND": "floating-point underflow",
    "FPE_FLTRES": "inexact floating-point result",
    "FPE_FLTINV": "invalid floating-point operation",
    "FPE_FLTSUB": "subscript out of range",
    "TRAP_TRACE": "single step",
    "TRAP_PERF": "a perf event that the process had asked for",
    "SEGV_PKUERR": "its protection key forbids it",
    "BUS_MCEERR_AR": "the memory itself is broken",
    "BUS_MCEERR_AO": "the memory itself is broken",
}
_GAP = 120 * _MIB
_LARGEST_FRAME = 64 << 30
_FRAMES = 256 << 10  # arguments, environment, the frame of a signal


def fault(case: Case) -> Cause:
    """The CPU refused what a thread tried."""
    evidence = case.evidence
    site, address = evidence.site, evidence.address
    name = _WORDS.get(case.signal, "trap")
    code = si_code_name(case.signal, case.si_code or 0)
    at = places.of_instruction(site)
    called = places.who_called(site)
    where = f"{at}{called}{case.in_thread}"
    # The first: a fault for which the CPU gives no address. The other: x86 gives none, and reports
    # 0, which is aligned.
    if case.si_code == SI_KERNEL or (not address and code == "BUS_ADRALN"):
        trap = traps.reason(case.signal, evidence.trap, _has_room(case))
        overflow = ", stack overflow" if trap == traps.NO_ROOM and _is_stack_overflow(case) else ""
        why = f", {trap}" if trap else ""
        said = "" if trap and (at or called) else f" ({code})"
        return case.cause(f"{name}{why}{said}{overflow}{where}", thread=evidence.thread, trap=trap)
    access = traps.access(address, evidence.trap)
    mapped = places.mapping(site, unmapped=code == "SEGV_MAPERR") if site else None
    doing = f"{traps.DOING[access]} " if access else "at "
    detail = _detail(case, code, access, mapped)
    if at and detail.startswith(","):
        where = f",{where}"
    text = f"{name} {doing}{address:#x}{detail}{where}"
    return case.cause(text, address=address, thread=evidence.thread, access=access, mapping=mapped)


def _detail(case: Case, code: str, access: str | None, mapped: Mapped | None) -> str:
    """Return what was wrong with the address: the si_code, or, if more is known, words."""
    site = case.evidence.site
    if case.signal == ILL and (which := traps.illegal(case.evidence.trap)):
        return f" ({which})"
    if _is_stack_overflow(case):
        return ", stack overflow" if site and site.at else f" ({code}), stack overflow"
    if site and code == "BUS_ADRERR" and (why := places.no_page(site, mapped, access)):
        return f", {why}"
    told = site and (site.at or places.who_called(site))
    if not told or not mapped or code not in ("SEGV_MAPERR", "SEGV_ACCERR"):
        return f" ({_MEANING.get(code, code)})"
    return "" if mapped.kind == "none" else places.not_allowed(mapped, access)


def _is_stack_overflow(case: Case) -> bool:
    """Whether a stack has reached its end: its limit, or the guard page of a thread's.

    The kernel measures the limit from the end of the stack's mapping, which is above stack_start by
    the size of arguments and environment. A large frame reaches below the limit. Then the stack
    pointer is there, too; nothing else is mapped in the 128 MiB below stack_start (mmap_base() in
    arch/x86/mm/mmap.c).
    """
    trap, address = case.evidence.trap, case.evidence.address
    if case.signal != SEGV:
        return False
    if case.si_code == SI_KERNEL:
        return _has_room(case) is False
    if -_FRAMES <= case.below_limit(address) <= _MIB:
        return True
    if trap is None or not case.at_end_of_stack(trap.stack_pointer):
        return False
    if case.evidence.thread and case.evidence.thread.tid != case.pid:
        return case.si_code == SEGV_ACCERR or traps.access(address, trap) == "write"
    return 0 <= case.below_limit(address) <= _GAP or _is_one_large_frame(case)


def _has_room(case: Case) -> bool | None:
    """Whether the stack of the thread has room for the frame of a signal; None if unknown."""
    site, trap, limit = case.evidence.site, case.evidence.trap, case.evidence.limit
    if trap and limit is not None:
        below = case.below_limit(trap.stack_pointer)
        if -limit <= below <= _GAP:
            return below < -_FRAMES
    at_end = site.is_at_end_of_stack() if site else None
    return None if at_end is None else not at_end


def _is_one_large_frame(case: Case) -> bool:
    """Whether the frame pointer is in the first thread's stack, and the stack pointer below it.

    Further below than any frame is a stack pointer that went astray.
    """
    site = case.evidence.site
    if not site or "bp" not in site.registers:
        return False
    top, bottom = site.registers["bp"], site.registers["sp"]
    if top - bottom > _LARGEST_FRAME:
        return False
    return top <= case.evidence.stack_start and case.below_limit(top) < 0 < case.below_limit(bottom)
